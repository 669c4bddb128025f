/** A stream on a socket of Node's. */
import type { Socket } from "node:net";
import type { Endpoint, Ms } from "../../../../core/units.ts";
import type { PumpEvents, ReadEvents, Stream, StreamEvents } from "../../transport.ts";
import { localEnd, remoteEnd } from "./endpoints.ts";
import type { Reader } from "./reader.ts";
import { reset, wasReset } from "./reset.ts";

/** Bytes one socket may owe its peer before the other is no longer read. */
export const HIGH_WATER = 256 * 1024;

export class NetStream implements Stream {
  readonly #socket: Socket;
  /** What the socket reads into, if that is not Node's own. */
  readonly #reader: Reader | null;

  constructor(socket: Socket, reader: Reader | null = null) {
    this.#socket = socket.on("error", () => {});
    this.#reader = reader;
  }

  get remote(): Endpoint | null {
    return remoteEnd(this.#socket);
  }

  get local(): Endpoint | null {
    return localEnd(this.#socket);
  }

  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  get ending(): boolean {
    return this.#socket.writableEnded || this.#socket.destroyed;
  }

  get gone(): boolean {
    return this.#socket.destroyed;
  }

  get congested(): boolean {
    return this.#socket.writableNeedDrain;
  }

  read(events: ReadEvents): void {
    this.#socket.on("data", (chunk: Buffer) => events.data(chunk));
    this.#socket.on("drain", () => events.drained());
    this.#follow(events);
  }

  pump({ socket: to }: NetStream, events: PumpEvents): void {
    const from = this.#socket;
    if (this.#reader !== null) {
      this.#reader.pump(from, to, () => events.moved());
      return this.#follow(events);
    }
    from.on("data", (chunk: Buffer) => {
      events.moved();
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => {
      events.moved();
      from.resume();
    });
    this.#follow(events);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  write(bytes: Uint8Array): boolean {
    return this.ending || this.#socket.write(bytes);
  }

  end(): void {
    this.#socket.end();
  }

  reset(): void {
    reset(this.#socket);
  }

  keepAlive(after: Ms): void {
    this.#socket.setKeepAlive(true, after);
  }

  get socket(): Socket {
    return this.#socket;
  }

  #follow(events: StreamEvents): void {
    this.#socket.on("end", () => {
      if (!wasReset(this.#socket)) return events.ended();
      events.failed("ECONNRESET");
      reset(this.#socket);
    });
    this.#socket.on("error", (error: NodeJS.ErrnoException) => events.failed(error.code ?? error.message));
    this.#socket.on("close", () => events.closed());
    this.#socket.resume();
  }
}
