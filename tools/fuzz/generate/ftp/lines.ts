/**
 * Single-line replies, made or changed in one buffer: as fast as they can be read. The grammar is that of replies.ts, with
 * numbers and pieces put together anew for each.
 */
import { viewOf } from "../../../../core/wire/bytes.ts";
import type { Random } from "../choices.ts";
import { sixOf } from "./ends.ts";
import type { Ends } from "./model.ts";
import { type Piece, pieceOf, putDecimal, putPiece, SPILT } from "./piece.ts";
import { PIECES as TEXTS } from "./pieces.ts";

/** What must come of a line. `UNKNOWN`: its bytes were changed. */
export const Fate = { UNKNOWN: 0, SAME: 1, ANNOUNCED: 2, REFUSED: 3 } as const;

const all = (...texts: string[]): readonly Piece[] => texts.map(pieceOf);

/** No longer than this before it is changed. */
export const LONGEST = 400;
/** And than this after it. */
export const LONGEST_CHANGED = 512;
const LF = 10;
const CR = 13;
const ZERO = 0x30;
const COMMA = 0x2c;
const FIRST_PORT = 1024;
const PORTS = 0x10000 - FIRST_PORT;

const BEFORE = all(
  "227 Entering Passive Mode (",
  "227 Entering Passive Mode (",
  "227 =",
  "227 ",
  "227 Entering passive mode. ",
  "227 Passive mode OK [",
  "227 Data port 2 is at <",
  "227\t",
);
const BEHIND = all(").", ")", "", " ", ".", "]", "> ok", ") for 1 client");
const BEFORE_EXTENDED = all("229 Entering Extended Passive Mode (", "229 (", "229 Port ", "229 ok (");
const BEHIND_EXTENDED = all(")", ").", "", ") go on");
const DELIMITERS = Buffer.from("|||||!#$%&*+;@^_~/x");
const STRANGERS = ["10.9.9.9", "8.8.8.8", "192.168.0.99", "127.0.0.1", "0.0.0.1", "255.255.255.255"];
const NOTHING = all(
  "425 Can't open.",
  "500 Unknown command.",
  "530 Log in first.",
  "227 Logout.",
  "229 none",
  "227 1,2,3",
);
const ENDS = pieceOf(" end\r\n");
const SEPARATORS = all(",", ",", ",", ",", ", ", " ,", ",\t");

/** What is put into lines that are changed. */
const PIECES = all(...TEXTS);

export class LineMaker {
  readonly buffer = new Uint8Array(LONGEST_CHANGED + SPILT);
  readonly view = viewOf(this.buffer);
  length = 0;
  fate: number = Fate.UNKNOWN;
  /** Of an announced one: the port, and the bytes that name the end. */
  port = 0;
  start = 0;
  end = 0;
  readonly #random: Random;
  readonly #own: readonly number[];
  readonly #strangers: readonly (readonly number[])[];
  /** Lines that have reached something new, each no longer than `LONGEST`. */
  known: readonly Uint8Array[] = [];

  constructor(random: Random, { real }: Ends) {
    this.#random = random;
    const numbers = (address: string): number[] => sixOf(address, 0).slice(0, 4).map(Number);
    this.#own = numbers(real);
    this.#strangers = STRANGERS.map(numbers);
  }

  /** A line of the grammar, whose fate is known. */
  make(): void {
    const random = this.#random;
    this.length = 0;
    this.fate = Fate.REFUSED;
    const shape = random.below(32);
    if (shape < 13) this.#passive(this.#own, this.#freePort(), Fate.ANNOUNCED);
    else if (shape < 20) this.#extended(this.#freePort(), Fate.ANNOUNCED);
    else if (shape < 22) this.#passive(this.#strangers[random.below(this.#strangers.length)]!, this.#freePort());
    else if (shape < 24) this.#passive(this.#own, random.below(FIRST_PORT));
    else if (shape === 24) this.#extended(random.below(FIRST_PORT));
    else if (shape === 25) this.#extended(0x10000 + random.below(0x7ff0000));
    else if (shape < 28) this.#octet();
    else if (shape < 30) this.#count();
    else this.#nothing();
    if (random.below(16) > 0) this.#put(CR);
    this.#put(LF);
  }

  /** A line of the grammar, or one of the known, changed in a few places. */
  bend(): void {
    const random = this.#random;
    const { length } = this.known;
    if (length === 0 || random.below(2) === 0) this.make();
    else this.#copy(this.known[random.below(length)]!);
    this.fate = Fate.UNKNOWN;
    for (let n = 1 + random.below(3); n > 0; n--) this.#change();
  }

