/** What the thread of a run is to do, and what it reports. */
import type { Dialogue } from "../generate/ftp/model.ts";
import type { Entry } from "../guide/corpus.ts";
import type { Finding, Input } from "./inputs.ts";

export interface Plan {
  readonly helper: string;
  readonly seed: number;
  /** FTP: single-line replies, and nothing else. */
  readonly onlyLines: boolean;
  /** The thread runs the one module that the build made of all that it needs, and not its parts. */
  readonly whole: boolean;
  /** Coverage is looked at, and inputs are bred from those that reached something. */
  readonly guided: boolean;
  /** These and no others. */
  readonly only: Input | null;
  readonly held: readonly Dialogue[] | null;
  /** It ends after so many. */
  readonly executions: number;
  readonly corpus: readonly Entry[];
  /** Of `Shared`, and of `Distinct`. */
  readonly shared: SharedArrayBuffer;
  readonly distinct: SharedArrayBuffer;
}

export type Report =
  | { readonly type: "found"; readonly finding: Finding }
  | { readonly type: "joined"; readonly entry: Entry }
  | { readonly type: "dropped"; readonly name: string };
