/** What is asked of all rows when the capture has ended, which in JavaScript took as long as thousands of packets. */

import { A, COUNT, KEY, LAST_TIME_OF_A, LAST_TIME_OF_B, LOOKED_FOR } from "../layout.ts";
import { rowAt } from "./flows.ts";
import * as key from "./key.ts";
import { IPV6, KIND, PORTS } from "./key.ts";

/** The first row from `row` on of which an end has a port that is marked; the number of rows: there is none. */
export function nextOfPort(row: i32): i32 {
  const count = load<i32>(COUNT);
  for (; row < count; row++) {
    const ports = load<i32>(rowAt(row) + KEY + PORTS);
    if ((load<u8>(LOOKED_FOR + (ports >>> 16)) | load<u8>(LOOKED_FOR + (ports & 0xffff))) !== 0) break;
  }
  return row;
}

/** The same of rows between addresses that may be those whose number is marked. */
export function nextBetween(row: i32): i32 {
  const count = load<i32>(COUNT);
  while (row < count && load<u8>(LOOKED_FOR + (between(row) & 0xffff)) === 0) row++;
  return row;
}

/** A number that flows between the same two addresses share, whatever the order. */
export function between(row: i32): i32 {
  const at = rowAt(row) + KEY;
  let one = mixed(0, load<i32>(at + key.SOURCE));
  let other = mixed(0, load<i32>(at + key.SOURCE + 4));
  if (load<i32>(at + KIND) < IPV6) return one + other;
  for (let i = 0; i < 12; i += 4) {
    one = mixed(one, load<i32>(at + key.SOURCE_PREFIX + i));
    other = mixed(other, load<i32>(at + key.DESTINATION_PREFIX + i));
  }
  return one + other;
}

function mixed(sum: i32, word: i32): i32 {
  return (sum ^ word ^ (word >>> 15)) * 0x9e3779b1;
}

/** Whether `end` of `row` has this address, as of IPv6. */
export function hasAddress(row: i32, end: i32, w0: i32, w1: i32, w2: i32, w3: i32): i32 {
  const at = rowAt(row) + KEY;
  const side = end - A;
  if (load<i32>(at + key.SOURCE + (side << 2)) !== w3) return 0;
  if (load<i32>(at + KIND) < IPV6) return i32((w0 | w1) === 0 && w2 === 0xffff);
  const prefix = at + key.SOURCE_PREFIX + side * 12;
  return i32(load<i32>(prefix) === w0 && load<i32>(prefix + 4) === w1 && load<i32>(prefix + 8) === w2);
}

/** When the last packet of all was sent; 0: there is none. */
export function lastTime(): f64 {
  let last: f64 = 0;
  for (let row = load<i32>(COUNT) - 1; row >= 0; row--) {
    const at = rowAt(row);
    last = max(last, max(load<f64>(at + LAST_TIME_OF_A), load<f64>(at + LAST_TIME_OF_B)));
  }
  return last;
}