  /** The last line of a reply of several lines with this code. */
  finish(code: number): void {
    this.length = 0;
    this.fate = Fate.UNKNOWN;
    if (code < 100) this.#put(ZERO);
    if (code < 10) this.#put(ZERO);
    this.#decimal(code);
    this.#piece(ENDS);
  }

  #copy(line: Uint8Array): void {
    this.buffer.set(line);
    this.length = line.length;
  }

  #freePort(): number {
    return FIRST_PORT + this.#random.below(PORTS);
  }

  #put(byte: number): void {
    this.buffer[this.length++] = byte;
  }

  #piece(piece: Piece): void {
    this.length = putPiece(piece, this.view, this.length);
  }

  #oneOf(pieces: readonly Piece[]): void {
    this.#piece(pieces[this.#random.below(pieces.length)]!);
  }

  #decimal(value: number): void {
    this.length = putDecimal(value, this.view, this.length);
  }

  /** 227 with an address and a port. */
  #passive(address: readonly number[], port: number, fate: number = Fate.REFUSED): void {
    this.fate = fate;
    this.port = port;
    this.#oneOf(BEFORE);
    this.start = this.length;
    const separator = SEPARATORS[this.#random.below(SEPARATORS.length)]!;
    for (let i = 0; i < 4; i++) {
      this.#decimal(address[i]!);
      this.#piece(separator);
    }
    this.#decimal(port >>> 8);
    this.#piece(separator);
    this.#decimal(port & 255);
    this.end = this.length;
    this.#oneOf(BEHIND);
  }

  /** 229 with a port. */
  #extended(port: number, fate: number = Fate.REFUSED): void {
    this.fate = fate;
    this.port = port;
    const delimiter = DELIMITERS[this.#random.below(DELIMITERS.length)]!;
    this.#oneOf(BEFORE_EXTENDED);
    this.start = this.length;
    for (let i = 0; i < 3; i++) this.#put(delimiter);
    this.#decimal(port);
    this.#put(delimiter);
    this.end = this.length;
    this.#oneOf(BEHIND_EXTENDED);
  }

  /** One of six numbers is too large, by a multiple of 256 as often as not. */
  #octet(): void {
    const random = this.#random;
    const wrong = random.below(6);
    const port = this.#freePort();
    this.#oneOf(BEFORE);
    for (let i = 0; i < 6; i++) {
      if (i > 0) this.#put(COMMA);
      const right = i < 4 ? this.#own[i]! : i === 4 ? port >>> 8 : port & 255;
      this.#decimal(i === wrong ? right + 256 * (1 + random.below(random.below(2) === 0 ? 2 : 70_000)) : right);
    }
    this.#oneOf(BEHIND);
  }

  /** Four, five, seven or eight numbers. */
  #count(): void {
    const random = this.#random;
    const count = 4 + random.below(2) + 3 * random.below(2);
    this.#oneOf(BEFORE);
    for (let i = 0; i < count; i++) {
      if (i > 0) this.#put(COMMA);
      this.#decimal(i < 4 ? this.#own[i]! : random.below(256));
    }
    this.#oneOf(BEHIND);
  }

  #nothing(): void {
    this.fate = Fate.SAME;
    this.#oneOf(NOTHING);
  }

  #change(): void {
    const random = this.#random;
    const { buffer } = this;
    const at = random.below(this.length);
    switch (random.below(6)) {
      case 0:
        buffer[at] = random.below(256);
        return;
      case 1:
        buffer[at] = ZERO + random.below(10);
        return;
      case 2:
        this.#remove(at, Math.min(1 + random.below(3), this.length - at - 1));
        return;
      case 3:
        if (this.length < LONGEST) this.#repeat(at, Math.min(this.length - at, 1 + random.below(24)));
        return;
      default:
        if (this.length < LONGEST) this.#insert(PIECES[random.below(PIECES.length)]!, at);
    }
  }

  /** Byte by byte: the methods of typed arrays cost more than so few bytes are worth. */
  #remove(at: number, count: number): void {
    const { buffer } = this;
    this.length -= count;
    for (let i = at; i < this.length; i++) buffer[i] = buffer[i + count]!;
  }

  /** Says bytes `[at, at + count)` twice. */
  #repeat(at: number, count: number): void {
    this.#makeRoom(at, count);
  }

  #insert({ view, length }: Piece, at: number): void {
    this.#makeRoom(at, length);
    for (let i = 0; i < length; i++) this.buffer[at + i] = view.getUint8(i);
  }

  /** What is at `at` and behind it moves `count` further; where it was it stays, too. */
  #makeRoom(at: number, count: number): void {
    const { buffer } = this;
    for (let i = this.length - 1; i >= at; i--) buffer[i + count] = buffer[i]!;
    this.length += count;
  }
}
