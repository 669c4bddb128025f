/** Sockets towards whom requests go: one for each client socket and realserver, connected, so that only it may answer. */
import type { Socket } from "node:dgram";
import type { Realserver } from "../../core/service.ts";
import { type Endpoint, endpointText } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import type { Reason } from "./transport.ts";
import { connected, reasonOf, type Sender, socketFor } from "./udp.ts";
import { isLocalFailure } from "./upstream.ts";

/** The one idle for longest gives way, or else the oldest. */
const MOST = 10_000;
/** Datagrams that may wait for a socket to be connected. */
const MOST_WAITING = 256;

export interface Upstream {
  /** Whom the answers are for. */
  readonly client: Sender;
  readonly to: Endpoint;
  /** null: `to` is none, it is asked by one. */
  readonly realserver: Realserver | null;
}

interface Connected extends Upstream {
  readonly key: string;
  readonly socket: Socket;
  /** What came before the socket was connected; null: it is. */
  waiting: Uint8Array[] | null;
  /** Idle since before the last sweep. */
  stale: boolean;
}

export interface UpstreamsOwner {
  reply(upstream: Upstream, message: Buffer): void;
  /** Nobody listens at its other end; `local`: it is the director that lacks something. */
  failed(upstream: Upstream, reason: string, local: boolean): void;
  closed(upstream: Upstream): void;
}

export class Upstreams {
  readonly #owner: UpstreamsOwner;
  readonly #all = new Map<string, Connected>();
  readonly #idle = new Set<Connected>();

  constructor(owner: UpstreamsOwner) {
    this.#owner = owner;
  }

  /** The one from `client` to `to`, made if there is none. `from`: the address that it must have. */
  find(client: Sender, to: Endpoint, realserver: Realserver | null, from?: Address): Upstream {
    const key = `${endpointText(client)} ${endpointText(to)}`;
    const known = this.#all.get(key);
    if (known !== undefined) return known;
    if (this.#all.size >= MOST) this.#close(this.#idle.values().next().value ?? this.#all.values().next().value!);
    const socket = socketFor(to.address);
    const made: Connected = { client, to, realserver, key, socket, waiting: [], stale: false };
    this.#all.set(key, made);
    this.#connect(made, from);
    return made;
  }

  send(upstream: Upstream, message: Uint8Array): void {
    const { socket, waiting } = upstream as Connected;
    if (waiting === null) socket.send(message);
    else if (waiting.length < MOST_WAITING) waiting.push(message);
  }

  /** Something waits for an answer through it. */
  busy(upstream: Upstream): void {
    this.#idle.delete(upstream as Connected);
  }

  /** Nothing waits for an answer through it any more. */
  idle(upstream: Upstream): void {
    const one = upstream as Connected;
    if (this.#all.get(one.key) !== one) return;
    one.stale = false;
    this.#idle.add(one);
  }

  /** Closes those that were idle at the last sweep already. */
  sweep(): void {
    for (const one of this.#idle) {
      if (one.stale) this.#close(one);
      one.stale = true;
    }
  }

  close(): void {
    for (const one of this.#all.values()) this.#close(one);
  }

  #connect(one: Connected, from: Address | undefined): void {
    const { socket, to } = one;
    socket.on("message", (message) => this.#owner.reply(one, message));
    const failed = (reason: Reason): void => {
      if (this.#all.get(one.key) !== one) return;
      this.#owner.failed(one, reason, isLocalFailure(reason));
      this.#close(one);
    };
    socket.on("error", (error) => failed(reasonOf(error)));
    const connect = async (): Promise<void> => {
      if (this.#all.get(one.key) !== one) return;
      const reason = await connected(socket, to);
      if (reason !== null) return failed(reason);
      if (this.#all.get(one.key) !== one) return;
      for (const message of one.waiting ?? []) socket.send(message);
      one.waiting = null;
    };
    if (from === undefined) void connect();
    else socket.bind({ address: from.toString(), port: 0, exclusive: true }, () => void connect());
  }

  #close(one: Connected): void {
    if (!this.#all.delete(one.key)) return;
    this.#idle.delete(one);
    one.socket.close();
    this.#owner.closed(one);
  }
}
