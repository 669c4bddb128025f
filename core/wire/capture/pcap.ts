/**
 * The pcap file format (draft-ietf-opsawg-pcap): a file header, then records.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   0 |          Magic Number: byte order, and unit of time           |
 *   4 |         Major Version         |         Minor Version         |
 *   8 |                           Reserved ×2                         |
 *  16 |                            SnapLen                            |
 *  20 | FCS |f|  0  0  0  0  0  0  0  |            LinkType           |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 *   0 |                      Timestamp (seconds)                      |
 *   4 |              Timestamp (microseconds or nanoseconds)          |
 *   8 |                        Captured Length                        |
 *  12 |                        Original Length                        |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { type ByteOrder, bigEndian, littleEndian, u32, u32le } from "../bytes.ts";
import type { CommonRecords } from "./common.ts";
import { type Damage, type Frame, LONGEST_FRAME } from "./frame.ts";
import type { ByteQueue } from "./queue.ts";

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
/** Kuznetsov's patched libpcap: interface index, protocol and packet type follow the record header. */
const MODIFIED_RECORD_HEADER = 24;

const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;
const MODIFIED = 0xa1b2cd34;

/** The byte order of a pcap file's numbers, by its magic number; null: it is none. */
export function pcapByteOrder(bytes: Uint8Array, at: number): ByteOrder | null {
  const isMagic = (magic: number) => magic === MICROSECONDS || magic === NANOSECONDS || magic === MODIFIED;
  if (isMagic(u32(bytes, at))) return bigEndian;
  return isMagic(u32le(bytes, at)) ? littleEndian : null;
}

export class PcapDecoder {
  readonly format = "pcap";
  readonly #order: ByteOrder;
  readonly #little: boolean;
  #header = false;
  /** Null: records have another header than the usual, or it is in another order, or is not known yet. */
  common: CommonRecords | null = null;
  #nanosecondsPerTick = 1000;
  #recordHeader = RECORD_HEADER;
  /** Files before version 2.3 hold the two lengths of a record the other way round, files of 2.3 perhaps. */
  #minor = 4;
  #linkType = -1;
  #records = 0;

  constructor(order: ByteOrder) {
    this.#order = order;
    this.#little = !order.big;
  }

  /** The link types declared so far. */
  get linkTypes(): readonly number[] {
    return this.#linkType < 0 ? [] : [this.#linkType];
  }

  /** So many records were taken by somebody else. */
  took(records: number): void {
    this.#records += records;
  }

  /** Fills `frame` with that of the common record at `at`. */
  show(at: number, { bytes, view }: ByteQueue, frame: Frame): void {
    const start = at + RECORD_HEADER;
    this.#fill(frame, bytes, view, at, start, start + view.getUint32(at + 8, this.#little));
  }

  /** The next record into `frame`: true. False: more bytes are needed. */
  next(queue: ByteQueue, frame: Frame): boolean | Damage {
    if (!this.#header) {
      if (queue.length < FILE_HEADER) return false;
      const damage = this.#readHeader(queue);
      if (damage !== null) return damage;
    }
    const header = this.#recordHeader;
    if (queue.length < header) return false;
    const { bytes, view, at } = queue;
    const little = this.#little;
    let captured = view.getUint32(at + 8, little);
    let wire = view.getUint32(at + 12, little);
    if (this.#minor < 3 || (this.#minor === 3 && captured > wire)) [captured, wire] = [wire, captured];
    if (captured > LONGEST_FRAME) {
      const message = `record ${this.#records + 1} claims ${captured} bytes, more than the ${LONGEST_FRAME} possible`;
      return { message, byte: queue.position };
    }
    if (queue.length < header + captured) return false;

    this.#fill(frame, bytes, view, at, at + header, at + header + captured);
    frame.wireLength = wire;
    this.#records++;
    queue.skip(header + captured);
    return true;
  }

  /** The record at `at`, its frame's bytes being `[start, end)`. */
  #fill(frame: Frame, bytes: Uint8Array, view: DataView, at: number, start: number, end: number): void {
    const little = this.#little;
    frame.bytes = bytes;
    frame.start = start;
    frame.end = end;
    frame.wireLength = view.getUint32(at + 12, little);
    frame.linkType = this.#linkType;
    frame.seconds = view.getUint32(at, little);
    frame.nanoseconds = view.getUint32(at + 4, little) * this.#nanosecondsPerTick;
  }

  /** The file ends here: is something missing? */
  end(queue: ByteQueue): Damage | null {
    if (!this.#header) {
      return { message: `the file header is cut short: ${queue.length} of ${FILE_HEADER} bytes`, byte: queue.position };
    }
    if (queue.length === 0) return null;
    const cut = `record ${this.#records + 1} is cut short`;
    if (queue.length < this.#recordHeader) {
      const message = `${cut}: ${queue.length} of the ${this.#recordHeader} bytes of its header are there`;
      return { message, byte: queue.position };
    }
    const captured = this.#order.u32(queue.bytes, queue.at + 8);
    const message = `${cut}: ${queue.length - this.#recordHeader} of its ${captured} bytes are there`;
    return { message, byte: queue.position };
  }

  #readHeader(queue: ByteQueue): Damage | null {
    const { bytes, at } = queue;
    const magic = this.#order.u32(bytes, at);
    const major = this.#order.u16(bytes, at + 4);
    this.#minor = this.#order.u16(bytes, at + 6);
    if (major !== 2) {
      return { message: `pcap version ${major}.${this.#minor} is not known, only 2.x`, byte: queue.position + 4 };
    }
    if (magic === NANOSECONDS) this.#nanosecondsPerTick = 1;
    if (magic === MODIFIED) this.#recordHeader = MODIFIED_RECORD_HEADER;
    this.#linkType = this.#order.u32(bytes, at + 20) & 0xffff;
    this.#header = true;
    if (this.#recordHeader === RECORD_HEADER && this.#minor >= 4) this.common = this.#commonRecords();
    queue.skip(FILE_HEADER);
    return null;
  }

  #commonRecords(): CommonRecords {
    const ticksPerSecond = 1e9 / this.#nanosecondsPerTick;
    return { format: "pcap", big: this.#order.big, interface: 0, ticksPerSecond, offset: 0 };
  }
}
