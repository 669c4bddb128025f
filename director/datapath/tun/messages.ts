/** What the main thread and the one that forwards say to each other. Only values that can be copied. */

import type { HashSeed } from "../../../core/flow/key.ts";
import type {
  ConnectionState,
  Page,
  Query,
  RelatedState,
  Scope,
  ServiceState,
  TemplateState,
} from "../../control/operated.ts";
import type { Fields, Level } from "../../log.ts";
import type { StandingNft } from "./standing-nft.ts";

/** What the thread is started with. */
export interface WorkerPlan {
  /** The configuration, as `packConfig` writes it. */
  readonly config: string;
  readonly seeds: Seeds;
  /** The TUN device, and the eventfd that is written to when there is a message. */
  readonly fd: number;
  readonly wake: number;
  /** Of direct routing: the device of each realserver's address. */
  readonly direct: Direct;
  /** Of the standing nft, where related connections are handed to the kernel. */
  readonly offload: StandingNft | null;
  /** Where tunnels begin: the director's own addresses; and what fits through the network behind. */
  readonly tunnels: Tunnels;
  /** Realservers that are given nothing until they are marked otherwise. */
  readonly down: readonly Down[];
}

/** Of 32 random bits each. What clients can see of one says nothing of the others. */
export interface Seeds {
  readonly scheduler: number;
  readonly ports: number;
  /** The keys of tables. */
  readonly flows: HashSeed;
  readonly related: HashSeed;
}

export interface Down {
  readonly service: string;
  readonly realserver: string;
}

/** Descriptors by the realserver's address. */
export type Direct = Readonly<Record<string, number>>;

export interface Tunnels {
  readonly from: readonly string[];
  readonly mtu: number;
}

export type Command =
  | { readonly type: "drain" }
  | { readonly type: "stop" }
  | { readonly type: "snapshot" }
  | { readonly type: "ask"; readonly id: number; readonly asked: Asked };

/** What is asked while it forwards (control/operated.ts), and how. */
export type Asked =
  | { readonly what: "apply"; readonly config: string; readonly direct: Direct; readonly tunnels: Tunnels }
  | { readonly what: "services" | "counts" }
  | { readonly what: "connections" | "related" | "groups" | "persistence"; readonly query: Query }
  | { readonly what: "mark"; readonly service: string; readonly realserver: string; readonly up: boolean }
  | { readonly what: "drop" | "forget"; readonly scope: Scope }
  /** Whether somebody wants to know all that happens, whatever goes to the log. */
  | { readonly what: "watched"; readonly watched: boolean };

export interface Answers {
  readonly apply: null;
  readonly services: readonly ServiceState[];
  readonly counts: Readonly<Record<string, number>>;
  readonly connections: Page<ConnectionState>;
  readonly related: Page<RelatedState>;
  readonly groups: Page<TemplateState>;
  readonly persistence: Page<TemplateState>;
  readonly mark: boolean;
  readonly drop: number;
  readonly forget: number;
  readonly watched: null;
}

/** An error on its way. */
export interface Trouble {
  readonly name: string;
  readonly message: string;
}

export interface LoggedEvent {
  readonly level: Level;
  readonly event: string;
  readonly fields: Fields;
}

export interface Snapshot {
  /** Flows there are now, and those of them that are control connections or related ones. */
  readonly flows: number;
  readonly connections: number;
  /** By name: packets by the reason of their verdict, decisions, ends of flows, what the kernel did not take. */
  readonly counters: Readonly<Record<string, number>>;
}

/** Items of a list come in parts, its end as the answer: no message is so long that packets wait for it. */
export type Reply =
  | { readonly type: "items"; readonly id: number; readonly items: readonly unknown[] }
  | { readonly type: "answer"; readonly id: number; readonly answer: unknown }
  | { readonly type: "trouble"; readonly id: number; readonly trouble: Trouble };

export type Report =
  | Reply
  | { readonly type: "ready" }
  | { readonly type: "events"; readonly events: readonly LoggedEvent[] }
  | { readonly type: "snapshot"; readonly snapshot: Snapshot }
  | { readonly type: "stopped"; readonly snapshot: Snapshot };
