/**
 * Packets of the engine's own: segments of control connections, packets in tunnels, path-MTU messages. Columns over one
 * arena, emptied by each `process` and `advance`; the host sends them on before it calls again.
 */
export class Sent {
  readonly bytes: Uint8Array;
  /** Of each packet's IP header in `bytes`. */
  readonly offset: Int32Array;
  readonly length: Int32Array;
  /** `TO_REAL` or `TO_CLIENT`. */
  readonly verdict: Uint8Array;
  /** Packets there are now. */
  count = 0;
  /** Packets there was no room for. They are lost as packets are: whoever sent them sends them again. */
  lost = 0;
  #used = 0;

  constructor(packets: number, arena: Uint8Array) {
    this.bytes = arena;
    this.offset = new Int32Array(packets);
    this.length = new Int32Array(packets);
    this.verdict = new Uint8Array(packets);
  }

  clear(): void {
    this.count = 0;
    this.#used = 0;
  }

  /** Where in `bytes` a packet of `length` bytes may be written; -1: there is no room. `add` makes it one of these. */
  room(length: number): number {
    if (this.count < this.offset.length && this.#used + length <= this.bytes.length) return this.#used;
    this.lost++;
    return -1;
  }

  /** The packet of `length` bytes that was written where `room` said. */
  add(length: number, verdict: number): void {
    const i = this.count++;
    this.offset[i] = this.#used;
    this.length[i] = length;
    this.verdict[i] = verdict;
    this.#used += length;
  }
}
