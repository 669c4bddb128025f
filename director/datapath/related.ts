/**
 * Related connections on the socket path.
 *
 *   client -> VIP:pool port       what a realserver announced (PASV, EPSV): claimed, connected to that realserver
 *   realserver -> pool port       what a client announced (PORT, EPRT): claimed, connected to that client, from the VIP
 */
import type { Balancer, ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry, RelatedLimits } from "../../core/flow/related.ts";
import type { Endpoint, Ms, Port } from "../../core/units.ts";
import { endpointText } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { now } from "../clock.ts";
import type { Fields, Log } from "../log.ts";
import type { ControlSession } from "./control.ts";
import { ListenerPool } from "./pool.ts";
import { isReserved, RESERVED, ReservedPorts } from "./reserved.ts";
import type { Backend, ConnectOptions, Reason, Stream } from "./transport.ts";
import { connectFrom } from "./upstream.ts";

export interface RelatedPlan extends RelatedLimits {
  /** Ports for listeners; null: what the kernel gives. */
  readonly ports: { readonly first: Port; readonly last: Port } | null;
  /** Listeners kept open for each address. */
  readonly standing: number;
}

export interface RelatedOwner {
  readonly balancer: Balancer;
  readonly log: Log;
  readonly backend: Backend;
  /** For a connection to be made. */
  connectTimeout(): Ms;
  /** The control connection of `connection`, if it is still there. */
  control(connection: ConnectionEntry): ControlSession | undefined;
  /** `connection` was let in. */
  opened(connection: ConnectionEntry): void;
  /** It came to nothing. */
  closed(connection: ConnectionEntry): void;
  /** Both ends are connected. */
  join(client: Stream, real: Stream, connection: ConnectionEntry, related: RelatedEntry): void;
  turnAway(stream: Stream, reason: Reason, fields: Fields): void;
}

export class RelatedListeners {
  readonly #plan: RelatedPlan;
  readonly #owner: RelatedOwner;
  readonly #pools = new Map<string, ListenerPool>();
  readonly #reserved = new Map<string, ListenerPool>();
  readonly #reservedPorts = new ReservedPorts();
  /** Addresses of services whose helpers announce. */
  #needed: ReadonlySet<string> = new Set();
  /** Where clients were told to come, or will be. */
  readonly #virtual = new Set<string>();

  constructor(plan: RelatedPlan, owner: RelatedOwner) {
    this.#plan = plan;
    this.#owner = owner;
  }

  /** Standing listeners are kept open on `addresses` from now on, and on no others; returns where there were none. */
  need(addresses: readonly Address[]): Address[] {
    const before = this.#needed;
    const fresh = new Map(addresses.map((address) => [address.toString(), address]));
    this.#needed = new Set(fresh.keys());
    for (const address of before) fresh.delete(address);
    return [...fresh.values()];
  }

  /** Opens the standing listeners of `address`; returns how many there are. */
  async stand(address: Address): Promise<number> {
    const pool = this.#pool(address);
    this.#virtual.add(address.toString());
    await pool.open(this.#plan.standing);
    return pool.listening;
  }

  /**
   * Closes the listeners of addresses that are needed no more, where nobody is waited for. A control connection that goes on
   * there, and announces again, has others then.
   */
  sweep(): void {
    for (const address of this.#virtual) {
      if (this.#needed.has(address)) continue;
      for (const pools of [this.#pools, this.#reserved]) {
        const pool = pools.get(address);
        if (pool?.idle !== true) continue;
        pool.close();
        pools.delete(address);
      }
    }
  }

  /** Finds a listener for `entry` on `address`. */
  prepare(entry: RelatedEntry, address: Address, answer: (seen: Endpoint | null) => void): void {
    this.#poolOf(entry, address).take((port) => answer(port === null ? null : { address, port }));
  }

  /** Nobody is waited for at `seen` as `entry` any more. */
  release(entry: RelatedEntry, { address, port }: Endpoint): void {
    this.#poolOf(entry, address).give(port);
  }

  close(): void {
    for (const pools of [this.#pools, this.#reserved]) for (const pool of pools.values()) pool.close();
  }

  /** What is announced as a reserved port must be one for its opener too (rsh). */
  #poolOf({ target: { port } }: RelatedEntry, address: Address): ListenerPool {
    return isReserved(port) ? this.#pool(address, this.#reserved, RESERVED) : this.#pool(address);
  }

  #pool(address: Address, pools = this.#pools, ports = this.#plan.ports): ListenerPool {
    const known = pools.get(address.toString());
    if (known !== undefined) return known;
    const pool = new ListenerPool(address, {
      most: this.#plan.total,
      ports,
      backend: this.#owner.backend,
      connected: (stream, seen) => this.#claim(stream, seen),
      failed: (at, reason) => this.#owner.log("error", "listener", { address: at.toString(), reason }),
    });
    pools.set(address.toString(), pool);
    return pool;
  }

  /** A connection came to a listener of the pool. */
  #claim(opener: Stream, seen: Endpoint): void {
    const { balancer, backend } = this.#owner;
    const timeout = this.#owner.connectTimeout();
    const from = opener.remote;
    if (from === null) return opener.reset();
    const claimed = balancer.claim("tcp", seen, from, now());
    if (typeof claimed === "string") {
      return this.#owner.turnAway(opener, claimed, { from: endpointText(from), seen: endpointText(seen) });
    }
    const { related, connection } = claimed;
    this.#owner.opened(connection);
    if (related.uses === 1) this.release(related, seen);
    const done = (target: Stream | null, reason: Reason): void => {
      if (target === null || opener.gone) return this.#failed(opener, target, claimed, reason);
      const [client, real] = related.opener === "original" ? [opener, target] : [target, opener];
      this.#owner.join(client, real, connection, related);
    };
    const to = related.target;
    if (related.opener === "reply" && isReserved(related.target.port) && isReserved(from.port)) {
      const way = { from: { address: connection.virtual.address } };
      return this.#reservedPorts.connect(backend, { to, timeout, bulk: true, ...way }, from.port, done);
    }
    const way = wayOut(related, connection, this.#owner.control(connection));
    connectFrom(backend, { to, timeout, bulk: true, ...way }, done);
  }

  #failed(
    opener: Stream,
    target: Stream | null,
    { related, connection }: { readonly related: RelatedEntry; readonly connection: ConnectionEntry },
    reason: Reason,
  ): void {
    this.#owner.closed(connection);
    this.#owner.log("warn", "related-failed", {
      related: related.id,
      opener: endpointText(related.opener === "original" ? connection.client : connection.real),
      to: endpointText(related.target),
      reason: reason === "" ? "opener-left" : reason,
    });
    target?.reset();
    opener.reset();
  }
}

/** Towards a client an active connection leaves as the VIP, from the port before the control port where it can. */
function wayOut(
  { opener, target }: RelatedEntry,
  { virtual: { address } }: ConnectionEntry,
  control: ControlSession | undefined,
): Pick<ConnectOptions, "from"> {
  if (opener === "original") return {};
  const port = control?.entry.virtual.port ?? 0;
  const before = port > 1 && !isReserved(target.port) ? ((port - 1) as Port) : null;
  return { from: { address, port: before } };
}
