/** Connections that the engine has because nftables had no room left for clients that are to stay. */
import type { LogLimit } from "../../log.ts";
import type { Overflow } from "./service-offload.ts";
import { MOST_CLIENTS } from "./service-rules.ts";

export class Overflows {
  readonly #log: Pick<LogLimit, "log">;
  /** Connections by realserver, as told last; those of who was taken away stay in the sum. */
  readonly #counted = new Map<string, number>();

  constructor(log: Pick<LogLimit, "log">) {
    this.#log = log;
  }

  /** Of all realservers, since the director began. */
  get connections(): number {
    return [...this.#counted.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Tells of each realserver in `found` once, since nobody would see it otherwise. */
  tell(found: readonly Overflow[]): void {
    for (const { service, realserver, connections } of found) {
      const name = `${service} ${realserver}`;
      const known = this.#counted.has(name);
      this.#counted.set(name, connections);
      if (known) continue;
      this.#log.log("warn", "clients-full", {
        ...{ service, realserver, clients: MOST_CLIENTS },
        remedy:
          "the engine has those beyond: shorten persistence, or know clients by their network (persistenceNetmask)",
      });
    }
  }
}
