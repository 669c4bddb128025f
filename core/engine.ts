/**
 * The packet engine: packets and the time in, translated packets and verdicts out.
 *
 *   read the headers, hash   core/engine/stage.ts    ┐
 *   touch the slots          core/flow/buckets.ts    ├ for sixteen packets each, so that their cache misses overlap
 *   touch the rows           core/flow/rows.ts       ┘
 *   find the flow            core/flow/table.ts        or schedule a new one: core/engine/flows.ts
 *   the flow's state         core/flow/tcp-state.ts
 *   translate                core/nat/translate.ts     in place
 *
 * In the steady state nothing is allocated. Only the first packet of a flow and its end are dearer.
 *
 * Control connections: a flow whose port has a helper is marked. What carries no payload (the handshake, bare
 * acknowledgements, FIN, RST) is translated like any other; what carries payload gets the verdict CONTROL and stays as
 * it came, because only who reads the stream may forward it.
 */
import type { Balancer } from "./balancer.ts";
import { type Batch, fits, NEEDS_CSUM, type Output, STAGE, Verdict, verdictOf } from "./engine/batch.ts";
import { CONTROL, Flows } from "./engine/flows.ts";
import { IcmpErrors } from "./engine/icmp-errors.ts";
import { Ending, Reason, reasons } from "./engine/reason.ts";
import { RelatedFlows } from "./engine/related.ts";
import { Kind, Stage } from "./engine/stage.ts";
import * as key from "./flow/key.ts";
import * as rows from "./flow/rows.ts";
import { type FlowId, FlowTable, type TableOptions } from "./flow/table.ts";
import { IMPLAUSIBLE, REOPENS, State, transitionAt, transitionTable } from "./flow/tcp-state.ts";
import { EARLY, identify, OVERLAP, Tracks } from "./flow/tracks.ts";
import { LATER, MOST_PUT_BACK } from "./flow/wheel.ts";
import { Tally } from "./metrics.ts";
import { DESTINATION, mayTravel, readdressIpv4, readdressIpv6, retarget, SOURCE } from "./nat/translate.ts";
import type { Ms } from "./units.ts";
import * as tcp from "./wire/tcp.ts";
import * as udp from "./wire/udp.ts";

/** Own names: V8 folds constants of a module's own into its optimised code, and reads imported ones each time. */
const {
  BYTES,
  INNER_PORT,
  KIND,
  MARKS_SHIFT,
  ORIGINAL,
  OUTER_PORTS,
  PACKETS,
  PREFIXES,
  REAL,
  REAL_PREFIX,
  REPLY,
  ROW_SHIFT,
  STATE_MASK,
  STATE_SHIFT,
  VIRTUAL,
  VIRTUAL_PREFIX,
} = rows;
const { IPV6, KEY } = key;
const { ACK, PROTOCOL: TCP, SYN } = tcp;
const { HEADER: UDP_HEADER } = udp;
const { DROP, TO_CLIENT, TO_REAL } = Verdict;
const { FRAGMENT, ICMP, TRANSPORT } = Kind;
const { ESTABLISHED, OPENED } = Reason;

export interface EngineOptions extends TableOptions {
  /** IPVS's `secure_tcp`; see tcp-state.ts. */
  readonly secureTcp?: boolean;
}

/** A table with fewer entries stays in the cache: touching it first would only cost. */
const CACHED = 4096;
/** Entries that one `advance` takes out, or looks at. */
const MOST_ENDED = 4096;
const CONTROL_MARK = CONTROL << MARKS_SHIFT;

export class Engine {
  readonly table: FlowTable;
  readonly flows: Flows;
  /** By reason of the verdict. */
  readonly counters = new Tally(reasons);
  readonly #transitions: Uint8Array;
  readonly #stage = new Stage();
  readonly #tracks: Tracks;
  readonly #icmp: IcmpErrors;
  readonly #related: RelatedFlows;
  readonly #identity = new Int32Array(KEY);
  /** A fraction from the start: a field that turned from one kind of number into the other would cost its optimised code. */
  #now = Number.NaN as Ms;
  /** What touching read; kept, so that the reading is not optimised away. */
  touched = 0;

