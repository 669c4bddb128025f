/**
 * Where related entries are waited for. By number, so that the packet engine can ask for each new flow of a flood
 * without making anything; and only related entries are ever in here.
 */
import { mix } from "../schedule/hash.ts";
import type { Direction, Endpoint, PartialEndpoint, Transport } from "../units.ts";
import type { Address } from "../wire/address.ts";

/** What is asked of a related entry here. */
interface Awaited {
  readonly transport: Transport;
  readonly opener: Direction;
  readonly from: PartialEndpoint;
  readonly seen: Endpoint | null;
}

/** What V8 keeps without a heap object. */
const SMALL = 0x3fffffff;

/** Of an end: the last 32 bits of its address, and its port. */
const keyOf = (low: number, port: number): number => mix(low ^ Math.imul(port, 0x9e3779b1)) & SMALL;

export class Placed<T extends Awaited> {
  /** Nearly always one for each key. */
  readonly #entries = new Map<number, T | T[]>();

  /**
   * False: somebody is waited for there already. An end that clients connect to has one entry, whoever they are, so
   * that transfers cannot be crossed. A client's own port may be announced to several realservers.
   */
  add(entry: T): boolean {
    const { transport, seen, from, opener } = entry;
    const key = keyOf(seen!.address.words[3], seen!.port);
    const there = this.#entries.get(key);
    if (there === undefined) this.#entries.set(key, entry);
    else {
      if (among(there, transport, seen!, opener === "reply" ? from.address : null) !== undefined) return false;
      this.#entries.set(key, Array.isArray(there) ? [...there, entry] : [there, entry]);
    }
    return true;
  }

  delete(entry: T): void {
    if (entry.seen === null) return;
    const key = keyOf(entry.seen.address.words[3], entry.seen.port);
    const there = this.#entries.get(key);
    if (there === entry) this.#entries.delete(key);
    else if (Array.isArray(there)) {
      const others = there.filter((other) => other !== entry);
      this.#entries.set(key, others.length === 1 ? others[0]! : others);
    }
  }

  /** Who is waited for at `seen`; `from` it, unless that is null. */
  at(transport: Transport, seen: Endpoint, from: Address | null = null): T | undefined {
    const there = this.#entries.get(keyOf(seen.address.words[3], seen.port));
    return there === undefined ? undefined : among(there, transport, seen, from);
  }

  /** False: nobody is waited for at this end, nor at one like it. */
  may(low: number, port: number): boolean {
    return this.#entries.size > 0 && this.#entries.has(keyOf(low >>> 0, port));
  }
}

function among<T extends Awaited>(
  there: T | readonly T[],
  transport: Transport,
  seen: Endpoint,
  from: Address | null,
): T | undefined {
  if (!Array.isArray(there)) return isAwaited(there as T, transport, seen, from) ? (there as T) : undefined;
  return there.find((entry) => isAwaited(entry, transport, seen, from));
}

const isAwaited = (entry: Awaited, transport: Transport, seen: Endpoint, from: Address | null): boolean =>
  entry.transport === transport &&
  entry.seen!.port === seen.port &&
  entry.seen!.address.equals(seen.address) &&
  (from === null || entry.from.address?.equals(from) === true);
