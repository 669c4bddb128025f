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
 * Control connections are marked, and only they pay: their packets go to who reads them, core/engine/controls.ts, and
 * what goes on is of the reader's making.
 */
import type { Balancer } from "./balancer.ts";
import { type Batch, fits, NEEDS_CSUM, type Output, STAGE, Verdict, verdictOf } from "./engine/batch.ts";
import { asUsual, ControlPacket, Controls, Taken } from "./engine/controls.ts";
import { DIRECT, type FlowObserver, Flows, READ, TUNNEL, REPLIES_UNSEEN as UNSEEN } from "./engine/flows.ts";
import { Forwarding, type TunnelOptions } from "./engine/forwarding.ts";
import { FragmentPath } from "./engine/fragments.ts";
import { IcmpErrors } from "./engine/icmp-errors.ts";
import type { ControlsOptions } from "./engine/read-connection.ts";
import { Ending, Reason, reasons } from "./engine/reason.ts";
import { RelatedFlows } from "./engine/related.ts";
import { NONE, RequestPath } from "./engine/requests.ts";
import * as stages from "./engine/stage.ts";
import * as key from "./flow/key.ts";
import * as rows from "./flow/rows.ts";
import { type FlowId, FlowTable, type TableOptions } from "./flow/table.ts";
import { IMPLAUSIBLE, REOPENS, REPLIES_UNSEEN, State, transitionAt, transitionTable } from "./flow/tcp-state.ts";
import { EARLY, GATHERED, OVERLAP } from "./flow/tracks.ts";
import { LATER, MOST_PUT_BACK } from "./flow/wheel.ts";
import { Tally } from "./metrics.ts";
import { DESTINATION, readdressIpv4, readdressIpv6, retarget, SOURCE } from "./nat/translate.ts";
import type { Service } from "./service.ts";
import type { Ms } from "./units.ts";
import * as tcp from "./wire/tcp.ts";

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
const { IPV6 } = key;
const { ACK, PROTOCOL: TCP, SYN } = tcp;
const { DROP } = Verdict;
const { AT, END, FLAGS, HASH, PLACE_SHIFT, TRANSPORT, WHAT } = stages;
const { Kind, Stage } = stages;
const { ESTABLISHED, OPENED } = Reason;

export interface EngineOptions extends TableOptions, ControlsOptions {
  /** IPVS's `secure_tcp`; see tcp-state.ts. */
  readonly secureTcp?: boolean;
  /** Needed where a realserver's forwarding method is `tunnel`. */
  readonly tunnels?: TunnelOptions;
  readonly observer?: FlowObserver;
}

/** A table with fewer entries stays in the cache: touching it first would only cost. */
const CACHED = 4096;
/** Entries that one `advance` takes out, or looks at. */
const MOST_ENDED = 4096;
const TUNNEL_MARK = TUNNEL << MARKS_SHIFT;
const DIRECT_MARK = DIRECT << MARKS_SHIFT;
const READ_MARK = READ << MARKS_SHIFT;
const SPECIAL_MARKS = (READ | DIRECT | TUNNEL) << MARKS_SHIFT;
const UNSEEN_MARK = UNSEEN << MARKS_SHIFT;

/** What the path of a packet calls is made of functions of the instance's own: see flags.ts. */
export class Engine {
  readonly table: FlowTable;
  readonly flows: Flows;
  readonly controls: Controls;
  readonly requests: RequestPath;
  /** By reason of the verdict. */
  readonly counters = new Tally(reasons);
  readonly #transitions: Uint8Array;
  readonly #stage = new Stage();
  readonly #fragments: FragmentPath;
  readonly #icmp: IcmpErrors;
  readonly #related: RelatedFlows;
  readonly #forwarding: Forwarding;
  readonly #packet = new ControlPacket();
  /** A fraction from the start: a field that turned from one kind of number into the other would cost its optimised code. */
  #now = Number.NaN as Ms;
  /** What touching read; kept, so that the reading is not optimised away. */
  touched = 0;

