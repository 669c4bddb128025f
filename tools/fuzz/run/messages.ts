/** A run of any other helper's fuzzer: conversations, each with a number of its own. */
import type { Helper } from "../../../core/helper/api.ts";
import { Random } from "../generate/choices.ts";
import { conversation } from "../generate/messages.ts";
import { textBytes } from "../hosts/text.ts";
import { checkMessages, MESSAGE_ENDS } from "../properties/messages.ts";
import type { Finding, Kind } from "./campaign.ts";

export class MessageCampaign {
  /** Messages. */
  executions = 0;
  /** Conversations. */
  dialogues = 0;
  readonly #helper: Helper;
  readonly #seed: number;

  readonly #each: (bytes: Uint8Array, length: number) => void;

  /** `each`: told of every message. */
  constructor(helper: Helper, seed: number, each: (bytes: Uint8Array, length: number) => void = () => {}) {
    this.#helper = helper;
    this.#seed = seed;
    this.#each = each;
  }

  step(): Finding | null {
    return this.only("messages", this.dialogues);
  }

  only(_kind: Kind, number: number): Finding | null {
    const random = new Random(this.#seed, number);
    const said = conversation(this.#helper.name, random);
    this.executions += said.length;
    for (const [, text] of said) this.#each(textBytes(text), text.length);
    this.dialogues++;
    const found = checkMessages(this.#helper, said, random);
    if (found === null) return null;
    const turns = said.map(([speaker, text]) => ({
      speaker,
      messages: [{ said: text, outcome: "same" as const, about: "a message" }],
    }));
    const dialogue = { ends: MESSAGE_ENDS, turns, exact: false };
    return { kind: "messages", seed: this.#seed, number, ...found, dialogue };
  }
}
