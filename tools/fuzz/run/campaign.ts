/**
 * A run of the FTP fuzzer: sessions of lines, and between them dialogues, each with a number of its own. With the same seed
 * a number is the same each time, wherever it is run.
 */
import { helpers } from "../../../helpers/index.ts";
import { Random } from "../generate/choices.ts";
import { dialogue } from "../generate/ftp/dialogue.ts";
import type { Dialogue, Message, Turn } from "../generate/ftp/model.ts";
import { wild } from "../generate/ftp/wild.ts";
import { bytesText } from "../hosts/text.ts";
import { checkDialogue } from "../properties/dialogue.ts";
import type { Property, Violation } from "../properties/finding.ts";
import { LINE_ENDS, LineFuzzer, type Said, SESSION } from "./lines.ts";

/** What is said: lines in sessions, dialogues of the model, the same with bytes changed; messages of other protocols. */
export type Kind = "lines" | "dialogue" | "wild" | "messages";

export interface Finding {
  readonly kind: Kind;
  readonly seed: number;
  readonly number: number;
  readonly property: Property;
  readonly message: string;
  /** What shows it. */
  readonly dialogue: Dialogue;
}

export interface CampaignOptions {
  readonly seed: number;
  /** Told of each single-line reply, which is valid during the call only. */
  readonly each?: (bytes: Uint8Array, length: number) => void;
  /** Nothing but lines: several times as fast. */
  readonly onlyLines?: boolean;
}

/** Sessions of lines for each dialogue of either kind. */
const SESSIONS = 64;

export const ftp = helpers.find(({ name }) => name === "ftp")!;

export class Campaign {
  /** Replies in sessions of lines; dialogues of both kinds. */
  executions = 0;
  dialogues = 0;
  readonly lines: LineFuzzer;
  readonly #seed: number;
  readonly #onlyLines: boolean;
  #steps = 0;

  constructor({ seed, each, onlyLines = false }: CampaignOptions) {
    this.#seed = seed;
    this.#onlyLines = onlyLines;
    this.lines = new LineFuzzer(ftp, seed, each);
  }

  /** The next number of each kind in turn. */
  step(): Finding | null {
    const number = this.#steps++;
    const round = Math.floor(number / SESSIONS);
    const found = this.only("lines", number);
    if (found !== null || this.#onlyLines || number % SESSIONS !== 0) return found;
    return this.only("dialogue", round) ?? this.only("wild", round);
  }

  /** One of a kind, by its number. */
  only(kind: Kind, number: number): Finding | null {
    if (kind === "lines") {
      this.executions += SESSION;
      const found = this.lines.session(number);
      return found && this.#finding(kind, number, found, dialogueOf(this.lines.turns));
    }
    this.dialogues++;
    const random = new Random(this.#seed, number);
    const made = dialogue(random);
    const held = kind === "wild" ? wild(made, random) : made;
    const found = checkDialogue(ftp, held, random);
    return found && this.#finding(kind, number, found, held);
  }

  #finding(kind: Kind, number: number, { property, message }: Violation, shows: Dialogue): Finding {
    return { kind, seed: this.#seed, number, property, message, dialogue: shows };
  }
}

/** What was said in a session of lines, as a dialogue of which nobody knows what must come. */
function dialogueOf(said: readonly Said[]): Dialogue {
  const turns = said.map(([speaker, bytes]): Turn => {
    const lines = bytesText(bytes).split(/(?<=\n)/);
    return { speaker, messages: lines.map((line): Message => ({ said: line, outcome: "same", about: "a line" })) };
  });
  return { ends: LINE_ENDS, turns, exact: false };
}
