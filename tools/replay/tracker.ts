/**
 * The packets of one capture, one after the other: which connection each belongs to, and which of the connections are
 * control connections. Packets of other connections are counted and let go.
 */
import type { Helper } from "../../core/helper/api.ts";
import { NOTHING } from "../../core/inspect/held.ts";
import { type Endpoint, isPort, type Port, type Transport } from "../../core/units.ts";
import type { CaptureReader, Frame } from "../../core/wire/capture/reader.ts";
import { Packet } from "../../core/wire/packet.ts";
import * as tcp from "../../core/wire/tcp.ts";
import { tunnelIn } from "../../core/wire/tunnel.ts";
import * as udp from "../../core/wire/udp.ts";
import { type Control, type Place, type Segment, TcpControl } from "./control.ts";
import { UdpControl } from "./datagrams.ts";
import { ByInitial, candidates, directionOf } from "./detect.ts";
import { A, B, CONTROL, COUNTED, type End, Flows, SILENT, UNKNOWN } from "./flows.ts";
import { Memory } from "./memory.ts";
import { Neighbours } from "./neighbours.ts";
import { Skimmer } from "./skim.ts";
import { Stalls } from "./stalls.ts";
import { Strangers } from "./strangers.ts";
import { TRANSCRIPT_BYTES, Transcript, type TranscriptBudget } from "./transcript.ts";
import { Unreachables } from "./unreachables.ts";

/** Helpers by the server ports they are bound to. */
export type Bindings = Readonly<Record<Transport, ReadonlyMap<number, Helper>>>;

const other = (end: End): End => (end === A ? B : A);

/** Seconds since 1970-01-01 UTC. */
const timeOf = ({ seconds, nanoseconds }: Frame): number => seconds + nanoseconds / 1e9;

const NONE: readonly Helper[] = [];

export class Tracker {
  readonly #memory: Memory;
  readonly flows: Flows;
  readonly neighbours = new Neighbours();
  readonly unreachables = new Unreachables();
  readonly stalls: Stalls;
  /** In the order of their first frames; some may not have shown yet whether they are what they seem. */
  controls: Control[] = [];
  readonly strangers = new Strangers();
  /** So many of `controls` are none. */
  #wrong = 0;
  readonly #packet = new Packet();
  readonly #skimmer: Skimmer;
  readonly #bindings: Bindings;
  /** By port: is a helper bound to it? Asked of every flow. */
  readonly #bound: Memory["bound"];
  /** The helpers for connections found by how they open. */
  readonly #detecting: Readonly<Record<Transport, ByInitial>>;
  readonly #tcpByRow = new Map<number, TcpControl>();
  readonly #udpByRow = new Map<number, UdpControl>();
  readonly #budget: TranscriptBudget | null;
  /** Filled for each that is read. */
  readonly #segment: Segment = { sequence: 0, acknowledgment: 0, flags: 0, length: 0 };

  /** `transcripts`: what is said on control connections is kept, to be shown. */
  constructor(bindings: Bindings, helpers: readonly Helper[], transcripts = false, memory = new Memory()) {
    this.#memory = memory;
    this.flows = new Flows(memory);
    this.stalls = new Stalls(this.flows);
    memory.watcher = this.stalls;
    this.#skimmer = new Skimmer(this, this.#packet, memory);
    this.#bound = memory.bound;
    this.#budget = transcripts ? { bytes: TRANSCRIPT_BYTES } : null;
    this.#bindings = bindings;
    const detecting = (without: Transport) =>
      new ByInitial(helpers.filter(({ detect, transport }) => detect !== undefined && transport !== without));
    this.#detecting = { tcp: detecting("udp"), udp: detecting("tcp") };
    for (const transport of ["tcp", "udp"] as const) {
      for (const port of bindings[transport].keys()) this.#bound[transport][port] = 1;
      this.#detecting[transport].fill(this.#memory.telling[transport]);
    }
  }

  /** One whose frames may be skimmed. */
  newReader(): CaptureReader {
    return this.#memory.newReader();
  }

  /** All that was found is written down: its flows are no more. */
  release(): void {
    this.#memory.release();
  }

  /** Why no more packets can be taken; null: they can. */
  get limit(): string | null {
    const { flows } = this;
    return flows.hasRoom ? null : `${flows.count} flows are as many as there is memory for`;
  }

  /** Control connections and what they say are kept in V8's heap, whose end would be the process's. */
  get heapLimit(): string | null {
    return this.#memory.isHeapFull() ? "there is no memory for more control connections, and what they say" : null;
  }

