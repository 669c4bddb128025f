/**
 * Flows of datagrams that a connection announced (RTSP: RTP and RTCP), both ways through one relay.
 *
 *   realserver:any -> director:R     announced by the client (client_port): leaves from V, to the client's port
 *   client:any     -> VIP:V          announced by the answer (server_port): leaves from R, to the realserver's port
 *
 * R and V are found together, when the first of the two is announced, side by side with those of the flow that it adjoins.
 */
import type { ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import type { Handle } from "../../core/flow/slots.ts";
import type { Direction, Endpoint, Ms } from "../../core/units.ts";
import { seconds } from "../../core/units.ts";
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
    if (entry.opener === "original") return answer(this.#complete(entry, answered));
    const last = this.#last;
    const upper = last !== null && adjoins(last.entry, entry);
    const courses = upper ? last.courses : openCourses(this.#owner.ports, at);
    this.#last = upper ? null : { entry, courses };
    void courses.then((pair) => answer(this.#stand(entry, pair[upper ? 1 : 0])));
  }

  /** `entry` left the table unused. */
  gone(entry: RelatedEntry): void {
    const relay = this.#byEntry.get(entry);
    if (relay?.unused === true) this.#close(relay, null);
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
    this.#byEntry.set(entry, relay);
    return relay.seen.reply;
  }

  #complete(entry: RelatedEntry, answered: RelatedEntry | null): Endpoint | null {
    const relay = answered === null ? undefined : this.#byEntry.get(answered);
    if (relay === undefined || relay.entries.original !== null) return null;
    relay.entries.original = entry;
    this.#byEntry.set(entry, relay);
    return relay.seen.original;
  }

  #end(entry: RelatedEntry, reason: Reason | null): void {
    const relay = this.#byEntry.get(entry);
    if (relay !== undefined) this.#close(relay, reason);
  }

  #close(relay: MediaRelay, reason: Reason | null): void {
    this.#relays.delete(relay);
    for (const entry of Object.values(relay.entries)) if (entry !== null) this.#byEntry.delete(entry);
    relay.close(reason);
  }
}

/** RTP and RTCP, say: announced together, on ports side by side. */
const adjoins = (below: RelatedEntry, { target, master }: RelatedEntry): boolean =>
  below.state !== "gone" &&
  below.master === master &&
  below.target.port + 1 === target.port &&
  below.target.address.equals(target.address);
