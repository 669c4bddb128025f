/**
 * Commands that wait for their replies, in two words: three bits each, the one that was sent first in the lowest of the first
 * word. Of nearly all commands nothing is remembered but which of few kinds they are of.
 */
import { type Verb, verb } from "./wire.ts";

const BITS = 3;
const MASK = (1 << BITS) - 1;
/** Commands that fit into a word, and where the last of them is. */
const MOST = 10;
const LAST = (MOST - 1) * BITS;

/** The kinds are 1 to 6 in this order, and 7 any other. Passive ones come first. */
const VERBS: readonly Verb[] = ["PASV", "EPSV", "SPSV", "LPSV", "AUTH", "ADAT"].map(verb);
const PASSIVE = 4;
const SECURING = 6;
const OTHER = 7;
export const KINDS = 8;

export const kindOf = (code: Verb): number => {
  for (let i = 0; i < VERBS.length; i++) if (VERBS[i] === code) return i + 1;
  return OTHER;
};

/** The verb of a kind; 0 for any other. */
export const verbOf = (kind: number): Verb => VERBS[kind - 1] ?? 0;

export const isPassiveKind = (kind: number): boolean => kind > 0 && kind <= PASSIVE;
export const isSecuringKind = (kind: number): boolean => kind > PASSIVE && kind <= SECURING;

/** Words that a queue takes, and commands for which there is room in it. */
export const QUEUE_WORDS = 2;
export const MOST_PUT = QUEUE_WORDS * MOST;

/** The kind of the command in front of the queue at `at`; 0: none waits. */
export const frontOf = (words: Int32Array, at: number): number => words[at]! & MASK;

/** Takes the command in front out: its kind; 0: there is none. */
export function takeFront(words: Int32Array, at: number): number {
  const first = words[at]!;
  const later = words[at + 1]!;
  words[at] = first >>> BITS;
  if (later !== 0) {
    words[at] = words[at]! | ((later & MASK) << LAST);
    words[at + 1] = later >>> BITS;
  }
  return first & MASK;
}

/** Puts one more behind the others. False: there is no room for it. */
export function putBehind(words: Int32Array, at: number, kind: number): boolean {
  const word = lengthOf(words[at]!) < MOST ? at : at + 1;
  const length = lengthOf(words[word]!);
  if (length === MOST) return false;
  words[word] = words[word]! | (kind << (length * BITS));
  return true;
}

const lengthOf = (word: number): number => ((34 - Math.clz32(word)) / BITS) | 0;

/** Whether a passive command waits; nearly always it is the one in front. */
export const hasPassive = (words: Int32Array, at: number): boolean =>
  isPassiveKind(words[at]! & MASK) || isPassiveIn(words[at]!) || isPassiveIn(words[at + 1]!);

function isPassiveIn(word: number): boolean {
  for (let rest = word; rest > 0; rest >>>= BITS) if (isPassiveKind(rest & MASK)) return true;
  return false;
}

/** Takes out all up to the first passive command, of which there must be one. */
export function takePassive(words: Int32Array, at: number): void {
  while (!isPassiveKind(takeFront(words, at)));
}
