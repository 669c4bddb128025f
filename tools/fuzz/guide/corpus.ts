/** Inputs that have reached what none had reached before them, for others to be made of. */
import { between, type Choices, oneIn, pick } from "../generate/choices.ts";
import type { Dialogue, Turn } from "../generate/ftp/model.ts";

export interface Entry {
  /** Of its file: kind, seed and number of what it was. */
  readonly name: string;
  readonly dialogue: Dialogue;
}

/** Turns of one that is bred. */
const MOST_TURNS = 60;

/** One of `entries`, or the beginning of one with the end of another; nobody knows what must come of it. */
export function bred(entries: readonly Entry[], choices: Choices): Dialogue {
  const { ends, turns } = pick(choices, entries).dialogue;
  const held = oneIn(choices, 3) ? spliced(turns, pick(choices, entries).dialogue.turns, choices) : turns;
  return { ends, turns: held, exact: false };
}

function spliced(one: readonly Turn[], other: readonly Turn[], choices: Choices): Turn[] {
  const head = one.slice(0, between(choices, 1, one.length));
  return [...head, ...other.slice(choices.below(other.length))].slice(0, MOST_TURNS);
}

/** The smallest first. */
export const bySize = (one: Entry, other: Entry): number => sizeOf(one) - sizeOf(other);

const sizeOf = ({ dialogue: { turns } }: Entry): number =>
  turns.reduce((sum, { messages }) => sum + messages.reduce((length, { said }) => length + said.length, 1), 0);
