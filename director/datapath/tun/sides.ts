/**
 * Which side a packet came from. Two ways lead into the device (setup.ts): the route of a VIP, for whoever sends to it,
 * and the rule for what realservers send to others. So its destination tells.
 */
import { Side } from "../../../core/engine/batch.ts";
import type { Address } from "../../../core/wire/address.ts";
import { DESTINATION as IPV4_DESTINATION } from "../../../core/wire/ipv4.ts";
import { DESTINATION as IPV6_DESTINATION } from "../../../core/wire/ipv6.ts";

const IPV6 = 6;
const WORDS = 4;

export class Sides {
  #ipv4: ReadonlySet<number> = new Set();
  /** Four words each. */
  #ipv6 = new Int32Array(0);

  constructor(vips: readonly Address[]) {
    this.update(vips);
  }

  /** From now on these are VIPs. */
  update(vips: readonly Address[]): void {
    this.#ipv4 = new Set(vips.filter(({ family }) => family === 4).map(({ words }) => words[3] | 0));
    this.#ipv6 = Int32Array.from(vips.filter(({ family }) => family === 6).flatMap(({ words }) => words));
  }

  /** Of the packet whose IP header is at `at`, all of it. */
  of(view: DataView, at: number): number {
    const isVip =
      view.getUint8(at) >>> 4 === IPV6
        ? this.#hasIpv6(view, at + IPV6_DESTINATION)
        : this.#ipv4.has(view.getInt32(at + IPV4_DESTINATION));
    return isVip ? Side.CLIENT : Side.REAL;
  }

  #hasIpv6(view: DataView, at: number): boolean {
    const vips = this.#ipv6;
    for (let i = 0; i < vips.length; i += WORDS) {
      if (
        view.getInt32(at + 12) === vips[i + 3] &&
        view.getInt32(at + 8) === vips[i + 2] &&
        view.getInt32(at + 4) === vips[i + 1] &&
        view.getInt32(at) === vips[i]
      )
        return true;
    }
    return false;
  }
}
