/** The NetBIOS datagram service through the socket path: each side answers to where a message says that it comes from. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import t, { type Test } from "tap";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, Live, VIP } from "./live.ts";

/** A flow is one of the datagram service by its port. */
const SERVICE = 138;
const REAL = "127.0.0.138";
const skip = process.getuid?.() === 0 ? false : `needs root, to listen on port ${SERVICE}`;
const DIRECT_UNIQUE = 0x10;
const SOURCE = 4;

async function bound(t: Test, host: string, port: number): Promise<Socket> {
  const socket = createSocket("udp4");
  t.teardown(() => void socket.close());
  socket.bind(port, host);
  await once(socket, "listening");
  return socket;
}

interface Said {
  readonly from: string;
  /** Its SOURCE_IP and SOURCE_PORT. */
  readonly source: string;
}

function message(host: string, port: number): Buffer {
  const header = Buffer.from([DIRECT_UNIQUE, 0x0a, 0, 9, ...host.split(".").map(Number), 0, 0, 0, 20, 0, 0]);
  header.writeUInt16BE(port, SOURCE + 4);
  return Buffer.concat([header, Buffer.alloc(20)]);
}

const sourceOf = (said: Buffer): string =>
  `${said.subarray(SOURCE, SOURCE + 4).join(".")}:${said.readUInt16BE(SOURCE + 4)}`;

async function hears(socket: Socket): Promise<Said> {
  const [said, { address, port }] = await once(socket, "message");
  return { from: `${address}:${port}`, source: sourceOf(said) };
}

t.test("each side is told an end that it can answer to", { skip }, async (t) => {
  const real = await bound(t, REAL, SERVICE);
  const at = await freePort(VIP);
  const service = `{ name: samba, vip: ${VIP}, ports: [udp/${at}], helper: netbios, realservers: [{ address: ${REAL}, port: ${SERVICE} }] }`;

  await Live.start(t, `services: [${service}]\nhelpers: { netbios: { ports: [${at}] } }`, at);
  const client = await bound(t, CLIENT, 0);
  const asked = hears(real);
  client.send(message(CLIENT, client.address().port), at, VIP);
  const { from, source } = await asked;
  t.equal(source, from, "the realserver is told the director's end");
  const [host, answerPort] = source.split(":");
  const answered = hears(client);
  real.send(message(REAL, SERVICE), Number(answerPort), host);
  const answer = await answered;
  t.equal(answer.from, `${VIP}:${at}`);
  t.equal(answer.source, answer.from, "and the client the virtual service's");
});
