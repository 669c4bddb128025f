/** Lines of a control connection, in order, however they come; bounded. */
import type { Socket } from "node:net";

const LONGEST = 8192;
/** Longer than the other end tries a data connection. Milliseconds. */
const PATIENCE = 3000;

export class Lines {
  #held = "";
  #ended = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    socket.on("data", (data) => {
      this.#held += data.toString("latin1");
      if (this.#held.length > LONGEST) socket.destroy();
      this.#wake();
    });
    socket
      .on("error", () => {})
      .on("close", () => {
        this.#ended = true;
        this.#wake();
      });
  }

  /** The next one with its LF; null: there is none any more, or not in time. */
  async next(patience = PATIENCE): Promise<string | null> {
    const end = Date.now() + patience;
    for (;;) {
      const at = this.#held.indexOf("\n") + 1;
      if (at > 0) {
        const line = this.#held.slice(0, at);
        this.#held = this.#held.slice(at);
        return line;
      }
      const left = end - Date.now();
      if (this.#ended || left <= 0) return null;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Up to a line that begins so; null: it does not come. */
  async until(start: string): Promise<string | null> {
    let all = "";
    for (;;) {
      const line = await this.next();
      if (line === null) return null;
      all += line;
      if (line.startsWith(start)) return all;
    }
  }
}
