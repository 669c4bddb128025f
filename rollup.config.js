/**
 * After tsc: the packet engine becomes one module, dist/core/engine.js. V8 folds constants and inlines functions of the
 * module it compiles, but reads what is imported anew at each use: an engine in one module is a sixth faster.
 *
 * What is bundled is pure: constants, functions, and classes that only the engine makes, so that it does no harm that
 * others import the same from its own file.
 */
import { readFile } from "node:fs/promises";

const BUNDLED =
  /\/dist\/core\/(engine(\/[\w-]+)?|flow\/(buckets|key|rows|table|tcp-state|tracks|wheel)|nat\/(translate|too-big|tunnel)|wire\/(bytes|checksum|headers|icmp|ipv[46]|tcp|udp))\.js$/;

/** What tsc made, with the way back to the TypeScript. */
const compiled = {
  name: "compiled",
  load: async (path) => ({ code: await readFile(path, "utf8"), map: await readFile(`${path}.map`, "utf8") }),
};

// biome-ignore lint/style/noDefaultExport: it is what rollup reads
export default {
  input: "dist/core/engine.js",
  output: { file: "dist/core/engine.js", sourcemap: true },
  external: (id, _importer, resolved) => resolved && !BUNDLED.test(id),
  plugins: [compiled],
};
