/**
 * Control connections on packets: which flow is read by what, and the packets that its reader sends.
 *
 *   segment or datagram -> ControlFlow, ControlStream -> helper -> related entries placed at once -> packets in `sent`
 *
 * A packet of a connection that is read goes nowhere itself. Once its reader has let go (TLS), numbers are shifted in
 * place, or, where nothing was changed, the flow is one like any other. One whose realserver has the VIP is overheard
 * only: its packets go on.
 */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import type { FlowTable } from "../flow/table.ts";
import { Counters } from "../metrics.ts";
import { hasVip, type Service } from "../service.ts";
import type { Direction, Ms } from "../units.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";
import { FlowStore } from "./control/flow.ts";
import { shiftSegment } from "./control/shift.ts";
import type { ControlPacket } from "./control-packet.ts";
import { Envelope } from "./envelope.ts";
import { isIntact } from "./intact.ts";
import { Overheard } from "./overheard.ts";
import { Placing } from "./placing.ts";
import { type Common, type ControlsOptions, ReadConnection, type Reading } from "./read-connection.ts";
import { Rested, Resting } from "./resting.ts";
import type { Sent } from "./sent.ts";

export const asUsual = ({ spec: { helper } }: Service): Reading => ({
  settings: { strict: false, hold: helper!.limits.hold },
  onRefuse: "refuse",
  onFailure: "open",
});

/** What became of a packet of a control connection. */
export const Taken = {
  /** It goes on: nobody reads its connection any more, nor is anything changed there. */
  PLAIN: 0,
  /** It goes on, with other numbers or overheard. */
  SHIFTED: 1,
  /** It was read, and goes nowhere itself. */
  READ: 2,
  /** That too, and its connection was reset, as its ends were told. */
  RESET: 3,
} as const;

export class Controls {
  /** Decisions and what went no further, by name. */
  readonly counters = new Counters();
  readonly #balancer: Balancer;
  readonly #options: ControlsOptions;
  declare private readonly common: Common;
  /** By the id of their flow: their row, which is their place in `connections`. Ids are many, those that are read few. */
  declare private readonly rows: Int32Array;
  readonly #connections: (ReadConnection | null)[] = [null];
  declare private readonly resting: Resting;
  /** Those that wait for a time. */
  readonly #waiting = new Map<number, ReadConnection>();
  readonly #overheard = new Map<number, Overheard>();

  /** `over`: told of a flow whose connection was reset. */
  constructor(
    balancer: Balancer,
    table: FlowTable,
    options: ControlsOptions,
    seed: number,
    over: (id: number) => void,
  ) {
    this.#balancer = balancer;
    this.#options = options;
    this.rows = new Int32Array(table.capacity + 1);
    const { counters } = this;
    const placing = new Placing(balancer, seed, table);
    const shared = { counters, placing, envelope: new Envelope(table), store: new FlowStore() };
    this.common = { ...shared, over, told: options, sent: null, now: 0 as Ms };
    this.resting = new Resting(balancer, this.common);
  }

