/**
 * The packet engine: packets and the time in, translated packets and verdicts out.
 *
 *   read the headers, hash   core/engine/stage.ts    ┐
 *   touch the slots          core/flow/buckets.ts    ├ for sixteen packets each, so that their cache misses overlap
 *   touch the rows           core/flow/rows.ts       ┘ and those of control connections, control/rest-rows.ts
 *   find the flow            core/flow/table.ts        or schedule a new one: core/engine/flows.ts
 *   the flow's state         core/flow/tcp-state.ts
 *   translate                core/nat/translate.ts     in place
 *   place what is offered    core/engine/resting.ts    that of all sixteen, together
 *
 * In the steady state nothing is allocated. Only the first packet of a flow and its end are dearer.
 *
 * Control connections are marked, and only they pay: their packets go to who reads them, core/engine/controls.ts, and
 * what goes on is of the reader's making.
 */
import type { Balancer } from "./balancer.ts";
import { type Batch, fits, type Output, STAGE, Verdict, verdictOf } from "./engine/batch.ts";
import { asUsual, Controls } from "./engine/controls.ts";
import { type FlowObserver, Flows } from "./engine/flows.ts";
import { Forwarding, type TunnelOptions } from "./engine/forwarding.ts";
import { FragmentPath } from "./engine/fragments.ts";
import { IcmpErrors } from "./engine/icmp-errors.ts";
import type { ControlsOptions } from "./engine/read-connection.ts";
import { Ending, Reason, reasons } from "./engine/reason.ts";
import { RelatedFlows } from "./engine/related.ts";
import { NONE, RequestPath } from "./engine/requests.ts";
import { gather, READ_MARK, SPECIAL_MARKS, SpecialFlows, UNSEEN_MARK } from "./engine/special.ts";
import * as stages from "./engine/stage.ts";
import { Translation } from "./engine/translation.ts";
import * as rows from "./flow/rows.ts";
import { type FlowId, FlowTable, type TableOptions } from "./flow/table.ts";
import { IMPLAUSIBLE, REOPENS, State, transitionAt, transitionTable } from "./flow/tcp-state.ts";
import { EARLY, GATHERED, OVERLAP } from "./flow/tracks.ts";
import { LATER, MOST_PUT_BACK } from "./flow/wheel.ts";
import { Tally } from "./metrics.ts";
import type { Service } from "./service.ts";
import type { Ms } from "./units.ts";
import * as tcp from "./wire/tcp.ts";

/** Own names: V8 folds constants of a module's own into its optimised code, and reads imported ones each time. */
const { KIND, ORIGINAL, REPLY, ROW_SHIFT, STATE_MASK, STATE_SHIFT } = rows;
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
  /**
   * Where ports in place of those that are taken are looked for: from the host's randomness. Clients are told them, so
   * `seed` is kept out of it.
   */
  readonly ports?: number;
}

/** What is done with `count` packets of a batch, those from `from` on. */
type Step = (batch: Batch, from: number, count: number, out: Output) => void;

/** A table with fewer entries stays in the cache: touching it first would only cost, but for what belongs to its entries. */
const CACHED = 4096;
/** Entries that one `advance` takes out, or looks at. */
const MOST_ENDED = 4096;

/** What the path of a packet calls is made of functions of the instance's own: see flags.ts. */
export class Engine {
  declare readonly table: FlowTable;
  declare readonly flows: Flows;
  declare readonly controls: Controls;
  declare readonly requests: RequestPath;
  /** By reason of the verdict. */
  readonly counters = new Tally(reasons);
  declare private readonly transitions: Uint8Array;
  readonly #stage = new Stage();
  declare private readonly fragments: FragmentPath;
  declare private readonly icmp: IcmpErrors;
  declare private readonly related: RelatedFlows;
  declare private readonly forwarding: Forwarding;
  declare private readonly translation: Translation;
  declare private readonly special: SpecialFlows;
  /** A fraction from the start: a field that turned from one kind of number into the other would cost its optimised code. */
  #now = Number.NaN as Ms;
  /** What touching read; kept, so that the reading is not optimised away. */
  touched = 0;

