/** A copy of what was built with one bug in it; the fuzzer is part of the copy. */
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { deadly, type Mutant, mutants } from "./list.ts";

const UNBUNDLED = ".unbundled.js";
const COPIED = ["core", "helpers", join("tools", "fuzz")];

export interface Broken {
  readonly folder: string;
  /** Takes the copy away again. */
  remove(): Promise<void>;
}

/** `built`: the folder that the build made. A mutant that does not apply there is an error. */
export async function brokenCopy(name: string, built: string): Promise<Broken> {
  const all = [...mutants, ...deadly];
  const mutant = all.find((one) => one.name === name);
  if (mutant === undefined) throw new Error(`no mutant "${name}"; there are ${all.map((one) => one.name).join(", ")}`);
  const folder = await mkdtemp(join(tmpdir(), "kindred-mutant-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    for (const part of COPIED) await copy(resolve(built, part), join(folder, part));
    await writeFile(join(folder, "package.json"), '{"type":"module"}');
    await apply(mutant, folder);
    return { folder, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Modules as they were compiled, and no maps: what the build made one of (rollup.config.js) has a bug in none of its parts. */
async function copy(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, filter: (file) => !file.endsWith(".map") });
  for (const file of await readdir(to, { recursive: true })) {
    if (file.endsWith(UNBUNDLED)) await rename(join(to, file), join(to, `${file.slice(0, -UNBUNDLED.length)}.js`));
  }
}

async function apply({ name, file, from, to }: Mutant, folder: string): Promise<void> {
  const path = join(folder, file);
  const text = await readFile(path, "utf8");
  const places = text.split(from).length - 1;
  if (places !== 1) throw new Error(`mutant ${name}: ${places} places in ${file}, instead of one`);
  await writeFile(
    path,
    text.replace(from, () => to),
  );
}
