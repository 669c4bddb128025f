import type { Port } from "../units.ts";

/**
 * Public ports of one address for related entries. First in, first out: a port just used is the last to be used again,
 * so that a late segment or a slow client of the earlier transfer does not meet the next one.
 */
export class PortPool {
  readonly #free = new Set<Port>();
  readonly #taken = new Set<Port>();

  /** Ports that can be taken now. */
  get free(): number {
    return this.#free.size;
  }

  get taken(): number {
    return this.#taken.size;
  }

  /** A further port of this address may be given out from now on. */
  offer(port: Port): void {
    if (!this.#taken.has(port)) this.#free.add(port);
  }

  /** `preferred` if it is free, else the one that was idle longest; null when all are taken. */
  take(preferred?: Port): Port | null {
    const port = preferred !== undefined && this.#free.has(preferred) ? preferred : this.#free.values().next().value;
    if (port === undefined) return null;
    this.#free.delete(port);
    this.#taken.add(port);
    return port;
  }

  give(port: Port): void {
    if (this.#taken.delete(port)) this.#free.add(port);
  }

  /** `port` is not to be given out any more. */
  withdraw(port: Port): void {
    this.#free.delete(port);
    this.#taken.delete(port);
  }
}