  constructor(balancer: Balancer, options: EngineOptions) {
    this.table = new FlowTable(options);
    this.flows = new Flows(balancer, this.table);
    this.#transitions = transitionTable(options.secureTcp ?? false);
    this.#tracks = new Tracks(options.seed);
    this.#icmp = new IcmpErrors(this.table);
    this.#related = new RelatedFlows(balancer, this.flows);
  }

  /** Judges every packet of `batch`, and translates those that go on. */
  process(batch: Batch, now: Ms, out: Output): void {
    this.#now = now;
    this.table.moveTo(now);
    for (let from = 0; from < batch.count; from += STAGE) {
      const count = Math.min(STAGE, batch.count - from);
      this.#read(batch, from, count);
      if (this.table.size > CACHED) this.#touch(count);
      for (let k = 0; k < count; k++) {
        const reason = this.#judge(batch, from + k, k, out);
        out.reason[from + k] = reason;
        this.counters.count(reason);
      }
    }
  }

  /**
   * Ends flows whose time is up. True: more are due than one call does; call again soon. What the balancer itself lets
   * expire (templates, pins, related entries) is the host's to call for, once for all paths.
   */
  advance(now: Ms): boolean {
    this.#now = now;
    this.table.moveTo(now);
    for (let left = MOST_ENDED; left > 0; left--) {
      const id = this.table.due();
      if (id === 0) return false;
      if (id === LATER) left -= MOST_PUT_BACK - 1;
      else this.flows.end(id, Ending.EXPIRED, now);
    }
    return true;
  }

