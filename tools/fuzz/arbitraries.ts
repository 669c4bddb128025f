/**
 * The generators as fast-check arbitraries, for tests of any NAT, firewall or FTP implementation. What fast-check makes
 * and shrinks is the tape of decisions; 0 is the plainest of each.
 */
import fc from "fast-check";
import { type Choices, Tape } from "./generate/choices.ts";
import { active, inactive } from "./generate/ftp/commands.ts";
import { dialogue } from "./generate/ftp/dialogue.ts";
import { ends } from "./generate/ftp/ends.ts";
import type { Dialogue, Ends, Message } from "./generate/ftp/model.ts";
import { unwelcome, welcome } from "./generate/ftp/replies.ts";
import { wild } from "./generate/ftp/wild.ts";
import { type Conversation, conversation } from "./generate/others/index.ts";

const LARGEST = 0xffff;

/** What `make` makes, of at most `decisions` decisions; those beyond are the plainest. */
export const madeBy = <T>(make: (choices: Choices) => T, decisions = 200): fc.Arbitrary<T> =>
  fc.array(fc.nat(LARGEST), { maxLength: decisions, size: "max" }).map((numbers) => make(new Tape(numbers)));

const between = (given: Ends | undefined, choices: Choices): Ends => given ?? ends(choices);

/** Whole dialogues with what must come of each message; between `given` or any ends. */
export const ftpDialogues = (given?: Ends): fc.Arbitrary<Dialogue> => madeBy((choices) => dialogue(choices, given));

/** The same with bytes changed and turns out of order; nobody knows what must come of those. */
export const wildFtpDialogues = (given?: Ends): fc.Arbitrary<Dialogue> =>
  madeBy((choices) => wild(dialogue(choices, given), choices), 300);

/**
 * Conversations of any other helper's protocol (`rtsp`, `sip`, `pnm`, `wms`, `dns`, `radius`, `tftp`, `rsh`, `ident`,
 * `netbios`, `xdmcp`), with the ports that each message lets in and what its receiver hears.
 */
export const conversations = (helper: string, given?: Ends): fc.Arbitrary<Conversation> =>
  madeBy((choices) => conversation(helper, choices, given));

/** Answers to PASV or EPSV: `announced` and `refused` ones. */
export const ftpReplies = (given?: Ends): fc.Arbitrary<Message> =>
  madeBy((choices) => (choices.below(2) === 0 ? welcome : unwelcome)(choices, between(given, choices)), 20);

/** PORT, EPRT and what looks like them. */
export const ftpCommands = (given?: Ends): fc.Arbitrary<Message> =>
  madeBy((choices) => (choices.below(2) === 0 ? active : inactive)(choices, between(given, choices)), 20);
