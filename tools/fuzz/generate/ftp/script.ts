/**
 * What is said in a session of single-line replies, all of it made before any of it is said: a block of questions, as many
 * replies, and so on. In two buffers, and columns of numbers, which serve all sessions.
 */
import type { Direction } from "../../../../core/units.ts";
import { copyWords, viewOf } from "../../../../core/wire/bytes.ts";
import type { Random } from "../choices.ts";
import { Fate, type LineMaker, LONGEST_CHANGED } from "./lines.ts";
import { pieceOf, putPiece, SPILT } from "./piece.ts";

export const BLOCKS = 16;
/** Replies of a block, and the questions before them. */
export const LINES = 16;
/** Replies of a session. */
export const SESSION = BLOCKS * LINES;

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const QUESTIONS = [pieceOf("PASV\r\n"), pieceOf("EPSV\r\n")];
/** What asks for nothing, though it may look so. */
const OTHERS = [pieceOf("STOR PASV\r\n"), pieceOf("RETR EPSV a\r\n"), pieceOf("CWD 227\r\n"), pieceOf("XPASV\r\n")];
const LONGEST_QUESTION = 16;

export type Said = readonly [direction: Direction, bytes: Uint8Array];

/** What comes before the first block. */
export const OPENING: readonly Said[] = [
  ["reply", bytes("220 ready\r\n")],
  ["original", bytes("USER a\r\n")],
  ["reply", bytes("230 ok\r\n")],
];

/** A reply of several lines, which a change may begin, goes on for so many, more or less: none of them offers anything. */
const GOES_ON = 8;
/** Of a final reply to a command. */
const FIRST_FINAL = 200;
/** One session of so many never asks: in it nothing may be offered. */
const MUTE = 16;
/** One session of so many asks a question for each reply, however many of those before it answered none. */
const DEEP = 16;
const [ZERO, NINE, HYPHEN] = [0x30, 0x39, 0x2d];

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;

/** The code that a line opens with, if no more lines follow, negative if they do; 0: it opens with none. */
function codeOf({ buffer }: LineMaker): number {
  const [first, second, third, next] = [buffer[0]! - ZERO, buffer[1]! - ZERO, buffer[2]! - ZERO, buffer[3]!];
  if (!isDigit(buffer[0]!) || !isDigit(buffer[1]!) || !isDigit(buffer[2]!) || isDigit(next)) return 0;
  const code = first * 100 + second * 10 + third;
  return next === HYPHEN ? -code : code;
}

/** What a client makes of the replies so far. */
class Course {
  /** Questions that wait. */
  open = 0;
  /** The code of a reply of several lines that has not ended; 0: none. */
  within = 0;

  /** As of `codeOf`. */
  hear(code: number): void {
    if (this.within === 0) this.within = Math.max(0, -code);
    else if (this.within === code) this.within = 0;
    if (this.open > 0 && this.within === 0 && code >= FIRST_FINAL) this.open--;
  }
}

export class Script {
  /** How many there are that ask. */
  questionCount = 0;
  readonly questions = new Uint8Array(SESSION * LONGEST_QUESTION + SPILT);
  readonly #questions = viewOf(this.questions);
  /** Of each block: where its questions end. */
  readonly asked = new Int32Array(BLOCKS);
  /** One behind the other. */
  readonly replies = new Uint8Array(SESSION * LONGEST_CHANGED);
  readonly #replies = viewOf(this.replies);
  /** Nothing is asked for in this session. */
  #mute = false;
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
    this.#mute = random.below(MUTE) === 0;
    this.questionCount = 0;
    const course = new Course();
    for (let block = 0; block < BLOCKS; block++) {
      course.open += this.#ask(block, deep ? LINES : Math.max(0, LINES - course.open), random);
      for (let line = block * LINES; line < (block + 1) * LINES; line++) {
        if (exact) maker.make();
        else if (course.within !== 0 && random.below(GOES_ON) === 0) maker.finish(course.within);
        else maker.bend();
        this.#take(line, maker);
        course.hear(codeOf(maker));
      }
    }
  }

  /** How many. */
  #ask(block: number, count: number, random: Random): number {
    const questions = this.#mute ? OTHERS : QUESTIONS;
    let at = this.questionsAt(block);
    for (let i = 0; i < count; i++) at = putPiece(questions[random.below(questions.length)]!, this.#questions, at);
    this.asked[block] = at;
    if (!this.#mute) this.questionCount += count;
    return count;
  }

  #take(line: number, maker: LineMaker): void {
    this.behind[line] = copyWords(maker.view, 0, maker.length, this.#replies, this.at(line));
    this.fate[line] = this.#mute && maker.fate === Fate.ANNOUNCED ? Fate.REFUSED : maker.fate;
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
