/**
 * One UDP port of a service whose datagrams are scheduled one by one (RADIUS, DNS): who was asked what, and by whom.
 *
 *   client:C  request -> VIP:port     a realserver of its own; sent again: the same
 *   real:port reply   -> client:C     only from whom was asked, and as often as it was
 */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import { type Transaction, TransactionTable } from "../flow/transaction.ts";
import type { Affinity, Request, Requests, Settings } from "../helper/api.ts";
import { askHelper } from "../helper/run.ts";
import type { Counters } from "../metrics.ts";
import { hasVip, type Realserver, realEndpoint, type Service } from "../service.ts";
import { type Endpoint, endpointText, type Ms } from "../units.ts";
import type { Address } from "../wire/address.ts";

/** Requests that are open, or known in case they are sent again. */
const MOST_REQUESTS = 65_536;
/** Clients whose realservers may ask them something. */
const MOST_CLIENTS = 10_000;
/** A request sent as often to a realserver that says nothing at all meanwhile: it is taken for dead. */
const SENT_IN_VAIN = 4;

/** The client's socket and the realserver's: each pair has its identifiers for itself. */
type Pair = string;
type Asked = Transaction<Realserver, Pair>;

/** Under this, `remember`ed answers lead a client's next connection to their realserver, before it has asked anything. */
export const openingKey = (client: Address): string => `opening ${client}`;

export interface RequestPortOptions {
  readonly service: Service;
  readonly at: Endpoint;
  readonly balancer: Balancer;
  readonly settings: Settings;
  readonly counters: Counters;
  /** Addresses that the service's requests came from, the latest last: of all of its ports. */
  readonly clients: Set<string>;
}

export class RequestPort {
  readonly service: Service;
  readonly at: Endpoint;
  /** Shared by the service's ports. */
  readonly clients: Set<string>;
  readonly #balancer: Balancer;
  readonly #requests: Requests;
  #settings: Settings;
  readonly #counters: Counters;
  readonly #open: TransactionTable<Realserver, Pair>;
  /** What counts as a connection of its realserver: requests that are not answered yet. */
  readonly #entries = new Map<Asked, ConnectionEntry>();
  readonly #heard = new Map<Realserver, Ms>();
  /** Those of the service, and those that it had and that were asked something. */
  #realservers: readonly Realserver[] = [];
  #now = 0 as Ms;

