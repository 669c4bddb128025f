/**
 * Bytes between two streams, as they come: backpressure, half-close, and resets go through. For connections that no
 * helper reads.
 */
import type { Ms } from "../../core/units.ts";
import { now } from "../clock.ts";
import type { PumpEvents, Reason, Stream } from "./transport.ts";

export class Relay {
  readonly client: Stream;
  readonly real: Stream;
  /** When the last bytes moved. */
  lastActive: Ms = now();
  /** It may stand still for as long as it likes. */
  readonly lasting: boolean;
  readonly #done: (relay: Relay) => void;
  #error: Reason | null = null;
  #open = 2;

  /** Starts relaying; `done` is called once, when both are closed. */
  constructor(client: Stream, real: Stream, done: (relay: Relay) => void, lasting = false) {
    this.lasting = lasting;
    this.client = client;
    this.real = real;
    this.#done = done;
    client.pump(real, this.#towards(real));
    real.pump(client, this.#towards(client));
  }

  /** Why it ended, when not by both sides closing. */
  get error(): Reason | null {
    return this.#error;
  }

  /** Ends it so that both sides know it was cut. */
  cut(reason: Reason): void {
    this.#error ??= reason;
    this.client.reset();
    this.real.reset();
  }

  #towards(to: Stream): PumpEvents {
    return {
      moved: () => {
        this.lastActive = now();
      },
      ended: () => to.end(),
      failed: (reason) => {
        this.#error ??= reason;
        to.reset();
      },
      closed: () => {
        if (--this.#open === 0) this.#done(this);
      },
    };
  }
}
