/** What the end that opened a connection wants to know of another one (ident): its first question. */
import type { Direction, Helper, PortPair } from "../../core/helper/api.ts";

type AsksAbout = NonNullable<Helper["asksAbout"]>;

export interface Question {
  /** The connection that it is about. */
  readonly about: PortPair;
  readonly frame: number;
}

/** Listens until it is asked. */
export class Questioner {
  question: Question | null = null;
  readonly #asksAbout: AsksAbout;
  /** So far; null: it is over. */
  #said: Uint8Array | null = new Uint8Array(0);

  constructor(asksAbout: AsksAbout) {
    this.#asksAbout = asksAbout;
  }

  /** Bytes in order. `asksAbout` knows how many of them are too many. */
  data(direction: Direction, bytes: Uint8Array, frame: number): void {
    if (direction === "reply" || this.#said === null) return;
    const said = Uint8Array.from([...this.#said, ...bytes]);
    const about = this.#asksAbout(said);
    this.#said = about === null ? said : null;
    if (about !== null && typeof about !== "string") this.question = { about, frame };
  }

  gap(direction: Direction): void {
    if (direction === "original") this.#said = null;
  }
}
