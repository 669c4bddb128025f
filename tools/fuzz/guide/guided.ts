/**
 * A run that looks at what its inputs reach. They are run a batch at a time; where a batch has reached something new, it is
 * halved and run again until the input is found that does, which joins the corpus. The same seed takes the same way.
 */
import type { Dialogue, Turn } from "../generate/ftp/model.ts";
import type { Finding, Input, Inputs } from "../run/inputs.ts";
import { bySize, type Entry } from "./corpus.ts";
import type { Blocks, Coverage, Ran } from "./coverage.ts";

const MOST_IN_BATCH = 1024;
/** Of one that joins: how often less of it is tried. Each costs a look at the coverage. */
const MOST_TRIES = 6;

export interface GuidedHooks {
  found(finding: Finding): void;
  joined(entry: Entry): void;
  /** An entry that reaches nothing which others do not. */
  dropped(name: string): void;
  /** Before the next input, of the step that it is. False: this is the end. */
  goesOn(step: number): boolean;
  covered(blocks: Blocks): void;
}

export interface GuidedOptions {
  readonly inputs: Inputs;
  /** null: nobody looks. */
  readonly coverage: Coverage | null;
  readonly seed: number;
  /** The first step. */
  readonly from: number;
  readonly hooks: GuidedHooks;
}

export class Guided {
  readonly #inputs: Inputs;
  readonly #coverage: Coverage | null;
  readonly #seed: number;
  readonly #hooks: GuidedHooks;
  #step: number;
  #size = 1;

  constructor({ inputs, coverage, seed, from, hooks }: GuidedOptions) {
    this.#inputs = inputs;
    this.#coverage = coverage;
    this.#seed = seed;
    this.#step = from;
    this.#hooks = hooks;
  }

  /** Begins with a corpus that there is, of which what adds nothing is dropped. */
  begin(corpus: readonly Entry[]): void {
    const coverage = this.#coverage;
    for (const entry of [...corpus].sort(bySize)) {
      this.#told(this.#inputs.hold("corpus", 0, entry.dialogue));
      const ran = coverage?.take();
      if (ran === undefined || coverage!.isNews(ran)) {
        if (ran !== undefined) this.#keep(ran);
        this.#inputs.corpus.push(entry);
      } else this.#hooks.dropped(entry.name);
    }
  }

  /** Until the hooks have enough. */
  run(): void {
    for (;;) {
      const batch = this.#batch();
      if (batch.length === 0) return;
      if (this.#coverage !== null) this.#look(this.#coverage, batch);
    }
  }

  #batch(): Input[] {
    const batch: Input[] = [];
    while (batch.length < this.#size && this.#hooks.goesOn(this.#step)) {
      const input = this.#inputs.planned(this.#step++);
      this.#told(this.#inputs.only(...input));
      batch.push(input);
    }
    return batch;
  }

  #told(finding: Finding | null): void {
    if (finding !== null) this.#hooks.found(finding);
  }

  #look(coverage: Coverage, batch: readonly Input[]): void {
    const ran = coverage.take();
    const news = coverage.isNews(ran);
    if (news) {
      // What they are made of may not change while they are made again.
      const joining = this.#locate(coverage, batch, ran);
      for (const entry of joining) {
        this.#inputs.corpus.push(entry);
        this.#hooks.joined(entry);
      }
    }
    this.#keep(ran);
    this.#size = news ? Math.max(1, this.#size >> 1) : Math.min(MOST_IN_BATCH, this.#size * 2);
  }

  #keep(ran: Ran): void {
    this.#coverage!.keep(ran);
    this.#hooks.covered(this.#coverage!.blocks);
  }

  /** Those of `batch`, which has reached `ran`, that reach what none before them has. */
  #locate(coverage: Coverage, batch: readonly Input[], ran: Ran): Entry[] {
    if (!coverage.isNews(ran)) return [];
    if (batch.length === 1) return [this.#entry(coverage, batch[0]!, ran)];
    const half = batch.length >> 1;
    return [batch.slice(0, half), batch.slice(half)].flatMap((part) => {
      this.#uncounted(() => {
        for (const input of part) this.#inputs.only(...input);
      });
      return this.#locate(coverage, part, coverage.take());
    });
  }

  /** `input` with as little said as still reaches the same, nearly. */
  #entry(coverage: Coverage, [kind, number]: Input, ran: Ran): Entry {
    const said = this.#inputs.said();
    const dialogue = fewerTurns(said, (fewer) => {
      this.#uncounted(() => this.#inputs.hold("corpus", number, fewer));
      return coverage.isAsGood(coverage.take(), ran);
    });
    coverage.keep(ran);
    return { name: `${kind}-${this.#seed}-${number}`, dialogue };
  }

  /** What is said again is no other execution. */
  #uncounted(run: () => void): void {
    const inputs = this.#inputs;
    const { executions, dialogues } = inputs;
    run();
    inputs.executions = executions;
    inputs.dialogues = dialogues;
  }
}

/** Without halves, quarters, eighths of its turns, where `still` says that they are not needed. */
function fewerTurns(dialogue: Dialogue, still: (fewer: Dialogue) => boolean): Dialogue {
  let left: readonly Turn[] = dialogue.turns;
  let tries = 0;
  for (let size = left.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < left.length && tries < MOST_TRIES; ) {
      const turns = [...left.slice(0, at), ...left.slice(at + size)];
      tries++;
      if (turns.length > 0 && still({ ...dialogue, turns, exact: false })) left = turns;
      else at += size;
    }
  }
  return { ...dialogue, turns: left, exact: false };
}
