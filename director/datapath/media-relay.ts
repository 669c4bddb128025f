/**
 * One flow of datagrams that was announced, from each of its two ends to the other. Whoever opens it first, from the
 * right address, is its end on that side from then on.
 */
import type { Socket } from "node:dgram";
import type { Balancer, ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import type { Direction, Endpoint, Ms, Port } from "../../core/units.ts";
import { endpointText, opposite } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { now } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Course } from "./courses.ts";
import type { Reason } from "./transport.ts";
import { hear } from "./udp.ts";

export interface MediaRelayOwner {
  readonly balancer: Balancer;
  readonly log: Log;
  count(name: string): void;
  /** `connection` was let in. Returns the number of its flow in logs: `flow`, if another of it has one already. */
  opened(connection: ConnectionEntry, related: RelatedEntry, flow: number | null): number;
  closed(connection: ConnectionEntry): void;
}

export class MediaRelay {
  /** By who opens them. */
  readonly entries: Record<Direction, RelatedEntry | null>;
  /** Where they are met. */
  readonly seen: Readonly<Record<Direction, Endpoint>>;
  readonly #course: Course;
  readonly #owner: MediaRelayOwner;
  /** The first valid source of each side; nobody else is heard from then on. */
  readonly #sources: Record<Direction, Endpoint | null> = { original: null, reply: null };
  readonly #connections: ConnectionEntry[] = [];
  /** Bytes of payload from each side. */
  readonly #bytes: Record<Direction, number> = { original: 0, reply: 0 };
  /** Its number in logs, once somebody opened it. */
  #id: number | null = null;

  constructor(announced: RelatedEntry, course: Course, owner: MediaRelayOwner) {
    this.entries = { original: null, reply: null, [announced.opener]: announced };
    this.#course = course;
    this.#owner = owner;
    this.seen = { original: endOf(course.sockets.original), reply: endOf(course.sockets.reply) };
    for (const side of ["original", "reply"] as const) {
      hear(course.sockets[side], (message, from) => this.#relay(side, message, from));
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

  /** `error`: why, when nobody said that it is over. */
  close(error: Reason | null): void {
    this.#course.close();
    for (const connection of this.#connections.splice(0)) this.#owner.closed(connection);
    if (this.#id !== null) this.#owner.log("info", "closed", { id: this.#id, role: "related", ...this.#bytes, error });
  }

  /** What came in on `side` goes out on the other. */
  #relay(side: Direction, message: Buffer, from: Endpoint): void {
    if (!this.#admits(side, from)) return;
    this.#course.activity.last = now();
    this.#bytes[side] += message.length;
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
      this.#id = this.#owner.opened(claimed.connection, claimed.related, this.#id);
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
