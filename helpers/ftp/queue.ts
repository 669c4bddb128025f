/**
 * Commands that wait for their replies, in one number: three bits each, the one that was sent first in the lowest. Of nearly
 * all commands nothing is remembered but which of few kinds they are of.
 */
import { type Verb, verb } from "./wire.ts";

const BITS = 3;
const MASK = (1 << BITS) - 1;
/** Commands that fit. */
const MOST = 10;

/** The kinds are 1 to 6 in this order, and 7 any other. Passive ones come first. */
const VERBS: readonly Verb[] = ["PASV", "EPSV", "SPSV", "LPSV", "AUTH", "ADAT"].map(verb);
const PASSIVE = 4;
const SECURING = 6;
const OTHER = 7;
export const KINDS = 8;

/** In the place of a queue: there is none that says it. */
export const NO_QUEUE = -1;

export const kindOf = (code: Verb): number => {
  for (let i = 0; i < VERBS.length; i++) if (VERBS[i] === code) return i + 1;
  return OTHER;
};

/** The verb of a kind; 0 for any other. */
export const verbOf = (kind: number): Verb => VERBS[kind - 1] ?? 0;

export const isPassiveKind = (kind: number): boolean => kind > 0 && kind <= PASSIVE;
export const isSecuringKind = (kind: number): boolean => kind > PASSIVE && kind <= SECURING;

/** The kind of the command in front; 0: none waits. */
export const frontOf = (queue: number): number => queue & MASK;

/** Without the command in front. */
export const behindFront = (queue: number): number => queue >>> BITS;

/** With one more behind them; `NO_QUEUE`: there is no room for it. */
export function withBehind(queue: number, kind: number): number {
  const waiting = Math.ceil((32 - Math.clz32(queue)) / BITS);
  return waiting < MOST ? queue | (kind << (waiting * BITS)) : NO_QUEUE;
}
