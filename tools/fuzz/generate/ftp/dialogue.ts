/** Whole FTP dialogues: from the greeting to the end, with what must come of each message. */
import { type Choices, oneIn, pick, several } from "../choices.ts";
import { ends as anyEnds } from "./ends.ts";
import { client, type Dialogue, type Ends, type Message, refused, same, server, type Turn } from "./model.ts";
import { barred, SCENES, secured } from "./scenes.ts";

const MOST_SCENES = 6;

const greeted = (...messages: readonly Message[]): readonly Turn[] => [server(...messages)];

const GREETINGS: readonly (readonly Turn[])[] = [
  greeted(same("220 ready\r\n", "a greeting")),
  greeted(
    same("220-Welcome.\r\n", "a first line"),
    same(" PORT 1,2,3,4,5,6\r\n", "a line"),
    refused("227 (192,168,0,2,19,137)\r\n", "a 227 within the greeting"),
    same("\r\n", "a line"),
    same("220 ready\r\n", "a greeting"),
  ),
];

/** A stream that opens with no command of FTP is none; so there is one, however short the dialogue. */
const HELLO: readonly Turn[] = [client(same("USER anonymous\r\n", "USER")), server(same("230 ok\r\n", "an answer"))];

const LOGIN: readonly Turn[] = [
  client(same("USER anonymous\r\n", "USER")),
  server(same("331 Please specify the password.\r\n", "an answer")),
  client(same("PASS secret\r\n", "PASS")),
  server(same("230 Login successful.\r\n", "an answer")),
];

const ALL: readonly Turn[] = [
  client(same("EPSV ALL\r\n", "EPSV ALL")),
  server(same("200 EPSV ALL ok.\r\n", "an answer")),
];

/** A dialogue between `ends`, or between any. */
export function dialogue(choices: Choices, given?: Ends): Dialogue {
  const ends = given ?? anyEnds(choices);
  const scenes = (most: number): Turn[] => several(choices, most, () => pick(choices, SCENES)(choices, ends)).flat();
  const turns = [...pick(choices, GREETINGS), ...(oneIn(choices, 3) ? LOGIN : HELLO), ...scenes(MOST_SCENES)];
  if (oneIn(choices, 8)) turns.push(...ALL, ...barred(scenes(3)));
  if (oneIn(choices, 8)) turns.push(...secured(choices, ends));
  return { ends, turns, exact: true };
}
