/** node pnm-server.js FILE: streams FILE by UDP to the port of each player, loses some, sends that again on request. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { answer, lost, numbersOf, PNM_PORT, type Ports, parseGreeting, piece } from "./pnm.ts";

const file = readFileSync(process.argv[2]!);
const SIZE = 1200;
const count = Math.ceil(file.length / SIZE);
const pieceOf = (number: number): Buffer => piece(number, file.subarray(number * SIZE, (number + 1) * SIZE));
/** What is not sent until it is asked for. */
const isLost = (number: number): boolean => number % 7 === 3;

async function serve(stream: Socket, { player, robust }: Ports): Promise<void> {
  const [address, own] = [stream.remoteAddress!, stream.localAddress!].map((text) => text.replace("::ffff:", ""));
  const again = createSocket("udp4").bind(0, own);
  await once(again, "listening");
  // From nowhere but the port that the player named.
  again.on("message", (said, from) => {
    if (from.address !== address || from.port !== robust) return;
    for (const number of numbersOf(said)) again.send(pieceOf(number), robust, address);
  });
  stream.on("close", () => again.close());
  stream.write(answer(again.address().port));
  const out = createSocket("udp4").bind(0, own);
  for (let number = 0; number < count; number++) {
    if (!isLost(number)) out.send(pieceOf(number), player, address);
    if (number % 10 === 9) await sleep(5);
  }
  stream.end(lost([count]));
}

createServer({ allowHalfOpen: true }, (stream) => {
  let said = Buffer.alloc(0);
  stream
    .on("error", () => {})
    .on("data", (bytes: Buffer) => {
      said = Buffer.concat([said, bytes]);
      const ports = parseGreeting(said);
      if (ports === null) return;
      stream
        .removeAllListeners("data")
        .resume()
        .on("end", () => stream.end());
      void serve(stream, ports);
    });
}).listen(PNM_PORT);
