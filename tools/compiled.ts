/**
 * `kindred replay` as one script, with the code that V8 made of it when it was built: to compile it anew takes longer than
 * to read a hundred thousand packets. Another version of V8 takes no notice of that code, and compiles.
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

type Replay = typeof import("./replay.ts");

/** An `import` of these from a module would load all that they load when they are asked for. */
const require = createRequire(import.meta.url);
const { existsSync, readFileSync, statSync } = require("node:fs") as typeof import("node:fs");
const { setFlagsFromString } = require("node:v8") as typeof import("node:v8");
const { Script } = require("node:vm") as typeof import("node:vm");

const SCRIPT = fileURLToPath(new URL("./replay.cjs", import.meta.url));
/** Where the compiled code is. */
export const CODE = `${SCRIPT}.code`;
/** A capture that has a little of everything. */
export const REHEARSAL = `${SCRIPT}.pcap`;

/**
 * How much of a function is run before it is optimized, in bytes of bytecode; fifteen times the usual. What is run for each
 * packet is so all the same at once, and what is run a few thousand times is not worth it.
 */
const WORTH_OPTIMIZING = 1_000_000;
/** In the rehearsal hardly anything is run that is not. */
const REHEARSED = 20_000;
/** Bytes of a file that is worth a rehearsal, which takes as long as some 50,000 packets. */
const LONG = 16_000_000;

const optimizeAfter = (bytecode: number): void => setFlagsFromString(`--interrupt-budget=${bytecode}`);

interface Compiled {
  readonly script: InstanceType<typeof Script>;
  readonly replay: Replay;
}

/** The script and what it exports; null: it was not built. */
export function compiledReplay(): Compiled | null {
  if (!existsSync(SCRIPT)) return null;
  optimizeAfter(WORTH_OPTIMIZING);
  const source = `(function (exports, require) {${readFileSync(SCRIPT, "latin1")}\n})`;
  const cachedData = existsSync(CODE) ? readFileSync(CODE) : undefined;
  const script = new Script(source, { filename: SCRIPT, ...(cachedData === undefined ? {} : { cachedData }) });
  const replay = {} as Replay;
  script.runInThisContext()(replay, require);
  return { script, replay };
}

/** The same, ready for `files`. */
export async function replayFor(files: readonly string[]): Promise<Replay | null> {
  const compiled = compiledReplay();
  if (compiled !== null && existsSync(REHEARSAL) && files.some(isLong)) {
    optimizeAfter(REHEARSED);
    await compiled.replay.rehearse(REHEARSAL);
    optimizeAfter(WORTH_OPTIMIZING);
  }
  return compiled?.replay ?? null;
}

const isLong = (file: string): boolean => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LONG;
