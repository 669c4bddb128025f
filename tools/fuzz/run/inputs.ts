/** What a run says, each with a kind and a number of its own, and what it finds. */

import type { Dialogue } from "../generate/ftp/model.ts";
import type { Entry } from "../guide/corpus.ts";
import type { Property } from "../properties/finding.ts";

/**
 * - `lines`       a session of single-line replies (FTP)
 * - `bred-lines`  the same, half of them lines of what has reached something new, with bytes changed
 * - `dialogue`    a dialogue of the model
 * - `wild`        the same with bytes changed
 * - `bred`        what has reached something new, with bytes changed
 * - `corpus`      that itself
 * - `capture`     what was read from a file
 */
export const KINDS = ["lines", "bred-lines", "dialogue", "wild", "bred", "corpus", "capture"] as const;
export type Kind = (typeof KINDS)[number];

export type Input = readonly [kind: Kind, number: number];

export interface Finding {
  readonly kind: Kind;
  readonly seed: number;
  readonly number: number;
  readonly property: Property;
  readonly message: string;
  /** What shows it. */
  readonly dialogue: Dialogue;
}

export type Many = (bytes: Uint8Array, ends: Int32Array, count: number) => void;

export interface InputOptions {
  readonly seed: number;
  /** What was bred takes part. */
  readonly breeds?: boolean;
  /** Told of each message, which is valid during the call only. */
  readonly each?: (bytes: Uint8Array, length: number) => void;
  /** FTP: the same of `count` single-line replies, one behind the other; `ends` says where each of them ends. */
  readonly many?: Many;
  /** Told of what will be held next; null: lines, which are not made before they are said. */
  readonly begins?: (input: Input, dialogue: Dialogue | null) => void;
}

export interface Inputs {
  /** Single-line replies, or messages. */
  executions: number;
  dialogues: number;
  /** What is bred from. */
  readonly corpus: Entry[];
  /** What comes at a step, from 0 on. */
  planned(step: number): Input;
  /** One of a kind, by its number. With the same seed (and corpus, where it is bred) it is the same each time. */
  only(kind: Kind, number: number): Finding | null;
  /** What is there already. */
  hold(kind: Kind, number: number, dialogue: Dialogue): Finding | null;
  /** What was held last. */
  said(): Dialogue;
}
