/** What is kept of a run: findings as JSON, for a look, and as captures, to be held again; the corpus. */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Helper } from "../../../core/helper/api.ts";
import type { Entry } from "../guide/corpus.ts";
import { captureOf } from "./capture.ts";
import { captured } from "./captured.ts";
import type { Finding } from "./inputs.ts";

/** Writes `finding` into `folder` as NAME.json and NAME.pcapng. Returns the capture's name. */
export async function keep(finding: Finding, helper: Helper, folder: string): Promise<string> {
  const { property, kind, seed, number, message, dialogue } = finding;
  const name = `${helper.name}-${property}-${kind}-${seed}-${number}`;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(finding, null, 1)}\n`);
  await writeFile(join(folder, `${name}.pcapng`), captureOf(dialogue, helper, `${property}: ${message}`));
  return `${name}.pcapng`;
}

/** The corpus of a helper: a capture for each entry, in a folder of the helper's own. */
export class CorpusFolder {
  readonly #helper: Helper;
  readonly #folder: string;

  constructor(helper: Helper, folder: string) {
    this.#helper = helper;
    this.#folder = join(folder, helper.name);
  }

  /** What is there of it, in the order of its names. */
  async read(): Promise<Entry[]> {
    await mkdir(this.#folder, { recursive: true });
    const entries: Entry[] = [];
    for (const file of (await readdir(this.#folder)).sort()) {
      if (!file.endsWith(ENDING)) continue;
      const there = captured(await readFile(join(this.#folder, file)));
      if (there?.helper !== this.#helper) continue;
      entries.push({ name: file.slice(0, -ENDING.length), dialogue: there.dialogue });
    }
    return entries;
  }

  async add({ name, dialogue }: Entry): Promise<void> {
    await writeFile(this.#file(name), captureOf(dialogue, this.#helper, `corpus: ${name}`));
  }

  remove(name: string): Promise<void> {
    return rm(this.#file(name), { force: true });
  }

  #file(name: string): string {
    return join(this.#folder, `${name}${ENDING}`);
  }
}

const ENDING = ".pcapng";
