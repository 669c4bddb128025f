/** Streams on an event loop of our own: Linux's epoll, called through koffi. */
import type { Backend, ConnectOptions, Listener, ListenOptions, Reason, Stream } from "../../transport.ts";
import { Buffers } from "./buffers.ts";
import { type Calls, loadCalls } from "./calls.ts";
import { connect } from "./connect.ts";
import { Loop } from "./loop.ts";
import { listen } from "./server.ts";
import { Sockets } from "./sockets.ts";
import { Spare } from "./spare.ts";
import type { Shared } from "./stream.ts";

export class EpollBackend implements Backend {
  readonly name = "epoll";
  readonly #shared: Shared;

  private constructor(calls: Calls) {
    this.#shared = {
      sockets: new Sockets(calls),
      loop: new Loop(calls),
      buffers: new Buffers(calls),
      spare: new Spare(),
      open: new Set(),
    };
  }

  /** The backend, or why it cannot be had. */
  static async load(): Promise<EpollBackend | Reason> {
    const calls = await loadCalls();
    return typeof calls === "string" ? calls : new EpollBackend(calls);
  }

  async listen(options: ListenOptions): Promise<Listener | Reason> {
    return listen(options, this.#shared);
  }

  connect(options: ConnectOptions, done: (stream: Stream | null, reason: Reason) => void): void {
    connect(options, this.#shared, done);
  }

  abort(): void {
    for (const stream of this.#shared.open) stream.reset();
  }
}
