/**
 * Headers of the NetBIOS datagram service (RFC 1002 §4.4.1): every message says where it comes from, and is answered
 * there.
 *
 *    0        1        2        3        4                8         10
 *   +--------+--------+-----------------+----------------+---------+-------
 *   |MSG_TYPE| FLAGS  |     DGM_ID      |   SOURCE_IP    |SRC_PORT | ...
 *   +--------+--------+-----------------+----------------+---------+-------
 */

import { Address } from "../../core/wire/address.ts";
import { u16 } from "../../core/wire/bytes.ts";

export const SOURCE_IP = 4;
export const SOURCE_PORT = 8;
/** DIRECT_UNIQUE to NEGATIVE QUERY RESPONSE. */
const FIRST_TYPE = 0x10;
const LAST_TYPE = 0x16;
const ERROR = 0x13;
/** RFC 1002 §4.4.2: two bytes of length, two of offset, two names of at least a byte. */
const SHORTEST_DATA = 16;
/** The error code, or the name asked for. */
const SHORTEST_OTHER = 11;

export interface Source {
  readonly address: Address;
  readonly port: number;
}

export function parseSource(payload: Uint8Array): Source | "truncated" | "unknown-type" {
  const type = payload[0];
  if (type === undefined) return "truncated";
  if (type < FIRST_TYPE || type > LAST_TYPE) return "unknown-type";
  if (payload.length < (type < ERROR ? SHORTEST_DATA : SHORTEST_OTHER)) return "truncated";
  return { address: Address.fromBytes(payload, SOURCE_IP, 4), port: u16(payload, SOURCE_PORT) };
}
