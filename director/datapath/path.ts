/** One way for packets to go: what the director starts, asks and ends, whichever it is. */
import type { Operated } from "../control/operated.ts";
import type { Fields } from "../log.ts";

export interface Datapath {
  /** What `ready` says of it. */
  readonly about: Fields;
  /** null: it cannot be asked or changed while it runs. */
  readonly operated: Operated | null;
  /** Settles, with why, when it ended by itself: nothing is forwarded any more. */
  readonly failure?: Promise<Error>;
  /** Takes clients from then on; on failure nothing is left open, and why is thrown. */
  start(): Promise<void>;
  /** All that needs privileges was done: gives up what it can. */
  confine?(): void;
  /** Takes no new clients, lets flows finish for as long as the configuration gives them, then cuts what is left. */
  stop(): Promise<void>;
  /** Ends at once. What still runs is cut, so that nobody takes it for whole. */
  abort(): void;
  /** Whether somebody wants to be told all that happens, whatever goes to the log. */
  watched?(watched: boolean): void;
  /** By name. */
  counts(): Promise<Readonly<Record<string, number>>>;
}
