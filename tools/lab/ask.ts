/**
 * ask.js WHAT HOST PORT...: the client of lines.js; prints one JSON document.
 *
 *   tcp HOST PORT COUNT     a connection for each line, one after the other: the answers
 *   udp HOST PORT COUNT     a socket for each, of another port: the answers
 *   round HOST PORT COUNT   lines on one connection: milliseconds until each was answered
 *   more HOST SECONDS PORT...   a connection to each port at once: bytes of each in the same time
 */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Generous, since a busy machine is no failure. */
const PATIENCE = 30_000;

async function open(host: string, port: number): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  socket.setTimeout(PATIENCE, () => socket.destroy(new Error(`${host} port ${port}: silence`)));
  await once(socket, "connect");
  return socket;
}

async function say(socket: Socket, line: string): Promise<string> {
  socket.write(`${line}\n`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  return answer.toString("latin1").trimEnd();
}

async function tcp(host: string, port: number, count: number): Promise<string[]> {
  const answers: string[] = [];
  for (let i = 0; i < count; i++) {
    const socket = await open(host, port);
    answers.push(await say(socket, `line ${i}`));
    socket.end();
    await once(socket, "close");
  }
  return answers;
}

/** All open until the last is answered: a port that came again within the director's memory of it would be no new client. */
async function udp(host: string, port: number, count: number): Promise<string[]> {
  const answers: string[] = [];
  const sockets: UdpSocket[] = [];
  for (let i = 0; i < count; i++) {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    sockets.push(socket);
    // Connected: whoever answers in the VIP's place is not heard.
    socket.connect(port, host);
    await once(socket, "connect");
    socket.send(`line ${i}`);
    const [answer] = (await once(socket, "message", { signal: AbortSignal.timeout(PATIENCE) })) as [Buffer];
    answers.push(answer.toString("latin1"));
  }
  for (const socket of sockets) socket.close();
  return answers;
}

async function round(host: string, port: number, count: number): Promise<number[]> {
  const socket = await open(host, port);
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const begun = performance.now();
    await say(socket, `line ${i}`);
    times.push(performance.now() - begun);
  }
  socket.destroy();
  return times;
}

/** A second before that is for the windows to open. */
async function more(host: string, seconds: number, ports: readonly number[]): Promise<number[]> {
  const bytes = ports.map(() => 0);
  const sockets = await Promise.all(ports.map((port) => open(host, port)));
  sockets.forEach((socket, i) => {
    socket.on("data", (block: Buffer) => {
      bytes[i]! += block.length;
    });
    socket.write("more\n");
  });
  await sleep(1000);
  const before = [...bytes];
  await sleep(seconds * 1000);
  const counted = bytes.map((count, i) => count - before[i]!);
  for (const socket of sockets) socket.destroy();
  return counted;
}

const [what, host, ...numbers] = process.argv.slice(2);
const [port, count] = numbers.map(Number);
const errands: Readonly<Record<string, () => Promise<unknown>>> = {
  tcp: () => tcp(host!, port!, count!),
  udp: () => udp(host!, port!, count!),
  round: () => round(host!, port!, count!),
  more: () => more(host!, port!, numbers.slice(1).map(Number)),
};
console.log(JSON.stringify(await errands[what!]!()));