  constructor(balancer: Balancer, options: EngineOptions) {
    this.table = new FlowTable(options);
    this.controls = new Controls(balancer, this.table, options, options.seed[0], (id) => this.#enter(id, State.CLOSE));
    this.flows = new Flows(balancer, this.table, this.controls, options.observer);
    this.#transitions = transitionTable(options.secureTcp ?? false);
    this.#fragments = new FragmentPath(options.seed, (fragments) => {
      for (let i = 0; i < fragments; i++) this.counters.count(Reason.FRAGMENT_INCOMPLETE);
    });
    this.#related = new RelatedFlows(balancer, this.flows);
    const settings = (service: Service) => (options.reading ?? asUsual)(service).settings;
    this.#forwarding = new Forwarding(this.flows, options.tunnels);
    this.requests = new RequestPath(balancer, this.#related, this.#forwarding, settings);
    this.#icmp = new IcmpErrors(this.table, this.controls, this.requests);
  }

  /** The balancer's services have changed (`Balancer.change`): new flows follow them, others stay where they are. */
  update(): void {
    this.flows.update();
    this.requests.update();
  }

  /** Judges every packet of `batch`, and translates those that go on. */
  process(batch: Batch, now: Ms, out: Output): void {
    this.#now = now;
    this.table.moveTo(now);
    out.sent.clear();
    this.#process(batch, out);
    if (this.#fragments.ready) this.#fragments.release(out, (one, its) => this.#process(one, its));
  }

  readonly #process = (batch: Batch, out: Output): void => {
    for (let from = 0; from < batch.count; from += STAGE) {
      const count = Math.min(STAGE, batch.count - from);
      this.#read(batch, from, count);
      if (this.table.size > CACHED) this.#touch(count);
      for (let k = 0; k < count; k++) {
        const reason = this.#judge(batch, from + k, k << PLACE_SHIFT, out);
        out.reason[from + k] = reason;
        this.counters.count(reason);
      }
    }
  };

  /**
   * Runs what time brings: ends flows whose time is up, and sends what control connections have to send again. True: more are due than one call does; call again soon. What the balancer itself lets
   * expire (templates, pins, related entries) is the host's to call for, once for all paths.
   */
  advance(now: Ms, out: Output): boolean {
    this.#now = now;
    this.table.moveTo(now);
    out.sent.clear();
    this.controls.advance(now, out.sent);
    this.#fragments.advance(now);
    this.requests.advance(now);
    for (let left = MOST_ENDED; left > 0; left--) {
      const id = this.table.due();
      if (id === 0) return false;
      if (id === LATER) left -= MOST_PUT_BACK - 1;
      else this.flows.end(id, Ending.EXPIRED, now);
    }
    return true;
  }

