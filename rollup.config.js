/**
 * After tsc: the packet engine becomes one module, dist/core/engine.js, and so does the reading of captures,
 * dist/tools/replay.js. V8 folds constants and inlines functions of the module it compiles, but reads what is imported anew
 * at each use: an engine in one module is a sixth faster. One module also starts sooner than a hundred.
 *
 * What is bundled is pure: constants, functions, and classes that only the bundle makes, so that it does no harm that
 * others import the same from its own file. What is imported when it is needed stays where it is.
 */
import { readFile } from "node:fs/promises";

const ENGINE =
  /\/dist\/core\/(assign|engine(\/[\w-]+)*|helper\/(brief|judge|reasons|recorder|run)|inspect\/[\w-]+|metrics|schedule\/hash|service|flow\/(buckets|key|rows|table|tcp-state|tracks|wheel)|nat\/(translate|too-big|tunnel)|wire\/(bytes|checksum|headers|icmp|ipv[46]|tcp|tcp-options|udp))\.js$/;
const REPLAY = /\/dist\/(core|helpers|tools\/replay)\b.*\.js$/;

/** What tsc made, with the way back to the TypeScript. */
const compiled = {
  name: "compiled",
  load: async (path) => ({ code: await readFile(path, "utf8"), map: await readFile(`${path}.map`, "utf8") }),
  resolveDynamicImport: (id) => ({ id, external: true }),
};

const oneModule = (file, bundled) => ({
  input: file,
  output: { file, sourcemap: true },
  external: (id, _importer, resolved) => resolved && !bundled.test(id),
  plugins: [compiled],
});

/** The same as a script, for tools/compiled.ts. ASCII, so that V8 keeps a byte for each character. */
const script = (input, file, bundled) => ({
  ...oneModule(input, bundled),
  output: { file, format: "cjs", dynamicImportInCjs: false, plugins: [ascii] },
});

const ascii = {
  name: "ascii",
  renderChunk: (code) =>
    code.replace(/[^\0-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`),
};

// biome-ignore lint/style/noDefaultExport: it is what rollup reads
export default [
  oneModule("dist/core/engine.js", ENGINE),
  // Before the module takes the place of its own source.
  script("dist/tools/replay.js", "dist/tools/replay.cjs", REPLAY),
  oneModule("dist/tools/replay.js", REPLAY),
];
