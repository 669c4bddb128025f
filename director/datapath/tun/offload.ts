/**
 * Related connections in the kernel: what a client was told to connect to is put into a map of nftables before it is told,
 * and its packets never come by here.
 *
 *   client -> VIP:5001     in the map: translated by the kernel, at its first packet and ever after (conntrack)
 *                          not in it: as without
 *   realserver -> client   of a connection that the kernel translates: exempt from the rule that leads here
 *   client -> realserver   so is this: where it comes from is looked up as if it were the answer (rp_filter)
 *
 * So no connection is ever handled by both: who has its first packet has them all.
 */

import { readSync, writeSync } from "node:fs";
import type { RelatedEntry } from "../../../core/flow/related.ts";
import type { Endpoint } from "../../../core/units.ts";
import type { Address } from "../../../core/wire/address.ts";
import type { Calls } from "./calls.ts";
import { POLLIN } from "./calls.ts";
import {
  addEntrances,
  emptied,
  MARK,
  MOST_VIPS,
  SERVICES,
  SOURCES,
  STAYS,
  TABLE,
  TRANSLATED,
  toSources,
  VIPS,
} from "./service-rules.ts";
import type { StandingNft } from "./standing-nft.ts";

const MAPS = { 4: "related4", 6: "related6" } as const;

const mapOf = (family: 4 | 6): string => {
  const address = `ipv${family}_addr`;
  const type = `type ${address} . ${address} . inet_service : ${address} . inet_service`;
  return `add map ${TABLE} ${MAPS[family]} { ${type}; flags timeout; counter; }`;
};
const setOf = (family: 4 | 6): string =>
  `add set ${TABLE} ${VIPS[family]} { type ipv${family}_addr; size ${MOST_VIPS}; }`;
const ruleOf = (family: 4 | 6): string => {
  const ip = family === 4 ? "ip" : "ip6";
  return `add rule ${TABLE} translate meta l4proto tcp dnat ${ip} to ${ip} saddr . ${ip} daddr . tcp dport map @${MAPS[family]}`;
};

/** For nft(8). What is there already stays: connections that a killed director handed over go on. */
export const offloadRules = [
  `add table ${TABLE}`,
  ...([4, 6] as const).map(mapOf),
  ...([4, 6] as const).map(setOf),
  `add chain ${TABLE} translate { type nat hook prerouting priority dstnat; }`,
  `add chain ${TABLE} ${TRANSLATED} { type filter hook prerouting priority dstnat + 1; }`,
  `add chain ${TABLE} ${SERVICES}`,
  `add chain ${TABLE} ${STAYS}`,
  `add chain ${TABLE} ${SOURCES}`,
  addEntrances,
  // Of directors before this one.
  `add chain ${TABLE} replies`,
  `delete chain ${TABLE} replies`,
  `flush chain ${TABLE} translate`,
  ...emptied,
  ...([4, 6] as const).map((family) => `flush map ${TABLE} ${MAPS[family]}`),
  `add rule ${TABLE} translate ${toSources}`,
  ...([4, 6] as const).map(ruleOf),
  `add rule ${TABLE} translate jump ${SERVICES}`,
].join("; ");
export const offloadUndo = `delete table ${TABLE}`;
const elementOf = (vip: Address): string => `element ${TABLE} ${VIPS[vip.family]} { ${vip} }`;
/** What is translated of this address is ours. Should somebody have flushed everything, that is no reason to fail. */
export const ours = (vip: Address) => ({
  nft: `add table ${TABLE}; ${setOf(vip.family)}; add ${elementOf(vip)}`,
  undo: `delete ${elementOf(vip)}`,
});
/** What a rule of ip(8) knows what the kernel translates by, and one that it is not for. */
export const translated = ["fwmark", `${MARK}/${MARK}`] as const;
export const untranslated = ["fwmark", `0/${MARK}`] as const;

/** How long nft may take for one element. */
const PATIENCE = 1000;

export class Offload {
  readonly #calls: Calls;
  readonly #input: number;
  readonly #output: number;
  readonly #polled;
  readonly #buffer = Buffer.alloc(65536);
  /** Of entries that are in the kernel's hands. */
  readonly #keys = new Map<RelatedEntry, string>();
  #broken = false;

  /** Descriptors of the standing `nft -i --echo`: what it reads, and what it says. */
  constructor(calls: Calls, { input, output }: StandingNft) {
    this.#calls = calls;
    this.#input = input;
    this.#output = output;
    this.#polled = calls.memory(8);
    this.#polled.bytes.writeInt32LE(output, 0);
  }

  /** Returns when it is in place. False: it is not, and its connection comes by here. */
  add(entry: RelatedEntry, seen: Endpoint): boolean {
    const { opener, transport, uses, from, target, ttl } = entry;
    if (this.#broken || opener !== "original" || transport !== "tcp" || uses !== 1) return false;
    const map = MAPS[seen.address.family];
    const key = `${from.address} . ${seen.address} . ${seen.port}`;
    const timeout = `timeout ${Math.ceil(ttl / 1000)}s`;
    const value = `${target.address} . ${target.port}`;
    const told = this.#ask(`add element ${TABLE} ${map} { ${key} ${timeout} : ${value} }`, key);
    if (!told.includes("expires")) return false;
    this.#keys.set(entry, `${map} { ${key} }`);
    return true;
  }

  /** Takes `entry` back. Returns how many connections came by it; null: it was never handed over. */
  remove(entry: RelatedEntry): number | null {
    const element = this.#keys.get(entry);
    if (element === undefined) return null;
    this.#keys.delete(entry);
    const told = this.#ask(`get element ${TABLE} ${element}`, element.slice(element.indexOf("{") + 2, -2));
    const came = /packets (\d+)/.exec(told)?.[1];
    // Not there any more: its time was up, and nobody knows.
    if (came !== undefined) this.#tell(`delete element ${TABLE} ${element}`);
    return Number(came ?? 0);
  }

  /** What is said about `command`, up to the line that names `key`. "": nothing in time, or nft is gone. */
  #ask(command: string, key: string): string {
    if (!this.#tell(command)) return "";
    let told = "";
    while (!endsLine(told, key)) {
      this.#polled.bytes.writeInt16LE(POLLIN, 4);
      const ready = this.#calls.poll(this.#polled.at, 1, PATIENCE) > 0;
      const size = ready ? readSync(this.#output, this.#buffer) : 0;
      if (size === 0) {
        this.#broken = true;
        return "";
      }
      told += this.#buffer.toString("latin1", 0, size);
    }
    return told;
  }

  #tell(command: string): boolean {
    if (this.#broken) return false;
    try {
      writeSync(this.#input, `${command}\n`);
      return true;
    } catch {
      this.#broken = true;
      return false;
    }
  }
}

/** A whole line has `key`. */
function endsLine(told: string, key: string): boolean {
  const at = told.lastIndexOf(key);
  return at >= 0 && told.indexOf("\n", at) >= 0;
}
