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

/**
 * Pairs replies with commands: in order, one final reply for each command (RFC 959 §5.4), but a reply whose code can
 * only belong to a certain command finds it further on, so that one reply too many or too few does no lasting harm.
 */
export class Dialogue {
  readonly #pending: Pending[] = [];
  #greeted = false;
  /** A 2xx that announced nothing came for the passive command in front (`250` before `227`). */
  #tolerated = false;
  #guessing = false;

  /** Bytes are missing (observation): a reply may answer a command that was not seen. */
  get guessing(): boolean {
    return this.#guessing;
  }

  /** False: too many commands without a reply; the oldest is forgotten. */
  sent(command: Pending): boolean {
    this.#pending.push(command);
    if (this.#pending.length <= DEPTH) return true;
    this.#pending.shift();
    return false;
  }

  /** Bytes are missing. Without replies, which commands still wait is unknown, except that those that matter may. */
  lost(direction: Direction): void {
    this.#guessing = true;
    if (direction === "original") return;
    this.#greeted = true;
    const keep = this.#pending.filter((command) => isPassive(command) || isSecuring(command) || command.ref !== null);
    this.#pending.splice(0, this.#pending.length, ...keep);
  }

  /** The command that the final reply `code` answers. */
  answered(code: number): Pending | null {
    if (code < 200) return null;
    if (!this.#greeted) {
      this.#greeted = true;
      if (code === 220 || this.#pending.length === 0) return null;
    }
    if (code >= 227 && code <= 229) return this.#take(isPassive);
    if (code === 234 || code === 235) return this.#take(isSecuring);
    const front = this.#pending[0];
    if (front !== undefined && isPassive(front) && code < 300 && !this.#tolerated) {
      this.#tolerated = true;
      return null;
    }
    this.#tolerated = false;
    return this.#pending.shift() ?? null;
  }

  /** The first command that fits, and nothing before it waits any longer; the front one goes when none fits. */
  #take(fits: (command: Pending) => boolean): Pending | null {
    this.#tolerated = false;
    const before = this.#pending.findIndex(fits);
    for (let i = 0; i < before; i++) this.#pending.shift();
    const front = this.#pending.shift();
    return before < 0 ? null : front!;
  }
}
