/**
 * Flows of datagrams that a connection announced (RTSP: RTP and RTCP), both ways through one relay.
 *
 *   realserver:any -> director:R     announced by the client (client_port): leaves from V, to the client's port
 *   client:any     -> VIP:V          announced by the answer (server_port): leaves from R, to the realserver's port
 *
 * R and V are found together, when the first of the two is announced, side by side with those of the flow that it adjoins.
 * Which end that is depends on the protocol, and in SIP on who calls. An end that is announced again (datagrams are sent
 * again) is met where it was.
 */
import type { ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import type { Handle } from "../../core/flow/slots.ts";
import type { Direction, Endpoint, Ms } from "../../core/units.ts";
import { endpointText, seconds } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { type Course, openCourses } from "./courses.ts";
import type { DatagramPorts } from "./datagram-ports.ts";
import { MediaRelay, type MediaRelayOwner } from "./media-relay.ts";
import type { Reason } from "./transport.ts";

const IDLE = seconds(60);
/** At once; each has two sockets. */
const MOST_RELAYS = 4096;

export interface MediaOwner extends MediaRelayOwner {
  readonly ports: DatagramPorts;
}

export class MediaRelays {
  readonly #owner: MediaOwner;
  readonly #most: number;
  readonly #relays = new Set<MediaRelay>();
  /** By each of the entries that lead to it. */
  readonly #byEntry = new Map<RelatedEntry, MediaRelay>();
  /** By the end that is announced. */
  readonly #byEnd = new Map<string, MediaRelay>();
  /** The flow that was announced last, and what the one side by side with it will have. */
  #last: { readonly entry: RelatedEntry; readonly courses: Promise<readonly Course[]> } | null = null;

  constructor(owner: MediaOwner, most = MOST_RELAYS) {
    this.#owner = owner;
    this.#most = most;
  }

  /** Finds where `entry` can be met. `answered`: the flow that it completes. */
  prepare(
    at: Readonly<Record<Direction, Address>>,
    entry: RelatedEntry,
    answered: RelatedEntry | null,
    answer: (seen: Endpoint | null) => void,
  ): void {
    const known = this.#otherEnd(entry, answered) ?? this.#byEnd.get(keyOf(entry));
    if (known !== undefined) return answer(this.#join(known, entry));
    const last = this.#last;
    const upper = last !== null && adjoins(last.entry, entry);
    const courses = upper ? last.courses : openCourses(this.#owner.ports, at);
    this.#last = upper ? null : { entry, courses };
    void courses.then((pair) => answer(this.#stand(entry, pair[upper ? 1 : 0])));
  }

  /** `entry` left the table unused. `replaced`: its end was announced again, and will be met at the same relay. */
  gone(entry: RelatedEntry, replaced: boolean): void {
    const relay = this.#byEntry.get(entry);
    if (relay?.unused === true && !replaced) this.#close(relay, null);
  }

  /** What they lead to ends, as was said. */
  withdrawn(entries: readonly RelatedEntry[]): void {
    for (const entry of entries) this.#end(entry, null);
  }

  controlClosed(master: Handle): void {
    for (const entry of this.#byEntry.keys()) if (entry.master === master) this.#end(entry, "control-closed");
  }

  /** Ends the flows whose connection `matches`; how many. */
  cut(reason: Reason, matches: (entry: ConnectionEntry) => boolean): number {
    const those = [...this.#relays].filter((relay) => relay.carries(matches));
    for (const relay of those) this.#close(relay, reason);
    return those.length;
  }

  sweep(at: Ms): void {
    for (const relay of this.#relays) {
      if (at - relay.lastActive >= IDLE && !relay.awaited) this.#close(relay, "idle");
    }
  }

  close(): void {
    for (const relay of this.#relays) this.#close(relay, "stopped");
  }

  #stand(entry: RelatedEntry, course: Course | undefined): Endpoint | null {
    const wanted = entry.state !== "gone" && this.#relays.size < this.#most;
    if (course === undefined || !wanted || !course.take()) {
      course?.close();
      return null;
    }
    const relay = new MediaRelay(entry, course, this.#owner);
    this.#relays.add(relay);
    return this.#join(relay, entry);
  }

  /** The relay of the flow that `entry` is the other end of, if nobody is that yet. */
  #otherEnd({ opener }: RelatedEntry, answered: RelatedEntry | null): MediaRelay | undefined {
    const relay = answered === null ? undefined : this.#byEntry.get(answered);
    return relay?.entries[opener] === null ? relay : undefined;
  }

  #join(relay: MediaRelay, entry: RelatedEntry): Endpoint {
    const { opener } = entry;
    const former = relay.entries[opener];
    if (former !== null) this.#byEntry.delete(former);
    relay.entries[opener] = entry;
    this.#byEntry.set(entry, relay);
    this.#byEnd.set(keyOf(entry), relay);
    return relay.seen[opener];
  }

  #end(entry: RelatedEntry, reason: Reason | null): void {
    const relay = this.#byEntry.get(entry);
    if (relay !== undefined) this.#close(relay, reason);
  }

  #close(relay: MediaRelay, reason: Reason | null): void {
    this.#relays.delete(relay);
    for (const entry of Object.values(relay.entries)) if (entry !== null) this.#forget(relay, entry);
    relay.close(reason);
  }

  #forget(relay: MediaRelay, entry: RelatedEntry): void {
    this.#byEntry.delete(entry);
    const key = keyOf(entry);
    if (this.#byEnd.get(key) === relay) this.#byEnd.delete(key);
  }
}

const keyOf = ({ master, opener, target }: RelatedEntry): string => `${master} ${opener} ${endpointText(target)}`;

/** RTP and RTCP, say: announced together, on ports side by side. */
const adjoins = (below: RelatedEntry, { target, master, opener }: RelatedEntry): boolean =>
  below.state !== "gone" &&
  below.master === master &&
  below.opener === opener &&
  below.target.port + 1 === target.port &&
  below.target.address.equals(target.address);