  constructor({ service, at, balancer, settings, counters, clients }: RequestPortOptions) {
    this.service = service;
    this.at = at;
    this.clients = clients;
    this.#balancer = balancer;
    this.#requests = service.spec.helper!.requests!;
    this.#settings = settings;
    this.#counters = counters;
    const { patience, linger } = this.#requests;
    this.#open = new TransactionTable({
      capacity: MOST_REQUESTS,
      patience,
      linger,
      ended: (asked, reason) => {
        this.#settle(asked);
        if (reason !== "done") counters.count(`requests.${reason}`);
      },
    });
  }

  /** Whether it is a port of `service` as it is now: what another helper asked is not to be answered to this one. */
  isOf(service: Service): boolean {
    return service === this.service && service.spec.helper?.requests === this.#requests;
  }

  /** The service's realservers and `settings` may have changed: all that may say something. */
  update(settings: Settings): readonly Realserver[] {
    this.#settings = settings;
    const all = new Set([...this.#realservers, ...this.service.realservers]);
    this.#realservers = [...all].filter(({ removed, active }) => !removed || active > 0);
    for (const realserver of this.#heard.keys()) {
      if (!this.#realservers.includes(realserver)) this.#heard.delete(realserver);
    }
    return this.#realservers;
  }

  /** It is served no more. */
  close(): void {
    for (const asked of [...this.#entries.keys()]) this.#settle(asked);
  }

  /** Whether requests go to `real`, or did. */
  asks({ address, port }: Endpoint): boolean {
    return this.#realservers.some((one) => {
      const real = realEndpoint(this.service.spec, one, this.at);
      return real.address.equals(address) && real.port === port;
    });
  }

  /** Whether `client` has asked `real` something, and may still hear of it. */
  hasAsked(client: Endpoint, real: Endpoint): boolean {
    return this.#open.uses(pair(client, real));
  }

  /** Whom `client`'s request is for, and where it goes; or why it goes nowhere. */
  ask(
    client: Endpoint,
    payload: Uint8Array,
    now: Ms,
  ): { readonly realserver: Realserver; readonly to: Endpoint } | string {
    this.#now = now;
    const request = askHelper(() => this.#requests.request(payload, client.address, this.#settings));
    if (typeof request === "string") return request;
    if (request.to !== undefined) return "not-from-realserver";
    this.#know(client.address.toString());
    const asked = this.#again(client, request) ?? this.#schedule(client, request);
    if (typeof asked === "string") return asked;
    return { realserver: asked.realserver, to: realEndpoint(this.service.spec, asked.realserver, this.at) };
  }

  /** Whether what `real` said to `client` is the answer to what it was asked: null, or why not. */
  answer(real: Endpoint, client: Endpoint, payload: Uint8Array, now: Ms): string | null {
    this.#now = now;
    const reply = askHelper(() => this.#requests.reply(payload, client.address));
    if (typeof reply === "string") return reply;
    const asked = this.#open.answer(pair(client, real), reply, now);
    if (typeof asked === "string") return asked;
    const { realserver } = asked;
    this.#heard.set(realserver, now);
    this.#settle(asked);
    if (reply.remember !== undefined) {
      const keys = this.#requests.opening === undefined ? [] : [openingKey(client.address)];
      this.#balancer.remember(this.service, realserver, [...reply.remember, ...keys], reply.ttl, now);
    }
    return null;
  }

  /** Whether it is a request of `real`, a realserver, to `client`, which it knows from that one's. */
  isReverse(real: Endpoint, client: Endpoint, payload: Uint8Array): boolean {
    if (client.port !== this.at.port || !this.clients.has(client.address.toString())) return false;
    // One that was removed may answer still, and begins nothing.
    if (!this.service.realservers.some(({ address }) => address.equals(real.address))) return false;
    const request = askHelper(() => this.#requests.request(payload, client.address, this.#settings));
    return typeof request !== "string" && request.to !== undefined;
  }

  advance(now: Ms): void {
    this.#now = now;
    this.#open.advance(now);
  }

  /** The request sent again, if its realserver is there to be asked again. */
  #again(client: Endpoint, request: Request): Asked | null {
    const asked = this.#open.repeated(endpointText(client), request, this.#now);
    if (asked === null) return null;
    this.#counters.count("requests.repeated");
    const { realserver, opened, sent, answered } = asked;
    if (!realserver.up) {
      this.#open.purge(realserver);
      return null;
    }
    // It is known no more once it has no open requests, and what it has answered is none.
    if (realserver.removed && answered > 0) {
      this.#open.end(asked);
      return null;
    }
    const heard = this.#heard.get(realserver);
    // Replies of one that has the VIP may take another way, unless some came by.
    const mayBeHeard = heard !== undefined || !hasVip(realserver);
    const silent = mayBeHeard && answered === 0 && (heard ?? 0) <= opened;
    if (!silent || sent < SENT_IN_VAIN) return asked;
    // What it was asked is scheduled anew when it is sent again.
    this.#counters.count("realserver-silent");
    this.#balancer.lost(this.service, realserver, this.#now);
    this.#open.purge(realserver);
    return null;
  }

  #schedule(client: Endpoint, request: Request): Asked | string {
    const affinity = this.service.realservers.some(hasVip) ? asSaid(request) : request.affinity;
    const entry = this.#balancer.admit("udp", client, this.at, this.#now, affinity);
    if (typeof entry === "string") return entry;
    if (entry.realserver.address.family !== client.address.family) {
      this.#balancer.close(entry, this.#now);
      return "family-mismatch";
    }
    this.#counters.count("requests");
    const from = endpointText(client);
    const asked = this.#open.open(from, request, entry.realserver, pair(client, entry.real), this.#now);
    this.#entries.set(asked, entry);
    return asked;
  }

  #know(address: string): void {
    this.clients.delete(address);
    this.clients.add(address);
    if (this.clients.size > MOST_CLIENTS) this.clients.delete(this.clients.values().next().value!);
  }

  #settle(asked: Asked): void {
    const entry = this.#entries.get(asked);
    if (entry === undefined) return;
    this.#entries.delete(asked);
    this.#balancer.close(entry, this.#now);
  }
}

/**
 * Where replies may take another way, nobody knows what they gave the client to say again: its conversation is known by
 * what it said itself.
 */
function asSaid({ affinity, conversation }: Request): Affinity | null {
  if (conversation === undefined) return affinity;
  const { key, continues } = conversation;
  const { recall = [], remember = [], ...rest } = affinity ?? {};
  return { ...rest, recall: continues ? [...recall, key] : recall, remember: [...remember, key] };
}

const pair = (client: Endpoint, real: Endpoint): Pair => `${endpointText(client)} ${endpointText(real)}`;
