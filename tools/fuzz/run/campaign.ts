/**
 * A run of the FTP fuzzer: sessions of lines, and between them dialogues, each with a number of its own. With the same seed
 * a number is the same each time, wherever it is run.
 */
import { helpers } from "../../../helpers/index.ts";
import { Random } from "../generate/choices.ts";
import { dialogue } from "../generate/ftp/dialogue.ts";
import { LONGEST } from "../generate/ftp/lines.ts";
import { type Dialogue, type Message, saidBy, type Turn } from "../generate/ftp/model.ts";
import { type Said, SESSION } from "../generate/ftp/script.ts";
import { wild } from "../generate/ftp/wild.ts";
import { bred, type Entry } from "../guide/corpus.ts";
import { bytesText, textBytes } from "../hosts/text.ts";
import { checkDialogue } from "../properties/dialogue.ts";
import type { Violation } from "../properties/finding.ts";
import type { Finding, Input, InputOptions, Inputs, Kind } from "./inputs.ts";
import { LINE_ENDS, LineFuzzer } from "./lines.ts";

export interface CampaignOptions extends InputOptions {
  /** Nothing but lines: several times as fast. */
  readonly onlyLines?: boolean;
}

/** Sessions of lines for each dialogue of either kind, and what is bred meanwhile. */
const SESSIONS = 16;
const BRED = 14;
/** One session of so many is bred, where there is anything to breed from. */
const BRED_LINES = 4;

export const ftp = helpers.find(({ name }) => name === "ftp")!;

export class Campaign implements Inputs {
  executions = 0;
  dialogues = 0;
  readonly corpus: Entry[] = [];
  readonly lines: LineFuzzer;
  readonly #seed: number;
  readonly #onlyLines: boolean;
  readonly #round: number;
  readonly #begins: NonNullable<InputOptions["begins"]>;
  /** null: a session of lines. */
  #held: Dialogue | null = null;
  /** Of the first `from` entries of the corpus. */
  #learnt: { readonly from: number; readonly lines: readonly Uint8Array[] } = { from: 0, lines: [] };

  constructor({ seed, many, begins = () => {}, onlyLines = false, breeds = false }: CampaignOptions) {
    this.#seed = seed;
    this.#onlyLines = onlyLines;
    this.#round = SESSIONS + 2 + (breeds ? BRED : 0);
    this.#begins = begins;
    this.lines = new LineFuzzer(ftp, seed, many);
  }

  /** Dialogues come first: what a line reaches as well is shorter in one of them. */
  planned(step: number): Input {
    if (this.#onlyLines) return this.#ofLines(step);
    const round = Math.floor(step / this.#round);
    const at = step % this.#round;
    const others = this.#round - SESSIONS;
    if (at >= others) return this.#ofLines(round * SESSIONS + at - others);
    if (at >= 2) return ["bred", round * BRED + at - 2];
    return [at === 0 ? "dialogue" : "wild", round];
  }

  only(kind: Kind, number: number): Finding | null {
    if (kind === "lines" || kind === "bred-lines") return this.#session(kind, number);
    const random = new Random(this.#seed, number);
    return this.#hold(kind, number, this.#made(kind, random), random);
  }

  hold(kind: Kind, number: number, held: Dialogue): Finding | null {
    return this.#hold(kind, number, held, new Random(this.#seed, number));
  }

  said(): Dialogue {
    return this.#held ?? dialogueOf(this.lines.turns);
  }

  #made(kind: Kind, random: Random): Dialogue {
    if (kind === "bred" && this.corpus.length > 0) return wild(bred(this.corpus, random), random);
    const made = dialogue(random);
    return kind === "dialogue" ? made : wild(made, random);
  }

  #ofLines(number: number): Input {
    const bred = number % BRED_LINES === BRED_LINES - 1 && this.corpus.length > 0;
    return [bred ? "bred-lines" : "lines", number];
  }

  #session(kind: "lines" | "bred-lines", number: number): Finding | null {
    this.executions += SESSION;
    this.#held = null;
    this.#begins([kind, number], null);
    return this.#finding(kind, number, this.lines.session(number, kind === "lines" ? [] : this.#known()));
  }

  /** The realserver's lines of the corpus, which only grows. */
  #known(): readonly Uint8Array[] {
    if (this.#learnt.from !== this.corpus.length) {
      this.#learnt = { from: this.corpus.length, lines: this.corpus.flatMap(({ dialogue }) => repliesOf(dialogue)) };
    }
    return this.#learnt.lines;
  }

  #hold(kind: Kind, number: number, held: Dialogue, random: Random): Finding | null {
    this.dialogues++;
    this.#held = held;
    this.#begins([kind, number], held);
    return this.#finding(kind, number, checkDialogue(ftp, held, random));
  }

  #finding(kind: Kind, number: number, found: Violation | null): Finding | null {
    return found && { kind, seed: this.#seed, number, ...found, dialogue: this.said() };
  }
}

/** Single lines that the realserver says in it. */
const repliesOf = ({ turns }: Dialogue): Uint8Array[] =>
  turns
    .filter(({ speaker }) => speaker === "reply")
    .flatMap((turn) => saidBy(turn).split(/(?<=\n)/))
    .filter((line) => line.endsWith("\n") && line.length <= LONGEST)
    .map(textBytes);

/** What was said in a session of lines, as a dialogue of which nobody knows what must come. */
function dialogueOf(said: readonly Said[]): Dialogue {
  const turns = said.map(([speaker, bytes]): Turn => {
    const lines = bytesText(bytes).split(/(?<=\n)/);
    return { speaker, messages: lines.map((line): Message => ({ said: line, outcome: "same", about: "a line" })) };
  });
  return { ends: LINE_ENDS, turns, exact: false };
}
