/** The way of one client socket's datagrams to its realserver and back, where no helper reads them. */
import type { Socket } from "node:dgram";
import type { Endpoint, Ms } from "../../core/units.ts";
import { now } from "../clock.ts";
import type { Reason } from "./transport.ts";
import { connected, reasonOf, socketFor } from "./udp.ts";

/** Datagrams that may wait for the socket to their realserver. */
const MOST_WAITING = 16;

export interface Carrier {
  /** When the last datagram came, or what it announced was last seen in use. */
  lastActive: Ms;
  /** The realserver was asked in vain too often. */
  readonly silent: boolean;
  /** The client's next datagram. */
  send(message: Buffer): void;
  /** What time brings. `draining`: what has come to its end is not waited for. */
  advance(at: Ms, draining: boolean): void;
  close(): void;
}

export interface CarrierOwner {
  /** A datagram for the client. */
  reply(message: Uint8Array): void;
  /** The realserver cannot be reached. */
  lost(reason: Reason): void;
}

/** A connected socket: the kernel gives it nothing but the realserver's answers. */
export class ConnectedCarrier implements Carrier {
  lastActive: Ms = now();
  readonly silent = false;
  readonly #owner: CarrierOwner;
  readonly #socket: Socket;
  /** What came before the socket was ready; null: it is. */
  #waiting: Buffer[] | null = [];
  #closed = false;

  constructor(real: Endpoint, owner: CarrierOwner) {
    this.#owner = owner;
    this.#socket = socketFor(real.address);
    this.#socket.on("message", (message) => {
      this.lastActive = now();
      owner.reply(message);
    });
    // Nobody listens there any more (ICMP port unreachable): the client moves at once.
    this.#socket.on("error", (error) => owner.lost(reasonOf(error)));
    void this.#connect(real);
  }

  send(message: Buffer): void {
    this.lastActive = now();
    if (this.#waiting === null) this.#socket.send(message);
    else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(message);
  }

  advance(): void {}

  close(): void {
    if (!this.#closed) this.#socket.close();
    this.#closed = true;
  }

  async #connect(real: Endpoint): Promise<void> {
    const failed = await connected(this.#socket, real);
    if (this.#closed) return;
    if (failed !== null) return this.#owner.lost(failed);
    for (const message of this.#waiting ?? []) this.#socket.send(message);
    this.#waiting = null;
  }
}
