/** What the reader lets on of an ordinary segment, while its connection is at rest. */
import { type Direction, opposite } from "../../units.ts";
import { viewOf } from "../../wire/bytes.ts";
import { Outbound } from "./outbound.ts";
import { type Segment, UNSUMMED } from "./segment.ts";

const NOTHING: Uint8Array = new Uint8Array(0);

/** One object for all connections of a host; empty but for that while. */
export class Spoken {
  /** What was let on otherwise than as it came. */
  readonly #original = new Outbound();
  readonly #reply = new Outbound();
  /** The packets that are looked at, and their view: of a batch the same each time. */
  #packets = NOTHING;
  #view = viewOf(NOTHING);
  #direction: Direction = "original";
  /** What was let on as it came, and where: nearly always all there is. Nothing copies it before it is sent. */
  #start = 0;
  #end = 0;

  /** What is let on next is from a segment that went `direction`, in `packets`. */
  begin(direction: Direction, packets: Uint8Array): void {
    this.#direction = direction;
    this.#start = 0;
    this.#end = 0;
    this.viewOf(packets);
  }

  /** All that is let on as it came is from `packets`. */
  viewOf(packets: Uint8Array): DataView {
    if (packets !== this.#packets) {
      this.#packets = packets;
      this.#view = viewOf(packets);
    }
    return this.#view;
  }

  /** Bytes `[start, end)` are let on. */
  append(direction: Direction, bytes: Uint8Array, start: number, end: number): void {
    if (bytes === this.#packets && direction === this.#direction && this.length === 0) {
      this.#start = start;
      this.#end = end;
      return;
    }
    this.#copy();
    this.#outbound(direction).append(bytes, start, end);
  }

  /** Bytes to be sent the way of the segment. */
  get length(): number {
    return this.#end - this.#start + this.#outbound(this.#direction).kept;
  }

  /** Anything is to be sent the other way. */
  get both(): boolean {
    return this.#outbound(opposite(this.#direction)).kept > 0;
  }

  /** Bytes of this are to be sent `direction`. */
  taken(direction: Direction): Outbound {
    this.#copy();
    return this.#outbound(direction);
  }

  /** All of it becomes the payload of `segment`. */
  put(segment: Segment): void {
    if (this.#start < this.#end) {
      segment.carry(this.#view, this.#start, this.#end, UNSUMMED);
      return;
    }
    const outbound = this.#outbound(this.#direction);
    const start = outbound.indexOf(outbound.acknowledged);
    segment.carry(outbound.view, start, start + outbound.kept, UNSUMMED);
  }

  clear(): void {
    this.#start = 0;
    this.#end = 0;
    this.#original.clear();
    this.#reply.clear();
  }

  /** What came as it is goes with the rest. */
  #copy(): void {
    if (this.#start === this.#end) return;
    this.#outbound(this.#direction).append(this.#packets, this.#start, this.#end);
    this.#start = this.#end;
  }

  #outbound(direction: Direction): Outbound {
    return direction === "original" ? this.#original : this.#reply;
  }
}
