import type { Connection, Direction, Helper } from "../../core/helper/api.ts";
import { ControlObserver } from "../../core/inspect/observe.ts";
import { ObservedStream, type StreamSink } from "../../core/inspect/stream.ts";
import type { Endpoint } from "../../core/units.ts";
import { FtpOpening } from "./detect.ts";
import type { End } from "./flows.ts";

/** One TCP control connection of a capture: reassembles both directions and has them observed. */
export class TcpControl {
  readonly helper: Helper;
  readonly row: number;
  readonly client: Endpoint;
  readonly server: Endpoint;
  /** Which end of the flow the client is. */
  readonly clientEnd: End;
  readonly observer: ControlObserver;
  /** Found by its content, and while it is not yet clear that it was found. */
  opening: FtpOpening | null;
  readonly #original: ObservedStream;
  readonly #reply: ObservedStream;

  constructor(helper: Helper, row: number, clientEnd: End, client: Endpoint, server: Endpoint, detected: boolean) {
    this.helper = helper;
    this.row = row;
    this.clientEnd = clientEnd;
    this.client = client;
    this.server = server;
    this.opening = detected ? new FtpOpening() : null;
    // There is no director in a capture: the server that is seen is the virtual service and the realserver.
    const connection: Connection = { client, virtual: server, real: server };
    this.observer = new ControlObserver(helper, connection);
    this.#original = new ObservedStream(this.#sink("original"));
    this.#reply = new ObservedStream(this.#sink("reply"));
  }

  /** A segment from `end`. `length`: of its payload on the wire, of which `payload` was captured. */
  segment(end: End, segment: Segment, payload: Uint8Array, frame: number): void {
    const fromClient = end === this.clientEnd;
    const sent = fromClient ? this.#original : this.#reply;
    // What the segment acknowledges came before it: the other direction is told first.
    if (segment.acknowledges) (fromClient ? this.#reply : this.#original).acknowledged(segment.acknowledgment);
    if (segment.syn) sent.open(segment.sequence);
    else if (!sent.started && payload.length > 0) this.observer.gap(fromClient ? "original" : "reply");
    const first = (segment.sequence + (segment.syn ? 1 : 0)) >>> 0;
    sent.segment(first, payload, frame);
    if (segment.fin) sent.finish((first + segment.length) >>> 0);
  }

  /** The connection's last packet was seen. */
  close(): void {
    this.#original.close();
    this.#reply.close();
    if (this.opening?.isFtp === null) this.opening.isFtp = false;
  }

  #sink(direction: Direction): StreamSink {
    const { observer } = this;
    return {
      data: (bytes, frame) => {
        if (this.opening !== null) this.opening[direction === "original" ? "client" : "server"](bytes);
        observer.data(direction, bytes, frame);
      },
      gap: () => observer.gap(direction),
      end: () => observer.end(direction),
    };
  }
}

export interface Segment {
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly acknowledges: boolean;
  readonly syn: boolean;
  readonly fin: boolean;
  readonly length: number;
}
