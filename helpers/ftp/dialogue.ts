import type { Direction, Ref } from "../../core/helper/api.ts";
import {
  isPassiveKind,
  isSecuringKind,
  KINDS,
  kindOf,
  MOST_PUT,
  putBehind,
  QUEUE_WORDS,
  takeFront,
  verbOf,
} from "./queue.ts";
import type { Verb } from "./wire.ts";

/** A command whose reply has not come. */
export interface Pending {
  /** 0: a line that is no command, to which the server says so. */
  readonly verb: Verb;
  /** What it announced (PORT, EPRT). */
  readonly ref: Ref | null;
  /** It came after EPSV ALL and may not have its data connection (RFC 2428 §4). */
  readonly barred: boolean;
  /** It is EPSV ALL. */
  readonly all: boolean;
}

/** Pipelined commands remembered. RFC 959 has one at a time; lftp sends a handful. */
const DEPTH = 64;

const isPassive = ({ verb, all }: Pending): boolean => isPassiveKind(kindOf(verb)) && !all;
const isSecuring = ({ verb }: Pending): boolean => isSecuringKind(kindOf(verb));

/** Whether there was room for one more, and nothing is to be remembered of it but its kind. */
const puts = (words: Int32Array, at: number, { verb, ref, barred, all }: Pending): boolean =>
  ref === null && !barred && !all && putBehind(words, at, kindOf(verb));

/** By kind: one object for all commands of it. */
const PLAIN: readonly Pending[] = Array.from({ length: KINDS }, (_, kind) => ({
  verb: verbOf(kind),
  ref: null,
  barred: false,
  all: false,
}));

/**
 * Pairs replies with commands: in order, one final reply for each command (RFC 959 §5.4), but a reply whose code can
 * only belong to a certain command finds it further on, so that one reply too many or too few does no lasting harm.
 */
export class Dialogue {
  /** The command that was sent first, nearly always the only one; and those behind it. */
  #front: Pending | null = null;
  #others: Pending[] | null = null;
  #greeted = false;
  /** A 2xx that announced nothing came for the passive command in front (`250` before `227`). */
  tolerated = false;
  #guessing = false;

  /** Bytes are missing (observation): a reply may answer a command that was not seen. */
  get guessing(): boolean {
    return this.#guessing;
  }

  /** Puts what waits into words (queue.ts). False: it cannot be said in them. */
  restQueue(words: Int32Array, at: number): boolean {
    if (!this.#greeted || (this.#others !== null && this.#others.length >= MOST_PUT)) return false;
    for (let i = 0; i < QUEUE_WORDS; i++) words[at + i] = 0;
    if (this.#front === null) return true;
    if (!puts(words, at, this.#front)) return false;
    if (this.#others !== null) for (const command of this.#others) if (!puts(words, at, command)) return false;
    return true;
  }

  /** What is said there waits from now on; nothing waits there any more. */
  wakeQueue(words: Int32Array, at: number): void {
    const front = takeFront(words, at);
    this.#front = front === 0 ? null : PLAIN[front]!;
    this.#others = null;
    for (let kind = takeFront(words, at); kind !== 0; kind = takeFront(words, at)) {
      this.#others ??= [];
      this.#others.push(PLAIN[kind]!);
    }
  }

  /** False: too many commands without a reply; the oldest is forgotten. */
  sent(command: Pending): boolean {
    if (this.#front === null) {
      this.#front = command;
      return true;
    }
    this.#others ??= [];
    const fits = this.#others.length < DEPTH - 1;
    this.#others.push(command);
    if (!fits) this.#next();
    return fits;
  }

  /** Bytes are missing. Without replies, which commands still wait is unknown, except that those that matter may. */
  lost(direction: Direction): void {
    this.#guessing = true;
    if (direction === "original") return;
    this.#greeted = true;
    const all = this.#front === null ? [] : [this.#front, ...(this.#others ?? [])];
    const kept = all.filter((command) => isPassive(command) || isSecuring(command) || command.ref !== null);
    this.#front = kept.shift() ?? null;
    this.#others = kept;
  }

  /** The command that the final reply `code` answers. */
  answered(code: number): Pending | null {
    if (code < 200) return null;
    if (!this.#greeted) {
      this.#greeted = true;
      if (code === 220 || this.#front === null) return null;
    }
    if (code >= 227 && code <= 229) return this.#take(isPassive);
    if (code === 234 || code === 235) return this.#take(isSecuring);
    const front = this.#front;
    if (front !== null && isPassive(front) && code < 300 && !this.tolerated) {
      this.tolerated = true;
      return null;
    }
    this.tolerated = false;
    return this.#next();
  }

  /** The first command that fits, and nothing before it waits any longer; the front one goes when none fits. */
  #take(fits: (command: Pending) => boolean): Pending | null {
    this.tolerated = false;
    if (!this.#any(fits)) {
      this.#next();
      return null;
    }
    let command = this.#next()!;
    while (!fits(command)) command = this.#next()!;
    return command;
  }

  #any(fits: (command: Pending) => boolean): boolean {
    if (this.#front === null) return false;
    return fits(this.#front) || this.#others?.some(fits) === true;
  }

  /** Takes out the command in front. */
  #next(): Pending | null {
    const command = this.#front;
    if (command !== null) this.#front = this.#others?.shift() ?? null;
    return command;
  }
}
