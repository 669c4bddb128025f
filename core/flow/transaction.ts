/**
 * Open requests of protocols that are scheduled request by request (RADIUS, DNS): who was asked, and by which socket.
 *
 *   client:C  id 7, authenticator X  -> virtual     new: scheduled, `open`
 *   client:C  id 7, authenticator X  -> virtual     sent again: `repeated` knows its realserver
 *   real:53 via upstream U, id 7     -> director    `answer` knows its client; nothing else does
 *
 * Each operation costs the same however many are open. Bounded: the one that was heard of longest ago gives way.
 */
import type { Reply, Request } from "../helper/api.ts";
import type { Ms } from "../units.ts";
import { later, ms } from "../units.ts";

export interface Transaction<R, U> {
  /** The client's endpoint, as text. */
  readonly client: string;
  readonly request: Request;
  readonly realserver: R;
  /** What the realserver was asked through, and will answer to: nothing that comes by another way is its answer. */
  readonly upstream: U;
  readonly opened: Ms;
  /** How often it was sent, the first time included. */
  sent: number;
  answered: number;
  expires: Ms;
}

/** - `expired`, `evicted`, `purged`, `replaced`: unanswered. - `done`: answered, and not expected to be sent again. */
export type EndReason = "expired" | "evicted" | "purged" | "replaced" | "done";

export interface TransactionOptions<R, U> {
  /** Open and lingering ones together. */
  readonly capacity: number;
  /** How long after it was last sent a request is open. */
  readonly patience: Ms;
  /** How long it is known after its answer. */
  readonly linger: Ms;
  readonly ended: (transaction: Transaction<R, U>, reason: EndReason) => void;
}

/** A second map in a map; the inner ones are dropped when they are empty. */
class Nested<K, V> {
  readonly #inner = new Map<K, Map<string, V>>();

  get(key: K, id: string): V | undefined {
    return this.#inner.get(key)?.get(id);
  }

  all(key: K): Iterable<V> {
    return this.#inner.get(key)?.values() ?? [];
  }

  has(key: K): boolean {
    return this.#inner.has(key);
  }

  set(key: K, id: string, value: V): void {
    const inner = this.#inner.get(key);
    if (inner === undefined) this.#inner.set(key, new Map([[id, value]]));
    else inner.set(id, value);
  }

  delete(key: K, id: string, value: V): void {
    const inner = this.#inner.get(key);
    if (inner?.get(id) !== value) return;
    inner.delete(id);
    if (inner.size === 0) this.#inner.delete(key);
  }
}

export class TransactionTable<R, U> {
  readonly #options: TransactionOptions<R, U>;
  /** Each in the order in which they expire, since all of one map wait equally long. */
  readonly #open = new Map<string, Transaction<R, U>>();
  readonly #answered = new Map<string, Transaction<R, U>>();
  readonly #byUpstream = new Nested<U, Transaction<R, U>>();
  readonly #byRealserver = new Nested<R, Transaction<R, U>>();

  constructor(options: TransactionOptions<R, U>) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size + this.#answered.size;
  }

  /** The request that `client` sends again, or null: it is a new one. */
  repeated(client: string, request: Request, now: Ms): Transaction<R, U> | null {
    const key = keyOf(client, request);
    const known = this.#open.get(key) ?? this.#answered.get(key);
    if (known === undefined) return null;
    if (now >= known.expires) {
      this.#end(known, known.answered > 0 ? "done" : "expired");
      return null;
    }
    known.sent++;
    this.#wait(key, known, this.#open, later(now, this.#options.patience));
    return known;
  }

  /** A request that `repeated` does not know. One with the same id through the same upstream gives way to it. */
  open(client: string, request: Request, realserver: R, upstream: U, now: Ms): Transaction<R, U> {
    const key = keyOf(client, request);
    for (const id of request.ids) {
      const before = this.#byUpstream.get(upstream, id);
      if (before !== undefined && before.request.ids[0] === request.ids[0]) this.#end(before, "replaced");
    }
    if (this.size >= this.#options.capacity) this.#evict();
    const expires = later(now, this.#options.patience);
    const transaction = { client, request, realserver, upstream, opened: now, sent: 1, answered: 0, expires };
    this.#open.set(key, transaction);
    this.#byRealserver.set(realserver, key, transaction);
    for (const id of request.ids) this.#byUpstream.set(upstream, id, transaction);
    return transaction;
  }

  /** What `reply`, which came through `upstream`, answers; or why nothing. */
  answer(upstream: U, { id }: Reply, now: Ms): Transaction<R, U> | "unknown-request" | "answered-already" {
    const asked = this.#byUpstream.get(upstream, id);
    if (asked === undefined || now >= asked.expires) return "unknown-request";
    // A request that was sent three times may be answered three times.
    if (asked.answered >= asked.sent) return "answered-already";
    asked.answered++;
    const { linger } = this.#options;
    if (linger === 0) this.#end(asked, "done");
    else this.#wait(keyOf(asked.client, asked.request), asked, this.#answered, later(now, linger));
    return asked;
  }

  /** Whether anything is known that was asked through `upstream`. */
  uses(upstream: U): boolean {
    return this.#byUpstream.has(upstream);
  }

  /** `realserver` is gone: what it was asked is scheduled anew when it is sent again. Returns how many those were. */
  purge(realserver: R): number {
    const lost = [...this.#byRealserver.all(realserver)];
    for (const transaction of lost) this.#end(transaction, "purged");
    return lost.length;
  }

  /** It is asked anew when it is sent again. */
  end(transaction: Transaction<R, U>): void {
    this.#end(transaction, "purged");
  }

  /** `upstream` is gone: its answers have no way to come any more. */
  close(upstream: U): void {
    for (const transaction of [...this.#byUpstream.all(upstream)]) this.#end(transaction, "purged");
  }

  advance(now: Ms): void {
    for (const [queue, reason] of [[this.#open, "expired"] as const, [this.#answered, "done"] as const]) {
      for (const transaction of queue.values()) {
        if (now < transaction.expires) break;
        this.#end(transaction, reason);
      }
    }
  }

  /** One that is answered rather than one that is open. */
  #evict(): void {
    const oldest = this.#answered.values().next().value ?? this.#open.values().next().value;
    if (oldest !== undefined) this.#end(oldest, "evicted");
  }

  /** Puts it at the end of `queue`. */
  #wait(key: string, transaction: Transaction<R, U>, queue: Map<string, Transaction<R, U>>, expires: Ms): void {
    this.#open.delete(key);
    this.#answered.delete(key);
    transaction.expires = expires;
    queue.set(key, transaction);
  }

  #end(transaction: Transaction<R, U>, reason: EndReason): void {
    const { client, request, realserver, upstream } = transaction;
    const key = keyOf(client, request);
    if (!this.#open.delete(key) && !this.#answered.delete(key)) return;
    transaction.expires = ms(0);
    this.#byRealserver.delete(realserver, key, transaction);
    for (const id of request.ids) this.#byUpstream.delete(upstream, id, transaction);
    this.#options.ended(transaction, reason);
  }
}

const keyOf = (client: string, { same }: Request): string => `${client} ${same}`;
