/**
 * `kindred replay` as one script, with the code that V8 made of it when it was built: to compile it anew takes longer than
 * to read a hundred thousand packets. Another release of Node compiles.
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

type Replay = typeof import("./replay.ts");

/** An `import` of these from a module would load all that they load when they are asked for. */
const require = createRequire(import.meta.url);
const { existsSync, readFileSync } = require("node:fs") as typeof import("node:fs");
const { Script } = require("node:vm") as typeof import("node:vm");

const SCRIPT = fileURLToPath(new URL("./replay.cjs", import.meta.url));
/**
 * Where the compiled code is, of this very Node alone: V8 takes no notice of code that another version of it made, but takes
 * that of its own version in another release of Node, and dies of it (11.3 in 20.20.2 and in 20.20.0).
 */
export const CODE = `${SCRIPT}.${process.version}-${process.platform}-${process.arch}.code`;
/**
 * How much of a function is run before it is optimized, in bytes of bytecode; fifteen times the usual. What is run for each
 * packet is WebAssembly, the rest is run some thousand times, whatever the length of the file: to optimize that takes other
 * processors, or this one's time, and comes too late.
 */
const WORTH_OPTIMIZING = 1_000_000;

interface Compiled {
  readonly script: InstanceType<typeof Script>;
  readonly replay: Replay;
}

/** The script and what it exports; null: it was not built. */
export function compiledReplay(): Compiled | null {
  if (!existsSync(SCRIPT)) return null;
  const source = readFileSync(SCRIPT, "latin1");
  const cachedData = existsSync(CODE) ? readFileSync(CODE) : undefined;
  const script = new Script(source, { filename: SCRIPT, ...(cachedData === undefined ? {} : { cachedData }) });
  const replay = {} as Replay;
  script.runInThisContext()(replay, require, SCRIPT);
  return { script, replay };
}

/** The same, ready for a capture. */
export function replayFor(): Replay | null {
  const compiled = compiledReplay();
  optimizeAfter(WORTH_OPTIMIZING);
  return compiled?.replay ?? null;
}

/**
 * When the script is compiled: code that was compiled with other flags V8 does not take. It takes milliseconds to load. From
 * version 12 on V8 knows it by no such flag, and says so where nobody would look for it.
 */
function optimizeAfter(bytecode: number): void {
  if (Number.parseInt(process.versions.v8, 10) >= 12) return;
  const { setFlagsFromString } = require("node:v8") as typeof import("node:v8");
  setFlagsFromString(`--interrupt-budget=${bytecode}`);
}