  frame(frame: Frame, number: number): void {
    const packet = this.#packet;
    if (!packet.read(frame)) {
      this.neighbours.other(frame, number);
      this.unreachables.other(frame, number);
      return;
    }
    const { bytes, at, wireEnd } = packet;
    const { flows } = this;
    const isTcp = packet.protocol === tcp.PROTOCOL;
    const header = isTcp ? tcp.headerLength(bytes, at) : udp.HEADER;
    const flags = isTcp ? tcp.flags(bytes, at) : 0;
    const row = flows.find(packet, tcp.sourcePort(bytes, at), tcp.destinationPort(bytes, at));
    const own =
      flags & tcp.SYN ? this.#opened(row, flags, tcp.sequence(bytes, at), tcp.acknowledgment(bytes, at)) : row;
    const time = timeOf(frame);
    const length = Math.max(0, wireEnd - at - header);
    flows.add(own, time, number, length, flags);
    if (isTcp) {
      const [sequence, window] = [tcp.sequence(bytes, at), tcp.window(bytes, at)];
      flows.watch(own, { sequence, window, time, frame: number, bytes: length, flags });
    }
    this.look(own, frame, number);
  }

  skim(reader: CaptureReader): void {
    this.#skimmer.skim(reader);
  }

  /** The capture ends here. */
  end(): void {
    for (const byRow of [this.#tcpByRow, this.#udpByRow]) {
      for (const control of byRow.values()) control.close();
      byRow.clear();
    }
    this.#letStrangersGo();
  }

  #letStrangersGo(): void {
    this.#dropWrong();
    const strangers = this.strangers.among(this.controls);
    if (strangers.size === 0) return;
    this.controls = this.controls.filter((control) => !strangers.has(control));
    for (const control of strangers) this.strangers.add(control);
  }

  /** Those of `controls` that are what they seemed. */
  confirmed(): Control[] {
    return this.controls.filter(({ confirmed }) => confirmed === true);
  }

  /** What `Packet` has of this frame belongs to `row`, where it is counted already. */
  look(row: number, frame: Frame, number: number): void {
    if (this.flows.mark(row) === COUNTED) return;
    if (this.#packet.protocol === tcp.PROTOCOL) this.#tcp(row, frame, number);
    else this.#udp(row, frame, number);
  }

  #udp(row: number, frame: Frame, number: number): void {
    const { bytes, at, end, wireEnd } = this.#packet;
    const { sender } = this.flows;
    const length = udp.length(bytes, at);
    const payload = bytes.subarray(at + udp.HEADER, length < udp.HEADER ? end : Math.min(end, at + length));
    const control = this.flows.mark(row) === CONTROL ? this.#udpByRow.get(row) : this.#classifyUdp(row, payload);
    if (control === undefined) return;
    if (sender === control.clientEnd) this.neighbours.sent(frame, control.serverText, number);
    if (wireEnd > end) control.cutFrame ||= number;
    control.transcript.packet(control.direction(sender), number, timeOf(frame), 0, payload);
    control.datagram(sender, payload, number);
    this.#forgetWrong(control);
  }

