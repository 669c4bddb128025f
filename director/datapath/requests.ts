/**
 * UDP services whose datagrams are scheduled one by one (RADIUS, DNS), whatever socket they come from.
 *
 *   client:C  request -> VIP:port => director:U -> realserver     U: one socket for each client socket and realserver
 *   client:C <- VIP:port <= director:U <- realserver  reply       to whoever asked, and only if it was asked
 *   realserver  request -> VIP:port => VIP:U -> client:port       where the protocol lets realservers ask (RADIUS CoA)
 *
 * What goes out of a socket of its own keeps its identifier, and answers of another address never come in: the kernel
 * gives a connected socket nothing else.
 */
import type { Socket } from "node:dgram";
import type { ConnectionEntry } from "../../core/balancer.ts";
import { type EndReason, type Transaction, TransactionTable } from "../../core/flow/transaction.ts";
import type { Request, Requests } from "../../core/helper/api.ts";
import { askHelper } from "../../core/helper/run.ts";
import type { Realserver, Service } from "../../core/service.ts";
import { type Endpoint, endpointText, type Ms } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { now } from "../clock.ts";
import type { DatagramOwner } from "./datagram-owner.ts";
import { hear, type Sender } from "./udp.ts";
import { type Upstream, Upstreams } from "./upstreams.ts";

/** Requests of one port that are open, or known in case they are sent again. */
const MOST_REQUESTS = 65_536;
/** Clients whose realservers may ask them something. */
const MOST_CLIENTS = 10_000;
/** A request sent as often to a realserver that says nothing at all meanwhile: it is taken for dead. */
const SENT_IN_VAIN = 4;

type Asked = Transaction<Realserver, Upstream>;

export class RequestListener {
  readonly at: Endpoint;
  readonly #owner: DatagramOwner;
  readonly #requests: Requests;
  readonly #socket: Socket;
  readonly #upstreams: Upstreams;
  readonly #open: TransactionTable<Realserver, Upstream>;
  /** What counts as a connection of its realserver: requests that are not answered yet. */
  readonly #entries = new Map<Asked, ConnectionEntry>();
  readonly #heard = new Map<Realserver, Ms>();
  /** Addresses that requests came from, the latest last. */
  readonly #clients = new Set<string>();

  readonly #hearNothing: () => void;

