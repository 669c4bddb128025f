/**
 * Bytes between two sockets, as they come: backpressure, half-close, and resets go through. For connections that no
 * helper reads.
 */
import type { Socket } from "node:net";
import type { Ms } from "../../core/units.ts";
import { now } from "../clock.ts";
import type { Reader } from "./reader.ts";
import { reset, wasReset } from "./reset.ts";

/** Bytes one socket may owe its peer before the other is no longer read. */
export const HIGH_WATER = 256 * 1024;

/** A socket, and what it reads into if that is not Node's own. */
export interface End {
  readonly socket: Socket;
  readonly reader: Reader | null;
}

export class Relay {
  readonly client: Socket;
  readonly real: Socket;
  /** When the last bytes moved. */
  lastActive: Ms = now();
  readonly #done: (relay: Relay) => void;
  #error: string | null = null;
  #open = 2;

  /** Starts relaying; `done` is called once, when both are closed. */
  constructor(client: End, real: End, done: (relay: Relay) => void) {
    this.client = client.socket;
    this.real = real.socket;
    this.#done = done;
    this.#oneWay(client, this.real);
    this.#oneWay(real, this.client);
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

  #oneWay({ socket: from, reader }: End, to: Socket): void {
    if (reader === null) this.#copy(from, to);
    else reader.pump(from, to, () => this.#moved());
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

  #copy(from: Socket, to: Socket): void {
    from.on("data", (chunk) => {
      this.#moved();
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => {
      this.#moved();
      from.resume();
    });
  }

  #moved(): void {
    this.lastActive = now();
  }
}
