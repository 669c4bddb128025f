import { viewOf } from "../../../core/wire/bytes.ts";

/** A power of two. */
const MOST = 32;

/** Views of the few buffers that the same host is handed again and again: to make one is dearer than what it is made for. */
export class Views {
  readonly #bytes: Uint8Array[] = new Array(MOST).fill(new Uint8Array(0));
  readonly #views: DataView[] = new Array(MOST).fill(viewOf(new Uint8Array(0)));
  #next = 0;

  of(bytes: Uint8Array): DataView {
    for (let i = 0; i < MOST; i++) if (this.#bytes[i] === bytes) return this.#views[i]!;
    const view = viewOf(bytes);
    this.#bytes[this.#next] = bytes;
    this.#views[this.#next] = view;
    this.#next = (this.#next + 1) & (MOST - 1);
    return view;
  }
}
