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

/** One session of so many asks a question for each reply, however many of those before it answered none. */
const DEEP = 16;
const [ZERO, TWO, NINE, HYPHEN] = [0x30, 0x32, 0x39, 0x2d];

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;

/** Whether a line may be the end of a reply to a command: three digits, the first 2 or more, and no more lines to come. */
const answers = ({ buffer }: LineMaker): boolean =>
  buffer[0]! >= TWO &&
  isDigit(buffer[0]!) &&
  isDigit(buffer[1]!) &&
  isDigit(buffer[2]!) &&
  !isDigit(buffer[3]!) &&
  buffer[3] !== HYPHEN;

export class Script {
  readonly questions = new Uint8Array(SESSION * QUESTION);
  /** Of each block: where its questions end. */
  readonly asked = new Int32Array(BLOCKS);
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

  /** Questions of the session. */
  get questionCount(): number {
    return this.questionsAt(BLOCKS) / QUESTION;
  }

  /** Where reply `line` begins. */
  at(line: number): number {
    return line === 0 ? 0 : this.behind[line - 1]!;
  }

  /** Where the questions of `block` begin. */
  questionsAt(block: number): number {
    return block === 0 ? 0 : this.asked[block - 1]!;
  }

  /** Where its replies do. */
  repliesAt(block: number): number {
    return this.at(block * LINES);
  }

  /**
   * Another session: replies of the grammar (`exact`), or changed. Questions that were not answered are not asked again: or
   * soon nothing but those would be read.
   */
  make(maker: LineMaker, random: Random, exact: boolean): void {
    const deep = random.below(DEEP) === 0;
    let open = 0;
    for (let block = 0; block < BLOCKS; block++) {
      open += this.#ask(block, deep ? LINES : Math.max(0, LINES - open), random);
      for (let line = block * LINES; line < (block + 1) * LINES; line++) {
        if (exact) maker.make();
        else maker.bend();
        this.#take(line, maker);
        if (open > 0 && answers(maker)) open--;
      }
    }
  }

  /** How many. */
  #ask(block: number, count: number, random: Random): number {
    let at = this.questionsAt(block);
    for (let i = 0; i < count; i++) at = copyBytes(QUESTIONS[random.below(2)]!, 0, QUESTION, this.questions, at);
    this.asked[block] = at;
    return count;
  }

  #take(line: number, maker: LineMaker): void {
    this.behind[line] = copyBytes(maker.buffer, 0, maker.length, this.replies, this.at(line));
    this.fate[line] = maker.fate;
    this.port[line] = maker.port;
    this.start[line] = maker.start;
    this.end[line] = maker.end;
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
