/** What happens, for those who watch; and the last refusals, for those who come later. */
import type { Fields, Level, Log } from "../log.ts";

export type Event = Fields & { readonly time: string; readonly level: Level; readonly event: string };

type Watcher = (event: Event) => void;

const REFUSALS: ReadonlySet<string> = new Set(["refusal", "dropped", "realserver-refused", "related-failed"]);
/** Kept of them. */
const MOST_REFUSALS = 1000;

interface Kept {
  readonly at: number;
  readonly level: Level;
  readonly event: string;
  readonly fields: Fields;
}

export class Events {
  /** Of flows that have ended, by their way. */
  readonly bytes = { original: 0, reply: 0 };
  readonly #log: Log;
  readonly #watchers = new Set<Watcher>();
  /** A ring: the oldest gives way. */
  readonly #refusals: Kept[] = [];
  #refused = 0;
  /** Told when the first begins to watch, and when the last has stopped. */
  watched: (watched: boolean) => void = () => {};

  /** What is told goes to `log` as well, which passes on what its level lets through. */
  constructor(log: Log) {
    this.#log = log;
  }

  readonly log: Log = (level, event, fields = {}) => {
    this.#log(level, event, fields);
    if (event === "closed") this.#add(fields);
    const refusal = REFUSALS.has(event);
    if (!refusal && this.#watchers.size === 0) return;
    const kept = { at: Date.now(), level, event, fields };
    if (refusal) this.#refusals[this.#refused++ % MOST_REFUSALS] = kept;
    if (this.#watchers.size > 0) for (const watcher of this.#watchers) watcher(shown(kept));
  };

  #add({ original, reply }: Fields): void {
    if (typeof original === "number") this.bytes.original += original;
    if (typeof reply === "number") this.bytes.reply += reply;
  }

  /** Returns how to stop. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1) this.watched(true);
    return () => {
      if (this.#watchers.delete(watcher) && this.#watchers.size === 0) this.watched(false);
    };
  }

  /** The last `most`, the latest first. */
  refusals(most: number): Event[] {
    const count = Math.min(most, this.#refusals.length);
    return Array.from({ length: count }, (_, i) => shown(this.#refusals[(this.#refused - 1 - i) % MOST_REFUSALS]!));
  }
}

const shown = ({ at, level, event, fields }: Kept): Event => ({
  time: new Date(at).toISOString(),
  level,
  event,
  ...fields,
});
