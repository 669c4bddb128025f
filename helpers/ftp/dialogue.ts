import type { Direction, Ref } from "../../core/helper/api.ts";
import { type Verb, verb } from "./wire.ts";

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

const PASV = verb("PASV");
const EPSV = verb("EPSV");
const SPSV = verb("SPSV");
const LPSV = verb("LPSV");
const AUTH = verb("AUTH");
const ADAT = verb("ADAT");

/** Pipelined commands remembered. RFC 959 has one at a time; lftp sends a handful. */
const DEPTH = 64;

const isPassive = ({ verb, all }: Pending): boolean =>
  (verb === PASV || verb === EPSV || verb === SPSV || verb === LPSV) && !all;
const isSecuring = ({ verb }: Pending): boolean => verb === AUTH || verb === ADAT;

/** Of a command that neither announces nor forbids anything, whatever else it is. */
const plainly = (verb: Verb): Pending => ({ verb, ref: null, barred: false, all: false });
const PLAIN: readonly Pending[] = [PASV, EPSV, SPSV, LPSV, AUTH, ADAT].map(plainly);
const ANOTHER = plainly(0);

/** Nearly all commands, as nothing but the verbs that matter differ in; made once, so that none is made for each. */
export const plainCommand = (verb: Verb): Pending => {
  for (const command of PLAIN) if (command.verb === verb) return command;
  return ANOTHER;
};

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
  #tolerated = false;
  #guessing = false;

  /** Bytes are missing (observation): a reply may answer a command that was not seen. */
  get guessing(): boolean {
    return this.#guessing;
  }

  /** As many commands wait as are remembered. */
  get full(): boolean {
    return this.#others !== null && this.#others.length >= DEPTH - 1;
  }

  /** Any final reply answers the command in front, and nothing follows from that but that it waits no longer. */
  get plain(): boolean {
    return this.#greeted && this.#front?.ref == null && this.#front?.all !== true;
  }

  /** The command in front is a passive one, which a passive reply answers. */
  get passive(): boolean {
    return this.#greeted && this.#front !== null && isPassive(this.#front) && !this.#front.barred;
  }

  /** False: too many commands without a reply; the oldest is forgotten. */
  sent(command: Pending): boolean {
    if (this.#front === null) {
      this.#front = command;
      return true;
    }
    const fits = !this.full;
    this.#others ??= [];
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
    if (front !== null && isPassive(front) && code < 300 && !this.#tolerated) {
      this.#tolerated = true;
      return null;
    }
    this.#tolerated = false;
    return this.#next();
  }

  /** The first command that fits, and nothing before it waits any longer; the front one goes when none fits. */
  #take(fits: (command: Pending) => boolean): Pending | null {
    this.#tolerated = false;
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
