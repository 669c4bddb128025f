/** Reads what `captureOf` writes: the dialogue again, of which nobody knows any more what must come. */
import type { Helper } from "../../../core/helper/api.ts";
import { type Direction, port } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import { u16 } from "../../../core/wire/bytes.ts";
import { helpers } from "../../../helpers/index.ts";
import type { Dialogue, Ends, Turn } from "../generate/ftp/model.ts";
import { bytesText } from "../hosts/text.ts";
import { PLACE } from "./capture.ts";

export interface Captured {
  readonly helper: Helper;
  readonly dialogue: Dialogue;
  /** What it shows. */
  readonly comment: string;
}

const [INTERFACE, PACKET] = [1, 6];
const [COMMENT, NAME] = [1, 2];
const TCP = 6;

/** null: it is not one of these. */
export function captured(file: Uint8Array): Captured | null {
  let [virtual, comment] = ["", ""];
  const packets: Packet[] = [];
  for (const { type, body } of blocks(file)) {
    if (type === INTERFACE) virtual = optionOf(body, 8, NAME).slice(PLACE.length);
    if (type !== PACKET) continue;
    const length = body.readUInt32LE(12);
    packets.push(packetOf(body.subarray(20, 20 + length)));
    if (packets.length === 1) comment = optionOf(body, 20 + ((length + 3) & ~3), COMMENT);
  }
  // Of datagrams the realserver's may come first.
  const first = packets.find(({ to }) => helperAt(to.port) !== undefined);
  if (first === undefined || virtual === "") return null;
  const helper = helperAt(first.to.port)!;
  const ends: Ends = {
    client: first.from.address,
    virtual,
    real: first.to.address,
    ...(first.to.port === helper.ports[0] ? {} : { port: first.to.port }),
    ...(helper.transport === "both" && first.datagram ? { transport: "udp" } : {}),
  };
  return { helper, dialogue: { ends, turns: turnsOf(packets, first.from), exact: false }, comment };
}

const helperAt = (number: number): Helper | undefined => helpers.find(({ ports }) => ports.includes(port(number)));

function* blocks(file: Uint8Array): Generator<{ type: number; body: Buffer }> {
  const all = Buffer.from(file.buffer, file.byteOffset, file.length);
  for (let at = 0; at + 12 <= all.length; ) {
    const length = all.readUInt32LE(at + 4);
    if (length < 12 || at + length > all.length) return;
    yield { type: all.readUInt32LE(at), body: all.subarray(at + 8, at + length - 4) };
    at += length;
  }
}

/** The last of them: who adds a comment (editcap) adds it behind the others. */
function optionOf(body: Buffer, from: number, wanted: number): string {
  let found = "";
  for (let at = from; at + 4 <= body.length; ) {
    const [code, length] = [body.readUInt16LE(at), body.readUInt16LE(at + 2)];
    if (code === wanted) found = body.toString("utf8", at + 4, at + 4 + length);
    at += 4 + ((length + 3) & ~3);
  }
  return found;
}

interface End {
  readonly address: string;
  readonly port: number;
}

interface Packet {
  readonly from: End;
  readonly to: End;
  readonly datagram: boolean;
  readonly payload: Uint8Array;
}

function packetOf(packet: Uint8Array): Packet {
  const v4 = packet[0]! >> 4 === 4;
  const at = v4 ? 20 : 40;
  const datagram = packet[v4 ? 9 : 6] !== TCP;
  const addressAt = (from: number): string => Address.fromBytes(packet, from, v4 ? 4 : 6).toString();
  const [from, to] = v4 ? [12, 16] : [8, 24];
  return {
    from: { address: addressAt(from), port: u16(packet, at) },
    to: { address: addressAt(to), port: u16(packet, at + 2) },
    datagram,
    payload: packet.subarray(at + (datagram ? 8 : 20)),
  };
}

/** Segments of one speaker in a row are one turn; each datagram is one. */
function turnsOf(packets: readonly Packet[], client: End): Turn[] {
  const turns: { speaker: Direction; messages: Turn["messages"][number][] }[] = [];
  for (const { from, datagram, payload } of packets) {
    if (payload.length === 0 && !datagram) continue;
    const speaker: Direction = from.address === client.address && from.port === client.port ? "original" : "reply";
    const message = { said: bytesText(payload), outcome: "same" as const, about: "a message" };
    const last = turns.at(-1);
    if (last?.speaker === speaker && !datagram) last.messages.push(message);
    else turns.push({ speaker, messages: [message] });
  }
  return turns;
}
