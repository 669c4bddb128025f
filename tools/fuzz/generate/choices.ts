/**
 * Where a generator takes its decisions from. One generator then serves long runs (`Random`: fast, and the same for the
 * same seed) and fast-check (`Tape`: numbers that it shrinks).
 */
export interface Choices {
  /** A whole number from 0 to `n` - 1. 0 is the plainest choice. */
  below(n: number): number;
}

const WARM_UP = 12;

/** sfc32, by Chris Doty-Humphrey (PractRand): 128 bits of state. */
export class Random implements Choices {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 0;

  constructor(seed: number, stream = 0) {
    this.seed(seed, stream);
  }

  /** Begins the numbers of `stream` of `seed`: each stream has its own. */
  seed(seed: number, stream: number): void {
    this.#a = seed | 0;
    this.#b = stream | 0;
    this.#c = Math.floor(stream / 2 ** 32) | 0;
    this.#counter = 1;
    for (let i = 0; i < WARM_UP; i++) this.next();
  }

  /** 32 bits, signed. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum;
  }

  below(n: number): number {
    return Math.floor(((this.next() >>> 0) / 0x1_0000_0000) * n);
  }
}

/** Decisions that were written down. What is not written is 0. */
export class Tape implements Choices {
  readonly #numbers: readonly number[];
  #at = 0;

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  below(n: number): number {
    return (this.#numbers[this.#at++] ?? 0) % n;
  }
}

export const pick = <T>(choices: Choices, all: readonly T[]): T => all[choices.below(all.length)]!;

/** True once in `n` times. */
export const oneIn = (choices: Choices, n: number): boolean => choices.below(n) === n - 1;

/** From `first` to `last`, both included. */
export const between = (choices: Choices, first: number, last: number): number =>
  first + choices.below(last - first + 1);

/** A list of at most `most`, made by `make`. */
export const several = <T>(choices: Choices, most: number, make: () => T): T[] =>
  Array.from({ length: choices.below(most + 1) }, make);
