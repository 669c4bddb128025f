/** What a UDP port is given of its service, as it is at the moment, and what it asks of the socket path. */
import type { Balancer, ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import type { Settings } from "../../core/helper/api.ts";
import type { OnFailure } from "../../core/helper/run.ts";
import type { Direction, Endpoint } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import type { Log } from "../log.ts";
import type { DatagramPorts } from "./datagram-ports.ts";

export interface DatagramOwner {
  readonly balancer: Balancer;
  readonly log: Log;
  readonly service: string;
  readonly settings: Settings;
  readonly onRefuse: "refuse" | "forward";
  readonly onFailure: OnFailure;
  /** For flows that are announced. */
  readonly ports: DatagramPorts;
  count(name: string): void;
  /** A number for the next connection, in logs. */
  id(): number;
  /** Find a place on the side of its opener, `at`, for what was announced, and answer. `answered`: as `MediaRelays`. */
  prepare(
    entry: RelatedEntry,
    at: Readonly<Record<Direction, Address>>,
    answered: RelatedEntry | null,
    answer: (seen: Endpoint | null) => void,
  ): void;
  /** What was announced as `entries` is over, used or not. */
  withdrawn(entries: readonly RelatedEntry[]): void;
  /** `control` is over, and with it what it announced. */
  ended(control: ConnectionEntry): void;
  /** What was prepared for `entry` is free. */
  release(entry: RelatedEntry, seen: Endpoint): void;
  /** A flow that was announced has begun; it has ended. */
  opened(connection: ConnectionEntry): void;
  closed(connection: ConnectionEntry): void;
  /** A flow that was announced by `control`, or a connection, is open. */
  busy(control: ConnectionEntry): boolean;
}
