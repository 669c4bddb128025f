/** The main thread's questions to the one that forwards, and whose answer is whose. */
import type { Page } from "../../control/operated.ts";
import { HelperError } from "../../helpers.ts";
import type { Answers, Asked, Command, Reply, Trouble } from "./messages.ts";

interface Waiting {
  readonly items: unknown[];
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Asks {
  readonly #tell: (command: Command) => void;
  readonly #waiting = new Map<number, Waiting>();
  #ids = 0;
  #over: Error | null = null;

  constructor(tell: (command: Command) => void) {
    this.#tell = tell;
  }

  /** Rejects with a HelperError where a helper is wrong; with any Error where the thread is gone. */
  ask<W extends keyof Answers>(
    asked: Extract<Asked, { readonly what: unknown }> & { readonly what: W },
  ): Promise<Answers[W]> {
    if (this.#over !== null) return Promise.reject(this.#over);
    const id = ++this.#ids;
    return new Promise<Answers[W]>((resolve, reject) => {
      this.#waiting.set(id, { items: [], resolve: resolve as Waiting["resolve"], reject });
      this.#tell({ type: "ask", id, asked });
    });
  }

  hear(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    if (reply.type === "items") {
      for (const item of reply.items) waiting.items.push(item);
      return;
    }
    this.#waiting.delete(reply.id);
    if (reply.type === "trouble") return waiting.reject(errorOf(reply.trouble));
    waiting.resolve(isRest(reply.answer) ? { items: waiting.items, next: reply.answer.next } : reply.answer);
  }

  /** Nobody answers any more. */
  end(error: Error): void {
    this.#over = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** What a list ends with: its items came before. */
export type Rest = Pick<Page<unknown>, "next">;

const isRest = (answer: unknown): answer is Rest => typeof answer === "object" && answer !== null && "next" in answer;

export const troubleOf = (error: unknown): Trouble =>
  error instanceof Error ? { name: error.name, message: error.message } : { name: "Error", message: String(error) };

const errorOf = ({ name, message }: Trouble): Error =>
  name === "HelperError" ? new HelperError(message) : new Error(message);
