/** What the main thread and the one that forwards say to each other. Only values that can be copied. */
import type { Fields, Level } from "../../log.ts";

/** What the thread is started with. */
export interface WorkerPlan {
  /** The configuration, as `packConfig` writes it. */
  readonly config: string;
  readonly seed: readonly [number, number];
  /** The TUN device, and the eventfd that is written to when there is a message. */
  readonly fd: number;
  readonly wake: number;
  /** Of direct routing: the device of each realserver's address. */
  readonly direct: Readonly<Record<string, number>>;
  /** Of the standing nft, where related connections are handed to the kernel. */
  readonly offload: { readonly input: number; readonly output: number } | null;
  /** Where tunnels begin: the director's own addresses; and what fits through the network behind. */
  readonly tunnels: { readonly from: readonly string[]; readonly mtu: number };
}

export type Command = { readonly type: "drain" } | { readonly type: "stop" } | { readonly type: "snapshot" };

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

export type Report =
  | { readonly type: "ready" }
  | { readonly type: "events"; readonly events: readonly LoggedEvent[] }
  | { readonly type: "snapshot"; readonly snapshot: Snapshot }
  | { readonly type: "stopped"; readonly snapshot: Snapshot };
