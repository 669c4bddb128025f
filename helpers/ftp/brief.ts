/**
 * FTP in brief: simple lines, of which nothing is to be said, or nothing but an offer, read by three words. Nearly all lines
 * are such. What these words cannot say, or what another reader could read in another way, is looked at in full.
 */
import type { Direction, Offer } from "../../core/helper/api.ts";
import { CR, isDigit, skipBlanks } from "../../core/wire/text.ts";
import { simpleLine } from "./line.ts";
import { readOffer } from "./offers.ts";
import { behindFront, frontOf, isPassiveKind, kindOf, withBehind } from "./queue.ts";
import { announces, codeAt, isPassiveCode, type Verb, verb, verbAt } from "./wire.ts";

/** Words of an inspector at rest, whose both readers are at the beginning of a line, and who was greeted. */
export const HOLD = 0;
/** See queue.ts. */
export const QUEUE = 1;
/** 1: `Dialogue.tolerated`. */
export const TOLERATED = 2;

const HYPHEN = 0x2d;
const EPSV: Verb = verb("EPSV");

/** As `Brief.brief`. */
export function readInBrief(
  bytes: Uint8Array,
  at: number,
  end: number,
  direction: Direction,
  state: Int32Array,
  place: number,
  offer: Offer,
): number {
  const lf = simpleLine(bytes, at, end);
  if (lf < 0 || lf - at > state[place + HOLD]!) return at;
  const read =
    direction === "original" ? readCommand(bytes, at, lf, state, place) : readReply(bytes, at, lf, state, place, offer);
  return read ? lf + 1 : at;
}

function readCommand(bytes: Uint8Array, at: number, lf: number, state: Int32Array, place: number): boolean {
  const start = skipBlanks(bytes, at, lf);
  // An empty line is no command.
  if (start === lf || bytes[start] === CR) return true;
  const code = verbAt(bytes, start, lf);
  if (announces(code)) return false;
  if (code === EPSV && !isBare(bytes, start + 4, lf)) return false;
  const queue = withBehind(state[place + QUEUE]!, kindOf(code));
  if (queue < 0) return false;
  state[place + QUEUE] = queue;
  return true;
}

/** Whether nothing stands behind the verb. */
function isBare(bytes: Uint8Array, at: number, lf: number): boolean {
  const next = skipBlanks(bytes, at, lf);
  return next === lf || bytes[next] === CR;
}

function readReply(bytes: Uint8Array, at: number, lf: number, state: Int32Array, place: number, offer: Offer): boolean {
  const code = codeAt(bytes, at, lf);
  const next = at + 3 < lf ? bytes[at + 3]! : CR;
  // What opens with no code answers nothing. Some clients look at the first three digits only.
  if (code === 0 || isDigit(next)) return !isPassiveCode(code);
  if (next === HYPHEN || code === 228 || code === 234 || code === 235) return false;
  if (isPassiveCode(code)) {
    if (!isPassiveKind(frontOf(state[place + QUEUE]!)) || !readOffer(code, bytes, at, lf, offer)) return false;
  }
  answered(code, state, place);
  return true;
}

/** As `Dialogue.answered`. */
function answered(code: number, state: Int32Array, place: number): void {
  if (code < 200) return;
  const queue = state[place + QUEUE]!;
  const tolerates =
    code < 300 && !isPassiveCode(code) && isPassiveKind(frontOf(queue)) && state[place + TOLERATED] === 0;
  state[place + TOLERATED] = tolerates ? 1 : 0;
  if (!tolerates) state[place + QUEUE] = behindFront(queue);
}
