/**
 * A capture through the packet engine as its director: what came from clients and realservers goes in, what the director
 * would have sent comes out, and both sides of it are told to a sink, one after the other as they happened.
 *
 *   client side       what clients sent, and what they would have been sent
 *   realserver side   what realservers were sent, and what they sent
 */
import { Balancer } from "../../../core/balancer.ts";
import { type Batch, createBatch, createOutput, NEEDS_CSUM, Side, Verdict } from "../../../core/engine/batch.ts";
import type { Reading } from "../../../core/engine/read-connection.ts";
import { type ReasonName, reasons } from "../../../core/engine/reason.ts";
import { Engine } from "../../../core/engine.ts";
import type { Decision } from "../../../core/inspect/control.ts";
import type { Service, ServiceSpec } from "../../../core/service.ts";
import { ms } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import type { Frame } from "../../../core/wire/capture/frame.ts";
import { type Cursor, EtherType, toNetworkLayer } from "../../../core/wire/link.ts";

export const CLIENTS = 0;
export const REALS = 1;

/** An IP packet on one side of the director. */
export interface Passing {
  /** `CLIENTS` or `REALS`. */
  readonly side: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly packet: Uint8Array;
  /** The frame that brought it, or that it follows from. */
  readonly frame: number;
  /** It came; else the director sent it. */
  readonly came: boolean;
  /** Why it went where it went, or nowhere; "" for what was sent. */
  readonly reason: ReasonName | "";
  /** It opened a connection. */
  readonly opens: boolean;
  /** What was decided about what it said. */
  readonly decisions: readonly Decision[];
}

const MOST = 0x10000;
const CAPACITY = 65_536;
const LIMITS = { perClient: 1000, total: 100_000 };
/** A capture is no attacker: the same seed gives the same ports each time. */
const SEED = [0x6b696e64, 0x72656421] as const;

export class CapturedDirector {
  readonly engine: Engine;
  readonly #sink: (passing: Passing) => void;
  readonly #reals: ReadonlySet<string>;
  readonly #batch: Batch = createBatch(1, new Uint8Array(MOST));
  readonly #out = createOutput(1);
  readonly #cursor: Cursor = { bytes: new Uint8Array(0), at: 0, end: 0, type: 0 };
  readonly #balancer: Balancer;
  #decisions: Decision[] = [];

  /** `reading`: how control connections are read, if other than as usual. */
  constructor(
    services: readonly ServiceSpec[],
    sink: (passing: Passing) => void,
    reading?: (service: Service) => Reading,
  ) {
    this.#sink = sink;
    this.#reals = new Set(services.flatMap(({ realservers }) => realservers.map(({ address }) => address.toString())));
    this.#balancer = new Balancer(services, { limits: LIMITS, seed: SEED[0], gone: () => {} });
    this.engine = new Engine(this.#balancer, {
      capacity: CAPACITY,
      seed: SEED,
      ...(reading === undefined ? {} : { reading }),
      explain: (decision) => this.#decisions.push(decision),
    });
  }

  /** False: it carries no IP packet that a director could forward. */
  frame(frame: Frame, number: number): boolean {
    const cursor = this.#cursor;
    cursor.bytes = frame.bytes;
    cursor.at = frame.start;
    cursor.end = frame.end;
    if (!toNetworkLayer(cursor, frame.linkType)) return false;
    if (cursor.type !== EtherType.IPV4 && cursor.type !== EtherType.IPV6) return false;
    if (cursor.end - cursor.at > MOST || cursor.end - cursor.at < 20) return false;
    const packet = frame.bytes.slice(cursor.at, cursor.end);
    this.packet(packet, frame.seconds, frame.nanoseconds, number);
    return true;
  }

  /** An IP packet. `partial`: its transport checksum is a partial one. */
  packet(packet: Uint8Array, seconds: number, nanoseconds: number, frame: number, partial = false): void {
    const now = ms(Math.round(seconds * 1000 + nanoseconds / 1e6));
    const place = { seconds, nanoseconds, frame };
    this.#advance(now, place);
    const batch = this.#batch;
    const side = this.#reals.has(sourceOf(packet)) ? REALS : CLIENTS;
    batch.bytes.set(packet);
    batch.length[0] = packet.length;
    batch.side[0] = side === REALS ? Side.REAL : Side.CLIENT;
    batch.offload[0] = partial ? NEEDS_CSUM : 0;
    batch.count = 1;
    this.#decisions = [];
    const known = this.engine.table.size;
    this.engine.process(batch, now, this.#out);
    const reason = reasons[this.#out.reason[0]!]!;
    const opens = this.engine.table.size > known;
    this.#sink({ ...place, side, packet, came: true, reason, opens, decisions: this.#decisions });
    const verdict = this.#out.verdict[0]!;
    if (verdict !== Verdict.DROP && verdict !== Verdict.TAKEN) {
      this.#send(place, verdict, batch.bytes.slice(0, packet.length));
    }
    this.#sendOwn(place);
  }

  #advance(now: ReturnType<typeof ms>, place: Pick<Passing, "seconds" | "nanoseconds" | "frame">): void {
    this.#balancer.advance(now);
    for (let more = true; more; this.#sendOwn(place)) more = this.engine.advance(now, this.#out);
  }

  #sendOwn(place: Pick<Passing, "seconds" | "nanoseconds" | "frame">): void {
    const { bytes, offset, length, verdict, count } = this.#out.sent;
    for (let i = 0; i < count; i++) {
      this.#send(place, verdict[i]!, bytes.slice(offset[i]!, offset[i]! + length[i]!));
    }
  }

  #send(place: Pick<Passing, "seconds" | "nanoseconds" | "frame">, verdict: number, packet: Uint8Array): void {
    const side = verdict === Verdict.TO_CLIENT ? CLIENTS : REALS;
    this.#sink({ ...place, side, packet, came: false, reason: "", opens: false, decisions: [] });
  }
}

const sourceOf = (packet: Uint8Array): string =>
  (packet[0]! >>> 4 === 4
    ? Address.fromBytes(packet, 12, 4)
    : packet.length >= 40
      ? Address.fromBytes(packet, 8, 6)
      : Address.ipv4(0)
  ).toString();
