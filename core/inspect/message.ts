import { kept, NOTHING } from "./held.ts";

/** A message where it was read: bytes `[start, end)`, which are valid during the call only. */
export class Message {
  bytes: Uint8Array = NOTHING;
  start = 0;
  end = 0;

  get length(): number {
    return this.end - this.start;
  }

  /** From now on it is this one. */
  show(bytes: Uint8Array, start: number, end: number): this {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    return this;
  }

  /** A copy, which stays. */
  kept(): Message {
    return new Message().show(kept(this.bytes, this.start, this.end), 0, this.length);
  }
}
