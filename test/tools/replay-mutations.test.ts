/**
 * Captures that were damaged on purpose: whatever happens to the bytes, replay ends, says 0 or 2, and prints JSON.
 * `KINDRED_MUTATIONS=10000 npm run test:one -- .tests/test/tools/replay-mutations.test.js` tries as many and writes down
 * what came of it in fixtures/soak/replay-mutations.json.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import t from "tap";
import type { Report } from "../../tools/replay/report.ts";
import { type ReplayOptions, runReplay } from "../../tools/replay.ts";
import { captureEntries, captureName, capturePath } from "../captures.ts";
import { ROOT } from "../root.ts";

const SEED = 20_261_121;
const FEW = 300;
const count = Number(process.env["KINDRED_MUTATIONS"] ?? FEW);
/** A larger one tells nothing more, and takes longer. */
const LARGEST = 64 * 1024;

type Random = (n: number) => number;

/** mulberry32, by Tommy Ettinger: a whole number below `n`. */
function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * n);
  };
}

function templates(): Bytes[] {
  const own = join(ROOT, "fixtures");
  const files = readdirSync(own)
    .filter((name) => name.endsWith(".pcap"))
    .sort()
    .map((name) => join(own, name));
  const others = captureEntries().sort((one, another) => (captureName(one) < captureName(another) ? -1 : 1));
  return [...files, ...others.map(capturePath)]
    .map((file) => new Uint8Array(readFileSync(file)))
    .filter(({ length }) => length > 0 && length <= LARGEST);
}

const LENGTHS = [0, 1, 4, 15, 16, 28, 0x7fff, 0xffff, 0x40000, 0x40001, 0x1000000, 0x7fffffff, 0xffffffff];

type Bytes = Uint8Array<ArrayBuffer>;
type Mutation = (bytes: Bytes, random: Random) => Bytes;
const flip: Mutation = (bytes, random) => {
  for (let n = 1 + random(8); n > 0; n--) bytes[random(bytes.length)]! ^= 1 << random(8);
  return bytes;
};
const overwrite: Mutation = (bytes, random) => {
  const at = random(bytes.length);
  bytes.fill(random(256), at, at + 1 + random(40));
  return bytes;
};
const cut: Mutation = (bytes, random) => bytes.slice(0, 1 + random(bytes.length));
const wrongLength: Mutation = (bytes, random) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const at = random(Math.max(1, Math.floor(bytes.length / 4) - 1)) * 4;
  if (at + 4 <= bytes.length) view.setUint32(at, LENGTHS[random(LENGTHS.length)]!, random(2) === 0);
  return bytes;
};
const wrongShortLength: Mutation = (bytes, random) => {
  const at = random(bytes.length);
  bytes[at] = 0xff;
  if (at + 1 < bytes.length) bytes[at + 1] = random(256);
  return bytes;
};
const leaveOut: Mutation = (bytes, random) => {
  const at = random(bytes.length);
  const to = at + 1 + random(100);
  return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(to)]);
};
const repeat: Mutation = (bytes, random) => {
  const at = random(bytes.length);
  const piece = bytes.subarray(at, at + 1 + random(200));
  return Uint8Array.from([...bytes.subarray(0, at), ...piece, ...bytes.subarray(at)]);
};
const MUTATIONS = [flip, flip, overwrite, cut, wrongLength, wrongLength, wrongShortLength, leaveOut, repeat];

function mutated(template: Bytes, random: Random): Bytes {
  let bytes = template.slice();
  // Beyond the first headers, where most of it lies, or in them.
  for (let n = 1 + random(4); n > 0 && bytes.length > 0; n--)
    bytes = MUTATIONS[random(MUTATIONS.length)]!(bytes, random);
  if (random(10) !== 0) return bytes;
  const compressed = new Uint8Array(gzipSync(bytes));
  return random(2) === 0 ? compressed : flip(compressed, random);
}

const OUTPUTS: readonly ReplayOptions[] = [{ json: true }, { json: true }, { json: true }, { ndjson: true }, {}];

async function replayed(bytes: Uint8Array, options: ReplayOptions, piece: number) {
  let out = "";
  const stdin = (async function* () {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
  })();
  const io = { stdin, stdout: { write: (text: string) => (out += text) }, stderr: { write: () => true } };
  return { status: await runReplay(["-"], options, io), out };
}

t.test(`${count} damaged captures are read to an end, and the output is JSON`, { timeout: 0 }, async (t) => {
  const random = randomOf(SEED);
  const all = templates();
  const summary = { packets: 0, controls: 0, related: 0, faults: 0, whole: 0, broken: 0 };
  for (let n = 0; n < count; n++) {
    const template = random(all.length);
    const bytes = mutated(all[template]!, random);
    const options = OUTPUTS[random(OUTPUTS.length)]!;
    const { status, out } = await replayed(bytes, options, 1 + random(bytes.length + 1));
    if (status !== 0 && status !== 2) t.fail(`mutation ${n} of template ${template}: status ${status}`);
    summary[status === 0 ? "whole" : "broken"]++;
    if (options.ndjson) for (const line of out.trimEnd().split("\n")) JSON.parse(line);
    if (!options.json) continue;
    const { captures, controls, related, faults } = JSON.parse(out) as Report;
    summary.packets += captures[0]!.packets;
    summary.controls += controls.length;
    summary.related += related.length;
    summary.faults += faults.length;
  }
  t.ok(summary.whole > 0 && summary.broken > 0, "some were broken, and some still whole");
  t.ok(summary.related > 0, "announcements were among what was still read");
  t.comment(JSON.stringify(summary));
  if (count > FEW) write(all.length, summary);
});

function write(templates: number, summary: object): void {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  const command = `KINDRED_MUTATIONS=${count} npm run test:one -- .tests/test/tools/replay-mutations.test.js`;
  const folder = join(ROOT, "fixtures", "soak");
  mkdirSync(folder, { recursive: true });
  const found = {
    command,
    version,
    node: process.version,
    seed: SEED,
    mutations: count,
    templates,
    crashes: 0,
    ...summary,
  };
  writeFileSync(join(folder, "replay-mutations.json"), `${JSON.stringify(found, null, 2)}\n`);
}
