/**
 * A flow that the realserver opens towards a client's socket (TFTP): it leaves from a port of the VIP of its own, and
 * what the client sends there goes to the port that the realserver opened it from.
 *
 *   client:C <-> VIP:any     director:U <-> realserver:T     U: the socket that the request went out of
 */
import type { Socket } from "node:dgram";
import type { ConnectionEntry } from "../../core/balancer.ts";
import type { Endpoint, Ms } from "../../core/units.ts";
import { now } from "../clock.ts";
import type { DatagramPorts } from "./datagram-ports.ts";
import type { Reason } from "./transport.ts";
import { connected, reasonOf } from "./udp.ts";

/** Datagrams that may wait for the socket to the client. */
const MOST_WAITING = 16;

interface TransferOwner {
  readonly ports: DatagramPorts;
  toReal(message: Buffer): void;
  /** Its socket stands at `virtual`. */
  ready(virtual: Endpoint): void;
  closed(transfer: Transfer): void;
}

export class Transfer {
  readonly connection: ConnectionEntry;
  /** When the last datagram came. */
  lastActive: Ms = now();
  /** Bytes of payload from each side. */
  original = 0;
  reply = 0;
  /** Why it ended, when not by being idle. */
  error: Reason | null = null;
  readonly #owner: TransferOwner;
  #socket: Socket | null = null;
  #waiting: Buffer[] = [];
  #closed = false;

  constructor(connection: ConnectionEntry, owner: TransferOwner) {
    this.connection = connection;
    this.#owner = owner;
    void this.#open();
  }

  toClient(message: Buffer): void {
    this.lastActive = now();
    this.reply += message.length;
    if (this.#socket !== null) this.#socket.send(message);
    else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(message);
  }

  close(error: Reason | null = null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.error = error;
    this.#socket?.close();
    this.#owner.closed(this);
  }

  /** A socket that only the client's own is heard on. */
  async #open(): Promise<void> {
    const { client, virtual } = this.connection;
    const socket = await this.#owner.ports.open(virtual.address);
    if (socket === null) return this.close("director-exhausted");
    const failed = await connected(socket, client);
    if (failed !== null || this.#closed) {
      socket.close();
      return this.close(failed);
    }
    this.#socket = socket;
    socket.on("message", (message) => {
      this.lastActive = now();
      this.original += message.length;
      this.#owner.toReal(message);
    });
    // The client does not listen there any more (ICMP port unreachable).
    socket.on("error", (error) => this.close(reasonOf(error)));
    this.#owner.ready({ address: virtual.address, port: socket.address().port as Endpoint["port"] });
    for (const message of this.#waiting.splice(0)) socket.send(message);
  }
}
