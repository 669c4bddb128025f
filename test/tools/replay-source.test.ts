/** Where the bytes of a capture come from: files, standard input, compressed or not. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import t from "tap";
import type { Report } from "../../tools/replay/report.ts";
import { pour } from "../../tools/replay/source.ts";
import { runReplay } from "../../tools/replay.ts";
import { ROOT } from "../root.ts";

const FIXTURE = resolve(ROOT, "fixtures", "ftp-own-pasv-masq-client-fixes.pcap");
const CAPTURE = readFileSync(FIXTURE);
const folder = mkdtempSync(join(tmpdir(), "kindred-"));
t.teardown(() => rmSync(folder, { recursive: true }));

const written = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function replayed(file: string, stdin = inPieces(new Uint8Array(0), 1)) {
  let stdout = "";
  const io = { stdin, stdout: { write: (text: string) => (stdout += text) }, stderr: { write: () => true } };
  const status = await runReplay([file], { json: true }, io);
  return { status, report: JSON.parse(stdout) as Report };
}

/** A zstd frame of raw blocks (RFC 8878 §3.1.1), which every reader takes. */
function zstd(bytes: Uint8Array, block = 500): Uint8Array {
  const parts = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0]), Buffer.alloc(4)];
  parts[1]!.writeUInt32LE(bytes.length);
  for (let at = 0; at < bytes.length; at += block) {
    const piece = bytes.subarray(at, at + block);
    const header = Buffer.alloc(3);
    header.writeUIntLE((piece.length << 3) | (at + block >= bytes.length ? 1 : 0), 0, 3);
    parts.push(header, Buffer.from(piece));
  }
  return Buffer.concat(parts);
}

/** Without the name. */
const found = ({ captures, controls, related, faults }: Report) => ({
  captures: captures.map(({ file, ...rest }) => rest),
  controls: controls.map(({ file, ...rest }) => rest),
  related,
  faults,
});
const plain = found((await replayed(FIXTURE)).report);

/** All that `pour` gives out of `file`. */
async function poured(file: string) {
  const parts: Uint8Array[] = [];
  let part = new Uint8Array(0);
  const failure = await pour(file, inPieces(new Uint8Array(0), 1), {
    room: (count) => {
      part = new Uint8Array(count);
      return part;
    },
    filled: (count) => {
      parts.push(part.subarray(0, count));
    },
    use: () => true,
    progress: () => {},
  });
  return { bytes: Buffer.concat(parts), failure };
}

t.test("standard input is read like a file, in whatever pieces it comes, compressed or not", async (t) => {
  for (const length of [1, 7, 1000, CAPTURE.length]) {
    for (const bytes of [CAPTURE, gzipSync(CAPTURE), zstd(CAPTURE)]) {
      const { status, report } = await replayed("-", inPieces(bytes, length));
      t.equal(status, 0);
      t.equal(report.captures[0]!.file, "-");
      t.same(found(report), plain, `pieces of ${length}`);
    }
  }
});

t.test("a gzip file is read like what is in it, of several members too", async (t) => {
  t.same(found((await replayed(written("a.pcap.gz", gzipSync(CAPTURE)))).report), plain);
  const halves = [CAPTURE.subarray(0, 1000), CAPTURE.subarray(1000)].map((half) => gzipSync(half));
  t.same(found((await replayed(written("b.pcap.gz", Buffer.concat(halves)))).report), plain);
});

t.test("a gzip file cut anywhere gives all that can be decompressed, and says that it is cut", async (t) => {
  // Does not compress, so that each byte of the file is needed.
  let state = 1;
  const random = Buffer.from(
    Array.from({ length: 100_000 }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    }),
  );
  const whole = gzipSync(random);
  for (const length of [10, 100, 5_000, whole.length >> 1, whole.length - 9, whole.length - 1]) {
    const path = written("cut.gz", whole.subarray(0, length));
    const { bytes, failure } = await poured(path);
    const expected = execFileSync("sh", ["-c", `gzip -dc ${path} 2>/dev/null || true`]);
    t.ok(bytes.equals(random.subarray(0, bytes.length)));
    t.ok(bytes.length >= expected.length, `${length}: ${bytes.length}, gzip ${expected.length}`);
    t.match(failure, new RegExp(`unexpected end of file.*${length} bytes`));
  }
});

t.test("a capture in a cut gzip file yields what stands before the cut, both reasons, and status 2", async (t) => {
  const { status, report } = await replayed(written("cut.pcap.gz", gzipSync(CAPTURE).subarray(0, 700)));
  const { packets, error } = report.captures[0]!;
  t.equal(status, 2);
  t.ok(packets > 3);
  t.match(error, /gzip: unexpected end of file \(700 bytes.*record \d+ is cut short.*at byte \d+/);
});

t.test("a zstd file is read like what is in it: several frames, and those to be skipped", async (t) => {
  const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  const frames = [skipped, zstd(CAPTURE.subarray(0, 1000)), skipped, zstd(CAPTURE.subarray(1000))];
  t.same(found((await replayed(written("a.pcap.zst", Buffer.concat(frames)))).report), plain);
});

const noZstd = spawnSync("zstd", ["--version"]).error === undefined ? false : "zstd is not installed";
t.test("what zstd compresses is read", { skip: noZstd }, async (t) => {
  const bytes = execFileSync("zstd", ["-q", "-19", "-c", FIXTURE]);
  t.same(found((await replayed(written("b.pcap.zst", bytes))).report), plain);
});

t.test("a zstd file that is cut yields what stands before the cut, both reasons, and status 2", async (t) => {
  const { status, report } = await replayed(written("cut.pcap.zst", zstd(CAPTURE).subarray(0, 1700)));
  const { packets, error } = report.captures[0]!;
  t.equal(status, 2);
  t.ok(packets > 3);
  t.match(error, /zstd: unexpected EOF \(1700 bytes.*record \d+ is cut short.*at byte \d+/);
  t.equal((await replayed(written("bad.pcap.zst", zstd(CAPTURE).fill(0xff, 9, 20)))).status, 2);
});

t.test("gzip data that is damaged in the middle is an error behind what could be read", async (t) => {
  const damaged = gzipSync(CAPTURE).fill(0xff, 600, 700);
  const { status, report } = await replayed(written("bad.pcap.gz", damaged));
  t.equal(status, 2);
  t.match(report.captures[0]!.error, /^gzip: /);
});

t.test("a folder, and a file that nobody may read, are errors", async (t) => {
  t.match((await poured(folder)).failure, /EISDIR/);
  t.match((await poured(join(folder, "absent"))).failure, /no such file/);
});
