/** A dialogue as replay observes it in a capture. */

import type { Connection } from "../../../core/helper/api.ts";
import { ControlObserver } from "../../../core/inspect/observe.ts";
import type { Direction } from "../../../core/units.ts";
import type { Choices } from "../generate/choices.ts";
import { BLOCKS, OPENING, type Script } from "../generate/ftp/script.ts";
import { connectionOf, type Place } from "./service.ts";
import { textBytes } from "./text.ts";

export class ReplayRun {
  readonly observer: ControlObserver;

  constructor(place: Place) {
    this.observer = new ControlObserver(place.helper, connectionOf(place));
  }

  say(direction: Direction, said: string, frame: number): void {
    this.observer.data(direction, textBytes(said), frame);
  }

  end(): void {
    this.observer.end("original");
    this.observer.end("reply");
  }

  /** What a director would let in, in order. */
  letIn(): string[] {
    return this.observer.announcements
      .filter(({ refusal }) => refusal === null)
      .map(({ announcement: { kind, to } }) => `${kind} ${to.port}`);
  }

  /** Codes of what it would refuse, and of faults. */
  faults(): string[] {
    return this.observer.faults.map(({ code }) => code).sort();
  }
}

/** Most bytes between two cuts. */
const COARSE = 400;

/** Sessions of lines as replay observes them, one after the other. */
export class ReplayHost {
  observer: ControlObserver;
  readonly #place: Place;
  readonly #connection: Connection;
  #frame = 0;

  constructor(place: Place) {
    this.#place = place;
    this.#connection = connectionOf(place);
    this.observer = new ControlObserver(place.helper, this.#connection);
  }

  /** All that is said in a new session, cut as `choices` has it. */
  hear(script: Script, choices: Choices): void {
    // Of what is told, no text is asked for.
    this.observer = new ControlObserver(this.#place.helper, this.#connection, false, 0);
    this.#frame = 0;
    for (const [direction, bytes] of OPENING) this.#say(direction, bytes, 0, bytes.length, choices);
    for (let block = 0; block < BLOCKS; block++) {
      this.#say("original", script.questions, script.questionsAt(block), script.questionsAt(block + 1), choices);
      this.#say("reply", script.replies, script.repliesAt(block), script.repliesAt(block + 1), choices);
    }
  }

  #say(direction: Direction, said: Uint8Array, start: number, end: number, choices: Choices): void {
    for (let at = start; at < end; ) {
      const behind = Math.min(end, at + 1 + choices.below(COARSE));
      this.observer.data(direction, said, ++this.#frame, at, behind);
      at = behind;
    }
  }
}
