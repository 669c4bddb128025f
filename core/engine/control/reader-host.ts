import type { RelatedEntry } from "../../flow/related.ts";
import type { ControlHost, Decision } from "../../inspect/control.ts";
import type { Direction } from "../../units.ts";
import type { Way } from "./way.ts";

/** What is left to whoever runs the connection. */
export type FlowHost = Pick<ControlHost, "prepare" | "explain">;

/** What the reader of the streams asks for: its output waits in the ways, all else is the host's. */
export class ReaderHost implements ControlHost {
  /** The reader wants the connection to end. */
  failed = false;
  readonly #host: FlowHost;
  readonly #original: Way;
  readonly #reply: Way;

  constructor(host: FlowHost, original: Way, reply: Way) {
    this.#host = host;
    this.#original = original;
    this.#reply = reply;
  }

  forward(direction: Direction, bytes: Uint8Array): void {
    (direction === "original" ? this.#original : this.#reply).outbound.append(bytes);
  }

  prepare(entry: RelatedEntry, answered: RelatedEntry | null): void {
    this.#host.prepare(entry, answered);
  }

  explain(decision: Decision): void {
    this.#host.explain(decision);
  }

  abort(): void {
    this.failed = true;
  }
}
