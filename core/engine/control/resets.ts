/** Which resets are believed, and how often one that is not is challenged (RFC 5961). */
import { type Ms, seconds } from "../../units.ts";
import * as tcp from "../../wire/tcp.ts";
import type { ControlReason } from "./reason.ts";
import type { Way } from "./way.ts";

/** §7: whoever provokes challenge acknowledgments does not make two floods of one. So many in a while. */
const MOST_CHALLENGES = 10;
const CHALLENGES_WHILE = seconds(1);

/** §3.2: only a RST that is exactly next ends the connection. null: this one does. One that is inexact is challenged. */
export function objectionToReset(way: Way, back: Way, bytes: Uint8Array, at: number): ControlReason | null {
  const sequence = tcp.sequence(bytes, at);
  if (!way.opened) {
    const refuses = (tcp.flags(bytes, at) & tcp.ACK) !== 0 && tcp.acknowledgment(bytes, at) === back.first;
    if (!back.opened || !refuses) return "handshake";
    // The answer to a SYN; its sender has no numbers of its own yet.
    way.first = sequence;
    return null;
  }
  const start = way.inputAt(sequence);
  if (start === way.inbound.next || start === way.acknowledged) return null;
  return start > way.acknowledged && start < way.edge ? "reset-inexact" : "reset-outside-window";
}

/** §3.2, §4.2: whoever it really is answers a challenge with what is exactly next. */
export class Challenges {
  #count = 0;
  #since = 0 as Ms;

  /** None counts any more. */
  over(now: Ms): boolean {
    return this.#count === 0 || now - this.#since >= CHALLENGES_WHILE;
  }

  forget(): void {
    this.#count = 0;
  }

  allowed(now: Ms): boolean {
    if (now - this.#since >= CHALLENGES_WHILE) {
      this.#since = now;
      this.#count = 0;
    }
    return this.#count++ < MOST_CHALLENGES;
  }
}
