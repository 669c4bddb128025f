/** A run of any other helper's fuzzer: conversations, each with a number of its own. */
import type { Helper } from "../../../core/helper/api.ts";
import { Random } from "../generate/choices.ts";
import { type Dialogue, saidBy } from "../generate/ftp/model.ts";
import { wild } from "../generate/ftp/wild.ts";
import { conversation, PIECES, type Spoken } from "../generate/messages.ts";
import { bred, type Entry } from "../guide/corpus.ts";
import { textBytes } from "../hosts/text.ts";
import { checkMessages, MESSAGE_ENDS } from "../properties/messages.ts";
import type { Finding, Input, InputOptions, Inputs, Kind } from "./inputs.ts";

export class MessageCampaign implements Inputs {
  executions = 0;
  dialogues = 0;
  readonly corpus: Entry[] = [];
  readonly #helper: Helper;
  readonly #seed: number;
  readonly #breeds: boolean;
  readonly #each: NonNullable<InputOptions["each"]>;
  readonly #begins: NonNullable<InputOptions["begins"]>;
  #held: Dialogue = dialogueOf([]);

  constructor(helper: Helper, { seed, each = () => {}, begins = () => {}, breeds = false }: InputOptions) {
    this.#helper = helper;
    this.#seed = seed;
    this.#breeds = breeds;
    this.#each = each;
    this.#begins = begins;
  }

  planned(step: number): Input {
    if (!this.#breeds) return ["messages", step];
    return [step % 2 === 0 ? "messages" : "bred", step >> 1];
  }

  only(kind: Kind, number: number): Finding | null {
    const random = new Random(this.#seed, number);
    const breeds = kind === "bred" && this.corpus.length > 0;
    const made = breeds
      ? wild(bred(this.corpus, random), random, PIECES, 0)
      : dialogueOf(conversation(this.#helper.name, random));
    return this.#hold(kind, number, made, random);
  }

  hold(kind: Kind, number: number, held: Dialogue): Finding | null {
    return this.#hold(kind, number, held, new Random(this.#seed, number));
  }

  said(): Dialogue {
    return this.#held;
  }

  #hold(kind: Kind, number: number, held: Dialogue, random: Random): Finding | null {
    const said = held.turns.map((turn): Spoken => [turn.speaker, saidBy(turn)]);
    for (const [, text] of said) this.#each(textBytes(text), text.length);
    this.executions += said.length;
    this.dialogues++;
    this.#held = held;
    this.#begins([kind, number], held);
    const found = checkMessages(this.#helper, said, random);
    return found && { kind, seed: this.#seed, number, ...found, dialogue: held };
  }
}

/** Of which nobody knows what must come. */
const dialogueOf = (said: readonly Spoken[]): Dialogue => ({
  ends: MESSAGE_ENDS,
  turns: said.map(([speaker, text]) => ({
    speaker,
    messages: [{ said: text, outcome: "same" as const, about: "a message" }],
  })),
  exact: false,
});
