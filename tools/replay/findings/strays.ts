/** Answers to a SYN that come from another address than it was sent to: of a realserver, past the director. */
import { B, type Flows } from "../flows.ts";
import type { Scene } from "./finding.ts";
import { listenerOf, otherEnd, SYN, unanswered } from "./flow.ts";

export class Strays {
  readonly #flows: Flows;
  /** Rows of which there is the answer alone, by the ports of opener and listener. */
  readonly #byPorts = new Map<string, number[]>();

  constructor({ flows, controls }: Scene) {
    this.#flows = flows;
    const rows = controls.flatMap(({ control, related }) => [control.row, ...related.map(({ flow }) => flow)]);
    const asked = rows.filter((row) => row >= 0 && unanswered(flows, row) === "silence");
    if (asked.length === 0) return;
    for (const row of flows.having(asked.map((row) => flows.port(row, listenerOf(flows, row)!)))) {
      const listener = flows.isTcp(row) ? listenerOf(flows, row) : null;
      if (listener === null || (flows.flagsOf(row, otherEnd(listener)) & SYN) !== 0) continue;
      if ((flows.flagsOf(row, listener) & SYN) === 0) continue;
      const key = this.#ports(row);
      this.#byPorts.set(key, [...(this.#byPorts.get(key) ?? []), row]);
    }
  }

  /** What answers the SYN of `row`, to whoever sent it: a row, or -1. */
  of(row: number): number {
    const flows = this.#flows;
    const opener = otherEnd(listenerOf(flows, row) ?? B);
    const client = flows.address(row, opener);
    const others = this.#byPorts.get(this.#ports(row)) ?? [];
    return (
      others.find(
        (other) =>
          flows.firstFrame(other) > flows.firstFrame(row) &&
          flows.hasAddress(other, otherEnd(listenerOf(flows, other)!), client),
      ) ?? -1
    );
  }

  #ports(row: number): string {
    const listener = listenerOf(this.#flows, row) ?? B;
    return `${this.#flows.port(row, otherEnd(listener))} ${this.#flows.port(row, listener)}`;
  }
}
