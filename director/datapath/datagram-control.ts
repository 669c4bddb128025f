/**
 * The way of one client socket's datagrams where a helper reads them, and what they announce (TFTP, XDMCP, SIP).
 *
 *   client:C -> VIP:port => director:U -> realserver:port     and back, through the control stream
 *   client:C <- VIP:any  <= director:U <- realserver:T        announced: a transfer of its own
 *
 * The realserver answers from a port that nobody knows before, so U hears everybody: of another address nothing comes
 * in, of another port only what was announced.
 */
import type { Socket } from "node:dgram";
import type { ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import type { Helper } from "../../core/helper/api.ts";
import { type ControlHost, ControlStream, type Decision } from "../../core/inspect/control.ts";
import type { Direction, Endpoint, Ms, Port } from "../../core/units.ts";
import { endpointText, seconds } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { now } from "../clock.ts";
import type { Carrier, CarrierOwner } from "./carrier.ts";
import type { DatagramOwner } from "./datagram-owner.ts";
import { DecisionLog } from "./decisions.ts";
import { Transfer } from "./transfer.ts";
import { ANY_PORT, addressTowards, bound, hear, type Sender } from "./udp.ts";

const TRANSFER_IDLE = seconds(60);
/** Stopping: a transfer does not say that it is over. One that goes on sends again sooner than this. */
const TRANSFER_QUIET = seconds(5);
/** Transfers of one client socket at once; the one that came first gives way. */
const MOST_TRANSFERS = 16;
/** Datagrams that may wait for the socket to their realserver. */
const MOST_WAITING = 16;
/** What was announced so often, while the realserver says nothing at all: it is taken for dead. */
const ASKED_IN_VAIN = 2;

export class ControlCarrier implements Carrier, ControlHost {
  lastActive: Ms = now();
  readonly #entry: ConnectionEntry;
  readonly #helper: Helper;
  readonly #owner: DatagramOwner;
  readonly #ends: CarrierOwner;
  readonly #decisions: DecisionLog;
  /** By the realserver's port. */
  readonly #transfers = new Map<Port, Transfer>();
  #waiting: Buffer[] = [];
  /** These, once the socket to the realserver is there. */
  #socket: Socket | null = null;
  #local: Endpoint | null = null;
  #stream: ControlStream | null = null;
  /** Announcements since the realserver was heard. */
  #asked = 0;
  #closed = false;

  constructor(id: number, entry: ConnectionEntry, helper: Helper, owner: DatagramOwner, ends: CarrierOwner) {
    this.#entry = entry;
    this.#helper = helper;
    this.#owner = owner;
    this.#ends = ends;
    this.#decisions = new DecisionLog(id, "datagrams", owner.log);
    void this.#open();
  }

  get silent(): boolean {
    return this.#asked >= ASKED_IN_VAIN;
  }

  send(message: Buffer): void {
    this.lastActive = now();
    if (this.#stream !== null) this.#stream.feed("original", message, this.lastActive);
    else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(message);
  }

  advance(at: Ms, draining: boolean): void {
    const idle = draining ? TRANSFER_QUIET : TRANSFER_IDLE;
    if (this.#stream !== null && at >= this.#stream.deadline) this.#stream.advance(at);
    for (const transfer of this.#transfers.values()) if (at - transfer.lastActive >= idle) transfer.close();
  }

  close(): void {
    if (!this.#closed) this.#socket?.close();
    this.#closed = true;
    this.#owner.ended(this.#entry);
    for (const transfer of this.#transfers.values()) transfer.close();
  }

  // --- ControlHost ------------------------------------------------------------------------------------------------

  forward(direction: Direction, bytes: Uint8Array): void {
    if (this.#closed) return;
    if (direction === "original") this.#toReal(bytes, this.#entry.real.port);
    else this.#ends.reply(bytes);
  }

  /** A flow that the realserver opens to this client's own socket comes to U. All else has a place of its own. */
  prepare(entry: RelatedEntry, answered: RelatedEntry | null): void {
    const { client, virtual } = this.#entry;
    const answer = (seen: Endpoint | null): void => {
      this.#stream?.prepared(entry, seen, now());
      if (seen !== null && entry.state === "gone" && entry.seen === null) this.#owner.release(entry, seen);
    };
    const own = entry.transport === "udp" && entry.opener === "reply" && entry.target.port === client.port;
    if (own) return answer(this.#local);
    this.#owner.prepare(entry, { original: virtual.address, reply: this.#local!.address }, answered, answer);
  }

  withdrawn(entries: readonly RelatedEntry[]): void {
    this.#owner.withdrawn(entries);
  }

  explain(decision: Decision): void {
    if (decision.outcome === "expected") this.#asked++;
    this.#owner.count(`${decision.outcome}.${decision.reason}`);
    this.#decisions.tell(decision);
  }

  abort(reason: string): void {
    this.#owner.count(`dropped.${reason}`);
  }

  // --- the realserver ---------------------------------------------------------------------------------------------

  async #open(): Promise<void> {
    const address = await addressTowards(this.#entry.real);
    const socket = typeof address === "string" ? address : await bound(address, ANY_PORT);
    if (typeof socket === "string") {
      if (!this.#closed) this.#ends.lost(socket);
      return;
    }
    if (this.#closed) return void socket.close();
    this.#socket = socket;
    this.#local = { address: address as Address, port: socket.address().port as Port };
    this.#entry.source = this.#local;
    const stream = this.#openStream();
    hear(socket, (message, from) => this.#fromReal(message, from, stream));
    for (const message of this.#waiting.splice(0)) stream.feed("original", message, now());
  }

  #openStream(): ControlStream {
    const { settings, onRefuse, onFailure, balancer } = this.#owner;
    const ends = { entry: this.#entry, host: this };
    this.#stream = new ControlStream({ helper: this.#helper, settings, onRefuse, onFailure, balancer, ...ends });
    return this.#stream;
  }

  #toReal(bytes: Uint8Array, port: Port): void {
    this.#socket?.send(bytes, port, this.#entry.real.address.toString());
  }

  #fromReal(message: Buffer, from: Sender, stream: ControlStream): void {
    const { real } = this.#entry;
    if (!from.address.equals(real.address)) return this.#refuse("wrong-address", from);
    this.lastActive = now();
    this.#asked = 0;
    if (from.port === real.port) stream.feed("reply", message, this.lastActive);
    else (this.#transfers.get(from.port) ?? this.#claim(from))?.toClient(message);
  }

  #refuse(reason: string, from: Endpoint): void {
    const { log, count, service } = this.#owner;
    count(`refused.${reason}`);
    log("debug", "refusal", { service, reason, from: endpointText(from) });
  }

  // --- what was announced -----------------------------------------------------------------------------------------

  #claim(from: Endpoint): Transfer | null {
    const claimed = this.#owner.balancer.claim("udp", this.#local!, from, now());
    if (typeof claimed === "string") {
      this.#refuse(claimed, from);
      return null;
    }
    const { connection, related } = claimed;
    const id = this.#owner.id();
    if (this.#transfers.size >= MOST_TRANSFERS) this.#transfers.values().next().value?.close("replaced");
    this.#owner.opened(connection);
    this.#owner.count(`related.${related.kind}`);
    const transfer = new Transfer(connection, {
      ports: this.#owner.ports,
      toReal: (message) => {
        this.lastActive = now();
        if (!this.#closed) this.#toReal(message, from.port);
      },
      ready: (virtual) =>
        this.#log("connection", id, connection, { related: related.id, ...ends(connection, virtual) }),
      closed: ({ original, reply, error }) => {
        this.#transfers.delete(from.port);
        this.#owner.closed(connection);
        this.#log("closed", id, connection, { original, reply, error });
      },
    });
    this.#transfers.set(from.port, transfer);
    return transfer;
  }

  #log(event: string, id: number, { role }: ConnectionEntry, fields: object): void {
    this.#owner.log("info", event, { id, service: this.#owner.service, role, ...fields });
  }
}

const ends = ({ client, real }: ConnectionEntry, virtual: Endpoint) => ({
  client: endpointText(client),
  virtual: endpointText(virtual),
  real: endpointText(real),
});