  readonly #read = (batch: Batch, from: number, count: number): void => {
    const stage = this.#stage;
    const { places } = stage;
    const { bytes, view, offset, length } = batch;
    for (let k = 0; k < count; k++) {
      const place = k << PLACE_SHIFT;
      const at = offset[from + k]!;
      stage.read(place, bytes, view, at, at + length[from + k]!);
      places[place + HASH] = this.table.hash(places, place);
    }
  };

  /** Brings slots and rows into the cache: loads that do not need one another, so that they wait together. */
  #touch(count: number): void {
    const { places, candidate } = this.#stage;
    const table = this.table.rows;
    let touched = 0;
    for (let k = 0; k < count; k++) candidate[k] = this.table.peek(places[(k << PLACE_SHIFT) + HASH]!);
    for (let k = 0; k < count; k++) touched ^= table[(candidate[k]! >>> 1) << ROW_SHIFT]!;
    this.touched = touched;
  }

  /** Returns the reason; the verdict is in `out`. */
  #judge(batch: Batch, i: number, place: number, out: Output): number {
    const stage = this.#stage;
    const { places } = stage;
    out.verdict[i] = DROP;
    const what = places[place + WHAT]!;
    if (what === Kind.TRANSPORT) return this.#transport(batch, i, place, out);
    if (what === Kind.FRAGMENT) return this.#fragment(batch, i, place, out);
    if (what !== Kind.ICMP) return what >>> 8;
    return this.#icmp.judge(batch, i, stage.family(place), places[place + TRANSPORT]!, places[place + END]!, out);
  }

  #transport(batch: Batch, i: number, place: number, out: Output): number {
    const { places } = this.#stage;
    const found = this.table.find(places, place, places[place + HASH]!);
    return found === 0 ? this.#open(batch, i, place, out) : this.#pass(batch, i, place, found, out);
  }

  #open(batch: Batch, i: number, place: number, out: Output): number {
    const stage = this.#stage;
    let flags: number = SYN;
    if (stage.protocol(place) === TCP) {
      flags = stage.places[place + FLAGS]!;
      if (this.#transitions[transitionAt(ORIGINAL, flags, State.NONE)] === IMPLAUSIBLE) return Reason.TCP_FLAGS;
      // As IPVS without sloppy_tcp: what has no entry and is no SYN belongs to nobody.
      if ((flags & (SYN | ACK)) !== SYN) return Reason.NO_FLOW;
    }
    if (!stage.mayTravel(place)) return Reason.TTL_EXCEEDED;
    if (stage.protocol(place) !== TCP && this.requests.any) return this.#request(batch, i, place, out);
    return this.#openFlow(batch, i, place, flags, out);
  }

  /** A datagram without a flow, where some are scheduled one by one. */
  #request(batch: Batch, i: number, place: number, out: Output): number {
    const judged = this.requests.judge(batch, i, this.#stage, place, this.#now, out);
    if (judged === NONE) return this.#openFlow(batch, i, place, SYN, out);
    return judged < 0 ? this.#pass(batch, i, place, -judged, out) : judged;
  }

  #openFlow(batch: Batch, i: number, place: number, flags: number, out: Output): number {
    const side = batch.side[i]!;
    let found = fits(side, ORIGINAL) ? this.#openFromClient(place, flags) : ~Reason.NOT_ANNOUNCED;
    if (found < 0 && fits(side, REPLY)) {
      const fromReal = this.#openFromReal(place, flags);
      if (fromReal !== ~Reason.NOT_ANNOUNCED) found = fromReal;
    }
    if (found < 0) return ~found;
    const reason = this.#pass(batch, i, place, found, out);
    return reason === ESTABLISHED ? OPENED : reason;
  }

  /** `id << 1 | direction` of the new flow, or ~reason. */
  #openFromClient(place: number, flags: number): number {
    const { places } = this.#stage;
    const hash = places[place + HASH]!;
    const state = this.#firstState(place, ORIGINAL, flags);
    const related = this.#related.fromClient(places, place, hash, state, this.#now);
    if (related >= 0) return related << 1;
    const id = this.flows.open(places, place, hash, state, this.#now);
    // Who may not open what was announced may still open what is served there.
    if (id < 0) return id === ~Reason.NO_SERVICE ? related : id;
    return id << 1;
  }

  #openFromReal(place: number, flags: number): number {
    const id = this.#related.fromReal(this.#stage.places, place, this.#firstState(place, REPLY, flags), this.#now);
    return id < 0 ? id : (id << 1) | REPLY;
  }

  #firstState(place: number, direction: number, flags: number): number {
    if (this.#stage.protocol(place) !== TCP) return State.UDP_UNANSWERED;
    return this.#transitions[transitionAt(direction, flags, State.NONE)]!;
  }

  /** A packet of a flow, or its first fragment. */
  readonly #pass = (batch: Batch, i: number, place: number, found: number, out: Output): number => {
    const stage = this.#stage;
    const direction = found & 1;
    const id = found >>> 1;
    const kind = this.table.rows[(id << ROW_SHIFT) + KIND]!;
    const state = (kind & STATE_MASK) >>> STATE_SHIFT;
    if (!fits(batch.side[i]!, direction)) return Reason.WRONG_SIDE;
    if (!stage.mayTravel(place)) return Reason.TTL_EXCEEDED;
    const machine = (kind & UNSEEN_MARK) === 0 ? direction : this.#unseen(id, direction);
    const next = this.#transitions[transitionAt(machine, stage.places[place + FLAGS]!, state)]!;
    if (next === IMPLAUSIBLE) return Reason.TCP_FLAGS;
    if (next === REOPENS) {
      this.flows.end(id, Ending.REOPENED, this.#now);
      return this.#open(batch, i, place, out);
    }
    if ((kind & SPECIAL_MARKS) !== 0) return this.#special(batch, i, place, found, next, out);
    if (next === state) this.table.refresh(id, state);
    else this.#enter(id, next);
    this.#translate(batch, i, place, found);
    out.verdict[i] = verdictOf(direction);
    return ESTABLISHED;
  };

  /** The same where more is to be done than to translate. */
  #special(batch: Batch, i: number, place: number, found: number, next: number, out: Output): number {
    const id = found >>> 1;
    const kind = this.table.rows[(id << ROW_SHIFT) + KIND]!;
    const length = this.#length(place);
    if ((kind & READ_MARK) !== 0) {
      if (this.#stage.places[place + WHAT] === Kind.FRAGMENT && this.controls.reads(id)) return gather(i, out);
      if (this.#take(batch, i, place, found, next, out)) return Reason.CONTROL;
    }
    if ((found & 1) === ORIGINAL && (kind & TUNNEL_MARK) !== 0) {
      const objection = this.#forwarding.objection(batch, i, this.#forwarding.numberOf(id), length, out);
      if (objection !== 0) return objection;
    }
    this.#enter(id, next);
    this.#translate(batch, i, place, found);
    return this.#send(batch, i, found, length, out);
  }

  #length(place: number): number {
    const { places } = this.#stage;
    return places[place + END]! - places[place + AT]!;
  }

  /** The packet goes to who reads its connection. False: nobody does any more, and it goes on. */
  #take(batch: Batch, i: number, place: number, found: number, next: number, out: Output): boolean {
    const { places } = this.#stage;
    const id = found >>> 1;
    const packet = this.#packet;
    packet.bytes = batch.bytes;
    packet.view = batch.view;
    packet.at = places[place + AT]!;
    packet.transport = places[place + TRANSPORT]!;
    packet.end = places[place + END]!;
    packet.partial = (batch.offload[i]! & NEEDS_CSUM) !== 0;
    const direction = (found & 1) === ORIGINAL ? "original" : "reply";
    const taken = this.controls.take(id, direction, packet, this.#now, out.sent);
    if (taken === Taken.PLAIN) this.flows.unread(id);
    if (taken <= Taken.SHIFTED) return false;
    countPacket(this.table.rows, id << ROW_SHIFT, found & 1, packet.end - packet.at);
    out.verdict[i] = Verdict.TAKEN;
    if (taken === Taken.RESET) return true;
    // A RST that was not believed changes nothing.
    this.#enter(id, next === State.CLOSE ? this.table.state(id) : next);
    return true;
  }

  /** Packet `i`, translated, goes on by its flow's forwarding method. */
  #send(batch: Batch, i: number, found: number, length: number, out: Output): number {
    const id = found >>> 1;
    const kind = this.table.rows[(id << ROW_SHIFT) + KIND]!;
    if ((found & 1) === ORIGINAL) {
      const number = this.#forwarding.numberOf(id);
      if ((kind & TUNNEL_MARK) !== 0) return this.#forwarding.tunnel(batch, i, number, length, out);
      if ((kind & DIRECT_MARK) !== 0) return this.#forwarding.direct(i, number, out);
    }
    out.verdict[i] = verdictOf(found & 1);
    return ESTABLISHED;
  }

  /** The machine that goes by what is seen: its replies may take another way, until one came by. */
  #unseen(id: number, direction: number): number {
    if (direction === ORIGINAL) return REPLIES_UNSEEN;
    this.table.rows[(id << ROW_SHIFT) + KIND]! &= ~UNSEEN_MARK;
    return REPLY;
  }

  #enter(id: number, state: number): void {
    this.table.enter(id, state);
    this.flows.account(id, state);
  }

  #translate(batch: Batch, i: number, place: number, found: number): void {
    const table = this.table.rows;
    const { places } = this.#stage;
    const row = (found >>> 1) << ROW_SHIFT;
    const toReal = (found & 1) === ORIGINAL;
    const difference = this.#readdress(batch.view, place, found);
    const port = toReal ? table[row + INNER_PORT]! >>> 16 : table[row + OUTER_PORTS]! & 0xffff;
    const protocol = table[row + KIND]! & 0xff;
    const partial = (batch.offload[i]! & NEEDS_CSUM) !== 0;
    const end = toReal ? DESTINATION : SOURCE;
    retarget(batch.view, places[place + TRANSPORT]!, protocol, end, port, difference, partial);
  }

  /** The IP header is translated, and the packet counted. Returns the pseudo-header's difference. */
  #readdress(view: DataView, place: number, found: number): number {
    const { rows: table, prefixes } = this.table;
    const { places } = this.#stage;
    const at = places[place + AT]!;
    const id = found >>> 1;
    const direction = found & 1;
    const row = id << ROW_SHIFT;
    countPacket(table, row, direction, places[place + END]! - at);
    const toReal = direction === ORIGINAL;
    const end = toReal ? DESTINATION : SOURCE;
    const low = table[row + (toReal ? REAL : VIRTUAL)]!;
    if ((table[row + KIND]! & IPV6) === 0) return readdressIpv4(view, at, end, low);
    const prefix = id * PREFIXES + (toReal ? REAL_PREFIX : VIRTUAL_PREFIX);
    return readdressIpv6(view, at, end, prefixes, prefix, low);
  }

  #fragment(batch: Batch, i: number, place: number, out: Output): number {
    const fragments = this.#fragments;
    if (!fragments.read(this.#stage, place, this.#now)) return Reason.MALFORMED;
    if (fragments.opens) return this.#firstFragment(batch, i, place, out);
    const handle = fragments.follow(batch, i);
    if (handle === EARLY || handle === GATHERED) return gather(i, out);
    if (handle < 0) return handle === OVERLAP ? Reason.FRAGMENT_OVERLAP : Reason.FRAGMENT_REPEATED;
    const id = this.table.resolve(handle as FlowId);
    const { direction } = fragments;
    if (id === 0) return Reason.NO_FLOW;
    if (!fits(batch.side[i]!, direction)) return Reason.WRONG_SIDE;
    if (!this.#stage.mayTravel(place)) return Reason.TTL_EXCEEDED;
    this.#readdress(batch.view, place, (id << 1) | direction);
    this.#send(batch, i, (id << 1) | direction, this.#length(place), out);
    return Reason.FRAGMENT;
  }

  #firstFragment(batch: Batch, i: number, place: number, out: Output): number {
    const { places } = this.#stage;
    const reason = this.#transport(batch, i, place, out);
    if (out.verdict[i] === DROP) return reason;
    if (reason === Reason.FRAGMENT_HELD) {
      this.#fragments.begin(batch, i, GATHERED, 0);
      return reason;
    }
    const found = this.table.find(places, place, places[place + HASH]!);
    this.#fragments.begin(batch, i, this.table.handle(found >>> 1), found & 1);
    return Reason.FRAGMENT;
  }
}

/** Packet `i` is held until its datagram is known, or whole. */
function gather(i: number, out: Output): number {
  out.verdict[i] = Verdict.TAKEN;
  return Reason.FRAGMENT_HELD;
}

function countPacket(table: Int32Array, row: number, direction: number, length: number): void {
  table[row + PACKETS + direction]!++;
  const place = row + BYTES + direction * 2;
  const low = (table[place]! + length) | 0;
  table[place] = low;
  if (low >>> 0 < length) table[place + 1]!++;
}