  #tcp(row: number, frame: Frame, number: number): void {
    const { bytes, at } = this.#packet;
    const header = tcp.headerLength(bytes, at);
    const control = this.flows.mark(row) === CONTROL ? this.#tcpByRow.get(row) : this.#classify(row, header);
    if (control === undefined) return;
    if (this.flows.sender === control.clientEnd) this.neighbours.sent(frame, control.serverText, number);
    this.#feed(control, frame, header, tcp.flags(bytes, at), number);
  }

  /** The row that a SYN belongs to; the connection that had these ends before is over then. */
  #opened(row: number, flags: number, sequence: number, acknowledgment: number): number {
    const own = this.flows.opened(row, flags, sequence, acknowledgment);
    if (own === row) return row;
    this.#tcpByRow.get(row)?.close();
    this.#tcpByRow.delete(row);
    return own;
  }

  /** Is a connection that is new to us a control connection? */
  #classify(row: number, header: number): TcpControl | undefined {
    const { flows } = this;
    if (!flows.hasPort(row, this.#bound.tcp)) flows.setMark(row, SILENT);
    const server = flows.mark(row) === SILENT ? UNKNOWN : this.#boundEnd(row, "tcp");
    if (server !== UNKNOWN) {
      const helper = this.#bindings.tcp.get(flows.port(row, server))!;
      return this.#tcpControl(row, server, [helper], false);
    }
    const { bytes, at, end } = this.#packet;
    if (at + header === end) return undefined;
    const likely = this.#detecting.tcp.get(bytes[at + header]!);
    if (likely.length > 0) return this.#detected(row, likely, bytes.subarray(at + header, end));
    flows.setMark(row, COUNTED);
    return undefined;
  }

  /** By what is said first. Without a SYN either end may be the server. */
  #detected(row: number, likely: readonly Helper[], payload: Uint8Array): TcpControl | undefined {
    const listener = this.flows.listener(row);
    const { sender } = this.flows;
    const receiver = other(sender);
    const reply = listener === receiver ? NONE : candidates(likely, "reply", payload);
    if (reply.length > 0) return this.#tcpControl(row, sender, reply, true);
    const original = listener === sender ? NONE : candidates(likely, "original", payload);
    if (original.length > 0) return this.#tcpControl(row, receiver, original, true);
    this.flows.setMark(row, COUNTED);
    return undefined;
  }

  /** A flow of datagrams, by the port of an end and by its first datagram. */
  #classifyUdp(row: number, payload: Uint8Array): UdpControl | undefined {
    const { flows } = this;
    const bound = flows.hasPort(row, this.#bound.udp) ? this.#boundEnd(row, "udp") : UNKNOWN;
    if (!this.#mayBeTunnel(row)) flows.setMark(row, COUNTED);
    const helper =
      bound === UNKNOWN
        ? this.#detecting.udp.get(payload[0] ?? 0).find((one) => directionOf(one, payload) !== null)
        : this.#bindings.udp.get(flows.port(row, bound))!;
    if (helper === undefined) return undefined;
    const direction = directionOf(helper, payload);
    // Ends that both have the protocol's port (SIP), or neither: a request goes to the server, an answer comes from it.
    const server = direction === null ? bound : direction === "original" ? other(flows.sender) : flows.sender;
    return server === UNKNOWN ? undefined : this.#udpControl(row, server, helper);
  }

  /** What comes next between these ends may be a packet of another flow. */
  #mayBeTunnel(row: number): boolean {
    const [a, b] = [this.flows.port(row, A), this.flows.port(row, B)];
    return tunnelIn(a, b) !== null || tunnelIn(b, a) !== null;
  }

  /** The end whose port a helper is bound to, if that end listens, or may. */
  #boundEnd(row: number, transport: Transport): End | typeof UNKNOWN {
    const { sender } = this.flows;
    const receiver = other(sender);
    if (this.#isBound(row, receiver, transport)) return receiver;
    return this.#isBound(row, sender, transport) ? sender : UNKNOWN;
  }

  #isBound(row: number, end: End, transport: Transport): boolean {
    const { flows } = this;
    if (this.#bound[transport][flows.port(row, end)] === 0) return false;
    return flows.listener(row) === UNKNOWN || flows.listener(row) === end;
  }

  #tcpControl(row: number, server: End, helpers: readonly Helper[], detected: boolean): TcpControl | undefined {
    const place = this.#place(row, server);
    if (place === null) return undefined;
    const control = new TcpControl(helpers, place, detected);
    this.controls.push(control);
    this.#tcpByRow.set(row, control);
    return control;
  }

  #udpControl(row: number, server: End, helper: Helper): UdpControl | undefined {
    const place = this.#place(row, server);
    if (place === null) return undefined;
    const control = new UdpControl(helper, place);
    this.controls.push(control);
    this.#udpByRow.set(row, control);
    return control;
  }

  /** null: an end has port 0, which no connection has. */
  #place(row: number, serverEnd: End): Place | null {
    const clientEnd = other(serverEnd);
    const client = this.#endpoint(row, clientEnd);
    const server = this.#endpoint(row, serverEnd);
    this.flows.setMark(row, client === null || server === null ? COUNTED : CONTROL);
    if (client === null || server === null) return null;
    return { row, clientEnd, client, server, transcript: new Transcript(this.#budget) };
  }

  /** One that has turned out to be something else is forgotten. */
  #forgetWrong(control: Control): void {
    if (control.confirmed !== false) return;
    if (control.isForeign) this.strangers.add(control);
    this.flows.setMark(control.row, COUNTED);
    (control.transport === "tcp" ? this.#tcpByRow : this.#udpByRow).delete(control.row);
    // Each would have to be looked for: most of them go together.
    if (++this.#wrong * 2 > this.controls.length) this.#dropWrong();
  }

  #dropWrong(): void {
    this.controls = this.controls.filter(({ confirmed }) => confirmed !== false);
    this.#wrong = 0;
  }

  #endpoint(row: number, end: End): Endpoint | null {
    const port: number = this.flows.port(row, end);
    return isPort(port) ? { address: this.flows.address(row, end), port: port as Port } : null;
  }

  #feed(control: TcpControl, frame: Frame, header: number, flags: number, number: number): void {
    const { bytes, at, end, wireEnd } = this.#packet;
    const segment = this.#segment;
    segment.sequence = tcp.sequence(bytes, at);
    segment.acknowledgment = tcp.acknowledgment(bytes, at);
    segment.flags = flags;
    segment.length = Math.max(0, wireEnd - at - header);
    const payload = at + header < end ? bytes.subarray(at + header, end) : NOTHING;
    if (wireEnd > end) control.cutFrame ||= number;
    const direction = control.direction(this.flows.sender);
    const reset = (flags & tcp.RST) !== 0;
    control.transcript.packet(direction, number, timeOf(frame), segment.sequence, payload, reset);
    control.segment(this.flows.sender, segment, payload, number);
    this.#forgetWrong(control);
  }
}
