/**
 * What the thread that runs tells the one that watches over it, in memory that both see: where it is, and what it is
 * saying. It can be read when the other never returns.
 */
import type { Direction } from "../../../core/units.ts";
import type { Dialogue, Message, Turn } from "../generate/ftp/model.ts";
import { type Input, KINDS } from "./inputs.ts";

const FLAGS = { beats: 0, stop: 1, kind: 2, length: 3, lines: 4 } as const;
/** Milliseconds: of the processor in all, and what the time of lines went into. */
const WORK = { processor: 7, generation: 8, inspection: 9, checking: 10 } as const;
const FIGURES = {
  executions: 0,
  dialogues: 1,
  distinct: 2,
  reached: 3,
  known: 4,
  step: 5,
  number: 6,
  ...WORK,
} as const;
const SAID_AT = 192;
const MOST_SAID = 2 ** 22;

export type Figure = keyof typeof FIGURES;

export class Shared {
  readonly buffer: SharedArrayBuffer;
  readonly #flags: Int32Array;
  readonly #figures: Float64Array;
  readonly #said: Uint8Array;

  constructor(buffer = new SharedArrayBuffer(SAID_AT + MOST_SAID)) {
    this.buffer = buffer;
    this.#flags = new Int32Array(buffer, 0, 8);
    this.#figures = new Float64Array(buffer, 64, 16);
    this.#said = new Uint8Array(buffer, SAID_AT);
  }

  /** Goes up as long as the run goes on. */
  get beats(): number {
    return Atomics.load(this.#flags, FLAGS.beats);
  }

  beat(): void {
    Atomics.add(this.#flags, FLAGS.beats, 1);
  }

  get stopped(): boolean {
    return Atomics.load(this.#flags, FLAGS.stop) !== 0;
  }

  /** The run ends before its next input. */
  stop(): void {
    Atomics.store(this.#flags, FLAGS.stop, 1);
  }

  figure(name: Figure): number {
    return this.#figures[FIGURES[name]]!;
  }

  set(name: Figure, value: number): void {
    this.#figures[FIGURES[name]] = value;
  }

  /** What is held next; null: lines, each of which is added when it is made. */
  begin([kind, number]: Input, dialogue: Dialogue | null): void {
    this.beat();
    this.#flags[FLAGS.kind] = KINDS.indexOf(kind);
    this.#flags[FLAGS.lines] = dialogue === null ? 1 : 0;
    this.#flags[FLAGS.length] = 0;
    this.set("number", number);
    if (dialogue !== null) this.add(encoder.encode(JSON.stringify(packed(dialogue))));
  }

  add(bytes: Uint8Array, length = bytes.length): void {
    const at = this.#flags[FLAGS.length]!;
    if (at + length > MOST_SAID) return;
    this.#said.set(bytes.length === length ? bytes : bytes.subarray(0, length), at);
    this.#flags[FLAGS.length] = at + length;
  }

  get input(): Input {
    return [KINDS[this.#flags[FLAGS.kind]!]!, this.figure("number")];
  }

  /** What was begun last. `ofLines`: makes a dialogue of a session's replies, as far as it had come. */
  dialogue(ofLines: (replies: string) => Dialogue): Dialogue {
    const said = Buffer.from(this.#said.slice(0, this.#flags[FLAGS.length]!));
    return this.#flags[FLAGS.lines] === 1 ? ofLines(said.toString("latin1")) : unpacked(said.toString());
  }
}

const encoder = new TextEncoder();

type Packed = readonly [ends: Dialogue["ends"], turns: readonly (readonly [Direction, readonly string[]])[]];

const packed = ({ ends, turns }: Dialogue): Packed => [
  ends,
  turns.map(({ speaker, messages }) => [speaker, messages.map(({ said }) => said)]),
];

/** Nobody knows any more what must come of it. */
function unpacked(text: string): Dialogue {
  const [ends, turns] = JSON.parse(text) as Packed;
  const message = (said: string): Message => ({ said, outcome: "same", about: "a message" });
  return {
    ends,
    turns: turns.map(([speaker, texts]): Turn => ({ speaker, messages: texts.map(message) })),
    exact: false,
  };
}
