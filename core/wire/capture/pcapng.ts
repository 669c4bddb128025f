/**
 * The pcapng file format (draft-ietf-opsawg-pcapng): blocks, in sections that each have their own byte order and
 * interfaces.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   0 |                          Block Type                           |
 *   4 |                      Block Total Length                       |
 *   8 |                  Block Body, padded to 32 bits                |
 *     |                      Block Total Length                       |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { type ByteOrder, bigEndian, littleEndian, u32, u32le } from "../bytes.ts";
import type { CommonRecords } from "./common.ts";
import { type Damage, type Frame, LONGEST_FRAME, NO_LINK } from "./frame.ts";
import { type Interface, parseInterface } from "./interface.ts";
import type { ByteQueue } from "./queue.ts";

export const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
/** Wireshark numbers these among the frames, and so do we. */
const SYSTEMD_JOURNAL = 9;
const CUSTOM_COPIED = 0x00000bad;
const CUSTOM_NOT_COPIED = 0x40000bad;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Type, and the length twice. */
const BLOCK_OVERHEAD = 12;
const SHORTEST_SECTION_HEADER = 28;
const SHORTEST_PACKET = 32;
const PACKET_DATA = 28;
/** As in Wireshark; a longer block is damage, not data. */
const LONGEST_BLOCK = 16 * 1024 * 1024;

export class PcapngDecoder {
  readonly format = "pcapng";
  #order: ByteOrder = bigEndian;
  #interfaces: Interface[] = [];
  /** The interface of the packet before; -1: there is none. */
  #id = -1;
  readonly #linkTypes = new Set<number>();
  #sections = 0;

  /** The link types declared so far. */
  get linkTypes(): readonly number[] {
    return [...this.#linkTypes];
  }

  /** The next packet into `frame`: true. False: more bytes are needed. */
  next(queue: ByteQueue, frame: Frame): boolean | Damage {
    for (;;) {
      const total = this.#block(queue);
      if (typeof total !== "number") return total;
      if (queue.length < total) return false;
      const { bytes, at, position } = queue;
      const repeated = this.#order.u32(bytes, at + total - 4);
      if (repeated !== total) {
        const message = `the block says its length is ${total} bytes at its start and ${repeated} at its end`;
        return { message, byte: position + total - 4 };
      }
      const packet = this.#read(bytes, at, at + total, frame);
      if (typeof packet === "string") return { message: packet, byte: position };
      queue.skip(total);
      if (packet) return true;
    }
  }

  /** Enhanced packet blocks of the interface of the packet before. */
  get common(): CommonRecords | null {
    const clock = this.#interfaces[this.#id]?.clock;
    if (clock === undefined || !clock.exact) return null;
    const { ticksPerSecond, offset } = clock;
    return { format: "pcapng", big: this.#order.big, interface: this.#id, ticksPerSecond, offset };
  }

  /** Blocks are not numbered. */
  took(_blocks: number): void {}

  /** Fills `frame` with that of the enhanced packet block at `at`. */
  show(at: number, { bytes }: ByteQueue, frame: Frame): void {
    this.#packet(bytes, at, at + this.#order.u32(bytes, at + 4), frame, this.#order.u32);
  }

  /** The file ends here: is something missing? */
  end(queue: ByteQueue): Damage | null {
    if (queue.length === 0) return null;
    const total = queue.length < 8 ? BLOCK_OVERHEAD : this.#order.u32(queue.bytes, queue.at + 4);
    return { message: `the last block is cut short: ${queue.length} of ${total} bytes`, byte: queue.position };
  }

  /** The length of the block that begins here, once enough of it is there to tell. */
  #block(queue: ByteQueue): number | false | Damage {
    if (queue.length < BLOCK_OVERHEAD) return false;
    const { bytes, at } = queue;
    // A palindrome: it reads the same in both byte orders.
    if (u32(bytes, at) === SECTION_HEADER) {
      if (queue.length < SHORTEST_SECTION_HEADER) return false;
      const damage = this.#section(bytes, at);
      if (damage !== null) return { message: damage, byte: queue.position };
    } else if (this.#sections === 0) {
      return { message: "no section header block at the start", byte: queue.position };
    }
    const total = this.#order.u32(bytes, at + 4);
    if (total < BLOCK_OVERHEAD || total % 4 !== 0) {
      return { message: `impossible block length ${total}`, byte: queue.position + 4 };
    }
    if (total > LONGEST_BLOCK) {
      const message = `block of ${total} bytes, more than the ${LONGEST_BLOCK} possible`;
      return { message, byte: queue.position + 4 };
    }
    return total;
  }

  /**
   *   8 |                      Byte-Order Magic                         |
   *  12 |          Major Version        |         Minor Version         |
   *  16 |                     Section Length (64 bits)                  |
   */
  #section(bytes: Uint8Array, at: number): string | null {
    const big = u32(bytes, at + 8) === BYTE_ORDER_MAGIC;
    if (!big && u32le(bytes, at + 8) !== BYTE_ORDER_MAGIC) return "section header without a byte-order magic";
    this.#order = big ? bigEndian : littleEndian;
    const major = this.#order.u16(bytes, at + 12);
    const minor = this.#order.u16(bytes, at + 14);
    // Minor 2 was written by a few tools and is the same format.
    if (major !== 1 || (minor !== 0 && minor !== 2)) return `pcapng version ${major}.${minor} is not known, only 1.0`;
    if (this.#order.u32(bytes, at + 4) < SHORTEST_SECTION_HEADER) return "section header block too short";
    return null;
  }

  /** One whole block. True: it was a packet. Text: what is wrong with it. */
  #read(bytes: Uint8Array, at: number, end: number, frame: Frame): boolean | string {
    switch (this.#order.u32(bytes, at)) {
      case SECTION_HEADER:
        this.#sections++;
        this.#interfaces = [];
        this.#id = -1;
        return false;
      case INTERFACE_DESCRIPTION:
        return this.#interface(bytes, at, end);
      case ENHANCED_PACKET:
        return this.#packet(bytes, at, end, frame, this.#order.u32);
      case PACKET:
        return this.#packet(bytes, at, end, frame, this.#order.u16);
      case SIMPLE_PACKET:
        return this.#simplePacket(bytes, at, end, frame);
      case SYSTEMD_JOURNAL:
      case CUSTOM_COPIED:
      case CUSTOM_NOT_COPIED:
        return emptyFrame(frame, bytes);
      default:
        return false;
    }
  }

