/** What one control connection says in the log: its decisions, so many lines of each kind. */
import type { RelatedEntry } from "../../core/flow/related.ts";
import type { Decision } from "../../core/inspect/control.ts";
import { endpointText } from "../../core/units.ts";
import type { Fields, Level, Log } from "../log.ts";

/** Lines of one kind that one control connection may log; further ones are counted. */
const MOST_LINES = 10;

/** How loud a decision is. A datagram's sender may be made up: what anybody can cause is for those who look for it. */
const LEVELS: Readonly<Record<"stream" | "datagrams", Readonly<Partial<Record<Decision["outcome"], Level>>>>> = {
  stream: { expected: "info", refused: "warn", fault: "info", group: "info" },
  datagrams: { refused: "warn" },
};

export class DecisionLog {
  readonly #id: number;
  readonly #log: Log;
  readonly #levels: (typeof LEVELS)["stream"];
  readonly #lines = new Map<string, number>();

  constructor(id: number, of: keyof typeof LEVELS, log: Log) {
    this.#id = id;
    this.#levels = LEVELS[of];
    this.#log = log;
  }

  tell(decision: Decision): void {
    const { outcome, reason, direction, related } = decision;
    if (!this.#mayLog(outcome)) return;
    const level = this.#levels[outcome] ?? "debug";
    if (outcome === "expected") {
      for (const entry of related) this.#log(level, "related", this.#describe(entry));
    } else {
      // It is made when it is asked for.
      const { message } = decision;
      this.#log(level, outcome === "refused" ? "refusal" : outcome, { control: this.#id, reason, message, direction });
    }
  }

  #mayLog(outcome: string): boolean {
    if (outcome === "expected") return true;
    const lines = (this.#lines.get(outcome) ?? 0) + 1;
    this.#lines.set(outcome, lines);
    if (lines <= MOST_LINES) return true;
    if (lines === MOST_LINES + 1) this.#log("warn", "log-limited", { control: this.#id, of: outcome });
    return false;
  }

  #describe({ id, kind, from, target, seen, opener }: RelatedEntry): Fields {
    const opens = `${from.address}:${from.port ?? "any"}`;
    return {
      control: this.#id,
      related: id,
      kind,
      opener: opener === "original" ? "client" : "realserver",
      from: opens,
      seen: seen === null ? null : endpointText(seen),
      to: endpointText(target),
    };
  }
}
