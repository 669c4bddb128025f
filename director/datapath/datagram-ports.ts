/** Sockets for announced flows of datagrams: on ports of the range that is configured, or on those that the kernel gives. */
import type { Socket } from "node:dgram";
import type { Port } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { ANY_PORT, bound } from "./udp.ts";

/** Ports that are tried for one socket, or for one pair. */
const TRIES = 64;

export class DatagramPorts {
  readonly #ports: { readonly first: Port; readonly last: Port } | null;
  /** Of the range: the one that is tried next, so that a port just used is the last to be used again. */
  #next: number;

  constructor(ports: { readonly first: Port; readonly last: Port } | null) {
    this.#ports = ports;
    this.#next = ports?.first ?? ANY_PORT;
  }

  /** A socket on a port of `address`; null: none can be had. */
  async open(address: Address): Promise<Socket | null> {
    for (let tries = 0; tries < this.#tries; tries++) {
      const socket = await bound(address, this.#step(1));
      if (typeof socket !== "string") return socket;
      if (socket !== "EADDRINUSE") return null;
    }
    return null;
  }

  get #tries(): number {
    return this.#ports === null ? TRIES : Math.min(TRIES, this.#ports.last - this.#ports.first + 1);
  }

  /** The port to try, of `count` that are wanted from there on. */
  #step(count: number): number {
    if (this.#ports === null) return ANY_PORT;
    const { first, last } = this.#ports;
    const port = this.#next + count - 1 > last ? first : this.#next;
    this.#next = port + count;
    return port;
  }
}
