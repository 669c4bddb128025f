/**
 * What can be asked of a running path, and told to it: the seam between the control interface and the paths. All of it
 * is asynchronous and plain data, so that a path may run in another thread.
 */
import type { Direction, Transport } from "../../core/units.ts";
import type { Config } from "../config.ts";
import type { Histogram } from "../durations.ts";

/** Flows by what they are: `related` were announced, `data` came to a data port of a port group. */
export interface FlowCounts {
  readonly control: number;
  readonly related: number;
  readonly data: number;
  readonly plain: number;
}

/**
 * - `up`: takes new clients. - `quiesced`: of weight 0. - `down`: marked so. - `removed`: is configured no more, and still
 * has flows.
 */
export type RealserverCondition = "up" | "quiesced" | "down" | "removed";

export interface RealserverState {
  /** `192.168.0.2:21`, or the address alone where connections keep their port. */
  readonly realserver: string;
  readonly condition: RealserverCondition;
  /** It serves only whom none of the others will. */
  readonly sorry: boolean;
  readonly weight: number;
  readonly method: "nat" | "dr" | "tunnel";
  readonly active: number;
  readonly inactive: number;
  readonly flows: FlowCounts;
  /** Since it is configured; absent where the path counts no packets. */
  readonly traffic?: TrafficCounts;
}

/** As `ipvsadm --stats` counts. */
export interface TrafficCounts {
  /** Connections that were opened. */
  readonly connections: number;
  /** Of IP. */
  readonly packets: WayCounts;
  readonly bytes: WayCounts;
}

/** By the way that they went. */
export type WayCounts = Readonly<Record<Direction, number>>;

export interface ServiceState {
  readonly name: string;
  readonly vip: string;
  /** `tcp/21`, `tcp/40000-40100`. */
  readonly ports: readonly string[];
  readonly helper: string | null;
  readonly scheduler: string;
  /** Milliseconds; 0: none. */
  readonly persistence: number;
  readonly removed: boolean;
  readonly realservers: readonly RealserverState[];
}

export interface ConnectionState {
  /** Of the entry; stale once it is closed. */
  readonly handle: number;
  readonly service: string;
  readonly transport: Transport;
  readonly role: keyof FlowCounts;
  readonly client: string;
  readonly virtual: string;
  readonly real: string;
  readonly realserver: string;
  /** The handle of its control connection. */
  readonly control: number | null;
}

export interface RelatedState {
  readonly id: number;
  /** The handle of its control connection. */
  readonly control: number;
  readonly service: string;
  readonly realserver: string;
  readonly kind: string;
  readonly transport: Transport;
  readonly opener: Direction;
  /** Who may open it; a port of any is `*`. */
  readonly from: string;
  /** What the opener was told; null: not in place yet. */
  readonly seen: string | null;
  readonly target: string;
  readonly state: string;
  /** Milliseconds until it is gone. */
  readonly expires: number;
}

/** A client's whole set of connections goes to one realserver: by a template of persistence, or by a helper's group. */
export interface TemplateState {
  readonly service: string;
  /** The client, or its network. */
  readonly client: string;
  readonly realserver: string;
  /** Connections open now because of it. */
  readonly active: number;
  /** Milliseconds that it lasts after them. */
  readonly expires: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** `after` of the next page; null: this was the last. */
  readonly next: number | null;
}

/** Exact matches, all of which must hold. */
export interface Query {
  readonly service?: string;
  readonly realserver?: string;
  /** An address. */
  readonly client?: string;
  readonly role?: string;
  readonly after: number;
  readonly limit: number;
}

/** Of one service, or of one realserver of it; of all where neither is named. */
export interface Scope {
  readonly service?: string;
  readonly realserver?: string;
}

/** What a path measures of itself. */
export interface Measured {
  /** Of control connections: what was read of them and waits for the rest of its message, or for a listener. */
  readonly heldBytes: number;
  /** Clients that were accepted and wait until they can be served; and how long those waited that were. */
  readonly waiting: number;
  readonly entering: Histogram;
  /** From the attempt to connect to a realserver to its success. */
  readonly connecting: Histogram;
  /** For what was read of a control connection to be decided upon. */
  readonly deciding: Histogram;
}

export interface Operated {
  /**
   * Serves what `config` says from now on, all of it; or nothing has changed, and why is thrown. What stays keeps its
   * flows and related entries. What goes takes no new flow; those it has end by themselves.
   */
  apply(config: Config): Promise<void>;
  /** Throws what `apply` would refuse before it begins. Absent: nothing. */
  refuse?(config: Config): void;
  services(): Promise<readonly ServiceState[]>;
  connections(query: Query): Promise<Page<ConnectionState>>;
  related(query: Query): Promise<Page<RelatedState>>;
  /** Port groups that helpers made. */
  groups(query: Query): Promise<Page<TemplateState>>;
  persistence(query: Query): Promise<Page<TemplateState>>;
  /** By name. */
  counts(): Promise<Readonly<Record<string, number>>>;
  /** Of paths that measure. */
  measured?(): Promise<Measured>;
  /** Whether a realserver may be given new flows: what health checks find. False: there is no such realserver. */
  mark(service: string, realserver: string, up: boolean): Promise<boolean>;
  /** Ends flows at once; how many. */
  drop(scope: Scope): Promise<number>;
  /** Forgets what leads clients back to their realservers; how many. Open flows stay. */
  forget(scope: Scope): Promise<number>;
}
