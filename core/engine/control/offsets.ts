/**
 * Which output came of which input: stream offsets of one direction, in regions.
 *
 *      input   |  a a a a  |  b b b  |  c c |  d d d d
 *      output  |  a a a a  |  B B B B B  |  |  d d d d
 *
 * Where a region is as long as it was, its bytes correspond one by one; elsewhere only its ends do. Both ends ascend.
 * What the receiver has acknowledged is forgotten, and neighbours that need no border of their own are one region.
 */

/** More regions than this become one, which only makes acknowledgments coarser. */
const MOST_REGIONS = 64;

export class Offsets {
  /** Where the first region begins. */
  #input = 0;
  #output = 0;
  /** Where the last region ends. */
  #inputEnd = 0;
  #outputEnd = 0;
  /** Where each region ends. */
  readonly #inputs: number[] = [];
  readonly #outputs: number[] = [];

  /** What is not acknowledged is one region at most, which begins there. */
  isOne(input: number, output: number): boolean {
    return this.#inputs.length <= 1 && this.#input === input && this.#output === output;
  }

  /** All that there is: one region, or none. */
  begin(input: number, inputEnd: number, output: number, outputEnd: number): void {
    this.#inputs.length = 0;
    this.#outputs.length = 0;
    this.#input = input;
    this.#output = output;
    this.#inputEnd = input;
    this.#outputEnd = output;
    this.extend(inputEnd, outputEnd);
  }

  /** All that there is corresponds one by one. */
  get constant(): boolean {
    return this.#inputs.length === 0 || (this.#inputs.length === 1 && this.#even(0));
  }

  /** Output less input, where that is constant. */
  get difference(): number {
    return this.#output - this.#input;
  }

  /** All input before `input` has become all output before `output`. */
  extend(input: number, output: number): void {
    const fromInput = this.#inputEnd;
    const fromOutput = this.#outputEnd;
    if (input === fromInput && output === fromOutput) return;
    this.#inputEnd = input;
    this.#outputEnd = output;
    const last = this.#inputs.length - 1;
    const even = input - fromInput === output - fromOutput;
    if (last >= 0 && ((even && this.#even(last)) || last >= MOST_REGIONS - 1)) {
      this.#inputs[last] = input;
      this.#outputs[last] = output;
    } else {
      this.#inputs.push(input);
      this.#outputs.push(output);
    }
  }

  /** The receiver has all output before `output`. */
  acknowledge(output: number): void {
    if (this.#inputEnd === this.#input && this.#outputEnd === this.#output) return;
    while (this.#outputs.length > 0 && this.#outputs[0]! <= output) {
      this.#input = this.#inputs.shift()!;
      this.#output = this.#outputs.shift()!;
    }
    if (this.#outputs.length > 0 && output > this.#output && this.#even(0)) {
      this.#input += output - this.#output;
      this.#output = output;
    }
  }

  /** Up to where all input is in the output before `output`. */
  inputBefore(output: number): number {
    if (output >= this.#outputEnd) return this.#inputEnd;
    return this.#across(output, this.#outputs, this.#output, this.#inputs, this.#input, false);
  }

  /** From where on no input is in the output before `output`. */
  inputFrom(output: number): number {
    return this.#across(output, this.#outputs, this.#output, this.#inputs, this.#input, true);
  }

  outputBefore(input: number): number {
    return this.#across(input, this.#inputs, this.#input, this.#outputs, this.#output, false);
  }

  outputFrom(input: number): number {
    return this.#across(input, this.#inputs, this.#input, this.#outputs, this.#output, true);
  }

  /** `at` on the one scale as a place on the other; inside an uneven region, its end (`up`) or its beginning. */
  #across(
    at: number,
    here: readonly number[],
    fromHere: number,
    there: readonly number[],
    fromThere: number,
    up: boolean,
  ): number {
    let start = fromHere;
    let other = fromThere;
    for (let i = 0; i < here.length; i++) {
      const end = here[i]!;
      if (at < end || (at === end && up)) {
        if (at <= start) return other;
        if (end - start === there[i]! - other) return other + at - start;
        return up ? there[i]! : other;
      }
      start = end;
      other = there[i]!;
    }
    return other;
  }

  #even(i: number): boolean {
    const input = i === 0 ? this.#input : this.#inputs[i - 1]!;
    const output = i === 0 ? this.#output : this.#outputs[i - 1]!;
    return this.#inputs[i]! - input === this.#outputs[i]! - output;
  }
}
