/** What a control stream is given, and what it asks of whoever runs it. */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import type { RelatedEntry } from "../flow/related.ts";
import type { Helper, PortPair, Settings } from "../helper/api.ts";
import type { OnFailure } from "../helper/run.ts";
import type { Direction, Port, Transport } from "../units.ts";
import type { Decision } from "./decision.ts";

/** What a host can do that puts announcements in place at once. */
export interface BriefHost {
  /** The port of the virtual service at which the realserver's `port`, which it offers, can be met; 0: there is none. */
  meet(transport: Transport, port: Port): Port | 0;
  /** The offer that is `row` of the balancer's related entries is in place at `port`. Returns before its message goes on. */
  placed?(row: number, port: Port): void;
  /** Counts a decision. False: it is wanted in full, too, and so it is for `explain`. */
  count(outcome: Decision["outcome"], reason: string): boolean;
}

/** None of these may call back into the stream, but for `prepared` from within `prepare`. */
export interface ControlHost {
  /** null, or absent: all that is let on and decided is told as below. */
  readonly brief?: BriefHost | null;
  /** `bytes` may go on. They are not written to again, unless the caller of `feed` writes to its own. */
  forward(direction: Direction, bytes: Uint8Array): void;
  /** The same of bytes `[start, end)`, which are valid during the call only; absent: `forward` is given a copy. */
  append?(direction: Direction, bytes: Uint8Array, start: number, end: number): void;
  /**
   * Make `entry` reachable and answer with `prepared`, now or within two seconds. `answered`: the flow of the same kind
   * that it is the other end of (`Announcement.answers`). `before`: the one before it in the same announcement.
   */
  prepare(entry: RelatedEntry, answered: RelatedEntry | null, before: RelatedEntry | null): void;
  /** What was announced as `entries` is over, used or not. Absent: what is in use goes on. */
  withdrawn?(entries: readonly RelatedEntry[]): void;
  /**
   * How the receiver of `direction` knows the connection that its sender knows as `pair`, between this connection's client
   * and its virtual service or realserver; null, or no such method: it is not known.
   */
  translate?(direction: Direction, pair: PortPair): PortPair | null;
  explain(decision: Decision): void;
  /** The helper failed, and the configuration prefers no connection to an unread one. */
  abort(reason: string): void;
}

export interface ControlOptions {
  readonly helper: Helper;
  readonly settings: Settings;
  readonly entry: ConnectionEntry;
  readonly balancer: Balancer;
  readonly host: ControlHost;
  /** `forward`: let refused announcements through as they are, for those who insist. */
  readonly onRefuse: "refuse" | "forward";
  readonly onFailure: OnFailure;
}
