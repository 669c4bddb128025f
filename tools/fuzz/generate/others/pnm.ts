/** PNM's greetings (RealAudio before RTSP): the player's options, and the server's port for robust delivery. */
import { between, type Choices, oneIn, pick, several } from "../choices.ts";
import { type At, barred, instead, offering, plain, type Said, u16 } from "./said.ts";

const [PLAYER, ROBUST] = [1, 7];
const OPENING = "PNA\0\x0a";
const OTHERS = [
  `${u16(2)}${u16(3)}abc`,
  `${u16(0x13)}${u16(0)}`,
  `${u16(9)}${u16(2)}\x13\x88`,
  `${u16(0x4d)}${u16(40)}${"x".repeat(40)}`,
];

const portOption = (id: number, port: number): string => u16(id) + u16(2) + u16(port);
const freePort = (choices: Choices): number => between(choices, 1024, 0xffff);

interface Greeted {
  readonly said: Said;
  /** Whether the player offers robust delivery, and may. */
  readonly robust: "offered" | "refused" | "none";
}

function greeting(choices: Choices): Greeted {
  const ports = pick(choices, [[PLAYER], [PLAYER, ROBUST], [ROBUST, PLAYER], []]).map((id, i): [number, number] => [
    id,
    ((freePort(choices) >> 1) | 512) * 2 - i,
  ]);
  const reserved = ports.length > 0 && oneIn(choices, 4);
  if (reserved) ports[0] = [ports[0]![0], pick(choices, [0, 1, 80, 1023])];
  const [before, middle, behind] = [0, 1, 2].map(() => several(choices, 2, () => pick(choices, OTHERS)).join(""));
  const written = (port: (own: number) => number): string =>
    `${OPENING}${before}${ports.map(([id, own]) => portOption(id, port(own))).join(middle)}${behind}\0\0`;
  const said = written((own) => own);
  const numbers = ports.map(([, own]) => own);
  // Without its options the stream comes within the connection.
  const without = `${OPENING}${before}${ports.length > 1 ? middle : ""}${behind}\0\0`;
  const robust = ports.every(([id]) => id !== ROBUST) ? "none" : reserved ? "refused" : "offered";
  if (reserved) return { said: instead("original", "a port that may not be", said, without), robust };
  const hears = (at: At): string => written((own) => at(own).port);
  return { said: offering("original", "a greeting", numbers, said, hears), robust };
}

function answer(choices: Choices, robust: Greeted["robust"]): Said {
  const tail = "x".repeat(choices.below(30));
  if (oneIn(choices, 5)) return plain("reply", "an error", `${OPENING}\0\0X${tail}`);
  const port = oneIn(choices, 5) ? pick(choices, [0, 80, 1023]) : freePort(choices);
  const written = (own: number): string => `${OPENING}${u16(2)}${u16(2)}\0\0${u16(ROBUST)}${u16(own)}${tail}`;
  if (robust === "none") return plain("reply", "a port that nobody asked for", written(port));
  if (port < 1024 || robust === "refused") return instead("reply", "a port that may not be", written(port), written(0));
  return offering("reply", "its port", [port], written(port), (at) => written(at(port).port));
}

const BAD = [`${OPENING}${u16(PLAYER)}${u16(3)}abc\0\0`, `${OPENING}${portOption(1, 5000)}${portOption(1, 5002)}\0\0`];

export function pnm(choices: Choices): Said[] {
  if (oneIn(choices, 10)) return [barred("original", "options that cannot be", pick(choices, BAD))];
  if (oneIn(choices, 10))
    return [plain("original", "no greeting", pick(choices, ["OPTIONS * RTSP/1.0\r\n", "PNX\0\x0a"]))];
  const { said, robust } = greeting(choices);
  return [said, answer(choices, robust), plain("reply", "the stream", "Z\0\0\x10PNA\0\x0a\0\x07".repeat(3))];
}