  #read(batch: Batch, from: number, count: number): void {
    const stage = this.#stage;
    const { bytes, view, offset, length } = batch;
    for (let k = 0; k < count; k++) {
      const at = offset[from + k]!;
      stage.read(k, bytes, view, at, at + length[from + k]!);
      stage.hash[k] = this.table.hash(stage.keys, k * KEY);
    }
  }

  /** Brings slots and rows into the cache: loads that do not need one another, so that they wait together. */
  #touch(count: number): void {
    const { hash, candidate } = this.#stage;
    const table = this.table.rows;
    let touched = 0;
    for (let k = 0; k < count; k++) candidate[k] = this.table.peek(hash[k]!);
    for (let k = 0; k < count; k++) touched ^= table[candidate[k]! << ROW_SHIFT]!;
    this.touched = touched;
  }

  /** Returns the reason; the verdict is in `out`. */
  #judge(batch: Batch, i: number, k: number, out: Output): number {
    const stage = this.#stage;
    out.verdict[i] = DROP;
    switch (stage.kind[k]) {
      case TRANSPORT:
        return this.#transport(batch, i, k, out);
      case FRAGMENT:
        return this.#fragment(batch, i, k, out);
      case ICMP:
        return this.#icmp.judge(batch, i, stage.family(k), stage.transport[k]!, stage.end[k]!, out);
      default:
        return stage.reason[k]!;
    }
  }

  #transport(batch: Batch, i: number, k: number, out: Output): number {
    const { keys, hash } = this.#stage;
    const found = this.table.find(keys, k * KEY, hash[k]!);
    return found === 0 ? this.#open(batch, i, k, out) : this.#pass(batch, i, k, found, out);
  }

  #open(batch: Batch, i: number, k: number, out: Output): number {
    const stage = this.#stage;
    const side = batch.side[i]!;
    let flags: number = SYN;
    if (stage.protocol(k) === TCP) {
      flags = tcp.flags(batch.bytes, stage.transport[k]!);
      if (this.#transitions[transitionAt(ORIGINAL, flags, State.NONE)] === IMPLAUSIBLE) return Reason.TCP_FLAGS;
      // As IPVS without sloppy_tcp: what has no entry and is no SYN belongs to nobody.
      if ((flags & (SYN | ACK)) !== SYN) return Reason.NO_FLOW;
    }
    if (!mayTravel(batch.view, batch.offset[i]!, stage.family(k))) return Reason.TTL_EXCEEDED;
    let found = fits(side, ORIGINAL) ? this.#openFromClient(k, flags) : ~Reason.NOT_ANNOUNCED;
    if (found < 0 && fits(side, REPLY)) {
      const fromReal = this.#openFromReal(k, flags);
      if (fromReal !== ~Reason.NOT_ANNOUNCED) found = fromReal;
    }
    if (found < 0) return ~found;
    const reason = this.#pass(batch, i, k, found, out);
    return reason === ESTABLISHED ? OPENED : reason;
  }

  /** `id << 1 | direction` of the new flow, or ~reason. */
  #openFromClient(k: number, flags: number): number {
    const { keys, hash } = this.#stage;
    const state = this.#firstState(k, ORIGINAL, flags);
    const related = this.#related.fromClient(keys, k * KEY, hash[k]!, state, this.#now);
    if (related >= 0) return related << 1;
    const id = this.flows.open(keys, k * KEY, hash[k]!, state, this.#now);
    // Who may not open what was announced may still open what is served there.
    if (id < 0) return id === ~Reason.NO_SERVICE ? related : id;
    return id << 1;
  }

  #openFromReal(k: number, flags: number): number {
    const id = this.#related.fromReal(this.#stage.keys, k * KEY, this.#firstState(k, REPLY, flags), this.#now);
    return id < 0 ? id : (id << 1) | REPLY;
  }

  #firstState(k: number, direction: number, flags: number): number {
    if (this.#stage.protocol(k) !== TCP) return State.UDP_UNANSWERED;
    return this.#transitions[transitionAt(direction, flags, State.NONE)]!;
  }

  /** A packet of a flow, or its first fragment. */
  #pass(batch: Batch, i: number, k: number, found: number, out: Output): number {
    const { bytes, view } = batch;
    const direction = found & 1;
    const id = found >>> 1;
    const kind = this.table.rows[(id << ROW_SHIFT) + KIND]!;
    const state = (kind & STATE_MASK) >>> STATE_SHIFT;
    const header = this.#stage.transport[k]!;
    const segment = (kind & 0xff) === TCP;
    if (!fits(batch.side[i]!, direction)) return Reason.WRONG_SIDE;
    if (!mayTravel(view, batch.offset[i]!, (kind & IPV6) === 0 ? 4 : 6)) return Reason.TTL_EXCEEDED;
    let next: number = direction === REPLY ? State.UDP : state;
    if (segment) next = this.#transitions[transitionAt(direction, tcp.flags(bytes, header), state)]!;
    if (next === IMPLAUSIBLE) return Reason.TCP_FLAGS;
    if (next === REOPENS) {
      this.flows.end(id, Ending.REOPENED, this.#now);
      return this.#open(batch, i, k, out);
    }
    if ((kind & CONTROL_MARK) !== 0) {
      const payload = header + (segment ? tcp.headerLength(bytes, header) : UDP_HEADER);
      if (payload < this.#stage.end[k]!) return this.#keepForReader(id, state, i, out);
    }
    if (next === state) this.table.refresh(id, state);
    else this.#enter(id, next);
    this.#translate(batch, i, k, found);
    out.verdict[i] = verdictOf(direction);
    return ESTABLISHED;
  }

  #enter(id: number, state: number): void {
    this.table.enter(id, state);
    this.flows.account(id, state);
  }

  #keepForReader(id: number, state: number, i: number, out: Output): number {
    this.table.refresh(id, state);
    out.flow[i] = this.table.handle(id);
    out.verdict[i] = Verdict.CONTROL;
    return Reason.CONTROL_PAYLOAD;
  }

  #translate(batch: Batch, i: number, k: number, found: number): void {
    const table = this.table.rows;
    const { view } = batch;
    const row = (found >>> 1) << ROW_SHIFT;
    const toReal = (found & 1) === ORIGINAL;
    const difference = this.#readdress(view, batch.offset[i]!, found, this.#stage.end[k]!);
    const port = toReal ? table[row + INNER_PORT]! >>> 16 : table[row + OUTER_PORTS]! & 0xffff;
    const protocol = table[row + KIND]! & 0xff;
    const partial = (batch.offload[i]! & NEEDS_CSUM) !== 0;
    retarget(view, this.#stage.transport[k]!, protocol, toReal ? DESTINATION : SOURCE, port, difference, partial);
  }

  /** The IP header at `at` is translated, and the packet counted. Returns the pseudo-header's difference. */
  #readdress(view: DataView, at: number, found: number, packetEnd: number): number {
    const { rows: table, prefixes } = this.table;
    const id = found >>> 1;
    const direction = found & 1;
    const row = id << ROW_SHIFT;
    countPacket(table, row, direction, packetEnd - at);
    const toReal = direction === ORIGINAL;
    const end = toReal ? DESTINATION : SOURCE;
    const low = table[row + (toReal ? REAL : VIRTUAL)]!;
    if ((table[row + KIND]! & IPV6) === 0) return readdressIpv4(view, at, end, low);
    const prefix = id * PREFIXES + (toReal ? REAL_PREFIX : VIRTUAL_PREFIX);
    return readdressIpv6(view, at, end, prefixes, prefix, low);
  }

  #fragment(batch: Batch, i: number, k: number, out: Output): number {
    const stage = this.#stage;
    const identity = this.#identity;
    const start = stage.fragmentOffset[k]!;
    const end = start + stage.end[k]! - stage.transport[k]!;
    const last = stage.moreFragments[k] === 0;
    if (!last && (end & 7) !== 0) return Reason.MALFORMED;
    identify(stage.keys, k * KEY, stage.identification[k]!, identity);
    if (start === 0 && !this.#tracks.has(identity, 0, this.#now)) {
      const reason = this.#transport(batch, i, k, out);
      if (out.verdict[i] !== TO_REAL && out.verdict[i] !== TO_CLIENT) return reason;
      const found = this.table.find(stage.keys, k * KEY, stage.hash[k]!);
      this.#tracks.begin(identity, 0, this.table.handle(found >>> 1), found & 1, this.#now);
      this.#tracks.follow(identity, 0, start, end, last, this.#now);
      return Reason.FRAGMENT;
    }
    const handle = this.#tracks.follow(identity, 0, start, end, last, this.#now);
    if (handle === EARLY) return Reason.FRAGMENT_EARLY;
    if (handle <= 0) return handle === OVERLAP ? Reason.FRAGMENT_OVERLAP : Reason.FRAGMENT_REPEATED;
    const id = this.table.resolve(handle as FlowId);
    const { direction } = this.#tracks;
    if (id === 0) return Reason.NO_FLOW;
    if (!fits(batch.side[i]!, direction)) return Reason.WRONG_SIDE;
    if (!mayTravel(batch.view, batch.offset[i]!, stage.family(k))) return Reason.TTL_EXCEEDED;
    this.#readdress(batch.view, batch.offset[i]!, (id << 1) | direction, stage.end[k]!);
    out.verdict[i] = verdictOf(direction);
    return Reason.FRAGMENT;
  }
}

function countPacket(table: Int32Array, row: number, direction: number, length: number): void {
  table[row + PACKETS + direction]!++;
  const place = row + BYTES + direction * 2;
  const low = (table[place]! + length) | 0;
  table[place] = low;
  if (low >>> 0 < length) table[place + 1]!++;
}
