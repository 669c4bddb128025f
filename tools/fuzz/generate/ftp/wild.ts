/** Dialogues in which bytes were changed: nobody knows what must come of them, but much of what must not. */
import { between, type Choices, oneIn, pick } from "../choices.ts";
import type { Dialogue, Message, Turn } from "./model.ts";
import { PIECES } from "./pieces.ts";

const MOST_CHANGES = 4;
/** Turns that are seldom changed: a stream that does not open like FTP is not read at all. */
const OPENING = 3;

type Pieces = readonly string[];
type Change = (said: string, at: number, choices: Choices, pieces: Pieces) => string;

const insert: Change = (said, at, choices, pieces) => said.slice(0, at) + pick(choices, pieces) + said.slice(at);
const overwrite: Change = (said, at, choices) =>
  said.slice(0, at) + String.fromCharCode(choices.below(256)) + said.slice(at + 1);
const remove: Change = (said, at, choices) => said.slice(0, at) + said.slice(at + between(choices, 1, 4));
const repeat: Change = (said, at, choices) => {
  const piece = said.slice(at, at + between(choices, 1, 12));
  return said.slice(0, at) + piece.repeat(oneIn(choices, 16) ? between(choices, 100, 900) : 2) + said.slice(at);
};
const CHANGES: readonly Change[] = [insert, insert, overwrite, remove, repeat];

function changed(said: string, choices: Choices, pieces: Pieces): string {
  let text = said;
  for (let n = between(choices, 1, MOST_CHANGES); n > 0; n--) {
    text = pick(choices, CHANGES)(text, choices.below(text.length + 1), choices, pieces);
  }
  return text;
}

const unknown = ({ about }: Message, said: string): Message => ({ said, outcome: "same", about: `${about}, changed` });

/**
 * Messages are changed here and there, turns are dropped, repeated and swapped. `pieces`: what is put into messages;
 * `opening`: turns at the beginning that are mostly spared.
 */
export function wild(dialogue: Dialogue, choices: Choices, pieces: Pieces = PIECES, opening = OPENING): Dialogue {
  const rate = pick(choices, [2, 4, 12]);
  const spared = oneIn(choices, 8) ? 0 : opening;
  const turns: Turn[] = dialogue.turns.map(({ speaker, messages }, i) => ({
    speaker,
    messages: messages.map((message) =>
      unknown(message, i >= spared && oneIn(choices, rate) ? changed(message.said, choices, pieces) : message.said),
    ),
  }));
  for (let n = choices.below(3); n > 0 && turns.length > 2; n--) disorder(turns, choices);
  return { ends: dialogue.ends, turns, exact: false };
}

function disorder(turns: Turn[], choices: Choices): void {
  const at = choices.below(turns.length - 1);
  const [turn, next] = [turns[at]!, turns[at + 1]!];
  switch (choices.below(3)) {
    case 0:
      turns.splice(at, 2, next, turn);
      return;
    case 1:
      turns.splice(at, 1);
      return;
    default:
      turns.splice(at, 0, turn);
  }
}
