/**
 * After tsc: the packet engine becomes one module, dist/core/engine.js, and so do the balancer, the FTP helper and the reading
 * of captures, dist/tools/replay.js. V8 folds constants and inlines functions of the module it compiles, but reads what is
 * imported anew at each use: an engine in one module is a sixth faster, and so is a line of FTP. One module also starts
 * sooner than a hundred, and a script sooner than a module: the command is one, dist/tools/kindred.cjs. What the fuzzer does
 * for lines alone is one, too, beside its source, which other runs look into.
 *
 * What is bundled is pure: constants, functions, and classes that only the bundle makes, so that it does no harm that
 * others import the same from its own file. What is imported when it is needed stays where it is.
 */
import { copyFile, readFile } from "node:fs/promises";
import { dirname, relative } from "node:path";
import ts from "typescript";

const ENGINE =
  /\/dist\/core\/(assign|engine(\/[\w-]+)*|helper\/(brief|judge|reader|reasons|recorder|run)|inspect\/[\w-]+|metrics|schedule\/hash|service|flow\/(buckets|key|rows|table|tcp-state|tracks|wheel)|nat\/(translate|too-big|tunnel)|wire\/(bytes|checksum|headers|icmp|ipv[46]|tcp|tcp-options|udp))\.js$/;
const BALANCER =
  /\/dist\/core\/(assign|balancer|change|flow\/(chains|key|owners|placed|related|related-rows|slots)|helper\/judge|schedule\/hash|service|units)\.js$/;
const FTP = /\/dist\/(core\/wire\/(bytes|text)|helpers\/ftp\/[\w-]+)\.js$/;
const COMMAND = /\/dist\/tools\/(kindred|compiled|replay\/words)\.js$/;
const FUZZER = /\/dist\/(core|helpers|tools\/fuzz)\b.*\.js$/;
const REPLAY = /\/dist\/(core|helpers|tools\/replay)\b.*\.js$/;

/** What tsc made, with the way back to the TypeScript. */
const compiled = {
  name: "compiled",
  load: async (path) => ({ code: await readFile(path, "utf8"), map: await readFile(`${path}.map`, "utf8") }),
  resolveDynamicImport: (id) => ({ id, external: true }),
};

const oneModule = (input, bundled, file) => ({
  input,
  output: { file, sourcemap: true },
  external: (id, _importer, resolved) => resolved && !bundled.test(id),
  plugins: [compiled, inTheirPlaces(dirname(file))],
});

/** What lies beside a source is found from the module in `folder`, too. */
const inTheirPlaces = (folder) => ({
  name: "in their places",
  resolveImportMeta(_property, { moduleId, format }) {
    const base = format === "cjs" ? 'require("node:url").pathToFileURL(__filename)' : "import.meta.url";
    return `new URL(${JSON.stringify(relative(folder, moduleId))}, ${base}).href`;
  },
});

/** In its own place; it is kept as it was, beside it, for the fuzzer's mutants. */
const inPlace = (file, bundled) => {
  const kept = { name: "kept", buildStart: () => copyFile(file, file.replace(/\.js$/, ".unbundled.js")) };
  const { plugins, ...module } = oneModule(file, bundled, file);
  return { ...module, plugins: [kept, ...plugins] };
};

/** The same as a script, without comments, and in ASCII, so that V8 keeps a byte for each character. */
const script = (input, file, bundled, output) => ({
  ...oneModule(input, bundled, file),
  output: { file, format: "cjs", plugins: [short], ...output },
});

const short = {
  name: "short",
  renderChunk: (code) =>
    ts
      .transpileModule(code, {
        compilerOptions: { removeComments: true, target: "esnext", module: "esnext" },
        transformers: { before: [withoutPrivates] },
      })
      .outputText.replace(/[^\0-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`),
};

/**
 * `this.#name` becomes `this.$12name`, of the twelfth class: what V8 has not optimized yet, and of most of a script that
 * runs for a fifth of a second it never does, finds a usual member sooner than a private one.
 */
function withoutPrivates(context) {
  const { factory } = context;
  let classes = 0;
  /** `scopes`: by its private name, the usual one of each member, of the innermost class first. */
  const visitIn = (scopes) => (node) => {
    if (ts.isPrivateIdentifier(node)) {
      if (ts.isBinaryExpression(node.parent)) throw new Error(`what would "${node.text} in" ask of a usual member?`);
      return factory.createIdentifier(scopes.find((names) => names.has(node.text)).get(node.text));
    }
    const within = ts.isClassLike(node) ? [usualNames(node, ++classes), ...scopes] : scopes;
    return ts.visitEachChild(node, visitIn(within), context);
  };
  return (file) => ts.visitNode(file, visitIn([]));
}

const usualNames = ({ members }, number) =>
  new Map(
    members
      .filter(({ name }) => name !== undefined && ts.isPrivateIdentifier(name))
      .map(({ name }) => [name.text, `$${number}${name.text.slice(1)}`]),
  );

/** What tools/compiled.ts calls. */
const called = { banner: "(function (exports, require, __filename) {", footer: "})", dynamicImportInCjs: false };

// biome-ignore lint/style/noDefaultExport: it is what rollup reads
export default [
  // Before modules take the place of their own sources.
  oneModule("dist/tools/fuzz/run/perform.js", FUZZER, "dist/tools/fuzz/run/whole.js"),
  inPlace("dist/core/engine.js", ENGINE),
  inPlace("dist/core/balancer.js", BALANCER),
  inPlace("dist/helpers/ftp/helper.js", FTP),
  script("dist/tools/replay.js", "dist/tools/replay.cjs", REPLAY, called),
  oneModule("dist/tools/replay.js", REPLAY, "dist/tools/replay.js"),
  script("dist/tools/kindred.js", "dist/tools/kindred.cjs", COMMAND),
];
