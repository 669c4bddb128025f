/**
 * Control connections on packets: which flow is read by what, and the packets that its reader sends.
 *
 *   segment or datagram -> ControlFlow, ControlStream -> helper -> related entries placed at once -> packets in `sent`
 *
 * A packet of a connection that is read goes nowhere itself. Once its reader has let go (TLS), numbers are shifted in
 * place, or, where nothing was changed, the flow is one like any other.
 */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import type { RelatedEntry } from "../flow/related.ts";
import type { Settings } from "../helper/api.ts";
import type { OnFailure } from "../helper/run.ts";
import { type ControlHost, ControlStream, type Decision } from "../inspect/control.ts";
import { Counters } from "../metrics.ts";
import type { Service } from "../service.ts";
import type { Direction, Endpoint, Ms } from "../units.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";
import { ControlFlow } from "./control/flow.ts";
import type { Segment } from "./control/segment.ts";
import { type Shift, sameShift, shiftSegment } from "./control/shift.ts";
import { Envelope } from "./envelope.ts";
import { isIntact } from "./intact.ts";
import { Placing } from "./placing.ts";
import type { Sent } from "./sent.ts";

/** How the control connections of a service are read. */
export interface Reading {
  readonly settings: Settings;
  readonly onRefuse: "refuse" | "forward";
  readonly onFailure: OnFailure;
}

export interface ControlsOptions {
  readonly reading?: (service: Service) => Reading;
  /** Told of every decision. */
  readonly explain?: (decision: Decision, control: ConnectionEntry) => void;
  /** Told of each related entry that is in place at `seen`, before what announced it goes on. */
  readonly placed?: (entry: RelatedEntry, seen: Endpoint) => void;
}

export const asUsual = ({ spec: { helper } }: Service): Reading => ({
  settings: { strict: false, hold: helper!.limits.hold },
  onRefuse: "refuse",
  onFailure: "open",
});

/** A packet of one; filled anew for each. */
export class ControlPacket {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  /** Where its IP header begins, its transport header, and where it ends. */
  at = 0;
  transport = 0;
  end = 0;
  /** Its checksum is a partial one. */
  partial = false;
}

/** One control connection. */
interface Control {
  readonly entry: ConnectionEntry;
  readonly envelope: Envelope;
  readonly flow: ControlFlow | null;
  /** Of datagrams. */
  readonly stream: ControlStream | null;
  /** Not read any more: what its segments need, by direction. */
  shifts: readonly [Shift, Shift] | null;
  /** Nothing was changed in it while it was read. */
  plain: boolean;
  /** It was reset from here. */
  reset: boolean;
  /** It is among those that wait. */
  waiting: boolean;
}