  constructor(balancer: Balancer, options: EngineOptions) {
    this.table = new FlowTable(options);
    this.controls = new Controls(balancer, this.table, options, options.ports ?? 1, (id) =>
      this.flows.enter(id, State.CLOSE),
    );
    this.flows = new Flows(balancer, this.table, this.controls, options.observer);
    this.transitions = transitionTable(options.secureTcp ?? false);
    this.fragments = new FragmentPath(options.seed, (fragments) => {
      for (let i = 0; i < fragments; i++) this.counters.count(Reason.FRAGMENT_INCOMPLETE);
    });
    this.related = new RelatedFlows(balancer, this.flows);
    const settings = (service: Service) => (options.reading ?? asUsual)(service).settings;
    this.forwarding = new Forwarding(this.flows, options.tunnels);
    this.requests = new RequestPath(balancer, this.related, this.forwarding, settings);
    this.icmp = new IcmpErrors(this.table, this.controls, this.requests, this.forwarding);
    this.translation = new Translation(this.table, this.#stage);
    this.special = new SpecialFlows(this.flows, this.controls, this.forwarding, this.translation, this.#stage);
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
    if (this.fragments.ready) this.fragments.release(out, (one, its) => this.#process(one, its));
  }

  /** A step after the other, for sixteen packets each. */
  readonly #process = (batch: Batch, out: Output): void => {
    const steps = this.#steps;
    out.verdict.fill(DROP, 0, batch.count);
    for (let from = 0; from < batch.count; from += STAGE) {
      const count = Math.min(STAGE, batch.count - from);
      for (let step = 0; step < steps.length; step++) steps[step]!(batch, from, count, out);
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
    this.fragments.advance(now);
    this.requests.advance(now);
    for (let left = MOST_ENDED; left > 0; left--) {
      const id = this.table.due();
      if (id === 0) return false;
      if (id === LATER) left -= MOST_PUT_BACK - 1;
      else this.flows.end(id, Ending.EXPIRED, now);
    }
    return true;
  }

  readonly #read: Step = (batch, from, count) => {
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
  readonly #touch: Step = (_batch, _from, count) => {
    if (this.table.size <= CACHED && !this.controls.any) return;
    const { places, candidate } = this.#stage;
    const table = this.table.rows;
    let touched = 0;
    for (let k = 0; k < count; k++) touched ^= this.table.touch(places[(k << PLACE_SHIFT) + HASH]!);
    for (let k = 0; k < count; k++) candidate[k] = this.table.peek(places[(k << PLACE_SHIFT) + HASH]!);
    for (let k = 0; k < count; k++) touched ^= table[(candidate[k]! >>> 1) << ROW_SHIFT]!;
    if (this.controls.any) {
      for (let k = 0; k < count; k++) {
        const id = candidate[k]! >>> 1;
        if ((table[(id << ROW_SHIFT) + KIND]! & READ_MARK) !== 0) touched ^= this.controls.touch(id);
      }
    }
    this.touched = touched;
  };

  readonly #judgeAll: Step = (batch, from, count, out) => {
    for (let k = 0; k < count; k++) {
      const reason = this.#judge(batch, from + k, k << PLACE_SHIFT, out);
      out.reason[from + k] = reason;
      this.counters.count(reason);
    }
  };

  /** What offers ports is put in place together. */
  readonly #settle: Step = (_batch, _from, _count, out) => {
    if (this.controls.unsettled) this.controls.settle(this.#now, out.sent);
  };

  /**
   * A call that may go to any of four is never inlined: so each is compiled by itself, and what V8 may inline into it does
   * not hang on what it has seen of the others by then.
   */
  readonly #steps = [this.#read, this.#touch, this.#judgeAll, this.#settle] as const;

  /** Returns the reason; the verdict is in `out`. */
  #judge(batch: Batch, i: number, place: number, out: Output): number {
    const stage = this.#stage;
    const { places } = stage;
    const what = places[place + WHAT]!;
    if (what === Kind.TRANSPORT) return this.#transport(batch, i, place, out);
    this.#settleFirst(out);
    if (what === Kind.FRAGMENT) return this.#fragment(batch, i, place, out);
    if (what !== Kind.ICMP) return what >> 8;
    const objection = this.flows.objection(places, place, batch.side[i]!);
    if (objection !== 0) return objection;
    return this.icmp.judge(batch, i, stage.family(place), places[place + TRANSPORT]!, places[place + END]!, out);
  }

