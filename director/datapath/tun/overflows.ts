/** Connections that the engine has because nftables had no room left for clients that are to stay. */
import type { LogLimit } from "../../log.ts";
import type { Overflow } from "./service-offload.ts";
import { MOST_CLIENTS } from "./service-rules.ts";

export class Overflows {
  readonly #log: Pick<LogLimit, "log">;
  /** Realservers whose sets have been full, and of whom it was said. */
  readonly #said = new Set<string>();

  constructor(log: Pick<LogLimit, "log">) {
    this.#log = log;
  }

  /** Tells of each realserver in `found` once, since nobody would see it otherwise. How many connections they are in all. */
  tell(found: readonly Overflow[]): number {
    for (const { service, realserver } of found) {
      const name = `${service} ${realserver}`;
      if (this.#said.has(name)) continue;
      this.#said.add(name);
      this.#log.log("warn", "clients-full", {
        ...{ service, realserver, clients: MOST_CLIENTS },
        remedy:
          "the engine has those beyond: shorten persistence, or know clients by their network (persistenceNetmask)",
      });
    }
    return found.reduce((sum, { connections }) => sum + connections, 0);
  }
}