  #interface(bytes: Uint8Array, at: number, end: number): false | string {
    const parsed = parseInterface(bytes, at, end, this.#order);
    if (typeof parsed === "string") return parsed;
    this.#interfaces.push(parsed);
    this.#linkTypes.add(parsed.linkType);
    return false;
  }

  /**
   * The enhanced packet block; the packet block, its obsolete form, has a 16-bit interface and a drop count at 8.
   *
   *   8 |                         Interface ID                          |
   *  12 |             Timestamp (upper 32 bits, lower 32 bits)          |
   *  20 |                    Captured Packet Length                     |
   *  24 |                    Original Packet Length                     |
   *  28 |                 Packet Data, padded to 32 bits                |
   */
  #packet(
    bytes: Uint8Array,
    at: number,
    end: number,
    frame: Frame,
    readId: (bytes: Uint8Array, at: number) => number,
  ): true | string {
    if (end - at < SHORTEST_PACKET) return "packet block too short";
    const id = readId(bytes, at + 8);
    const captured = this.#order.u32(bytes, at + 20);
    const damage = this.#fill(frame, id, bytes, at + PACKET_DATA, captured, end - 4);
    if (damage !== null) return damage;
    frame.wireLength = this.#order.u32(bytes, at + 24);
    const { clock } = this.#interfaces[id]!;
    clock.set(this.#order.u32(bytes, at + 12), this.#order.u32(bytes, at + 16));
    frame.seconds = clock.seconds;
    frame.nanoseconds = clock.nanoseconds;
    return true;
  }

  /** The simple packet block: an original length at 8 and data at 12, from interface 0, without a time. */
  #simplePacket(bytes: Uint8Array, at: number, end: number, frame: Frame): true | string {
    if (end - at < 16) return "simple packet block too short";
    const wire = this.#order.u32(bytes, at + 8);
    const snap = this.#interfaces[0]?.snapLength ?? 0;
    const captured = Math.min(wire, snap === 0 ? wire : snap);
    const damage = this.#fill(frame, 0, bytes, at + 12, captured, end - 4);
    if (damage !== null) return damage;
    frame.wireLength = wire;
    frame.seconds = 0;
    frame.nanoseconds = 0;
    return true;
  }

  #fill(frame: Frame, id: number, bytes: Uint8Array, start: number, length: number, limit: number): string | null {
    const linkType = this.#interfaces[id]?.linkType;
    if (linkType === undefined) return `a packet of interface ${id}, which is not described`;
    if (length > LONGEST_FRAME) return `a packet of ${length} bytes, more than the ${LONGEST_FRAME} possible`;
    if (start + length > limit) return `a packet of ${length} bytes in a block that has room for ${limit - start}`;
    frame.bytes = bytes;
    frame.start = start;
    frame.end = start + length;
    frame.linkType = linkType;
    this.#id = id;
    return null;
  }
}

function emptyFrame(frame: Frame, bytes: Uint8Array): true {
  frame.bytes = bytes;
  frame.start = 0;
  frame.end = 0;
  frame.wireLength = 0;
  frame.linkType = NO_LINK;
  return true;
}
