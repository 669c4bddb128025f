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

/**
 * Collects what one `inspect()` asked for: the one implementation of `Actions`. Director, fuzzer and replay differ only
 * in what they do with it next. One recorder serves a whole control connection; `clear` it before each call.
 */
export class Recorder implements Actions {
  readonly expected: Expected[] = [];
  readonly rewrites: Rewrite[] = [];
  /** What `write` asked for, as it came. */
  readonly edits: Edit[] = [];
  readonly translations: Translation[] = [];
  readonly settled: Settlement[] = [];
  readonly revoked: Ref[] = [];
  readonly refusals: Refusal[] = [];
  readonly groups: { readonly reason: string; readonly ports: readonly PortRange[] | null }[] = [];
  /** What the connection is `about`. */
  readonly subjects: string[] = [];
  readonly faults: Remark[] = [];
  readonly notes: Remark[] = [];
  #refs = 0;
  #recorded = 0;

  /** Nothing was asked for: the consumed bytes pass as they are. */
  get empty(): boolean {
    return this.#recorded === 0;
  }

  clear(): void {
    if (this.#recorded === 0) return;
    this.#recorded = 0;
    for (const list of [this.expected, this.rewrites, this.edits, this.settled, this.revoked]) empty(list);
    for (const list of [this.translations, this.refusals, this.groups, this.subjects, this.faults, this.notes]) {
      empty(list);
    }
  }

  expect(...bundle: readonly Announcement[]): Ref {
    const ref = ++this.#refs as Ref;
    this.#record(this.expected, { ref, bundle });
    return ref;
  }

  rewrite(start: number, end: number, ref: Ref, render: Render, index = 0): void {
    this.#record(this.rewrites, { start, end, ref, index, render });
  }

  write(start: number, end: number, text: string): void {
    this.#record(this.edits, { start, end, text });
  }

  translate(start: number, end: number, pair: PortPair, render: (seen: PortPair) => string): void {
    this.#record(this.translations, { start, end, pair, render });
  }

  settle(ref: Ref, outcome: "accepted" | "rejected", completed?: readonly (PartialEndpoint | null)[]): void {
    this.#record(this.settled, { ref, outcome, completed: completed ?? null });
  }

  revoke(ref: Ref): void {
    this.#record(this.revoked, ref);
  }

  refuse(code: string, at: ByteRange, instead: Replacement): void {
    this.#record(this.refusals, { code, at, instead });
  }

  group(reason: string, ports?: readonly PortRange[]): void {
    this.#record(this.groups, { reason, ports: ports ?? null });
  }

  about(subject: string): void {
    this.#record(this.subjects, subject);
  }

  fault(code: string, at?: ByteRange): void {
    this.#record(this.faults, { code, at: at ?? null });
  }

  note(code: string, at?: ByteRange): void {
    this.#record(this.notes, { code, at: at ?? null });
  }

  #record<T>(list: T[], item: T): void {
    this.#recorded++;
    list.push(item);
  }
}

/** To set the length of an array is slow, and most of them are empty or have one. */
function empty(list: unknown[]): void {
  while (list.length > 0) list.pop();
}
