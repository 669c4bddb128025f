/** DNS messages for tests. */
import { putU16 } from "../../../core/wire/bytes.ts";

export const TC = 0x0200;
export const QR = 0x8000;
export const NOTIFY = 4 << 11;
export const UPDATE = 5 << 11;

/** `www.example.` on the wire. */
export const name = (text: string): Uint8Array =>
  new Uint8Array(
    Buffer.concat([
      ...text
        .split(".")
        .filter(Boolean)
        .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, "latin1")),
      Buffer.from([0]),
    ]),
  );

/** One question, of type A and class IN unless told otherwise; `rest` stands behind it, uncounted. */
export function message(
  id: number,
  flags: number,
  question: string | Uint8Array | null,
  rest = new Uint8Array(0),
  type = 1,
): Uint8Array {
  const asked = typeof question === "string" ? [...name(question), 0, type, 0, 1] : [...(question ?? [])];
  const bytes = new Uint8Array([...new Uint8Array(12), ...asked, ...rest]);
  putU16(bytes, 0, id);
  putU16(bytes, 2, flags);
  putU16(bytes, 4, question === null ? 0 : 1);
  return bytes;
}

/** EDNS (RFC 6891 §6.1.2): the root, type 41, 1232 bytes, no options. */
export const OPT = new Uint8Array([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);

/** As over TCP: the length before it. */
export const framed = (bytes: Uint8Array, length = bytes.length): Uint8Array =>
  new Uint8Array([length >> 8, length & 255, ...bytes]);
