/** A dialogue as replay observes it in a capture. */

import type { Connection } from "../../../core/helper/api.ts";
import { ControlObserver } from "../../../core/inspect/observe.ts";
import type { Direction } from "../../../core/units.ts";
import { connectionOf, type Place } from "./service.ts";
import { textBytes } from "./text.ts";

export class ReplayRun {
  readonly observer: ControlObserver;

  /** `observed`: the connection of `place`, where there are many of them. */
  constructor(place: Place, observed: Connection = connectionOf(place)) {
    this.observer = new ControlObserver(place.helper, observed);
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
