/**
 * Packets of the NetBIOS name service (RFC 1002 §4.2.1): those of DNS, with records that name addresses.
 *
 *    0         2         4        6        8        10       12
 *   +---------+---------+--------+--------+--------+--------+------------------
 *   | TRN_ID  |R OPCODE…|QDCOUNT |ANCOUNT |NSCOUNT |ARCOUNT | questions, records
 *   +---------+---------+--------+--------+--------+--------+------------------
 *
 *   question  name, type, class           record  name, type, class, TTL u32, length u16, data
 *   NB data   NB_FLAGS u16, NB_ADDRESS u32, as often as the name has addresses
 */
import { u16 } from "../../core/wire/bytes.ts";

export const HEADER = 12;
const RESPONSE = 0x80;
const NB = 0x20;
/** NB_FLAGS and NB_ADDRESS. */
const ENTRY = 6;
/** Of a label's first byte: the two bits that make it a pointer (RFC 1035 §4.1.4). */
const POINTER = 0xc0;
const LONGEST_LABEL = 63;

export type Malformed = "truncated" | "bad-name" | "bad-record";

/** A response, by the R bit. */
export const isResponse = (payload: Uint8Array): boolean => payload.length > 2 && (payload[2]! & RESPONSE) !== 0;

/** Where the addresses of NB records stand, ascending. */
export function parseAddresses(payload: Uint8Array): readonly number[] | Malformed {
  if (payload.length < HEADER) return "truncated";
  const questions = u16(payload, 4);
  const records = u16(payload, 6) + u16(payload, 8) + u16(payload, 10);
  const places: number[] = [];
  let at = HEADER;
  for (let i = 0; i < questions; i++) {
    const end = afterName(payload, at);
    if (typeof end === "string") return end;
    at = end + 4;
    if (at > payload.length) return "truncated";
  }
  for (let i = 0; i < records; i++) {
    const end = readRecord(payload, at, places);
    if (typeof end === "string") return end;
    at = end;
  }
  return places;
}

/** Behind the record at `at`; its addresses into `places`. */
function readRecord(payload: Uint8Array, at: number, places: number[]): number | Malformed {
  const fields = afterName(payload, at);
  if (typeof fields === "string") return fields;
  const data = fields + 10;
  if (data > payload.length) return "truncated";
  const end = data + u16(payload, fields + 8);
  if (end > payload.length) return "truncated";
  if (u16(payload, fields) !== NB) return end;
  if ((end - data) % ENTRY !== 0) return "bad-record";
  for (let entry = data; entry < end; entry += ENTRY) places.push(entry + 2);
  return end;
}

/** Behind the name at `at`: labels up to an empty one, or to a pointer, which is not followed. */
function afterName(payload: Uint8Array, at: number): number | "truncated" | "bad-name" {
  for (let label = at; label < payload.length; ) {
    const length = payload[label]!;
    if (length === 0) return label + 1;
    if ((length & POINTER) === POINTER) return label + 2 <= payload.length ? label + 2 : "truncated";
    if (length > LONGEST_LABEL) return "bad-name";
    label += 1 + length;
  }
  return "truncated";
}
