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

/** How many more are opened at a time when the standing ones are all taken. */
const STEP = 16;

export class ListenerPool {
  readonly address: Address;
  readonly #options: PoolOptions;
  readonly #ports = new PortPool();
  readonly #servers = new Map<Port, Server>();
  #next: number;
  #opening: Promise<void> | null = null;
  #closed = false;

  constructor(address: Address, options: PoolOptions) {
    this.address = address;
    this.#options = options;
    this.#next = options.ports?.first ?? 0;
  }

  get listening(): number {
    return this.#servers.size;
  }

  /** Opens listeners until `count` stand; fewer when the range or the system has no more. */
  async open(count: number): Promise<void> {
    const most = Math.min(count, this.#options.most);
    while (!this.#closed && this.#servers.size < most) {
      const batch = Math.min(64, most - this.#servers.size);
      const before = this.#servers.size;
      await Promise.all(Array.from({ length: batch }, () => this.#listen()));
      const exhausted = this.#options.ports === null || this.#next > this.#options.ports.last;
      if (this.#servers.size === before && exhausted) return;
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
      this.#opening ??= this.open(before + STEP).finally(() => {
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

  #listen(): Promise<void> {
    const { ports, failed } = this.#options;
    if (ports !== null && this.#next > ports.last) return Promise.resolve();
    const wanted = ports === null ? 0 : this.#next++;
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, highWaterMark: HIGH_WATER });
    return new Promise((resolve) => {
      server.once("error", (error: NodeJS.ErrnoException) => {
        // A port of the range that somebody else holds is passed over.
        if (error.code !== "EADDRINUSE") failed(this.address, error);
        resolve();
      });
      server.listen({ host: this.address.toString(), port: wanted, backlog: 16, exclusive: true }, () => {
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
