/** What a control stream is given, and what it asks of whoever runs it. */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import type { RelatedEntry } from "../flow/related.ts";
import type { Helper, PortPair, Settings } from "../helper/api.ts";
import type { OnFailure } from "../helper/run.ts";
import type { Direction } from "../units.ts";
import type { Decision } from "./decision.ts";

/** None of these may call back into the stream, but for `prepared` from within `prepare`. */
export interface ControlHost {
  /** `bytes` may go on. They are not written to again, unless the caller of `feed` writes to its own. */
  forward(direction: Direction, bytes: Uint8Array): void;
  /**
   * Make `entry` reachable and answer with `prepared`, now or within two seconds. `answered`: the flow of the same kind
   * that it is the other end of (`Announcement.answers`).
   */
  prepare(entry: RelatedEntry, answered: RelatedEntry | null): void;
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
