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

  /** Two on ports side by side, the lower one even (RFC 3550 §11); null: none can be had. */
  async openPair(address: Address): Promise<readonly [Socket, Socket] | null> {
    for (let tries = 0; tries < this.#tries; tries++) {
      const first = await bound(address, this.#step(2));
      if (first === "EADDRINUSE") continue;
      if (typeof first === "string") return null;
      const { port } = first.address();
      const second = await bound(address, port ^ 1);
      if (typeof second !== "string") return port % 2 === 0 ? [first, second] : [second, first];
      first.close();
      if (second !== "EADDRINUSE") return null;
    }
    return null;
  }

  get #tries(): number {
    return this.#ports === null ? TRIES : Math.min(TRIES, this.#ports.last - this.#ports.first + 1);
  }

  /** The port to try; of two, the lower one, which is even. */
  #step(count: 1 | 2): number {
    if (this.#ports === null) return ANY_PORT;
    const { first, last } = this.#ports;
    const from = this.#next + count - 1 > last ? first : this.#next;
    const port = from + (count === 2 ? from % 2 : 0);
    this.#next = port + count;
    return port;
  }
}
