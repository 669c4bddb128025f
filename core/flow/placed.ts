/**
 * Where related entries are waited for. By number, so that the packet engine can ask for each new flow of a flood
 * without making anything; and only related entries are ever in here.
 */
import { mix } from "../schedule/hash.ts";
import type { Direction, Endpoint, PartialEndpoint, Transport } from "../units.ts";
import type { Address } from "../wire/address.ts";
import { Chains } from "./chains.ts";
import { LOW, PLACE, type RelatedRows, ROW_SHIFT, SAME_PLACE } from "./related-rows.ts";

/** What is asked of a related entry here. */
interface Awaited {
  readonly transport: Transport;
  readonly opener: Direction;
  readonly from: PartialEndpoint;
  readonly seen: Endpoint | null;
}

/** Transport and port of an end; never 0. */
const placeOf = (transport: Transport, port: number): number => (port << 2) | (transport === "udp" ? 3 : 1);

export class Placed<T extends Awaited> {
  readonly #rows: RelatedRows<T>;
  readonly #chains: Chains;
  readonly #seed: number;

  constructor(rows: RelatedRows<T>, seed: number) {
    this.#rows = rows;
    this.#chains = new Chains(rows, SAME_PLACE);
    this.#seed = seed;
  }

  /**
   * False: somebody is waited for there already. An end that clients connect to has one entry, whoever they are, so
   * that transfers cannot be crossed. A client's own port may be announced to several realservers.
   */
  add(row: number): boolean {
    const { transport, seen, from, opener } = this.#rows.entries[row]!;
    if (this.at(transport, seen!, opener === "reply" ? from.address : null) !== undefined) return false;
    const at = row << ROW_SHIFT;
    const { words } = this.#rows;
    words[at + PLACE] = placeOf(transport, seen!.port);
    words[at + LOW] = seen!.address.words[3];
    this.#chains.add(row, this.#hashOf(row));
    return true;
  }

  delete(row: number): void {
    const place = (row << ROW_SHIFT) + PLACE;
    if (this.#rows.words[place] === 0) return;
    this.#chains.remove(row, this.#hashOf(row));
    this.#rows.words[place] = 0;
  }

  /** Who is waited for at `seen`; `from` it, unless that is null. */
  at(transport: Transport, seen: Endpoint, from: Address | null = null): T | undefined {
    const { entries, words } = this.#rows;
    const place = placeOf(transport, seen.port);
    const low = seen.address.words[3] | 0;
    for (let row = this.#chains.first(this.#hash(low, seen.port)); row !== 0; row = this.#chains.next(row)) {
      const at = row << ROW_SHIFT;
      if (words[at + PLACE] !== place || words[at + LOW] !== low) continue;
      const entry = entries[row]!;
      if (!entry.seen!.address.equals(seen.address)) continue;
      if (from === null || entry.from.address?.equals(from) === true) return entry;
    }
    return undefined;
  }

  /** False: nobody is waited for at this end, nor at one like it. `low`: the last word of its address. */
  may(low: number, port: number): boolean {
    if (this.#rows.size === 0) return false;
    const { words } = this.#rows;
    for (let row = this.#chains.first(this.#hash(low | 0, port)); row !== 0; row = this.#chains.next(row)) {
      const at = row << ROW_SHIFT;
      if (words[at + PLACE]! >>> 2 === port && words[at + LOW] === (low | 0)) return true;
    }
    return false;
  }

  /** The columns have grown. */
  grow(): void {
    this.#chains.clear();
    const { words, entries } = this.#rows;
    for (let row = 1; row < entries.length; row++) {
      if (words[(row << ROW_SHIFT) + PLACE] !== 0) this.#chains.add(row, this.#hashOf(row));
    }
  }

  #hashOf(row: number): number {
    const at = row << ROW_SHIFT;
    const { words } = this.#rows;
    return this.#hash(words[at + LOW]!, words[at + PLACE]! >>> 2);
  }

  #hash(low: number, port: number): number {
    return mix(low ^ this.#seed ^ Math.imul(port, 0x9e3779b1));
  }
}
