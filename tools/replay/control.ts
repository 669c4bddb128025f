import type { Direction, Helper } from "../../core/helper/api.ts";
import {
  ControlObserver,
  type ObservedAnnouncement,
  type ObservedFault,
  type ObservedGroup,
} from "../../core/inspect/observe.ts";
import type { RequestObserver } from "../../core/inspect/requests.ts";
import { ObservedStream, type StreamSink } from "../../core/inspect/stream.ts";
import type { Endpoint, Transport } from "../../core/units.ts";
import * as tcp from "../../core/wire/tcp.ts";
import { Detection } from "./detect.ts";
import type { End } from "./flows.ts";
import { type Question, Questioner } from "./question.ts";
import type { Tally } from "./strangers.ts";
import type { Transcript } from "./transcript.ts";
import { type Transfer, Transfers } from "./transfers.ts";

/** What a TCP header says, as far as a stream is concerned. */
export interface Segment {
  sequence: number;
  acknowledgment: number;
  flags: number;
  /** Of its payload on the wire; a snap length may have cut what was captured. */
  length: number;
}

const NO_SUBJECTS: ReadonlySet<string> = new Set();
const NO_TRANSFERS: readonly Transfer[] = [];

/** A control connection of a capture, as far as it was observed. */
export abstract class Control {
  abstract readonly transport: Transport;
  abstract readonly helper: Helper;
  readonly row: number;
  readonly client: Endpoint;
  readonly server: Endpoint;
  /** Which end of the flow the client is. */
  readonly clientEnd: End;
  readonly transcript: Transcript;
  /** The first frame that was not captured whole; 0: none. */
  cutFrame = 0;
  /** The server's address as text. */
  readonly serverText: string;

  constructor({ row, clientEnd, client, server, transcript }: Place) {
    this.row = row;
    this.clientEnd = clientEnd;
    this.client = client;
    this.server = server;
    this.transcript = transcript;
    this.serverText = String(server.address);
  }

  protected abstract get observer(): ControlObserver | null;

  /** It is what it was taken for; null: not clear yet. */
  abstract get confirmed(): boolean | null;

  /** The connection's last packet was seen. */
  abstract close(): void;

  get announcements(): readonly ObservedAnnouncement[] {
    return this.observer?.announcements ?? [];
  }

  get faults(): readonly ObservedFault[] {
    return this.observer?.faults ?? [];
  }

  get notes(): readonly ObservedFault[] {
    return this.observer?.notes ?? [];
  }

  get groups(): readonly ObservedGroup[] {
    return this.observer?.groups ?? [];
  }

  /** What was asked and replied on it, where its helper tells requests apart. */
  readonly requests: RequestObserver | null = null;

  /** What was said to be asked on it; empty: nothing that could be read. */
  get subjects(): ReadonlySet<string> {
    return this.observer?.subjects ?? NO_SUBJECTS;
  }

  /** What an FTP server said of the transfers that it was asked for. */
  get transfers(): readonly Transfer[] {
    return NO_TRANSFERS;
  }

  /** What its datagrams are to its helper; null: it has none. */
  get tally(): Tally | null {
    return null;
  }

  /** By that it is another protocol's. */
  get isForeign(): boolean {
    return false;
  }

  /** What its opener asks about (ident). */
  get question(): Question | null {
    return null;
  }

  /** The frame of this connection itself that `observed` announced; null where it announced another. */
  answered(_observed: ObservedAnnouncement): number | null {
    return null;
  }

  /** The sequence number of the first byte of `direction`; null: its beginning is not in the capture. */
  begins(_direction: Direction): number | null {
    return null;
  }

  direction(end: End): Direction {
    return end === this.clientEnd ? "original" : "reply";
  }

  /** The director's view, if there were one: the server that is seen is the virtual service and the realserver. */
  protected observe(helper: Helper): ControlObserver {
    const { transport, client, server } = this;
    return new ControlObserver(helper, { transport, client, virtual: server, real: server });
  }
}

/** Where in a capture a control connection is, and what is kept of it. */
export type Place = Pick<Control, "row" | "clientEnd" | "client" | "server" | "transcript">;

/** One way of reading a connection. */
interface Reading {
  readonly helper: Helper;
  readonly observer: ControlObserver;
  /** Null: the helper is bound to the port, which needs no proof. */
  readonly detection: Detection | null;
  /** Null: not FTP. */
  readonly transfers: Transfers | null;
  /** Null: not ident. */
  readonly questioner: Questioner | null;
}

/**
 * One TCP control connection of a capture: reassembles both directions and has them observed. Until something is said
 * on it (a port scan has millions of such) it costs little.
 */
export class TcpControl extends Control {
  readonly transport = "tcp";
  readonly #helpers: readonly Helper[];
  readonly #detected: boolean;
  readonly #initial = { original: -1, reply: -1 };
  #session: Session | null = null;

  /** `helpers`: the one that is bound to the port, or, `detected`, those whose protocol opens so. */
  constructor(helpers: readonly Helper[], place: Place, detected: boolean) {
    super(place);
    this.#helpers = helpers;
    this.#detected = detected;
  }

