import fc from "fast-check";
import t from "tap";
import { findOption, MOST_OPTIONS, putSack, putTimestamps, SACK, TcpOptions } from "../../../core/wire/tcp-options.ts";

/** A header with these options, padded with zeros. */
function header(...options: number[]): Uint8Array {
  const length = 20 + Math.ceil(options.length / 4) * 4;
  const bytes = new Uint8Array(3 + length);
  bytes[3 + 12] = (length / 4) << 4;
  bytes.set(options, 23);
  return bytes;
}

function read(...options: number[]) {
  const read = new TcpOptions();
  read.read(header(...options), 3);
  const { mss, windowScale, sackPermitted, timestamps, value, echo, blocks, edges } = read;
  return {
    mss,
    windowScale,
    sackPermitted,
    timestamps: timestamps ? [value, echo] : null,
    sack: [...edges.subarray(0, blocks * 2)],
  };
}

const NONE = { mss: 0, windowScale: -1, sackPermitted: false, timestamps: null, sack: [] };

t.test("a SYN's options", async (t) => {
  t.same(read(2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 1, 0, 255, 255, 255, 255, 1, 3, 3, 7), {
    mss: 1460,
    windowScale: 7,
    sackPermitted: true,
    timestamps: [256, 0xffffffff],
    sack: [],
  });
});

t.test("SACK blocks, as many as fit", async (t) => {
  const block = (n: number) => [0, 0, 0, n, 128, 0, 0, n];
  t.same(read(1, 1, 5, 18, ...block(1), ...block(2)).sack, [1, 0x80000001, 2, 0x80000002]);
  t.same(read(5, 34, ...block(1), ...block(2), ...block(3), ...block(4)).sack.length, 8);
});

t.test("no options, and options that are unknown", async (t) => {
  t.same(read(), NONE);
  t.same(read(30, 4, 1, 1, 4, 2), { ...NONE, sackPermitted: true });
});

t.test("an option of the wrong length is none, and what follows a malformed one is not read", async (t) => {
  t.same(read(2, 3, 9, 3, 4, 1, 1, 8, 4, 1, 1, 4, 3, 1, 5, 6, 0, 0, 0, 0), NONE);
  t.same(read(2, 0, 4, 2), NONE);
  t.same(read(2, 1, 4, 2), NONE);
  t.same(read(1, 1, 2, 9, 0, 0, 4, 2), NONE);
  t.same(read(1, 1, 1, 2), NONE);
  t.same(read(0, 4, 2, 1), NONE, "behind the end");
});

t.test("a window scale beyond 14 is 14 (RFC 7323)", async (t) => {
  t.equal(read(3, 3, 200, 1).windowScale, 14);
});

t.test("each reading forgets the one before", async (t) => {
  const options = new TcpOptions();
  options.read(header(2, 4, 5, 180, 4, 2, 3, 3, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1), 3);
  options.read(header(), 3);
  t.match(options, { mss: 0, windowScale: -1, sackPermitted: false, timestamps: false, blocks: 0 });
});

t.test("where an option stands", async (t) => {
  t.equal(findOption(header(1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2), 3, SACK), 24);
  t.equal(findOption(header(1, 5, 14, 0, 0, 0, 1, 0, 0, 0, 2), 3, SACK), -1, "beyond the header");
  t.equal(findOption(header(4, 2), 3, SACK), -1);
});

t.test("what is written is read", async (t) => {
  const bytes = new Uint8Array(MOST_OPTIONS);
  const end = putSack(bytes, putTimestamps(bytes, 0, 0xfffffffe, 7), Uint32Array.of(1, 2, 3, 0xffffffff), 2);
  t.match(read(...bytes.subarray(0, end)), { timestamps: [0xfffffffe, 7], sack: [1, 2, 3, 0xffffffff] });
});

t.test("property: whatever stands there, reading ends and stays within the header", async (t) => {
  const options = new TcpOptions();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: MOST_OPTIONS }), fc.nat(255), (bytes, kind) => {
      const whole = header(...bytes);
      options.read(whole, 3);
      t.ok(options.blocks <= 4);
      const at = findOption(whole, 3, kind);
      if (at >= 0) t.ok(kind < 2 || at + whole[at + 1]! <= whole.length);
    }),
  );
});