  /** On `socket`, which is bound to `at`. */
  constructor(at: Endpoint, owner: DatagramOwner, requests: Requests, socket: Socket) {
    this.at = at;
    this.#owner = owner;
    this.#requests = requests;
    this.#socket = socket;
    this.#hearNothing = hear(socket, (message, from) => this.#fromClient(message, from));
    this.#upstreams = new Upstreams({
      reply: (upstream, message) => this.#fromReal(upstream, message),
      failed: (upstream, reason, local) => this.#failed(upstream, reason, local),
      closed: (upstream) => this.#open.close(upstream),
    });
    const { patience, linger } = requests;
    this.#open = new TransactionTable({
      capacity: MOST_REQUESTS,
      patience,
      linger,
      ended: (asked, reason) => this.#ended(asked, reason),
    });
  }

  /** Whose the port is now. */
  get #service(): Service {
    return this.#owner.balancer.serviceAt("udp", this.at.address, this.at.port)!;
  }

  sweep(at: Ms): void {
    this.#open.advance(at);
    this.#upstreams.sweep();
  }

  /** Ends the open requests whose entry `matches`; how many. */
  cut(matches: (entry: ConnectionEntry) => boolean): number {
    const those = [...this.#entries].filter(([, entry]) => matches(entry));
    for (const [asked] of those) this.#open.end(asked);
    return those.length;
  }

  /** Requests are not waited for: who asks, asks again. */
  drain(): void {
    this.end();
  }

  /** Ends all requests, and hears nothing any more; the socket is another's. */
  end(): void {
    this.#hearNothing();
    this.#upstreams.close();
  }

  // --- from clients ------------------------------------------------------------------------------------------------

  #fromClient(message: Buffer, client: Sender): void {
    const request = askHelper(() => this.#requests.request(message, client.address, this.#owner.settings));
    if (typeof request === "string") return this.#drop(request, client);
    if (request.to !== undefined) return this.#toClient(message, request, request.to, client);
    this.#know(client.address.toString());
    const asked = this.#again(client, request) ?? this.#ask(client, request);
    if (asked !== null) this.#upstreams.send(asked.upstream, message);
  }

  /** The request sent again, if its realserver is there to be asked again. */
  #again(client: Sender, request: Request): Asked | null {
    const asked = this.#open.repeated(endpointText(client), request, now());
    if (asked === null) return null;
    this.#owner.count("requests.repeated");
    const { realserver, opened, sent, answered } = asked;
    const silent = answered === 0 && (this.#heard.get(realserver) ?? 0) <= opened;
    if (!silent || sent < SENT_IN_VAIN) return asked;
    this.#lose(realserver, "silent");
    return null;
  }

  /** Schedules a request. */
  #ask(client: Sender, request: Request): Asked | null {
    const { balancer, count } = this.#owner;
    const entry = balancer.admit("udp", client, this.at, now(), request.affinity);
    if (typeof entry === "string") {
      this.#drop(entry, client);
      return null;
    }
    count("requests");
    const upstream = this.#upstreams.find(client, entry.real, entry.realserver);
    const asked = this.#open.open(endpointText(client), request, entry.realserver, upstream, now());
    this.#upstreams.busy(upstream);
    this.#entries.set(asked, entry);
    return asked;
  }

  /** A realserver asks a client: one that the service knows, and as the virtual service. */
  #toClient(message: Buffer, request: Request, address: Address | null, from: Sender): void {
    const realserver = this.#service.realservers.find((one) => one.address.equals(from.address));
    if (realserver === undefined) return this.#drop("not-from-realserver", from);
    if (address === null || !this.#clients.has(address.toString())) return this.#drop("unknown-client", from);
    const asker = endpointText(from);
    let asked = this.#open.repeated(asker, request, now());
    if (asked === null) {
      const upstream = this.#upstreams.find(from, { address, port: this.at.port }, null, this.at.address);
      asked = this.#open.open(asker, request, realserver, upstream, now());
      this.#upstreams.busy(upstream);
      this.#owner.count("requests.reverse");
    }
    this.#upstreams.send(asked.upstream, message);
  }

  #know(address: string): void {
    this.#clients.delete(address);
    this.#clients.add(address);
    if (this.#clients.size > MOST_CLIENTS) this.#clients.delete(this.#clients.values().next().value!);
  }

  // --- from realservers --------------------------------------------------------------------------------------------

  #fromReal(upstream: Upstream, message: Buffer): void {
    const { client, to, realserver } = upstream;
    const reply = askHelper(() => this.#requests.reply(message, client.address));
    if (typeof reply === "string") return this.#drop(reply, to);
    const asked = this.#open.answer(upstream, reply, now());
    if (typeof asked === "string") return this.#drop(asked, to);
    if (realserver !== null) this.#heard.set(realserver, now());
    this.#settle(asked);
    const { remember, ttl } = reply;
    if (remember !== undefined) this.#owner.balancer.remember(this.#service, asked.realserver, remember, ttl, now());
    this.#owner.count("replies");
    this.#socket.send(message, client.port, client.host);
  }

  #failed(upstream: Upstream, reason: string, local: boolean): void {
    if (local) this.#drop("director-exhausted", upstream.to);
    else if (upstream.realserver === null) this.#drop("client-refused", upstream.to);
    else this.#lose(upstream.realserver, reason);
  }

  /** What `realserver` was asked is scheduled anew when it is sent again. */
  #lose(realserver: Realserver, reason: string): void {
    const { balancer, log, service, count } = this.#owner;
    count("realserver-refused");
    balancer.lost(this.#service, realserver, now());
    const lost = this.#open.purge(realserver);
    log("warn", "realserver-refused", { service, realserver: realserver.key, reason, lost });
  }

  // --- the account -------------------------------------------------------------------------------------------------

  #ended(asked: Asked, reason: EndReason): void {
    this.#settle(asked);
    if (reason !== "done") this.#owner.count(`requests.${reason}`);
    if (!this.#open.uses(asked.upstream)) this.#upstreams.idle(asked.upstream);
  }

  #settle(asked: Asked): void {
    const entry = this.#entries.get(asked);
    if (entry === undefined) return;
    this.#entries.delete(asked);
    this.#owner.balancer.close(entry, now());
  }

  #drop(reason: string, from: Endpoint): void {
    const { log, service, count } = this.#owner;
    count(`dropped.${reason}`);
    log("debug", "dropped", { service, reason, from: endpointText(from) });
  }
}
