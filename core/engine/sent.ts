/**
 * Packets of the engine's own: segments of control connections, packets in tunnels, path-MTU messages, fragments that
 * were held. Columns over one arena, emptied by each `process` and `advance`; the host sends them on before it calls
 * again.
 */
export class Sent {
  readonly bytes: Uint8Array;
  /** Of the same bytes. */
  readonly view: DataView;
  /** Of each packet's IP header in `bytes`. */
  readonly offset: Int32Array;
  readonly length: Int32Array;
  /** `TO_REAL`, `TO_CLIENT`, or `DIRECT`: then for the realserver `destination`. */
  readonly verdict: Uint8Array;
  readonly destination: Int32Array;
  /** Packets there are now. */
  count = 0;
  /** Packets there was no room for. They are lost as packets are: whoever sent them sends them again. */
  lost = 0;
  #used = 0;

  constructor(packets: number, arena: Uint8Array) {
    this.bytes = arena;
    this.view = new DataView(arena.buffer, arena.byteOffset, arena.byteLength);
    this.offset = new Int32Array(packets);
    this.length = new Int32Array(packets);
    this.verdict = new Uint8Array(packets);
    this.destination = new Int32Array(packets);
  }

  clear(): void {
    this.count = 0;
    this.#used = 0;
  }

  /** Where in `bytes` a packet of `length` bytes may be written; -1: there is no room. `add` makes it one of these. */
  room(length: number): number {
    if (this.hasRoom(length)) return this.#used;
    this.lost++;
    return -1;
  }

  hasRoom(length: number): boolean {
    return this.count < this.offset.length && this.#used + length <= this.bytes.length;
  }

  /** The packet of `length` bytes that was written where `room` said. */
  add(length: number, verdict: number, destination = 0): void {
    const i = this.count++;
    this.offset[i] = this.#used;
    this.length[i] = length;
    this.verdict[i] = verdict;
    this.destination[i] = destination;
    this.#used += length;
  }

  /** A copy of `packet`, if there is room for it. */
  copy(packet: Uint8Array, verdict: number, destination = 0): void {
    const at = this.room(packet.length);
    if (at < 0) return;
    this.bytes.set(packet, at);
    this.add(packet.length, verdict, destination);
  }

  /** Takes back all but the first `count` packets. */
  rewind(count: number): void {
    if (count >= this.count) return;
    this.#used = this.offset[count]!;
    this.count = count;
  }
}
