/**
 * Flows that no service's port leads to: those that a control connection announced, and those that realservers open by
 * themselves.
 *
 *   client:any -> VIP:5001     announced by the realserver      goes to the realserver that announced it
 *   real:any -> client:1025    announced by the client          leaves as VIP:20, as far as the client can tell
 *   real:any -> client:113     the service lets it (ident)      leaves as the VIP
 *   client:1025 -> VIP:20      answers what took another way    goes to the realserver that it was announced to
 */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import { KEY, reverseKey } from "../flow/key.ts";
import type { RelatedEntry } from "../flow/related.ts";
import { hasVip, type Service } from "../service.ts";
import { type Endpoint, inRange, type Ms, type Port, type Transport } from "../units.ts";
import { destination, putKey, source, transportOf } from "./ends.ts";
import type { Flows } from "./flows.ts";
import { Reason } from "./reason.ts";

/** No server sends what it announced from a port below it; to an answer (SYN, ACK) by TCP none listens. */
const FIRST_UNRESERVED = 1024;
/** Ports of the VIP that are tried for a connection that leaves as it. */
const TRIES = 128;

const REFUSALS: Readonly<Record<string, number>> = {
  "wrong-address": Reason.RELATED_ADDRESS,
  "wrong-port": Reason.RELATED_PORT,
};

/** A connection, and what announced it, if anything did. */
interface Opening {
  readonly connection: ConnectionEntry;
  readonly related: RelatedEntry | null;
}

export class RelatedFlows {
  declare private readonly balancer: Balancer;
  declare private readonly flows: Flows;
  readonly #key = new Int32Array(KEY);

  constructor(balancer: Balancer, flows: Flows) {
    this.balancer = balancer;
    this.flows = flows;
  }

  /** A client's packet with the key at `at` opens what was announced: the flow's id, or ~reason. */
  fromClient(keys: Int32Array, at: number, hash: number, state: number, now: Ms): number {
    if (!this.#mayBeAnnounced(keys, at)) return ~Reason.NO_SERVICE;
    const [to, from] = [destination(keys, at), source(keys, at)];
    const claimed = this.balancer.claim(transportOf(keys, at), to, from, now, undefined, "original");
    if (typeof claimed === "string") return ~(REFUSALS[claimed] ?? Reason.NO_SERVICE);
    return this.flows.take(claimed.connection, keys, at, hash, state, now, claimed.related);
  }

  /**
   * The same of a client's answer to what a realserver opened that has the VIP, and sent past the director: nothing else
   * can come from where the client said that it listens.
   */
  fromAnswer(keys: Int32Array, at: number, hash: number, state: number, now: Ms): number {
    if (!this.mayAnswer(keys, at)) return ~Reason.NO_FLOW;
    const [client, virtual] = [source(keys, at), destination(keys, at)];
    const transport = transportOf(keys, at);
    if (transport === "udp" && virtual.port < FIRST_UNRESERVED) return ~Reason.RELATED_PORT;
    const claimed = this.balancer.claim(transport, client, virtual, now, () => virtual.port, "reply");
    if (typeof claimed === "string") return ~(REFUSALS[claimed] ?? Reason.NO_FLOW);
    return this.flows.take(claimed.connection, keys, at, hash, state, now, claimed.related);
  }

  /** The same of a realserver's packet; the flow's key is that of its answers. */
  fromReal(keys: Int32Array, at: number, state: number, now: Ms): number {
    const transport = transportOf(keys, at);
    const client = destination(keys, at);
    const real = source(keys, at);
    const opening = this.#mayBeAnnounced(keys, at)
      ? this.#announced(transport, client, real, now)
      : this.#originated(transport, client, real, now);
    return typeof opening === "number" ? opening : this.#take(opening, state, now);
  }

  /** The same of one that `service` lets, whatever it lets otherwise. */
  originate(service: Service, keys: Int32Array, at: number, state: number, now: Ms): number {
    return this.#take(
      this.#leave(service, transportOf(keys, at), destination(keys, at), source(keys, at), now),
      state,
      now,
    );
  }

  /** False: with the key at `at` a client certainly answers nothing that it announced. */
  mayAnswer(keys: Int32Array, at: number): boolean {
    const { related } = this.balancer;
    if (related.size === 0) return false;
    reverseKey(keys, at, this.#key, 0);
    return related.mayAwait(this.#key, 0);
  }

  #take({ connection, related }: Opening, state: number, now: Ms): number {
    const { transport } = connection;
    putKey(transport, connection.client, connection.virtual, this.#key, 0);
    const hash = this.flows.table.hash(this.#key, 0);
    return this.flows.take(connection, this.#key, 0, hash, state, now, related);
  }

  #mayBeAnnounced(keys: Int32Array, at: number): boolean {
    return this.balancer.related.mayAwait(keys, at);
  }

  #announced(transport: Transport, client: Endpoint, real: Endpoint, now: Ms): Opening | number {
    const leaves = (entry: RelatedEntry, { virtual, realserver }: ConnectionEntry): Port =>
      hasVip(realserver) ? real.port : this.#port(transport, client, virtual.address, leavesAs(entry, real), real.port);
    const claimed = this.balancer.claim(transport, client, real, now, leaves, "reply");
    if (typeof claimed !== "string") return claimed;
    if (claimed === "no-related-entry") return this.#originated(transport, client, real, now);
    return ~(REFUSALS[claimed] ?? Reason.NO_FLOW);
  }

  #originated(transport: Transport, client: Endpoint, real: Endpoint, now: Ms): Opening | number {
    const allows = ({ spec, realservers }: Service): boolean =>
      (spec.originates ?? []).some((range) => inRange(range, transport, client.port)) &&
      realservers.some(({ address }) => address.equals(real.address));
    const service = this.balancer.services.find(allows);
    return service === undefined ? ~Reason.NOT_ANNOUNCED : this.#leave(service, transport, client, real, now);
  }

  #leave(service: Service, transport: Transport, client: Endpoint, real: Endpoint, now: Ms): Opening {
    const port = this.#port(transport, client, service.spec.address, real.port, real.port);
    const virtual = { address: service.spec.address, port };
    return { connection: this.balancer.originate(service, transport, client, virtual, real, now), related: null };
  }

  /** A port of the VIP that `client` has no flow with: `wanted`, `own`, or one found from there. */
  #port(transport: Transport, client: Endpoint, address: Endpoint["address"], wanted: Port, own: Port): Port {
    if (this.#isFree(transport, client, { address, port: wanted })) return wanted;
    for (let i = 0; i < TRIES; i++) {
      const port = (((own - 1 + i) % 0xffff) + 1) as Port;
      if (this.#isFree(transport, client, { address, port })) return port;
    }
    return own;
  }

  #isFree(transport: Transport, client: Endpoint, virtual: Endpoint): boolean {
    putKey(transport, client, virtual, this.#key, 0);
    return this.flows.table.find(this.#key, 0, this.flows.table.hash(this.#key, 0)) === 0;
  }
}

/** Where the client expects it from: what it was told of this very end of the realserver's, if it was. */
function leavesAs({ leaves, other }: RelatedEntry, { port }: Endpoint): Port {
  if (other?.seen != null && other.target.port === port) return other.seen.port;
  return leaves ?? port;
}
