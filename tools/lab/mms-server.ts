/** node mms-server.js FILE: a server of Microsoft Media Services that streams FILE by UDP, and loses some of it. */
import { createSocket, type Socket } from "node:dgram";
import { readFileSync } from "node:fs";
import { createServer, type Socket as Stream } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { BODY, data, funnelOf, Kind, Mac, MMS_PORT, packet, packets, parseLost, Viewer, wide, words } from "./mms.ts";

const file = readFileSync(process.argv[2]!);
const PAYLOAD = 1200;
const count = Math.ceil(file.length / PAYLOAD);
const media = (sequence: number): Buffer =>
  data({ sequence, kind: Kind.MEDIA, payload: file.subarray(sequence * PAYLOAD, (sequence + 1) * PAYLOAD) });
/** What is not sent until it is asked for. */
const isLost = (sequence: number): boolean => sequence % 7 === 3;

interface Client {
  readonly id: number;
  sequence: number;
  funnel: { readonly address: string; readonly port: number } | null;
  /** The stream leaves from a port of its own: nothing about it can be known but what the funnel says. */
  readonly out: Socket;
}

const clients = new Map<number, Client>();
const send = ({ funnel, out }: Client, bytes: Buffer): void => {
  if (funnel !== null) out.send(bytes, funnel.port, funnel.address);
};

/** No faster than sockets can hold. */
async function play(client: Client): Promise<void> {
  for (let i = 0; i < count; i++) {
    if (!isLost(i)) send(client, media(i));
    if (i % 10 === 9) await sleep(5);
  }
}

function answer(stream: Stream, client: Client, id: number, said: Buffer): void {
  const tell = (id: number, ...body: readonly Buffer[]) => stream.write(packet(id, client.sequence++, ...body));
  switch (id) {
    case Viewer.CONNECT:
      return void tell(
        Mac.CONNECTED,
        words(0, 0x0004000b, 0x0003001c, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0),
        wide("9.01.01"),
      );
    case Viewer.FUNNEL_INFO:
      return void tell(Mac.FUNNEL_INFO, words(0, 0, 8, 0, 0, client.id, 0, 0, 0, 0, 0));
    case Viewer.CONNECT_FUNNEL:
      client.funnel = funnelOf(said);
      return void tell(Mac.CONNECTED_FUNNEL, words(0, 8, 1), wide("Funnel Of The Gods"));
    case Viewer.OPEN_FILE:
      return void tell(
        Mac.OPENED_FILE,
        words(0, 1, 1, 0, 0, 0x01000000, 0, 0, 3, 0, 0, 0, 0, PAYLOAD + 8, count, 0, 0, PAYLOAD),
      );
    case Viewer.READ_BLOCK:
      tell(Mac.READ_BLOCK, words(0, said.readUInt32LE(BODY)));
      return send(client, data({ sequence: 0, kind: Kind.HEADER, payload: words(count) }));
    case Viewer.START_PLAYING:
      tell(Mac.STARTED_PLAYING, words(0, 1));
      return void play(client).then(() => tell(Mac.END_OF_STREAM, words(0, 1)));
    case Viewer.CLOSE_FILE:
      return void stream.end();
  }
}

const requests = createSocket("udp4").bind(MMS_PORT);
requests.on("message", (said) => {
  const { client, sequences } = parseLost(said);
  const known = clients.get(client);
  if (known !== undefined) for (const sequence of sequences) send(known, media(sequence));
});

createServer((stream) => {
  const out = createSocket("udp4").bind(0, stream.localAddress!.replace("::ffff:", ""));
  const client: Client = { id: 1000 + clients.size, sequence: 0, funnel: null, out };
  clients.set(client.id, client);
  stream
    .on("error", () => {})
    .on(
      "data",
      packets((id, said) => answer(stream, client, id, said)),
    );
}).listen(MMS_PORT);
