/** TCP segments as peers of the tests read and write them: own offsets, own arithmetic. */
import { ones } from "../../../packets.ts";

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;
export const URG = 32;

export interface Header {
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  readonly mss: number | null;
  readonly scale: number | null;
  readonly sackPermitted: boolean;
  readonly timestamps: readonly [value: number, echo: number] | null;
  readonly sack: readonly (readonly [left: number, right: number])[];
  readonly payload: Uint8Array;
}

const NOTHING = new Uint8Array(0);
const BARE: Header = {
  sequence: 0,
  acknowledgment: 0,
  flags: ACK,
  window: 65535,
  urgent: 0,
  mss: null,
  scale: null,
  sackPermitted: false,
  timestamps: null,
  sack: [],
  payload: NOTHING,
};

const u32 = (n: number): number[] => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];

function optionsOf({ mss, scale, sackPermitted, timestamps, sack }: Header): number[] {
  const options: number[] = [];
  if (mss !== null) options.push(2, 4, mss >> 8, mss & 255);
  if (sackPermitted) options.push(4, 2);
  // Alone, timestamps are written as all real peers do: aligned.
  if (timestamps !== null && mss === null && scale === null && sack.length === 0) options.push(1, 1);
  if (timestamps !== null) options.push(8, 10, ...u32(timestamps[0]), ...u32(timestamps[1]));
  if (scale !== null) options.push(3, 3, scale);
  if (sack.length > 0) options.push(5, 2 + sack.length * 8, ...sack.flatMap(([l, r]) => [...u32(l), ...u32(r)]));
  while (options.length % 4 !== 0) options.push(1);
  return options;
}

/** Ports and checksum are zero: the machine reads neither. */
export function encode(header: Partial<Header>): Uint8Array {
  const whole = { ...BARE, ...header };
  const options = optionsOf(whole);
  const bytes = new Uint8Array(20 + options.length + whole.payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, whole.sequence);
  view.setUint32(8, whole.acknowledgment);
  bytes[12] = ((20 + options.length) / 4) << 4;
  bytes[13] = whole.flags;
  view.setUint16(14, whole.window);
  view.setUint16(18, whole.urgent);
  bytes.set(options, 20);
  bytes.set(whole.payload, 20 + options.length);
  return bytes;
}

export function decode(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = (bytes[12]! >> 4) * 4;
  let header: Header = {
    ...BARE,
    sequence: view.getUint32(4),
    acknowledgment: view.getUint32(8),
    flags: bytes[13]!,
    window: view.getUint16(14),
    urgent: view.getUint16(18),
    payload: bytes.subarray(length),
  };
  for (let i = 20; i < length; i += bytes[i] === 1 ? 1 : bytes[i + 1]!) {
    if (bytes[i] === 0) break;
    if (bytes[i] !== 1) header = { ...header, ...option(view, i, bytes[i]!, bytes[i + 1]!) };
  }
  return header;
}

function option(view: DataView, i: number, kind: number, length: number): Partial<Header> {
  if (kind === 2) return { mss: view.getUint16(i + 2) };
  if (kind === 3) return { scale: view.getUint8(i + 2) };
  if (kind === 4) return { sackPermitted: true };
  if (kind === 8) return { timestamps: [view.getUint32(i + 2), view.getUint32(i + 6)] };
  if (kind !== 5) throw new Error(`option ${kind} came through`);
  const sack: [number, number][] = [];
  for (let k = i + 2; k < i + length; k += 8) sack.push([view.getUint32(k), view.getUint32(k + 4)]);
  return { sack };
}

/** The checksum of `segment` between these addresses is right. */
export function sumsUp(addresses: Uint8Array, segment: Uint8Array): boolean {
  const pseudo = Uint8Array.of(...addresses, 0, 6, segment.length >> 8, segment.length & 255);
  const both = new Uint8Array(pseudo.length + segment.length);
  both.set(pseudo);
  both.set(segment, pseudo.length);
  return ones(both) === 0xffff;
}
