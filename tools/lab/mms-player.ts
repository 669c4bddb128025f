/**
 * node mms-player.js SERVER OWN-ADDRESS FILE: a player of Microsoft Media Services, which wants the stream by UDP, asks
 * for what it lacks, and writes it to FILE.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { BODY, Kind, lost, Mac, MMS_PORT, packet, packets, parseData, Viewer, wide, words } from "./mms.ts";

const [server, own, file] = process.argv.slice(2) as [string, string, string];
const ASK_AGAIN = 200;

const funnel = createSocket("udp4").bind(0, own);
await once(funnel, "listening");
const { port } = funnel.address();
const control = connect(MMS_PORT, server);
let sequence = 0;
const say = (id: number, ...body: readonly Buffer[]) => control.write(packet(id, sequence++, ...body));

let client = 0;
let count = Number.POSITIVE_INFINITY;
const received = new Map<number, Buffer>();

/** Each answer leads to the next request. */
function proceed(id: number, said: Buffer): void {
  switch (id) {
    case Mac.CONNECTED:
      return void say(Viewer.FUNNEL_INFO, words(0xf0f0f0f0, 0x0004000b));
    case Mac.FUNNEL_INFO:
      client = said.readUInt32LE(BODY + 20);
      return void say(Viewer.CONNECT_FUNNEL, words(0, 0xffffffff, 0, 0x00989680, 2), wide(`\\\\${own}\\UDP\\${port}`));
    case Mac.CONNECTED_FUNNEL:
      return void say(Viewer.OPEN_FILE, words(1, 0xffffffff, 0, 0), wide("stream.asf"));
    case Mac.OPENED_FILE:
      return void say(Viewer.READ_BLOCK, words(1, 0, 0, 0x8000, 0xffffffff, 0, 0, 0, 0, 0x40ac2000, 2, 0));
    case Mac.END_OF_STREAM:
      return askForLost();
  }
}

function askForLost(): void {
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !received.has(i));
  if (missing.length === 0) return finish();
  // No more than a datagram holds.
  funnel.send(lost(client, missing.slice(0, 100)), MMS_PORT, server);
  setTimeout(askForLost, ASK_AGAIN);
}

function finish(): void {
  writeFileSync(file, Buffer.concat(Array.from({ length: count }, (_, i) => received.get(i)!)));
  say(Viewer.CLOSE_FILE, words(1, 1));
  control.on("end", () => process.exit(0));
}

funnel.on("message", (said) => {
  const { sequence, kind, payload } = parseData(said);
  if (kind === Kind.MEDIA) received.set(sequence, payload);
  else {
    count = payload.readUInt32LE(0);
    say(Viewer.START_PLAYING, words(1, 0x0001ffff, 0, 0, 0xffffffff, 0xffffffff, 0, 0xffffff, 4));
  }
});
control.on(
  "data",
  packets((id, said) => proceed(id, said)),
);
say(Viewer.CONNECT, words(0, 0x0004000b, 0x0003001c), wide(`NSPlayer/7.0.0.1956; Host: ${server}`));