  get helper(): Helper {
    return this.#session?.readings[0]?.helper ?? this.#helpers[0]!;
  }

  get confirmed(): boolean | null {
    if (this.#session === null) return !this.#detected;
    const reading = this.#session.readings[0];
    if (reading === undefined) return false;
    return reading.detection === null ? !reading.observer.disowned : reading.detection.found;
  }

  protected get observer(): ControlObserver | null {
    return this.#session?.readings[0]?.observer ?? null;
  }

  override get transfers(): readonly Transfer[] {
    return this.#session?.readings[0]?.transfers?.asked ?? NO_TRANSFERS;
  }

  override get question(): Question | null {
    return this.#session?.readings[0]?.questioner?.question ?? null;
  }

  override begins(direction: Direction): number | null {
    const initial = this.#initial[direction];
    return initial < 0 ? null : (initial + 1) >>> 0;
  }

  /** A segment from `end`, with as much of its payload as was captured. */
  segment(end: End, segment: Readonly<Segment>, payload: Uint8Array, frame: number): void {
    const direction = this.direction(end);
    if ((segment.flags & tcp.SYN) !== 0 && this.#initial[direction] < 0) this.#initial[direction] = segment.sequence;
    if (this.#session === null && payload.length > 0) this.#begin();
    this.#session?.segment(direction, segment, payload, frame);
  }

  close(): void {
    this.#session?.close();
  }

  #begin(): void {
    const readings = this.#helpers.map((helper) => ({
      helper,
      observer: this.observe(helper),
      detection: this.#detected ? new Detection(helper) : null,
      transfers: helper.name === "ftp" ? new Transfers() : null,
      questioner: helper.asksAbout === undefined ? null : new Questioner(helper.asksAbout),
    }));
    this.#session = new Session(readings);
    for (const direction of ["original", "reply"] as const) {
      // Without a SYN the first bytes may begin anywhere in a message.
      if (this.#initial[direction] < 0) this.#session.gap(direction);
      else this.#session[direction].open(this.#initial[direction]);
    }
  }
}

class Session {
  /** Those that may still be right; the first that is sure is the only one left. */
  readings: readonly Reading[];
  #proven = false;
  readonly original: ObservedStream;
  readonly reply: ObservedStream;

  constructor(readings: readonly Reading[]) {
    this.readings = readings;
    this.original = new ObservedStream(new Sink(this, "original"));
    this.reply = new ObservedStream(new Sink(this, "reply"));
  }

  segment(
    direction: Direction,
    { sequence, acknowledgment, flags, length }: Readonly<Segment>,
    payload: Uint8Array,
    frame: number,
  ): void {
    const sent = this[direction];
    const other = direction === "original" ? this.reply : this.original;
    // What the segment acknowledges came before it: the other direction is told first.
    if ((flags & tcp.ACK) !== 0 && other.started) other.acknowledged(acknowledgment);
    const syn = (flags & tcp.SYN) !== 0;
    if (syn) sent.open(sequence);
    const first = (sequence + (syn ? 1 : 0)) >>> 0;
    sent.segment(first, payload, frame);
    if ((flags & tcp.FIN) !== 0) sent.finish((first + length) >>> 0);
  }

  gap(direction: Direction): void {
    for (const { observer, transfers, questioner } of this.readings) {
      observer.gap(direction);
      transfers?.gap(direction);
      questioner?.gap(direction);
    }
  }

  close(): void {
    this.original.close();
    this.reply.close();
  }

  ended(direction: Direction): void {
    for (const { observer } of this.readings) observer.end(direction);
  }

  data(direction: Direction, bytes: Uint8Array, frame: number): void {
    if (this.#proven) {
      read(this.readings[0]!, direction, bytes, frame);
      return;
    }
    for (const reading of this.readings) {
      reading.detection?.more(direction, bytes);
      read(reading, direction, bytes, frame);
    }
    const sure = this.readings.find(({ detection }) => detection === null || detection.found === true);
    this.#proven = sure !== undefined;
    if (sure !== undefined) this.readings = [sure];
    else if (this.readings.length > 1)
      this.readings = this.readings.filter(({ detection }) => detection?.found !== false);
  }
}

/** What one direction of a session says. */
class Sink implements StreamSink {
  readonly #session: Session;
  readonly #direction: Direction;

  constructor(session: Session, direction: Direction) {
    this.#session = session;
    this.#direction = direction;
  }

  data(bytes: Uint8Array, frame: number): void {
    this.#session.data(this.#direction, bytes, frame);
  }

  gap(): void {
    this.#session.gap(this.#direction);
  }

  end(): void {
    this.#session.ended(this.#direction);
  }
}

function read(
  { observer, transfers, questioner }: Reading,
  direction: Direction,
  bytes: Uint8Array,
  frame: number,
): void {
  observer.data(direction, bytes, frame);
  transfers?.data(direction, bytes, frame);
  questioner?.data(direction, bytes, frame);
}
