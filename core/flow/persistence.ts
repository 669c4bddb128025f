import type { Ms } from "../units.ts";
import { later } from "../units.ts";
import type { Address } from "../wire/address.ts";

interface Template<T> {
  realserver: T;
  /** Whose place it took since. */
  before: readonly T[];
  /** Connections open now that go to one of them because of this template. */
  active: number;
  expires: Ms;
}

/**
 * Persistence templates of one service: this client (or client network, as `ipvsadm -M`) goes to this realserver, for
 * as long as it has connections and `timeout` after. LVS-HOWTO's persistent connection; also what keeps a port group
 * together.
 */
export class PersistenceTable<T> {
  readonly #templates = new Map<string, Template<T>>();
  #timeout: Ms;
  readonly #prefix: number | null;

  /** `prefix`: bits of the client's network; null: the whole address. */
  constructor(timeout: Ms, prefix: number | null) {
    this.#timeout = timeout;
    this.#prefix = prefix;
  }

  get size(): number {
    return this.#templates.size;
  }

  find(client: Address, now: Ms): T | null {
    const key = this.#key(client);
    const template = this.#templates.get(key);
    if (template === undefined) return null;
    if (template.active > 0 || now < template.expires) return template.realserver;
    this.#templates.delete(key);
    return null;
  }

  /** A connection of `client` to `realserver` opened. */
  opened(client: Address, realserver: T, now: Ms): void {
    const key = this.#key(client);
    const template = this.#templates.get(key);
    if (template === undefined || template.realserver !== realserver) {
      this.#templates.set(key, { realserver, before: [], active: 1, expires: later(now, this.#timeout) });
    } else {
      template.active++;
      template.expires = later(now, this.#timeout);
    }
  }

  closed(client: Address, realserver: T, now: Ms): void {
    const template = this.#templates.get(this.#key(client));
    if (template === undefined || template.active === 0) return;
    if (template.realserver !== realserver && !template.before.includes(realserver)) return;
    template.active--;
    template.expires = later(now, this.#timeout);
  }

  /** `heir` takes the place of `realserver`: whoever would be led to that one, and has connections there or not. */
  bequeath(realserver: T, heir: T): void {
    for (const template of this.#templates.values()) {
      if (template.realserver !== realserver) continue;
      template.before = [...template.before, realserver];
      template.realserver = heir;
    }
  }

  /** The same of its clients that have no connections there. */
  bequeathIdle(realserver: T, heir: T): void {
    for (const template of this.#templates.values()) {
      if (template.realserver === realserver && template.active === 0) template.realserver = heir;
    }
  }

  /** Whether connections of `client` are open because of its template. */
  isOpen(client: Address): boolean {
    return (this.#templates.get(this.#key(client))?.active ?? 0) > 0;
  }

  /** How long from now on; what began before keeps the time that it was given. */
  retime(timeout: Ms): void {
    this.#timeout = timeout;
  }

  /** `realserver` is gone: its clients are scheduled anew. Returns how many. */
  purge(realserver: T): number {
    return this.#purge((template) => template.realserver === realserver);
  }

  /** The same for its clients that have no connections there. */
  purgeIdle(realserver: T): number {
    return this.#purge((template) => template.realserver === realserver && template.active === 0);
  }

  *[Symbol.iterator](): Iterator<Template<T> & { readonly client: string }> {
    for (const [client, template] of this.#templates) yield { client, ...template };
  }

  advance(now: Ms): void {
    for (const [key, { active, expires }] of this.#templates) {
      if (active === 0 && now >= expires) this.#templates.delete(key);
    }
  }

  #purge(gone: (template: Template<T>) => boolean): number {
    const before = this.#templates.size;
    for (const [key, template] of this.#templates) if (gone(template)) this.#templates.delete(key);
    return before - this.#templates.size;
  }

  #key(client: Address): string {
    const { family } = client;
    if (this.#prefix === null) return client.toString();
    return client.network(Math.min(this.#prefix, family === 4 ? 32 : 128)).toString();
  }
}
