/**
 * What is said in a session of single-line replies, all of it made before any of it is said: a block of questions, as many
 * replies, and so on. In two buffers, and columns of numbers, which serve all sessions.
 */
import type { Direction } from "../../../../core/units.ts";
import { copyBytes } from "../../../../core/wire/bytes.ts";
import type { Random } from "../choices.ts";
import { type LineMaker, LONGEST_CHANGED } from "./lines.ts";

export const BLOCKS = 16;
/** Replies of a block, and the questions before them. */
export const LINES = 16;
/** Replies of a session. */
export const SESSION = BLOCKS * LINES;

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const QUESTIONS = [bytes("PASV\r\n"), bytes("EPSV\r\n")];
const QUESTION = 6;

export type Said = readonly [direction: Direction, bytes: Uint8Array];

/** What comes before the first block. */
export const OPENING: readonly Said[] = [
  ["reply", bytes("220 ready\r\n")],
  ["original", bytes("USER a\r\n")],
  ["reply", bytes("230 ok\r\n")],
];

export class Script {
  readonly questions = new Uint8Array(SESSION * QUESTION);
  /** One behind the other. */
  readonly replies = new Uint8Array(SESSION * LONGEST_CHANGED);
  /** Of each reply: where it ends, and the next one begins. */
  readonly behind = new Int32Array(SESSION);
  /** What must come of it: one of `Fate`. */
  readonly fate = new Uint8Array(SESSION);
  /** Of an announced one: the port, and the bytes that name the end, counted from where it begins. */
  readonly port = new Int32Array(SESSION);
  readonly start = new Int32Array(SESSION);
  readonly end = new Int32Array(SESSION);

  /** Where reply `line` begins. */
  at(line: number): number {
    return line === 0 ? 0 : this.behind[line - 1]!;
  }

  /** Where the questions of `block` begin. */
  questionsAt(block: number): number {
    return block * LINES * QUESTION;
  }

  /** Where its replies do. */
  repliesAt(block: number): number {
    return this.at(block * LINES);
  }

  /** Another session: replies of the grammar (`exact`), or changed. `each` is told of every one of them. */
  make(maker: LineMaker, random: Random, exact: boolean, each: (bytes: Uint8Array, length: number) => void): void {
    for (let line = 0; line < SESSION; line++) {
      copyBytes(QUESTIONS[random.below(2)]!, 0, QUESTION, this.questions, line * QUESTION);
      if (exact) maker.make();
      else maker.bend();
      each(maker.buffer, maker.length);
      this.behind[line] = copyBytes(maker.buffer, 0, maker.length, this.replies, this.at(line));
      this.fate[line] = maker.fate;
      this.port[line] = maker.port;
      this.start[line] = maker.start;
      this.end[line] = maker.end;
    }
  }

  /** All that is said, a copy. */
  said(): Said[] {
    const said = [...OPENING];
    for (let block = 0; block < BLOCKS; block++) {
      said.push(["original", this.questions.slice(this.questionsAt(block), this.questionsAt(block + 1))]);
      said.push(["reply", this.replies.slice(this.repliesAt(block), this.repliesAt(block + 1))]);
    }
    return said;
  }
}