  #transport(batch: Batch, i: number, place: number, out: Output): number {
    const { places } = this.#stage;
    const found = this.table.find(places, place, places[place + HASH]!);
    return found === 0 ? this.#open(batch, i, place, out) : this.#pass(batch, i, place, found, out);
  }

  /** Before anything that may ask about what the packets before it have brought. */
  #settleFirst({ sent }: Output): void {
    if (this.controls.unsettled) this.controls.settle(this.#now, sent);
  }

  #open(batch: Batch, i: number, place: number, out: Output): number {
    this.#settleFirst(out);
    const stage = this.#stage;
    let flags: number = SYN;
    if (stage.protocol(place) === TCP) {
      flags = stage.places[place + FLAGS]!;
      if (this.transitions[transitionAt(ORIGINAL, flags, State.NONE)] === IMPLAUSIBLE) return Reason.TCP_FLAGS;
      // As IPVS without sloppy_tcp: what has no entry and is no SYN belongs to nobody, unless it answers one.
      if ((flags & SYN) === 0) return Reason.NO_FLOW;
    }
    if (!stage.mayTravel(place)) return Reason.TTL_EXCEEDED;
    const objection = this.flows.objection(stage.places, place, batch.side[i]!);
    if (objection !== 0) return objection;
    if ((flags & ACK) !== 0) return this.#openAnswer(batch, i, place, flags, out);
    if (stage.protocol(place) !== TCP && this.requests.any) return this.#request(batch, i, place, out);
    return this.#openFlow(batch, i, place, flags, out);
  }

  /** A datagram without a flow, where some are scheduled one by one. */
  #request(batch: Batch, i: number, place: number, out: Output): number {
    const judged = this.requests.judge(batch, i, this.#stage, place, this.#now, out);
    if (judged === NONE) return this.#openFlow(batch, i, place, SYN, out);
    if (judged === Reason.NO_REALSERVER) this.#refuse(batch, i, place, out);
    return judged < 0 ? this.#pass(batch, i, place, -judged, out) : judged;
  }

  #openFlow(batch: Batch, i: number, place: number, flags: number, out: Output): number {
    const side = batch.side[i]!;
    let found = fits(side, ORIGINAL) ? this.#openFromClient(place, flags) : ~Reason.NOT_ANNOUNCED;
    if (found < 0 && fits(side, REPLY)) {
      const fromReal = this.#openFromReal(place, flags);
      if (fromReal !== ~Reason.NOT_ANNOUNCED) found = fromReal;
    }
    if (found === ~Reason.NO_REALSERVER) this.#refuse(batch, i, place, out);
    if (found < 0) return ~found;
    const reason = this.#pass(batch, i, place, found, out);
    return reason === ESTABLISHED ? OPENED : reason;
  }

  #refuse(batch: Batch, i: number, place: number, out: Output): void {
    const { places } = this.#stage;
    this.forwarding.refuse(batch, i, places[place + END]! - places[place + AT]!, this.#now, out);
  }

  /** A client answers what a realserver opened past the director. */
  #openAnswer(batch: Batch, i: number, place: number, flags: number, out: Output): number {
    if (!fits(batch.side[i]!, ORIGINAL)) return Reason.NO_FLOW;
    const { places } = this.#stage;
    const state = this.#firstState(place, ORIGINAL, flags);
    const id = this.related.fromAnswer(places, place, places[place + HASH]!, state, this.#now);
    if (id < 0) return ~id;
    const reason = this.#pass(batch, i, place, id << 1, out);
    return reason === ESTABLISHED ? OPENED : reason;
  }

  /** `id << 1 | direction` of the new flow, or ~reason. */
  #openFromClient(place: number, flags: number): number {
    const { places } = this.#stage;
    const hash = places[place + HASH]!;
    const state = this.#firstState(place, ORIGINAL, flags);
    const related = this.related.fromClient(places, place, hash, state, this.#now);
    if (related >= 0) return related << 1;
    const id = this.flows.open(places, place, hash, state, this.#now);
    if (id >= 0) return id << 1;
    // Who may not open what was announced may still open what is served there.
    if (id !== ~Reason.NO_SERVICE) return id;
    if (this.#stage.protocol(place) === TCP) return related;
    const answer = this.related.fromAnswer(places, place, hash, state, this.#now);
    return answer < 0 ? related : answer << 1;
  }

  #openFromReal(place: number, flags: number): number {
    const id = this.related.fromReal(this.#stage.places, place, this.#firstState(place, REPLY, flags), this.#now);
    return id < 0 ? id : (id << 1) | REPLY;
  }

  #firstState(place: number, direction: number, flags: number): number {
    if (this.#stage.protocol(place) !== TCP) return State.UDP_UNANSWERED;
    return this.transitions[transitionAt(direction, flags, State.NONE)]!;
  }

  /** A packet of a flow, or its first fragment. */
  readonly #pass = (batch: Batch, i: number, place: number, found: number, out: Output): number => {
    const stage = this.#stage;
    const direction = found & 1;
    const id = found >>> 1;
    // Whether it reopens hangs on what becomes of the packets before it.
    if ((stage.places[place + FLAGS]! & SYN) !== 0) this.#settleFirst(out);
    const kind = this.table.rows[(id << ROW_SHIFT) + KIND]!;
    const state = (kind & STATE_MASK) >>> STATE_SHIFT;
    if (!fits(batch.side[i]!, direction)) return Reason.WRONG_SIDE;
    if (!stage.mayTravel(place)) return Reason.TTL_EXCEEDED;
    const machine = (kind & UNSEEN_MARK) === 0 ? direction : this.special.machine(id, direction);
    const next = this.transitions[transitionAt(machine, stage.places[place + FLAGS]!, state)]!;
    if (next === IMPLAUSIBLE) return Reason.TCP_FLAGS;
    if (next === REOPENS) return this.#reopen(batch, i, place, found, state, out);
    if ((kind & SPECIAL_MARKS) !== 0) return this.special.pass(batch, i, place, found, next, this.#now, out);
    if (next === state) this.table.refresh(id, state);
    else this.flows.enter(id, next);
    this.translation.packet(batch, i, place, found);
    out.verdict[i] = verdictOf(direction);
    return ESTABLISHED;
  };

  /** A SYN ACK that answers nothing opens nothing, so it ends nothing either: it goes to who would have sent the SYN. */
  #reopen(batch: Batch, i: number, place: number, found: number, state: number, out: Output): number {
    this.#settleFirst(out);
    const { places } = this.#stage;
    if ((places[place + FLAGS]! & ACK) !== 0 && !this.related.mayAnswer(places, place)) {
      return this.special.pass(batch, i, place, found, state, this.#now, out);
    }
    this.flows.end(found >>> 1, Ending.REOPENED, this.#now);
    return this.#open(batch, i, place, out);
  }

  #fragment(batch: Batch, i: number, place: number, out: Output): number {
    const fragments = this.fragments;
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
    const { places } = this.#stage;
    const found = (id << 1) | direction;
    this.translation.header(batch.view, place, found);
    const reason = this.forwarding.send(batch, i, found, places[place + END]! - places[place + AT]!, out);
    return out.verdict[i] === DROP ? reason : Reason.FRAGMENT;
  }

  #firstFragment(batch: Batch, i: number, place: number, out: Output): number {
    const { places } = this.#stage;
    const reason = this.#transport(batch, i, place, out);
    if (out.verdict[i] === DROP) return reason;
    if (reason === Reason.FRAGMENT_HELD) {
      this.fragments.begin(batch, i, GATHERED, 0);
      return reason;
    }
    const found = this.table.find(places, place, places[place + HASH]!);
    this.fragments.begin(batch, i, this.table.handle(found >>> 1), found & 1);
    return Reason.FRAGMENT;
  }
}
