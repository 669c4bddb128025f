import type { Ms } from "../units.ts";
import { later } from "../units.ts";
import type { Address } from "../wire/address.ts";

interface Template<T> {
  realserver: T;
  /** Connections open now that go to it because of this template. */
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
  readonly #timeout: Ms;
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
      this.#templates.set(key, { realserver, active: 1, expires: later(now, this.#timeout) });
    } else {
      template.active++;
      template.expires = later(now, this.#timeout);
    }
  }

  closed(client: Address, realserver: T, now: Ms): void {
    const template = this.#templates.get(this.#key(client));
    if (template?.realserver !== realserver || template.active === 0) return;
    template.active--;
    template.expires = later(now, this.#timeout);
  }

  /** `realserver` is gone: its clients are scheduled anew. */
  purge(realserver: T): void {
    for (const [key, template] of this.#templates) if (template.realserver === realserver) this.#templates.delete(key);
  }

  advance(now: Ms): void {
    for (const [key, { active, expires }] of this.#templates) {
      if (active === 0 && now >= expires) this.#templates.delete(key);
    }
  }

  #key(client: Address): string {
    const { family } = client;
    if (this.#prefix === null) return client.toString();
    return client.network(Math.min(this.#prefix, family === 4 ? 32 : 128)).toString();
  }
}
