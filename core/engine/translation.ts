/** What a row of the table says of its packets, done to them: counted, and translated in place (nat/translate.ts). */
import * as key from "../flow/key.ts";
import * as rows from "../flow/rows.ts";
import type { FlowTable } from "../flow/table.ts";
import { DESTINATION, readdressIpv4, readdressIpv6, retarget, SOURCE } from "../nat/translate.ts";
import { type Batch, NEEDS_CSUM } from "./batch.ts";
import * as stages from "./stage.ts";

/** Own names: V8 folds constants of a module's own into its optimised code, and reads imported ones each time. */
const {
  BYTES,
  INNER_PORT,
  KIND,
  ORIGINAL,
  OUTER_PORTS,
  PACKETS,
  PREFIXES,
  REAL,
  REAL_PREFIX,
  ROW_SHIFT,
  VIRTUAL,
  VIRTUAL_PREFIX,
} = rows;
const { IPV6 } = key;
const { AT, END, TRANSPORT } = stages;

export class Translation {
  declare private readonly rows: Int32Array;
  declare private readonly prefixes: Int32Array;
  declare private readonly places: Int32Array;

  constructor({ rows, prefixes }: FlowTable, { places }: stages.Stage) {
    this.rows = rows;
    this.prefixes = prefixes;
    this.places = places;
  }

  /** Packet `i`, which was read into `place` and is one of `found`. */
  packet(batch: Batch, i: number, place: number, found: number): void {
    const table = this.rows;
    const row = (found >>> 1) << ROW_SHIFT;
    const toReal = (found & 1) === ORIGINAL;
    const difference = this.header(batch.view, place, found);
    const port = toReal ? table[row + INNER_PORT]! >>> 16 : table[row + OUTER_PORTS]! & 0xffff;
    const protocol = table[row + KIND]! & 0xff;
    const partial = (batch.offload[i]! & NEEDS_CSUM) !== 0;
    const end = toReal ? DESTINATION : SOURCE;
    retarget(batch.view, this.places[place + TRANSPORT]!, protocol, end, port, difference, partial);
  }

  /** The same of its IP header alone. Returns the pseudo-header's difference. */
  header(view: DataView, place: number, found: number): number {
    const table = this.rows;
    const at = this.places[place + AT]!;
    const id = found >>> 1;
    const direction = found & 1;
    const row = id << ROW_SHIFT;
    this.count(place, found);
    const toReal = direction === ORIGINAL;
    const end = toReal ? DESTINATION : SOURCE;
    const low = table[row + (toReal ? REAL : VIRTUAL)]!;
    if ((table[row + KIND]! & IPV6) === 0) return readdressIpv4(view, at, end, low);
    const prefix = id * PREFIXES + (toReal ? REAL_PREFIX : VIRTUAL_PREFIX);
    return readdressIpv6(view, at, end, this.prefixes, prefix, low);
  }

  /** It is counted, and stays as it is. */
  count(place: number, found: number): void {
    const table = this.rows;
    const direction = found & 1;
    const row = (found >>> 1) << ROW_SHIFT;
    const length = this.places[place + END]! - this.places[place + AT]!;
    table[row + PACKETS + direction]!++;
    const bytes = row + BYTES + direction * 2;
    const low = (table[bytes]! + length) | 0;
    table[bytes] = low;
    if (low >>> 0 < length) table[bytes + 1]!++;
  }
}
