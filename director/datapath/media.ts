/**
 * Flows of datagrams that a connection announced (RTSP: RTP and RTCP), both ways through one relay.
 *
 *   realserver:any -> director:R     announced by the client (client_port): leaves from V, to the client's port
 *   client:any     -> VIP:V          announced by the answer (server_port): leaves from R, to the realserver's port
 *
 * R and V are found together, when the first of the two is announced, side by side with those of the flow that it adjoins.
 */
import type { RemoteInfo, Socket } from "node:dgram";
import type { Balancer, ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import type { Handle } from "../../core/flow/slots.ts";
import type { Direction, Endpoint, Ms, Port } from "../../core/units.ts";
import { endpointText, opposite, seconds } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { now } from "../clock.ts";
import type { Log } from "../log.ts";
import { type Course, openCourses } from "./courses.ts";
import type { DatagramPorts } from "./datagram-ports.ts";

const IDLE = seconds(60);
/** At once; each has two sockets. */
const MOST_RELAYS = 4096;

export interface MediaOwner {
  readonly balancer: Balancer;
  readonly ports: DatagramPorts;
  readonly log: Log;
  count(name: string): void;
  opened(connection: ConnectionEntry, related: RelatedEntry): void;
  closed(connection: ConnectionEntry): void;
}

export class MediaRelays {
  readonly #owner: MediaOwner;
  /** By each of the entries that lead to it. */
  readonly #relays = new Map<RelatedEntry, MediaRelay>();
  /** The flow that was announced last, and what the one side by side with it will have. */
  #last: { readonly entry: RelatedEntry; readonly courses: Promise<readonly Course[]> } | null = null;

  constructor(owner: MediaOwner) {
    this.#owner = owner;
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
    const relay = this.#relays.get(entry);
    if (relay?.unused === true) this.#close(relay);
  }

  /** What they lead to ends. */
  withdrawn(entries: readonly RelatedEntry[]): void {
    for (const entry of entries) this.#end(entry);
  }

  controlClosed(master: Handle): void {
    for (const entry of this.#relays.keys()) if (entry.master === master) this.#end(entry);
  }

  /** Ends the flows whose connection `matches`; how many. */
  cut(matches: (entry: ConnectionEntry) => boolean): number {
    const those = new Set([...this.#relays.values()].filter((relay) => relay.carries(matches)));
    for (const relay of those) this.#close(relay);
    return those.size;
  }

  sweep(at: Ms): void {
    for (const relay of this.#relays.values()) if (at - relay.lastActive >= IDLE && !relay.awaited) this.#close(relay);
  }

  close(): void {
    for (const relay of this.#relays.values()) this.#close(relay);
  }

  #stand(entry: RelatedEntry, course: Course | undefined): Endpoint | null {
    const wanted = entry.state !== "gone" && this.#relays.size < MOST_RELAYS;
    if (course === undefined || !wanted || !course.take()) {
      course?.close();
      return null;
    }
    const relay = new MediaRelay(entry, course, this.#owner);
    this.#relays.set(entry, relay);
    return relay.seen.reply;
  }

  #complete(entry: RelatedEntry, answered: RelatedEntry | null): Endpoint | null {
    const relay = answered === null ? undefined : this.#relays.get(answered);
    if (relay === undefined || relay.entries.original !== null) return null;
    relay.entries.original = entry;
    this.#relays.set(entry, relay);
    return relay.seen.original;
  }

  #end(entry: RelatedEntry): void {
    const relay = this.#relays.get(entry);
    if (relay !== undefined) this.#close(relay);
  }

  #close(relay: MediaRelay): void {
    for (const entry of Object.values(relay.entries)) if (entry !== null) this.#relays.delete(entry);
    relay.close();
  }
}

class MediaRelay {
  /** By who opens them. */
  readonly entries: Record<Direction, RelatedEntry | null>;
  /** Where they are met. */
  readonly seen: Readonly<Record<Direction, Endpoint>>;
  readonly #course: Course;
  readonly #owner: MediaOwner;
  /** The first valid source of each side; nobody else is heard from then on. */
  readonly #sources: Record<Direction, Endpoint | null> = { original: null, reply: null };
  readonly #connections: ConnectionEntry[] = [];

  constructor(announced: RelatedEntry, course: Course, owner: MediaOwner) {
    this.entries = { original: null, reply: announced };
    this.#course = course;
    this.#owner = owner;
    this.seen = { original: endOf(course.sockets.original), reply: endOf(course.sockets.reply) };
    for (const side of ["original", "reply"] as const) {
      course.sockets[side].on("message", (message, from) => this.#relay(side, message, from));
    }
  }

  /** When the last datagram came, on it or on the one that it adjoins: reports keep paused media open. */
  get lastActive(): Ms {
    return this.#course.activity.last;
  }

  /** Somebody may still open it. */
  get awaited(): boolean {
    return Object.values(this.entries).some((entry) => entry?.state === "pending" || entry?.state === "reserved");
  }

  /** Nobody has, and nobody may. */
  get unused(): boolean {
    return this.#connections.length === 0 && !this.awaited;
  }

  carries(matches: (entry: ConnectionEntry) => boolean): boolean {
    return this.#connections.some(matches);
  }

  close(): void {
    this.#course.close();
    for (const connection of this.#connections.splice(0)) this.#owner.closed(connection);
  }

  /** What came in on `side` goes out on the other. */
  #relay(side: Direction, message: Buffer, { address, port }: RemoteInfo): void {
    const from = { address: Address.parse(address)!, port: port as Port };
    if (!this.#admits(side, from)) return;
    this.#course.activity.last = now();
    const other = opposite(side);
    const to = this.#sources[other] ?? this.entries[side]?.target;
    if (to !== undefined) this.#course.sockets[other].send(message, to.port, to.address.toString());
  }

  #admits(side: Direction, from: Endpoint): boolean {
    const source = this.#sources[side];
    if (source !== null) return isSame(source, from) || this.#refuse("wrong-source", from);
    const claimed = this.#owner.balancer.claim("udp", this.seen[side], from, now());
    if (typeof claimed === "string") {
      // It was opened from the other side: whom that one sends to may answer.
      const answers = this.#connections.length > 0 && isSame(this.entries[opposite(side)]?.target, from);
      if (!answers) return this.#refuse(claimed, from);
    } else {
      this.#connections.push(claimed.connection);
      this.#owner.opened(claimed.connection, claimed.related);
    }
    this.#sources[side] = from;
    return true;
  }

  #refuse(reason: string, from: Endpoint): false {
    this.#owner.count(`refused.${reason}`);
    this.#owner.log("debug", "refusal", { reason, from: endpointText(from) });
    return false;
  }
}

const isSame = (a: Endpoint | undefined, b: Endpoint): boolean => a?.port === b.port && a.address.equals(b.address);

function endOf(socket: Socket): Endpoint {
  const { address, port } = socket.address();
  return { address: Address.parse(address)!, port: port as Port };
}

/** RTP and RTCP, say: announced together, on ports side by side. */
const adjoins = (below: RelatedEntry, { target, master }: RelatedEntry): boolean =>
  below.state !== "gone" &&
  below.master === master &&
  below.target.port + 1 === target.port &&
  below.target.address.equals(target.address);
