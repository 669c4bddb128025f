/**
 * Reassembly of IP fragments (RFC 791 §3.2, RFC 8200 §4.5), bounded: so many datagrams and so many bytes at once, the
 * oldest gives way. As in the reassembly of streams the bytes that came first win where fragments overlap; an IPv6
 * datagram with overlapping fragments is discarded instead (RFC 5722 §4).
 */
import type { Ms } from "../units.ts";

/** As in RFC 8200 §4.5: sixty seconds after the first fragment came, the others are not waited for. */
const PATIENCE = 60_000;
const LONGEST = 65_535;
/** Runs of bytes with holes between them; more are no network's doing but an attack on the list. */
const MOST_PIECES = 256;

export interface FragmentLimits {
  readonly datagrams: number;
  readonly bytes: number;
}

const DEFAULT_LIMITS: FragmentLimits = { datagrams: 256, bytes: 4 * 1024 * 1024 };

export interface Fragment {
  /** Source, destination, identification, and the protocol where the family counts it in. */
  readonly key: string;
  readonly family: 4 | 6;
  /** In bytes. */
  readonly offset: number;
  readonly last: boolean;
  /** Of the payload, for the fragment at offset 0. */
  readonly protocol: number;
}

export interface Datagram {
  readonly payload: Uint8Array;
  readonly protocol: number;
}

/** Bytes `[start, end)` that are there. */
interface Piece {
  readonly start: number;
  readonly end: number;
}

interface Pending {
  readonly since: Ms;
  bytes: Uint8Array;
  /** Ascending, disjoint, not adjacent. */
  pieces: Piece[];
  /** Known once the last fragment came. */
  total: number;
  protocol: number;
}

export class Fragments {
  readonly #limits: FragmentLimits;
  /** In order of arrival of their first fragments. */
  readonly #pending = new Map<string, Pending>();
  #held = 0;
  /** Datagrams given up: no room, no time, or contradictory. */
  dropped = 0;

  constructor(limits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  /** Takes a copy of the fragment's payload. The whole datagram, when this was what it lacked. */
  add(fragment: Fragment, payload: Uint8Array, now: Ms): Datagram | null {
    const { key, offset, last } = fragment;
    const end = offset + payload.length;
    // RFC 8200 §4.5: all but the last are multiples of 8 bytes. An empty one adds nothing.
    if (payload.length === 0 || end > LONGEST || (!last && payload.length % 8 !== 0)) return null;
    const pending = this.#find(key, now);
    if (!this.#place(pending, fragment, payload)) {
      this.#drop(key, pending);
      return null;
    }
    const only = pending.pieces[0]!;
    if (only.start !== 0 || only.end !== pending.total) {
      this.#makeRoom();
      return null;
    }
    this.#forget(key, pending);
    return { payload: pending.bytes.subarray(0, pending.total), protocol: pending.protocol };
  }

  #find(key: string, now: Ms): Pending {
    const known = this.#pending.get(key);
    if (known !== undefined) {
      if (now - known.since <= PATIENCE) return known;
      this.#drop(key, known);
    }
    const pending = { since: now, bytes: new Uint8Array(0), pieces: [], total: -1, protocol: -1 };
    this.#pending.set(key, pending);
    return pending;
  }

  /** False: it contradicts what is there. */
  #place(pending: Pending, fragment: Fragment, payload: Uint8Array): boolean {
    const { offset } = fragment;
    const added = { start: offset, end: offset + payload.length };
    if (!fits(pending, added, fragment.last)) return false;
    if (fragment.family === 6 && overlaps(pending.pieces, added)) return repeats(pending.pieces, added);
    if (fragment.last) pending.total = added.end;
    if (offset === 0 && pending.protocol < 0) pending.protocol = fragment.protocol;
    this.#reserve(pending, added.end);
    let at = offset;
    for (const piece of pending.pieces) {
      if (piece.end <= at) continue;
      if (piece.start >= added.end) break;
      if (piece.start > at) pending.bytes.set(payload.subarray(at - offset, piece.start - offset), at);
      at = piece.end;
    }
    if (at < added.end) pending.bytes.set(payload.subarray(at - offset), at);
    pending.pieces = united(pending.pieces, added);
    return pending.pieces.length <= MOST_PIECES;
  }

  #reserve(pending: Pending, length: number): void {
    if (length <= pending.bytes.length) return;
    const larger = new Uint8Array(Math.max(length, pending.bytes.length * 2));
    larger.set(pending.bytes);
    this.#held += larger.length - pending.bytes.length;
    pending.bytes = larger;
  }

  #makeRoom(): void {
    for (const [key, pending] of this.#pending) {
      if (this.#held <= this.#limits.bytes && this.#pending.size <= this.#limits.datagrams) return;
      this.#drop(key, pending);
    }
  }

  #drop(key: string, pending: Pending): void {
    this.dropped++;
    this.#forget(key, pending);
  }

  #forget(key: string, pending: Pending): void {
    this.#pending.delete(key);
    this.#held -= pending.bytes.length;
  }
}

/** Does a fragment agree with the end of the datagram, where that is known? */
function fits({ pieces, total }: Pending, { end }: Piece, last: boolean): boolean {
  if (total >= 0) return last ? end === total : end <= total;
  return !last || (pieces.at(-1)?.end ?? 0) <= end;
}

const overlaps = (pieces: readonly Piece[], { start, end }: Piece): boolean =>
  pieces.some((piece) => piece.start < end && start < piece.end);

/** An exact repetition is no overlap (RFC 8200 §4.5). */
const repeats = (pieces: readonly Piece[], { start, end }: Piece): boolean =>
  pieces.some((piece) => piece.start <= start && end <= piece.end);

/** `pieces` with `added`, still ascending, disjoint and not adjacent. */
function united(pieces: readonly Piece[], added: Piece): Piece[] {
  let { start, end } = added;
  const before: Piece[] = [];
  const after: Piece[] = [];
  for (const piece of pieces) {
    if (piece.end < start) before.push(piece);
    else if (piece.start > end) after.push(piece);
    else {
      start = Math.min(start, piece.start);
      end = Math.max(end, piece.end);
    }
  }
  return [...before, { start, end }, ...after];
}
