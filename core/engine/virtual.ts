/**
 * Which service a new flow is for, by its key: the services' addresses and ports as numbers. A flood asks this once for
 * each packet, so nothing is allocated and only services of the same address are looked through.
 */
import { DESTINATION, DESTINATION_PREFIX, IPV6, KIND, PORTS, SOURCE, SOURCE_PREFIX } from "../flow/key.ts";
import { mix } from "../schedule/hash.ts";
import type { Service } from "../service.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";

/** Four words of address, protocol, first and last port, service. */
const RANGE = 8;
const PROTOCOL = 4;
const FIRST = 5;
const LAST = 6;
const SERVICE = 7;

export class VirtualServices {
  /** Ranges in the order of the services, so that the first that serves a port is found first. */
  declare private readonly ranges: Int32Array;
  /** Chains of ranges by address hash: index + 1 of the first, and of the next after each. */
  declare private readonly heads: Int32Array;
  declare private readonly nexts: Int32Array;

  constructor(services: readonly Service[]) {
    const ranges = services.flatMap(({ spec: { address, ports } }, service) =>
      ports.map(({ transport, first, last }) => [
        ...address.words,
        transport === "tcp" ? tcp.PROTOCOL : udp.PROTOCOL,
        first,
        last,
        service,
      ]),
    );
    this.ranges = Int32Array.from(ranges.flat());
    this.nexts = new Int32Array(ranges.length);
    this.heads = new Int32Array(2 ** Math.ceil(Math.log2(ranges.length * 2 + 2)));
    for (let i = ranges.length - 1; i >= 0; i--) {
      const bucket = this.#bucket(this.ranges[i * RANGE + 3]!);
      this.nexts[i] = this.heads[bucket]!;
      this.heads[bucket] = i + 1;
    }
  }

  /** Index of the service that serves the destination of the key at `at`; -1: none. */
  find(keys: Int32Array, at: number): number {
    const kind = keys[at + KIND]!;
    const port = keys[at + PORTS]! & 0xffff;
    const ranges = this.ranges;
    for (let next = this.heads[this.#bucket(keys[at + DESTINATION]!)]!; next !== 0; next = this.nexts[next - 1]!) {
      const range = (next - 1) * RANGE;
      if (ranges[range + PROTOCOL] !== (kind & 0xff)) continue;
      if (port < ranges[range + FIRST]! || port > ranges[range + LAST]!) continue;
      if (this.#sameAddress(range, keys, at + DESTINATION, at + DESTINATION_PREFIX, kind)) {
        return ranges[range + SERVICE]!;
      }
    }
    return -1;
  }

  /** Whether the source of the key at `at` is the address of any. */
  hasSource(keys: Int32Array, at: number): boolean {
    const kind = keys[at + KIND]!;
    for (let next = this.heads[this.#bucket(keys[at + SOURCE]!)]!; next !== 0; next = this.nexts[next - 1]!) {
      if (this.#sameAddress((next - 1) * RANGE, keys, at + SOURCE, at + SOURCE_PREFIX, kind)) return true;
    }
    return false;
  }

  /** `low` and `prefix`: where the key has the address. */
  #sameAddress(range: number, keys: Int32Array, low: number, prefix: number, kind: number): boolean {
    const ranges = this.ranges;
    if (ranges[range + 3] !== keys[low]) return false;
    if ((kind & IPV6) === 0) return ranges[range] === 0 && ranges[range + 1] === 0 && ranges[range + 2] === 0xffff;
    for (let i = 0; i < 3; i++) if (ranges[range + i] !== keys[prefix + i]) return false;
    return true;
  }

  #bucket(word: number): number {
    return mix(word) & (this.heads.length - 1);
  }
}