  /** Flow `id` is the control connection `entry`. */
  open(id: number, entry: ConnectionEntry): void {
    const reading = (this.#options.reading ?? asUsual)(entry.service);
    if (hasVip(entry.realserver)) {
      this.#overheard.set(id, new Overheard(entry, this.#balancer, reading, this.common));
      return;
    }
    const connection = new ReadConnection(id, entry, this.#balancer, reading, this.common);
    const { row } = connection;
    this.#connections[row] = connection;
    this.resting.open(row, entry);
    this.rows[id] = row;
  }

  close(id: number): void {
    this.#overheard.delete(id);
    const row = this.rows[id]!;
    if (row === 0) return;
    this.#connections[row]!.close();
    this.#connections[row] = null;
    this.resting.close(row);
    this.rows[id] = 0;
    this.#waiting.delete(id);
  }

  /** Takes in a packet of flow `id`: one of `Taken`. */
  readonly take = (id: number, direction: Direction, packet: ControlPacket, now: Ms, sent: Sent): number => {
    let rested = this.resting.take(id, this.rows[id]!, direction, packet, now, sent);
    if (rested === Rested.DONE) return Taken.READ;
    if (rested === Rested.LEFT && this.resting.waiting > 0) {
      this.settle(now, sent);
      rested = this.resting.take(id, this.rows[id]!, direction, packet, now, sent);
      if (rested === Rested.DONE) return Taken.READ;
    }
    return this.#follow(id, rested, direction, packet, now, sent);
  };

  /** Whether any connection is read. */
  get any(): boolean {
    return this.#connections.length > 1;
  }

  /** Reads the row of flow `id`, of one that is read: to have it in the cache. */
  touch(id: number): number {
    return this.common.store.rows.touch(this.rows[id]!);
  }

  /** Of what was taken, something waits for `settle`, before which nobody may ask about it. */
  get unsettled(): boolean {
    return this.resting.waiting > 0;
  }

  /** Does what there is left to do of packets that were taken. */
  readonly settle = (now: Ms, sent: Sent): void => {
    const { resting } = this;
    const count = resting.waiting;
    let k = 0;
    try {
      resting.touch();
      while (k < count) {
        const { id, packet } = resting.offers[k]!;
        const rested = resting.place(k, now, sent);
        k++;
        if (rested !== Rested.DONE) this.#follow(id, rested, "reply", packet, now, sent);
      }
    } finally {
      resting.forget(k);
    }
  };

  /** What rows alone did not do of a packet. */
  #follow(id: number, rested: number, direction: Direction, packet: ControlPacket, now: Ms, sent: Sent): number {
    const control = this.#of(id);
    if (control === null) return this.#overhear(this.#overheard.get(id)!, direction, packet, now);
    this.common.sent = sent;
    this.common.now = now;
    if (rested === Rested.WINDOW_DUE) control.flow!.flush();
    else {
      const taken = this.#read(control, direction, packet, now);
      if (taken !== Taken.READ) return taken;
    }
    this.#wait(id, control);
    return control.reset ? Taken.RESET : Taken.READ;
  }

  #read(control: ReadConnection, direction: Direction, packet: ControlPacket, now: Ms): number {
    const { flow, shifts, stream } = control;
    const { bytes, transport, end } = packet;
    if (shifts !== null) {
      if (control.plain) return Taken.PLAIN;
      shiftSegment(bytes, transport, shifts[direction === "original" ? 0 : 1], packet.partial);
      return Taken.SHIFTED;
    }
    // What is sent in its place has a checksum of its own: a damaged packet must not become a whole one.
    const protocol = flow === null ? udp.PROTOCOL : tcp.PROTOCOL;
    if (!packet.partial && !isIntact(packet.view, packet.at, transport, end, protocol)) {
      this.counters.count("control.checksum");
      return Taken.READ;
    }
    control.note(direction, bytes, packet.at);
    if (flow !== null) flow.segment(direction, bytes, transport, end, now);
    else stream!.feed(direction, bytes.subarray(transport + udp.HEADER, end), now);
    return Taken.READ;
  }

  #overhear(control: Overheard, direction: Direction, packet: ControlPacket, now: Ms): number {
    const { bytes, view, at, transport, end, partial } = packet;
    const segments = control.transport === "tcp";
    if (partial || isIntact(view, at, transport, end, segments ? tcp.PROTOCOL : udp.PROTOCOL)) {
      this.common.now = now;
      if (segments) control.segment(direction, bytes, transport, end);
      else control.datagram(direction, bytes.subarray(transport + udp.HEADER, end));
    }
    return control.over ? Taken.PLAIN : Taken.SHIFTED;
  }

  /** Whether what flow `id` carries is still read. */
  reads(id: number): boolean {
    return this.#of(id)?.shifts === null;
  }

  #of(id: number): ReadConnection | null {
    return this.#connections[this.rows[id]!]!;
  }

  /** The sender's own number for what went `direction` as `sequence`. */
  quoted(id: number, direction: Direction, sequence: number): number {
    const control = this.#of(id);
    if (control === null || control.flow === null) return sequence;
    if (control.shifts === null) return control.flow.quoted(direction, sequence);
    return (sequence - control.shifts[direction === "original" ? 0 : 1].sequence) >>> 0;
  }

  /** False: what an error quotes as sent `direction` was not, or has arrived. Of what is not read, nobody knows. */
  mayBeInFlight(id: number, direction: Direction, sequence: number): boolean {
    const control = this.#of(id);
    if (control === null || control.flow === null || control.shifts !== null) return true;
    return control.flow.isInFlight(direction, sequence);
  }

  /** A router on the way of `direction` lets packets of `mtu` bytes pass, and no larger ones. */
  limit(id: number, direction: Direction, mtu: number): void {
    const header = this.common.envelope.header(id) + tcp.HEADER;
    this.#of(id)?.flow?.limitSegments(direction, mtu - header);
  }

  /** What time brings: messages that took too long, segments to be sent again. */
  advance(now: Ms, sent: Sent): void {
    this.common.sent = sent;
    this.common.now = now;
    for (const [id, control] of this.#waiting) {
      const { flow, stream } = control;
      if (now < (flow ?? stream!).deadline) continue;
      (flow ?? stream!).advance(now);
      this.#wait(id, control);
    }
  }

  #wait(id: number, control: ReadConnection): void {
    control.letGo();
    const waits = control.shifts === null && (control.flow ?? control.stream!).deadline < Number.POSITIVE_INFINITY;
    if (waits === control.waiting) return;
    control.waiting = waits;
    if (waits) this.#waiting.set(id, control);
    else this.#waiting.delete(id);
  }
}
