/** node pnm-player.js SERVER OWN-ADDRESS FILE: plays a stream by UDP, asks for what it lacks, writes it to FILE. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { ANSWER_LENGTH, answeredPort, greeting, lost, numbersOf, PNM_PORT } from "./pnm.ts";

const [server, own, file] = process.argv.slice(2) as [string, string, string];
const ASK_AGAIN = 200;

async function bound(): Promise<Socket> {
  const socket = createSocket("udp4").bind(0, own);
  await once(socket, "listening");
  return socket;
}

const [player, robust] = [await bound(), await bound()];
const received = new Map<number, Buffer>();
const keep = (said: Buffer): void => void received.set(said.readUInt16BE(0), said.subarray(2));
let robustPort = 0;
player.on("message", (said, from) => {
  if (from.address === server) keep(said);
});
// From nowhere but the port that the server named.
robust.on("message", (said, from) => {
  if (from.address === server && from.port === robustPort) keep(said);
});

const control = connect({ port: PNM_PORT, host: server, allowHalfOpen: true });
control.write(greeting({ player: player.address().port, robust: robust.address().port }));
let said = Buffer.alloc(0);
for await (const bytes of control.on("end", () => {}).iterator({ destroyOnReturn: false })) {
  said = Buffer.concat([said, bytes as Buffer]);
  if (said.length >= ANSWER_LENGTH) robustPort = answeredPort(said);
  if (said.length === ANSWER_LENGTH + 2) break;
}
const [count = 0] = numbersOf(said.subarray(ANSWER_LENGTH));

for (;;) {
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !received.has(i));
  if (missing.length === 0) break;
  robust.send(lost(missing), robustPort, server);
  await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN));
}
writeFileSync(file, Buffer.concat(Array.from({ length: count }, (_, i) => received.get(i)!)));
process.exit(0);
