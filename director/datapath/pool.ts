/**
 * Standing listeners for related connections, of one local address each. Opening a listener for each announcement
 * collapses under load; these stay open, and a port is given to one announcement after the other, the longest idle
 * first.
 */
import { PortPool } from "../../core/nat/ports.ts";
import type { Endpoint, Port } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import type { Backend, Listener, Reason, Stream } from "./transport.ts";

export interface PoolOptions {
  /** Listeners at most, when many announcements wait at once. */
  readonly most: number;
  /** Ports to listen on; null: those that the kernel gives. */
  readonly ports: { readonly first: Port; readonly last: Port } | null;
  /** A connection came to one of them. */
  readonly connected: (stream: Stream, seen: Endpoint) => void;
  readonly failed: (address: Address, reason: Reason) => void;
  readonly backend: Backend;
}

/** How many more are opened at a time when the standing ones are all taken, and how many are tried for that. */
const STEP = 16;
const TRIES = 64;
/** A limit, not a cost: strangers who knock must not keep out who is waited for. */
const BACKLOG = 256;
/** The kernel chooses. */
const ANY_PORT = 0;

export class ListenerPool {
  readonly address: Address;
  readonly #options: PoolOptions;
  readonly #ports = new PortPool();
  readonly #listeners = new Map<Port, Listener>();
  /** Ports of the range that nobody listens on, or somebody else does: those not tried for longest first. */
  readonly #untried: number[];
  #opening: Promise<void> | null = null;
  #closed = false;

  constructor(address: Address, options: PoolOptions) {
    this.address = address;
    this.#options = options;
    const { first, last } = options.ports ?? { first: 1, last: 0 };
    this.#untried = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  }

  get listening(): number {
    return this.#listeners.size;
  }

  /** Nobody is waited for here. */
  get idle(): boolean {
    return this.#ports.taken === 0 && this.#opening === null;
  }

  /** Opens listeners until `count` stand; fewer when the range, `tries` or the system have no more. */
  async open(count: number, tries = Number.POSITIVE_INFINITY): Promise<void> {
    const most = Math.min(count, this.#options.most);
    let left = this.#options.ports === null ? tries : Math.min(tries, this.#untried.length);
    while (!this.#closed && left > 0 && this.#listeners.size < most) {
      const batch = Math.min(64, most - this.#listeners.size, left);
      const before = this.#listeners.size;
      await Promise.all(Array.from({ length: batch }, () => this.#listen(this.#candidate())));
      left -= batch;
      if (this.#options.ports === null && this.#listeners.size === before) return;
    }
  }

  /** A port to announce: at once where one stands idle, else when more were opened; null when no more can be had. */
  take(answer: (port: Port | null) => void): void {
    const port = this.#ports.take();
    if (port === null) void this.#grow().then(answer);
    else answer(port);
  }

  async #grow(): Promise<Port | null> {
    for (;;) {
      const before = this.#listeners.size;
      this.#opening ??= this.open(before + STEP, TRIES).finally(() => {
        this.#opening = null;
      });
      await this.#opening;
      const port = this.#ports.take();
      if (port !== null || this.#listeners.size <= before) return port;
    }
  }

  give(port: Port): void {
    this.#ports.give(port);
  }

  close(): void {
    this.#closed = true;
    for (const listener of this.#listeners.values()) listener.close();
  }

  #candidate(): number | undefined {
    return this.#options.ports === null ? ANY_PORT : this.#untried.shift();
  }

  async #listen(wanted: number | undefined): Promise<void> {
    if (wanted === undefined) return;
    const { backend, connected, failed } = this.#options;
    const listener = await backend.listen({
      at: { address: this.address, port: wanted },
      backlog: BACKLOG,
      accepted: (stream) => connected(stream, (listener as Listener).at),
      failed: (reason) => failed(this.address, reason),
    });
    if (typeof listener !== "string") return this.#stand(listener);
    if (wanted !== ANY_PORT) this.#untried.push(wanted);
    // A port of the range that somebody else holds is passed over, and tried again when no other is left.
    if (listener !== "EADDRINUSE") failed(this.address, listener);
  }

  #stand(listener: Listener): void {
    if (this.#closed) return listener.close();
    const { port } = listener.at;
    this.#listeners.set(port, listener);
    this.#ports.offer(port);
  }
}
