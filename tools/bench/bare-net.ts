/**
 * What Node's `net` costs by itself: the least that a program on it can do for passive FTP. Standing listeners, two
 * sockets a connection, the 227 of one known server rewritten; nothing is checked, and nothing is safe. A peer for the
 * benchmark: the distance to it is what Kindred adds, the distance from it to others is Node's.
 *
 *   node bare-net.js HOST PORT SERVER-PORT
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

const [HOST, PORT, SERVER] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])];
const STANDING = 256;

const idle: number[] = [];
const targets = new Map<number, number>();
const open = { allowHalfOpen: true, noDelay: true };

function join(a: Socket, b: Socket): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.on("data", (chunk) => void to.write(chunk));
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
  }
}

async function stand(): Promise<void> {
  const listener = createServer(open, (client) => {
    const target = targets.get(port);
    if (target === undefined) return void client.destroy();
    targets.delete(port);
    idle.push(port);
    join(client, connect({ host: HOST, port: target, ...open }));
  });
  listener.listen(0, HOST, 256);
  await once(listener, "listening");
  const { port } = listener.address() as { port: number };
  idle.push(port);
}

/** The 227 with one of our ports in it. */
function rewritten(reply: string): string {
  const numbers = reply
    .slice(reply.indexOf("(") + 1, reply.indexOf(")"))
    .split(",")
    .map(Number);
  const port = idle.shift()!;
  targets.set(port, numbers[4]! * 256 + numbers[5]!);
  return `227 Entering Passive Mode (${HOST.replaceAll(".", ",")},${port >> 8},${port & 255}).\r\n`;
}

function control(client: Socket): void {
  const server = connect({ host: HOST, port: SERVER, ...open });
  client.on("data", (chunk) => void server.write(chunk));
  server.on("data", (chunk: Buffer) => {
    const passive = chunk[0] === 0x32 && chunk[1] === 0x32 && chunk[2] === 0x37;
    client.write(passive ? rewritten(chunk.toString("latin1")) : chunk);
  });
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
  }
}

for (let i = 0; i < STANDING; i++) await stand();
createServer(open, control).listen(PORT, HOST, 4096);
