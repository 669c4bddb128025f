/**
 * Bytes between two sockets, as they come: backpressure, half-close, and resets go through. For connections that no
 * helper reads.
 */
import type { Socket } from "node:net";
import type { Ms } from "../../core/units.ts";
import { now } from "../clock.ts";
import { reset, wasReset } from "./reset.ts";

/** Bytes one socket may owe its peer before the other is no longer read. */
export const HIGH_WATER = 256 * 1024;

export class Relay {
  readonly client: Socket;
  readonly real: Socket;
  /** When the last bytes moved. */
  lastActive: Ms = now();
  readonly #done: (relay: Relay) => void;
  #error: string | null = null;
  #open = 2;

  /** Starts relaying; `done` is called once, when both are closed. */
  constructor(client: Socket, real: Socket, done: (relay: Relay) => void) {
    this.client = client;
    this.real = real;
    this.#done = done;
    this.#oneWay(client, real);
    this.#oneWay(real, client);
  }

  /** Why it ended, when not by both sides closing. */
  get error(): string | null {
    return this.#error;
  }

  /** Ends it so that both sides know it was cut. */
  cut(reason: string): void {
    this.#error ??= reason;
    reset(this.client);
    reset(this.real);
  }

  #oneWay(from: Socket, to: Socket): void {
    from.on("data", (chunk) => {
      this.lastActive = now();
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => {
      this.lastActive = now();
      from.resume();
    });
    from.on("end", () => {
      if (wasReset(from)) this.cut("ECONNRESET");
      else to.end();
    });
    from.on("error", (error: NodeJS.ErrnoException) => {
      this.#error ??= error.code ?? error.message;
      reset(to);
    });
    from.on("close", () => {
      if (--this.#open === 0) this.#done(this);
    });
    from.resume();
  }
}
