/** A run of any other helper's fuzzer: conversations, each with a number of its own. */
import type { Helper } from "../../../core/helper/api.ts";
import { Random } from "../generate/choices.ts";
import { type Dialogue, saidBy } from "../generate/ftp/model.ts";
import { wild } from "../generate/ftp/wild.ts";
import { type Conversation, conversation } from "../generate/others/index.ts";
import { PIECES } from "../generate/others/pieces.ts";
import { dialogueOf } from "../generate/others/said.ts";
import { bred, type Entry } from "../guide/corpus.ts";
import { textBytes } from "../hosts/text.ts";
import { checkMessages } from "../properties/messages.ts";
import type { Finding, Input, InputOptions, Inputs, Kind } from "./inputs.ts";

const KINDS = ["dialogue", "wild", "bred"] as const;

export class MessageCampaign implements Inputs {
  executions = 0;
  dialogues = 0;
  readonly corpus: Entry[] = [];
  readonly #helper: Helper;
  readonly #seed: number;
  /** Kinds that come by turns. */
  readonly #kinds: readonly Kind[];
  readonly #each: NonNullable<InputOptions["each"]>;
  readonly #begins: NonNullable<InputOptions["begins"]>;
  #held: Dialogue | null = null;

  constructor(helper: Helper, { seed, each = () => {}, begins = () => {}, breeds = false }: InputOptions) {
    this.#helper = helper;
    this.#seed = seed;
    this.#kinds = breeds ? KINDS : KINDS.slice(0, 2);
    this.#each = each;
    this.#begins = begins;
  }

  planned(step: number): Input {
    const { length } = this.#kinds;
    return [this.#kinds[step % length]!, Math.floor(step / length)];
  }

  only(kind: Kind, number: number): Finding | null {
    const random = new Random(this.#seed, number);
    if (kind === "bred" && this.corpus.length > 0) {
      return this.#hold([kind, number], wild(bred(this.corpus, random), random, PIECES, 0), random, null);
    }
    const made = conversation(this.#helper.name, random);
    const dialogue = dialogueOf(made.ends, made.said);
    if (kind === "dialogue") return this.#hold([kind, number], dialogue, random, made);
    return this.#hold([kind, number], wild(dialogue, random, PIECES, 0), random, null);
  }

  hold(kind: Kind, number: number, held: Dialogue): Finding | null {
    return this.#hold([kind, number], held, new Random(this.#seed, number), null);
  }

  said(): Dialogue {
    return this.#held!;
  }

  #hold([kind, number]: Input, held: Dialogue, random: Random, model: Conversation | null): Finding | null {
    for (const turn of held.turns) {
      const bytes = textBytes(saidBy(turn));
      this.#each(bytes, bytes.length);
    }
    this.executions += held.turns.length;
    this.dialogues++;
    this.#held = held;
    this.#begins([kind, number], held);
    const found = checkMessages(this.#helper, held, random, model?.said ?? null);
    return found && { kind, seed: this.#seed, number, ...found, dialogue: held };
  }
}