/** What became of a packet of a control connection. */
export const Taken = {
  /** It goes on: nobody reads its connection any more. If nothing was changed there either, nor will be here. */
  PLAIN: 0,
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
  readonly #placing: Placing;
  readonly #over: (id: number) => void;
  readonly #byFlow = new Map<number, Control>();
  /** Those that wait for a time. */
  readonly #waiting = new Map<number, Control>();
  #sent: Sent | null = null;
  #now = 0 as Ms;

  /** `over`: told of a flow whose connection was reset. */
  constructor(balancer: Balancer, options: ControlsOptions, seed: number, over: (id: number) => void) {
    this.#over = over;
    this.#balancer = balancer;
    this.#options = options;
    this.#placing = new Placing(balancer, seed);
  }

  /** Flow `id` is the control connection `entry`. */
  open(id: number, entry: ConnectionEntry): void {
    const envelope = new Envelope(entry);
    const { settings, onRefuse, onFailure } = (this.#options.reading ?? asUsual)(entry.service);
    const reading = {
      helper: entry.service.spec.helper!,
      settings,
      onRefuse,
      onFailure,
      entry,
      balancer: this.#balancer,
    };
    const host = this.#hostOf(id, entry, envelope);
    const control: Control = {
      entry,
      envelope,
      flow: entry.transport === "tcp" ? new ControlFlow({ ...reading, host }, this.#sinkOf(id, envelope)) : null,
      stream: entry.transport === "udp" ? new ControlStream({ ...reading, host }) : null,
      shifts: null,
      plain: false,
      reset: false,
      waiting: false,
    };
    this.#byFlow.set(id, control);
  }

  close(id: number): void {
    this.#byFlow.delete(id);
    this.#waiting.delete(id);
  }

  /** Takes in a packet of flow `id`: one of `Taken`. */
  take(id: number, direction: Direction, packet: ControlPacket, now: Ms, sent: Sent): number {
    const control = this.#byFlow.get(id)!;
    const { flow, shifts, stream } = control;
    const { bytes, transport, end } = packet;
    if (shifts !== null) {
      if (control.plain) return Taken.PLAIN;
      shiftSegment(bytes, transport, shifts[direction === "original" ? 0 : 1], packet.partial);
      return Taken.SHIFTED;
    }
    // What is sent in its place has a checksum of its own: a damaged packet must not become a whole one.
    const protocol = flow === null ? udp.PROTOCOL : tcp.PROTOCOL;
    if (!packet.partial && !isIntact(bytes, packet.at, transport, end, protocol)) {
      this.counters.count("control.checksum");
      return Taken.READ;
    }
    control.envelope.note(direction, bytes, packet.at);
    this.#sent = sent;
    this.#now = now;
    if (flow !== null) flow.segment(direction, bytes, transport, end, now);
    else stream!.feed(direction, bytes.subarray(transport + udp.HEADER, end), now);
    this.#wait(id, control);
    return control.reset ? Taken.RESET : Taken.READ;
  }

  /** Whether what flow `id` carries is still read. */
  reads(id: number): boolean {
    return this.#byFlow.get(id)?.shifts === null;
  }

  /** The sender's own number for what went `direction` as `sequence`. */
  quoted(id: number, direction: Direction, sequence: number): number {
    const control = this.#byFlow.get(id);
    if (control === undefined || control.flow === null) return sequence;
    if (control.shifts === null) return control.flow.quoted(direction, sequence);
    return (sequence - control.shifts[direction === "original" ? 0 : 1].sequence) >>> 0;
  }

  /** A router on the way of `direction` lets packets of `mtu` bytes pass, and no larger ones. */
  limit(id: number, direction: Direction, mtu: number): void {
    const control = this.#byFlow.get(id);
    control?.flow?.limitSegments(direction, mtu - control.envelope.header - tcp.HEADER);
  }

  /** What time brings: messages that took too long, segments to be sent again. */
  advance(now: Ms, sent: Sent): void {
    this.#sent = sent;
    this.#now = now;
    for (const [id, control] of this.#waiting) {
      const { flow, stream } = control;
      if (now < (flow ?? stream!).deadline) continue;
      (flow ?? stream!).advance(now);
      this.#wait(id, control);
    }
  }

  #wait(id: number, control: Control): void {
    const { flow, stream } = control;
    if (flow?.transparent === true) {
      control.shifts = [flow.shift("original"), flow.shift("reply")];
      control.plain = control.shifts.every(sameShift);
    }
    const waits = control.shifts === null && (flow ?? stream!).deadline < Number.POSITIVE_INFINITY;
    if (waits === control.waiting) return;
    control.waiting = waits;
    if (waits) this.#waiting.set(id, control);
    else this.#waiting.delete(id);
  }

  #hostOf(id: number, entry: ConnectionEntry, envelope: Envelope): ControlHost {
    let last: RelatedEntry | null = null;
    return {
      forward: (direction, bytes) => envelope.datagram(direction, bytes, this.#sent!),
      prepare: (related) => {
        const below = last !== null && adjoins(last, related) ? last.seen : null;
        last = related;
        const seen = this.#placing.find(entry, related, below);
        if (seen !== null) this.#options.placed?.(related, seen);
        const control = this.#byFlow.get(id)!;
        (control.flow ?? control.stream!).prepared(related, seen, this.#now);
      },
      explain: (decision) => {
        this.counters.countOf(decision.outcome, decision.reason);
        this.#options.explain?.(decision, entry);
      },
      abort: () => {},
    };
  }

  #sinkOf(id: number, envelope: Envelope) {
    return {
      emit: (direction: Direction, segment: Segment) => {
        envelope.segment(direction, segment, this.#sent!);
        if ((segment.flags & tcp.RST) === 0) return;
        this.#byFlow.get(id)!.reset = true;
        this.#over(id);
      },
      reject: (_direction: Direction, reason: string) => this.counters.count(`control.${reason}`),
    };
  }
}

/** RTP and RTCP, say: announced together, on ports side by side. */
const adjoins = (below: RelatedEntry, { transport, target, master }: RelatedEntry): boolean =>
  below.state !== "gone" &&
  below.master === master &&
  below.transport === transport &&
  below.target.port + 1 === target.port &&
  below.target.address.equals(target.address);
