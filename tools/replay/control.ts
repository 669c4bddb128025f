import type { Connection, Direction, Helper } from "../../core/helper/api.ts";
import {
  ControlObserver,
  type ObservedAnnouncement,
  type ObservedFault,
  type ObservedGroup,
} from "../../core/inspect/observe.ts";
import { ObservedStream, type StreamSink } from "../../core/inspect/stream.ts";
import type { Endpoint } from "../../core/units.ts";
import { FtpOpening } from "./detect.ts";
import type { End } from "./flows.ts";
import type { Transcript } from "./transcript.ts";

/** What a TCP header says, as far as a stream is concerned. */
export interface Segment {
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly acknowledges: boolean;
  readonly syn: boolean;
  readonly fin: boolean;
  /** Of its payload on the wire; a snap length may have cut what was captured. */
  readonly length: number;
}

/** The director's view, if there were one: the server that is seen is the virtual service and the realserver. */
const connectionOf = (client: Endpoint, server: Endpoint): Connection => ({
  transport: "tcp",
  client,
  virtual: server,
  real: server,
});

/**
 * One TCP control connection of a capture: reassembles both directions and has them observed. Until something is said
 * on it (a port scan has millions of such) it costs little.
 */
export class TcpControl {
  readonly transport = "tcp";
  readonly helper: Helper;
  readonly row: number;
  readonly client: Endpoint;
  readonly server: Endpoint;
  /** Which end of the flow the client is. */
  readonly clientEnd: End;
  readonly transcript: Transcript;
  /** The server's address as text. */
  readonly serverText: string;
  /** Found by its content, and while it is not yet clear that it was found. */
  readonly opening: FtpOpening | null;
  readonly #initial = { original: -1, reply: -1 };
  #session: Session | null = null;

  constructor(
    helper: Helper,
    row: number,
    clientEnd: End,
    client: Endpoint,
    server: Endpoint,
    detected: boolean,
    transcript: Transcript,
  ) {
    this.helper = helper;
    this.row = row;
    this.clientEnd = clientEnd;
    this.client = client;
    this.server = server;
    this.transcript = transcript;
    this.serverText = String(server.address);
    this.opening = detected ? new FtpOpening() : null;
  }

  get announcements(): readonly ObservedAnnouncement[] {
    return this.#session?.observer.announcements ?? [];
  }

  get faults(): readonly ObservedFault[] {
    return this.#session?.observer.faults ?? [];
  }

  get notes(): readonly ObservedFault[] {
    return this.#session?.observer.notes ?? [];
  }

  get groups(): readonly ObservedGroup[] {
    return this.#session?.observer.groups ?? [];
  }

  /** It opens like what it was taken for; one that is bound to a port needs no proof. */
  get confirmed(): boolean {
    return this.opening === null || this.opening.isFtp === true;
  }

  /** A segment from `end`, with as much of its payload as was captured. */
  segment(end: End, segment: Segment, payload: Uint8Array, frame: number): void {
    const direction = end === this.clientEnd ? "original" : "reply";
    if (segment.syn && this.#initial[direction] < 0) this.#initial[direction] = segment.sequence;
    if (this.#session === null && payload.length > 0) this.#begin();
    this.#session?.segment(direction, segment, payload, frame);
  }

  /** The connection's last packet was seen. */
  close(): void {
    this.#session?.close();
  }

  #begin(): void {
    const { helper, client, server, opening } = this;
    this.#session = new Session(new ControlObserver(helper, connectionOf(client, server)), opening);
    for (const direction of ["original", "reply"] as const) {
      if (this.#initial[direction] >= 0) this.#session[direction].open(this.#initial[direction]);
    }
  }
}

class Session {
  readonly observer: ControlObserver;
  readonly original: ObservedStream;
  readonly reply: ObservedStream;

  constructor(observer: ControlObserver, opening: FtpOpening | null) {
    this.observer = observer;
    this.original = new ObservedStream(sinkOf("original", observer, opening));
    this.reply = new ObservedStream(sinkOf("reply", observer, opening));
  }

  segment(direction: Direction, segment: Segment, payload: Uint8Array, frame: number): void {
    const sent = this[direction];
    const other = direction === "original" ? this.reply : this.original;
    // What the segment acknowledges came before it: the other direction is told first.
    if (segment.acknowledges && other.started) other.acknowledged(segment.acknowledgment);
    if (segment.syn) sent.open(segment.sequence);
    // Without a SYN the first bytes may begin anywhere in a message.
    else if (!sent.started && payload.length > 0) this.observer.gap(direction);
    const first = (segment.sequence + (segment.syn ? 1 : 0)) >>> 0;
    sent.segment(first, payload, frame);
    if (segment.fin) sent.finish((first + segment.length) >>> 0);
  }

  close(): void {
    this.original.close();
    this.reply.close();
  }
}

const sinkOf = (direction: Direction, observer: ControlObserver, opening: FtpOpening | null): StreamSink => ({
  data(bytes, frame) {
    opening?.more(direction, bytes);
    observer.data(direction, bytes, frame);
  },
  gap: () => observer.gap(direction),
  end: () => observer.end(direction),
});
