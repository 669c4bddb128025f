/**
 * Standing listeners for related connections, of one local address each. Opening a listener for each announcement
 * collapses under load; these stay open, and a port is given to one announcement after the other, the longest idle
 * first.
 */
import { createServer, type Server, type Socket } from "node:net";
import { PortPool } from "../../core/nat/ports.ts";
import type { Endpoint, Port } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { HIGH_WATER } from "./relay.ts";

export interface PoolOptions {
  /** Listeners at most, when many announcements wait at once. */
  readonly most: number;
  /** Ports to listen on; null: those that the kernel gives. */
  readonly ports: { readonly first: Port; readonly last: Port } | null;
  /** A connection came to one of them. */
  readonly connected: (socket: Socket, seen: Endpoint) => void;
  readonly failed: (address: Address, error: NodeJS.ErrnoException) => void;
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
  readonly #servers = new Map<Port, Server>();
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
    return this.#servers.size;
  }

  /** Opens listeners until `count` stand; fewer when the range, `tries` or the system have no more. */
  async open(count: number, tries = Number.POSITIVE_INFINITY): Promise<void> {
    const most = Math.min(count, this.#options.most);
    let left = this.#options.ports === null ? tries : Math.min(tries, this.#untried.length);
    while (!this.#closed && left > 0 && this.#servers.size < most) {
      const batch = Math.min(64, most - this.#servers.size, left);
      const before = this.#servers.size;
      await Promise.all(Array.from({ length: batch }, () => this.#listen(this.#candidate())));
      left -= batch;
      if (this.#options.ports === null && this.#servers.size === before) return;
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
      const before = this.#servers.size;
      this.#opening ??= this.open(before + STEP, TRIES).finally(() => {
        this.#opening = null;
      });
      await this.#opening;
      const port = this.#ports.take();
      if (port !== null || this.#servers.size <= before) return port;
    }
  }

  give(port: Port): void {
    this.#ports.give(port);
  }

  close(): void {
    this.#closed = true;
    for (const server of this.#servers.values()) server.close();
  }

  #candidate(): number | undefined {
    return this.#options.ports === null ? ANY_PORT : this.#untried.shift();
  }

  #listen(wanted: number | undefined): Promise<void> {
    if (wanted === undefined) return Promise.resolve();
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, highWaterMark: HIGH_WATER });
    return new Promise((resolve) => {
      server.once("error", (error: NodeJS.ErrnoException) => {
        if (wanted !== ANY_PORT) this.#untried.push(wanted);
        // A port of the range that somebody else holds is passed over, and tried again when no other is left.
        if (error.code !== "EADDRINUSE") this.#options.failed(this.address, error);
        resolve();
      });
      server.listen({ host: this.address.toString(), port: wanted, backlog: BACKLOG, exclusive: true }, () => {
        this.#stand(server);
        resolve();
      });
    });
  }

  #stand(server: Server): void {
    const bound = server.address();
    if (bound === null || typeof bound === "string" || this.#closed) return void server.close();
    const port = bound.port as Port;
    const seen = { address: this.address, port };
    server.removeAllListeners("error");
    server.on("error", (error) => this.#options.failed(this.address, error));
    server.on("connection", (socket) => this.#options.connected(socket, seen));
    this.#servers.set(port, server);
    this.#ports.offer(port);
  }
}
