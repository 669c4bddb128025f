/**
 * Packets through TUN devices, a system call for each.
 *
 *   in    from the one device that the VIPs, and the realservers' replies, are routed to
 *   out   into the same one, from where the kernel routes them on; for direct routing into a device of the realserver's
 *         own, whose packets have one way only: to that realserver's link address
 */
import { type Batch, createBatch, NEEDS_CSUM, type Output, SEGMENTED, Verdict } from "../../../core/engine/batch.ts";
import { type Memory, reasonOf } from "../libc.ts";
import { EAGAIN, EINTR } from "../transport/epoll/calls.ts";
import { type Calls, POLLIN } from "./calls.ts";
import type { PacketPort } from "./port.ts";
import type { Sides } from "./sides.ts";

/** Packets of a batch at most. */
const MOST = 64;
/** struct virtio_net_hdr (linux/virtio_net.h): flags, kind of segments, and numbers that translation leaves as they are. */
const HEADER = 10;
/** The header begins here, so that the packet behind it begins at a multiple of 16. */
const LEAD = 6;
const LARGEST = 0x10000 + HEADER;
/** Room for a whole batch of small packets, or for a few dozen of the largest. */
const ARENA = 2 << 20;
const LINE = 64;
const HDR_F_NEEDS_CSUM = 1;
/** Above the kinds: ECN. */
const GSO_KIND = 0x7f;

const POLLFD = 8;
const REVENTS = 6;
const IOVEC = 16;

export interface TunPortOptions {
  readonly fd: number;
  /** An eventfd: `wait` ends when it is written to. */
  readonly wake: number;
  /** For direct routing: the device of the realserver that `Output.destination` names. */
  readonly direct: Int32Array;
  readonly sides: Sides;
}

export class TunPort implements PacketPort {
  readonly batch: Batch;
  /** Packets that the kernel did not take, by its reason. */
  readonly refused = new Map<string, number>();
  readonly #calls: Calls;
  readonly #fd: number;
  readonly #direct: Int32Array;
  readonly #sides: Sides;
  readonly #at: number;
  readonly #polled: Memory;
  readonly #vectors: Memory;
  #sent: { readonly bytes: Uint8Array; readonly at: number } | null = null;
  /** The first packet after a pause is not kept waiting for others: there are seldom any. */
  #busy = false;

  constructor(calls: Calls, { fd, wake, direct, sides }: TunPortOptions) {
    this.#sides = sides;
    this.#calls = calls;
    this.#fd = fd;
    this.#direct = direct;
    const arena = calls.memory(ARENA);
    this.#at = arena.at;
    this.batch = createBatch(MOST, arena.bytes);
    this.#polled = polled(calls, [fd, wake]);
    this.#vectors = calls.memory(2 * IOVEC + HEADER);
    this.#vectors.bytes.fill(0);
    const header = this.#vectors.at + 2 * IOVEC;
    this.#vectors.bytes.writeBigUInt64LE(BigInt(header), 0);
    this.#vectors.bytes.writeBigUInt64LE(BigInt(HEADER), 8);
  }

  receive(): number {
    const { batch } = this;
    const most = this.#busy ? MOST : 1;
    let at = 0;
    let count = 0;
    while (count < most && at + LARGEST + LEAD <= ARENA) {
      const length = this.#calls.read(this.#fd, this.#at + at + LEAD, LARGEST);
      if (length <= HEADER) {
        if (length < 0) this.#check();
        break;
      }
      const header = at + LEAD;
      batch.offset[count] = header + HEADER;
      batch.length[count] = length - HEADER;
      batch.side[count] = this.#sides.of(batch.view, header + HEADER);
      batch.offload[count] = offloadOf(batch.bytes, header);
      count++;
      at = (header + length + LINE - 1) & -LINE;
    }
    this.#busy = count > 0;
    batch.count = count;
    return count;
  }

  forward({ verdict, destination }: Output): void {
    const { count, offset, length } = this.batch;
    for (let i = 0; i < count; i++) {
      const where = verdict[i]!;
      if (where === Verdict.DROP || where === Verdict.TAKEN) continue;
      const fd = where === Verdict.DIRECT ? this.#direct[destination[i]!]! : this.#fd;
      const from = this.#at + offset[i]! - HEADER;
      if (this.#calls.write(fd, from, length[i]! + HEADER) < 0) this.#refuse();
    }
  }

  sendOwn({ sent }: Output): void {
    if (sent.count === 0) return;
    const base = this.#baseOf(sent.bytes);
    const { bytes, at } = this.#vectors;
    for (let i = 0; i < sent.count; i++) {
      const fd = sent.verdict[i] === Verdict.DIRECT ? this.#direct[sent.destination[i]!]! : this.#fd;
      bytes.writeBigUInt64LE(BigInt(base + sent.offset[i]!), IOVEC);
      bytes.writeUInt32LE(sent.length[i]!, IOVEC + 8);
      if (this.#calls.writev(fd, at, 2) < 0) this.#refuse();
    }
  }

  pause(): void {
    this.#calls.sched_yield();
  }

  wait(timeout: number): boolean {
    const { at, bytes } = this.#polled;
    return this.#calls.poll(at, 2, timeout) > 0 && bytes.readInt16LE(POLLFD + REVENTS) !== 0;
  }

  #baseOf(bytes: Uint8Array): number {
    if (this.#sent?.bytes !== bytes) this.#sent = { bytes, at: this.#calls.addressOf(bytes) };
    return this.#sent.at;
  }

  /** Nothing to read is no failure; a device that is gone is. */
  #check(): void {
    const errno = this.#calls.errno();
    if (errno !== EAGAIN && errno !== EINTR) throw new Error(`reading packets: ${reasonOf(errno)}`);
  }

  #refuse(): void {
    const reason = reasonOf(this.#calls.errno());
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
  }
}

function offloadOf(bytes: Uint8Array, header: number): number {
  const partial = (bytes[header]! & HDR_F_NEEDS_CSUM) === 0 ? 0 : NEEDS_CSUM;
  return (bytes[header + 1]! & GSO_KIND) === 0 ? partial : partial | SEGMENTED;
}

/** struct pollfd (poll.h) for each of `fds`. */
function polled(calls: Calls, fds: readonly number[]): Memory {
  const memory = calls.memory(fds.length * POLLFD);
  memory.bytes.fill(0);
  for (const [i, fd] of fds.entries()) {
    memory.bytes.writeInt32LE(fd, i * POLLFD);
    memory.bytes.writeInt16LE(POLLIN, i * POLLFD + 4);
  }
  return memory;
}
