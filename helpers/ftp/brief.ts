/**
 * FTP in brief: simple lines, of which nothing is to be said, or one thing about a 227 to 229, read by four words. Nearly all
 * lines are such. What these words cannot say, or what another reader could read in another way, is looked at in full.
 */
import { type Direction, type Offer, UNFINISHED } from "../../core/helper/api.ts";
import { CR, isDigit, skipBlanks } from "../../core/wire/text.ts";
import { simpleLine } from "./line.ts";
import { readOffered, readPassive } from "./offers.ts";
import { frontOf, hasPassive, isPassiveKind, kindOf, putBehind, takeFront, takePassive } from "./queue.ts";
import { announces, codeAt, isPassiveCode, type Verb, verb, verbAt } from "./wire.ts";

/** Words of an inspector at rest, whose both readers are at the beginning of a line, and who was greeted. */
export const HOLD = 0;
/** And the next one: see queue.ts. */
export const QUEUE = 1;
/** 1: `Dialogue.tolerated`. */
export const TOLERATED = 3;

const HYPHEN = 0x2d;
const TWO = 0x32;
const SEVEN = 0x37;
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
  if (direction === "reply" && opensWith227(bytes, at, end)) {
    const behind = readAsked(bytes, at, end, state, place, offer);
    if (behind > at) return behind;
  }
  const lf = simpleLine(bytes, at, end);
  if (lf < 0 || lf - at > state[place + HOLD]!) return at;
  if (lf === end) return UNFINISHED;
  const read =
    direction === "original" ? readCommand(bytes, at, lf, state, place) : readReply(bytes, at, lf, state, place, offer);
  return read ? lf + 1 : at;
}

/** The code, and a byte behind it that neither makes it another nor says that more lines follow. */
function opensWith227(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < 4 || bytes[at] !== TWO || bytes[at + 1] !== TWO || bytes[at + 2] !== SEVEN) return false;
  return bytes[at + 3] !== HYPHEN && !isDigit(bytes[at + 3]);
}

/** What nearly every 227 is: of the plain form, and asked for. Nothing of it is read twice. `at`: it is another. */
function readAsked(bytes: Uint8Array, at: number, end: number, state: Int32Array, place: number, offer: Offer): number {
  if (!hasPassive(state, place + QUEUE)) return at;
  const lf = readOffered(bytes, at, end, offer);
  if (lf < 0 || lf - at > state[place + HOLD]!) return at;
  state[place + TOLERATED] = 0;
  takePassive(state, place + QUEUE);
  return lf + 1;
}

function readCommand(bytes: Uint8Array, at: number, lf: number, state: Int32Array, place: number): boolean {
  const start = skipBlanks(bytes, at, lf);
  // An empty line is no command.
  if (start === lf || bytes[start] === CR) return true;
  const code = verbAt(bytes, start, lf);
  if (announces(code)) return false;
  if (code === EPSV && !isBare(bytes, start + 4, lf)) return false;
  return putBehind(state, place + QUEUE, kindOf(code));
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
  if (next === HYPHEN || code === 234 || code === 235) return false;
  if (!isPassiveCode(code)) {
    answered(code, state, place);
    return true;
  }
  const queue = place + QUEUE;
  const asked = hasPassive(state, queue);
  if (!readPassive(code, bytes, at, lf, asked, offer)) return false;
  state[place + TOLERATED] = 0;
  if (asked) takePassive(state, queue);
  else takeFront(state, queue);
  return true;
}

/** As `Dialogue.answered`, of a reply that is not passive. */
function answered(code: number, state: Int32Array, place: number): void {
  if (code < 200) return;
  const queue = place + QUEUE;
  const tolerates = code < 300 && isPassiveKind(frontOf(state, queue)) && state[place + TOLERATED] === 0;
  state[place + TOLERATED] = tolerates ? 1 : 0;
  if (!tolerates) takeFront(state, queue);
}
