import type { Edit } from "../nat/splice.ts";
import type { ByteRange, PartialEndpoint, PortRange } from "../units.ts";
import type { Actions, Announcement, PortPair, Ref, Render, Replacement } from "./api.ts";

export interface Expected {
  readonly ref: Ref;
  readonly bundle: readonly Announcement[];
}

export interface Rewrite extends ByteRange {
  readonly ref: Ref;
  readonly index: number;
  readonly render: Render;
}

export interface Translation extends ByteRange {
  readonly pair: PortPair;
  readonly render: (seen: PortPair) => string;
}

export interface Settlement {
  readonly ref: Ref;
  readonly outcome: "accepted" | "rejected";
  readonly completed: readonly (PartialEndpoint | null)[] | null;
}

export interface Refusal {
  readonly code: string;
  readonly at: ByteRange;
  readonly instead: Replacement;
}

export interface Remark {
  readonly code: string;
  readonly at: ByteRange | null;
}

/** Of a list that nothing was added to; shared by all. */
const NONE: never[] = [];

/**
 * Collects what one `inspect()` asked for: the one implementation of `Actions`. Director, fuzzer and replay differ only
 * in what they do with it next. One recorder serves many calls; `clear` it before each. Its lists are new for each call,
 * so that whoever holds one may keep it.
 */
export class Recorder implements Actions {
  expected: readonly Expected[] = NONE;
  rewrites: readonly Rewrite[] = NONE;
  /** What `write` asked for, as it came. */
  edits: readonly Edit[] = NONE;
  translations: readonly Translation[] = NONE;
  settled: readonly Settlement[] = NONE;
  revoked: readonly Ref[] = NONE;
  refusals: readonly Refusal[] = NONE;
  groups: readonly { readonly reason: string; readonly ports: readonly PortRange[] | null }[] = NONE;
  /** What the connection is `about`. */
  subjects: readonly string[] = NONE;
  faults: readonly Remark[] = NONE;
  notes: readonly Remark[] = NONE;
  #refs = 0;
  #recorded = 0;

  /** Nothing was asked for: the consumed bytes pass as they are. */
  get empty(): boolean {
    return this.#recorded === 0;
  }

  clear(): void {
    if (this.#recorded === 0) return;
    this.#recorded = 0;
    this.expected = NONE;
    this.rewrites = NONE;
    this.edits = NONE;
    this.translations = NONE;
    this.settled = NONE;
    this.revoked = NONE;
    this.refusals = NONE;
    this.groups = NONE;
    this.subjects = NONE;
    this.faults = NONE;
    this.notes = NONE;
  }

  expect(...bundle: readonly Announcement[]): Ref {
    const ref = ++this.#refs as Ref;
    this.expected = this.#with(this.expected, { ref, bundle });
    return ref;
  }

  rewrite(start: number, end: number, ref: Ref, render: Render, index = 0): void {
    this.rewrites = this.#with(this.rewrites, { start, end, ref, index, render });
  }

  write(start: number, end: number, text: string): void {
    this.edits = this.#with(this.edits, { start, end, text });
  }

  translate(start: number, end: number, pair: PortPair, render: (seen: PortPair) => string): void {
    this.translations = this.#with(this.translations, { start, end, pair, render });
  }

  settle(ref: Ref, outcome: "accepted" | "rejected", completed?: readonly (PartialEndpoint | null)[]): void {
    this.settled = this.#with(this.settled, { ref, outcome, completed: completed ?? null });
  }

  revoke(ref: Ref): void {
    this.revoked = this.#with(this.revoked, ref);
  }

  refuse(code: string, at: ByteRange, instead: Replacement): void {
    this.refusals = this.#with(this.refusals, { code, at, instead });
  }

  group(reason: string, ports?: readonly PortRange[]): void {
    this.groups = this.#with(this.groups, { reason, ports: ports ?? null });
  }

  about(subject: string): void {
    this.subjects = this.#with(this.subjects, subject);
  }

  fault(code: string, at?: ByteRange): void {
    this.faults = this.#with(this.faults, { code, at: at ?? null });
  }

  note(code: string, at?: ByteRange): void {
    this.notes = this.#with(this.notes, { code, at: at ?? null });
  }

  /** Nearly all lists have one item: an array made with it is a third of one that it is pushed onto. */
  #with<T>(list: readonly T[], item: T): readonly T[] {
    this.#recorded++;
    if (list.length === 0) return [item];
    // Made here, and nobody's but this recorder's until the next call.
    (list as T[]).push(item);
    return list;
  }
}
