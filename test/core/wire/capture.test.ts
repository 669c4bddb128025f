import fc from "fast-check";
import t from "tap";
import { CaptureReader, type Damage } from "../../../core/wire/capture/reader.ts";

/** Bytes written in either byte order. */
class Writer {
  readonly bytes: number[] = [];
  readonly #little: boolean;

  constructor(little: boolean) {
    this.#little = little;
  }

  u16(...numbers: number[]): this {
    for (const n of numbers) this.#put([n >>> 8, n]);
    return this;
  }

  u32(...numbers: number[]): this {
    for (const n of numbers) this.#put([n >>> 24, n >>> 16, n >>> 8, n]);
    return this;
  }

  raw(bytes: Iterable<number>): this {
    this.bytes.push(...bytes);
    return this;
  }

  #put(bytes: number[]): void {
    for (const byte of this.#little ? bytes.reverse() : bytes) this.bytes.push(byte & 255);
  }
}

const MICRO = 0xa1b2c3d4;
const NANO = 0xa1b23c4d;
const MODIFIED = 0xa1b2cd34;

interface Record {
  readonly seconds: number;
  readonly fraction: number;
  readonly data: readonly number[];
  readonly wireLength: number;
}

function pcap(records: readonly Record[], { little = true, magic = MICRO, minor = 4, linkType = 1 } = {}): Uint8Array {
  const writer = new Writer(little).u32(magic).u16(2, minor).u32(0, 0, 65535, linkType);
  for (const { seconds, fraction, data, wireLength } of records) {
    const lengths = minor < 3 ? [wireLength, data.length] : [data.length, wireLength];
    writer.u32(seconds, fraction, ...lengths);
    if (magic === MODIFIED) writer.u32(1, 2);
    writer.raw(data);
  }
  return Uint8Array.from(writer.bytes);
}

function block(little: boolean, type: number, body: (writer: Writer) => Writer): number[] {
  const bytes = body(new Writer(little)).bytes;
  while (bytes.length % 4 !== 0) bytes.push(0);
  return new Writer(little)
    .u32(type, bytes.length + 12)
    .raw(bytes)
    .u32(bytes.length + 12).bytes;
}

const section = (little: boolean, major = 1) =>
  block(little, 0x0a0d0d0a, (writer) => writer.u32(0x1a2b3c4d).u16(major, 0).u32(0xffffffff, 0xffffffff));

const described = (little: boolean, options: (writer: Writer) => Writer = (writer) => writer, linkType = 1, snap = 0) =>
  block(little, 1, (writer) => options(writer.u16(linkType, 0).u32(snap)));

const enhanced = (
  little: boolean,
  data: readonly number[],
  { id = 0, upper = 0, lower = 0, wire = data.length } = {},
) => block(little, 6, (writer) => writer.u32(id, upper, lower, data.length, wire).raw(data));

const file = (...blocks: number[][]) => Uint8Array.from(blocks.flat());

interface Seen {
  readonly data: number[];
  readonly wireLength: number;
  readonly linkType: number;
  readonly seconds: number;
  readonly nanoseconds: number;
}

function read(bytes: Uint8Array, chunk = bytes.length): { seen: Seen[]; damage: Damage | null; reader: CaptureReader } {
  const reader = new CaptureReader();
  const { frame } = reader;
  const seen: Seen[] = [];
  for (let at = 0; at < bytes.length; at += chunk) {
    reader.push(bytes.slice(at, at + chunk));
    while (reader.next()) {
      const { wireLength, linkType, seconds, nanoseconds } = frame;
      seen.push({
        data: [...frame.bytes.subarray(frame.start, frame.end)],
        wireLength,
        linkType,
        seconds,
        nanoseconds,
      });
    }
  }
  reader.end();
  return { seen, damage: reader.damage, reader };
}

const RECORDS: Record[] = [
  { seconds: 1_700_000_000, fraction: 123_456, data: [1, 2, 3, 4, 5], wireLength: 5 },
  { seconds: 1_700_000_001, fraction: 999_999, data: [], wireLength: 60 },
  { seconds: 1_700_000_002, fraction: 0, data: [9, 8, 7], wireLength: 1500 },
];
const microseconds = (records: readonly Record[]): Seen[] =>
  records.map(({ seconds, fraction, data, wireLength }) => {
    return { data: [...data], wireLength, linkType: 1, seconds, nanoseconds: fraction * 1000 };
  });

for (const little of [true, false]) {
  t.test(`pcap, ${little ? "little" : "big"} endian: frames, lengths and times`, async (t) => {
    const { seen, damage, reader } = read(pcap(RECORDS, { little }));
    t.same(seen, microseconds(RECORDS));
    t.equal(damage, null);
    t.equal(reader.format, "pcap");
    t.same(reader.linkTypes, [1]);
  });
}

t.test("pcap with nanoseconds, Kuznetsov's record header, and lengths the other way round before 2.3", async (t) => {
  t.same(
    read(pcap(RECORDS, { magic: NANO })).seen.map(({ nanoseconds }) => nanoseconds),
    [123_456, 999_999, 0],
  );
  t.same(read(pcap(RECORDS, { magic: MODIFIED })).seen, microseconds(RECORDS));
  t.same(read(pcap(RECORDS, { minor: 2 })).seen, microseconds(RECORDS));
});

t.test("the upper bits of a pcap's link type are about the frame check sequence", async (t) => {
  t.same(read(pcap([], { linkType: 0x24000001 })).reader.linkTypes, [1]);
});

t.test("pcapng: sections of both byte orders, several interfaces, enhanced, simple and obsolete packets", async (t) => {
  const { seen, damage, reader } = read(
    file(
      section(true),
      described(true),
      described(true, undefined, 101),
      enhanced(true, [1, 2, 3], { id: 1, lower: 1_500_000, wire: 9 }),
      block(true, 2, (writer) => writer.u16(0, 7).u32(0, 250_000, 2, 2).raw([4, 5])),
      section(false),
      described(false, undefined, 276, 4),
      block(false, 5, (writer) => writer.u32(1, 2, 3)),
      block(false, 3, (writer) => writer.u32(6).raw([1, 2, 3, 4])),
    ),
  );
  t.equal(damage, null);
  t.equal(reader.format, "pcapng");
  t.same(reader.linkTypes, [1, 101, 276]);
  t.same(seen, [
    { data: [1, 2, 3], wireLength: 9, linkType: 101, seconds: 1, nanoseconds: 500_000_000 },
    { data: [4, 5], wireLength: 2, linkType: 1, seconds: 0, nanoseconds: 250_000_000 },
    { data: [1, 2, 3, 4], wireLength: 6, linkType: 276, seconds: 0, nanoseconds: 0 },
  ]);
});

t.test("custom blocks and journal entries are numbered as Wireshark numbers them, and are no packets", async (t) => {
  const custom = block(true, 0xbad, (writer) => writer.u32(32473, 1));
  const journal = block(true, 9, (writer) => writer.u32(0));
  const { seen, reader } = read(file(section(true), custom, journal, described(true), enhanced(true, [1])));
  t.equal(reader.frames, 3);
  t.same(
    seen.map(({ linkType }) => linkType),
    [-1, -1, 1],
  );
});

const resolutions: [why: string, options: (writer: Writer) => Writer, upper: number, lower: number, time: number[]][] =
  [
    ["microseconds by default", (w) => w, 0x000604f2, 0x1a2b3c4d, [1_694_287_727, 901_773_000]],
    ["nanoseconds", (w) => w.u16(9, 1).raw([9, 0, 0, 0]), 0x17979cfe, 0x362a0001, [1_700_000_000, 1]],
    ["seconds", (w) => w.u16(9, 1).raw([0, 0, 0, 0]), 0, 1_700_000_000, [1_700_000_000, 0]],
    ["powers of two", (w) => w.u16(9, 1).raw([0x80 | 10, 0, 0, 0]), 0, 1024 * 5 + 512, [5, 500_000_000]],
    ["picoseconds", (w) => w.u16(9, 1).raw([12, 0, 0, 0]), 0, 1_000_000, [0, 1000]],
    [
      "an option of another kind before it",
      (w) => w.u16(2, 3).raw([65, 66, 67, 0]).u16(9, 1).raw([0, 0, 0, 0]),
      0,
      7,
      [7, 0],
    ],
    ["the end of options before it", (w) => w.u16(0, 0).u16(9, 1).raw([0, 0, 0, 0]), 0, 7_000_000, [7, 0]],
    ["an offset", (w) => w.u16(14, 8).u32(100, 0), 0, 7_000_000, [107, 0]],
    ["an option that runs out of its block", (w) => w.u16(9, 400).u32(0), 0, 7_000_000, [7, 0]],
  ];
for (const [why, options, upper, lower, [seconds, nanoseconds]] of resolutions) {
  t.test(`pcapng times: ${why}`, async (t) => {
    const [frame] = read(file(section(true), described(true, options), enhanced(true, [1], { upper, lower }))).seen;
    t.match(frame, { seconds, nanoseconds });
  });
}

const broken: [why: string, bytes: Uint8Array, message: string, byte: number, frames: number][] = [
  ["nothing at all", Uint8Array.of(), "too short", 0, 0],
  ["a text", Uint8Array.from(Buffer.from("not a capture")), "neither pcap nor pcapng", 0, 0],
  ["a gzip file", Uint8Array.of(0x1f, 0x8b, 8, 0), "gzip", 0, 0],
  ["a snoop file", Uint8Array.from(Buffer.from("snoop\0\0\0")), "snoop", 0, 0],
  ["a pppdump file", Uint8Array.of(7, 0x4b, 0x88, 0x1f, 5, 6, 2, 1), "pppdump", 0, 0],
  ["pcap 1.4", pcap([]).with(4, 1), "version 1.4", 4, 0],
  ["half a file header", pcap([]).subarray(0, 20), "20 of 24 bytes", 0, 0],
  ["half a record header", pcap(RECORDS).subarray(0, 24 + 16 + 5 + 7), "record 2 is cut short: 7 of the 16", 45, 1],
  ["half a record", pcap(RECORDS).subarray(0, 24 + 16 + 2), "record 1 is cut short: 2 of its 5 bytes", 24, 0],
  ["a record of 4 GB", pcap(RECORDS).with(24 + 11, 255), "more than the 262144 possible", 24, 0],
  ["pcapng 2.0", file(section(true), section(true, 2)), "version 2.0", 28, 0],
  ["no byte-order magic", file(section(true)).with(8, 0), "byte-order magic", 0, 0],
  [
    "a length that is no multiple of four",
    file(section(true), described(true)).with(32, 21),
    "impossible block length",
    32,
    0,
  ],
  ["a block of 2 GB", file(section(true), described(true)).with(35, 0x7f), "more than the 16777216 possible", 32, 0],
  ["two lengths that differ", file(section(true), described(true)).with(44, 24), "20 bytes at its start and 24", 44, 0],
  ["a packet of no interface", file(section(true), enhanced(true, [1])), "interface 0, which is not described", 28, 0],
  [
    "a packet longer than its block",
    file(section(true), described(true), enhanced(true, [1])).with(28 + 20 + 20, 99),
    "a packet of 99 bytes in a block that has room for 4",
    48,
    0,
  ],
  ["half a block", file(section(true), described(true), enhanced(true, [1])).subarray(0, 60), "12 of 36 bytes", 48, 0],
  [
    "an interface description without a body",
    file(
      section(true),
      block(true, 1, (w) => w),
    ),
    "too short",
    28,
    0,
  ],
  [
    "a packet block without a body",
    file(
      section(true),
      block(true, 6, (w) => w),
    ),
    "too short",
    28,
    0,
  ],
  [
    "a simple packet block without a body",
    file(
      section(true),
      block(true, 3, (w) => w),
    ),
    "too short",
    28,
    0,
  ],
];
for (const [why, bytes, message, byte, frames] of broken) {
  t.test(`${why}: what stands before it is read, and the byte is named`, async (t) => {
    for (const chunk of [bytes.length || 1, 1, 5]) {
      const { damage, reader } = read(bytes, chunk);
      t.match(damage?.message, message);
      t.equal(damage?.byte, byte);
      t.equal(reader.frames, frames);
      reader.push(pcap(RECORDS));
      t.notOk(reader.next(), "nothing is read behind the damage");
    }
  });
}

const anyRecord = fc.record({
  seconds: fc.nat(),
  fraction: fc.nat(999_999),
  data: fc.array(fc.nat(255), { maxLength: 40 }),
  wireLength: fc.nat(),
});

t.test("property: chunks of any size give the frames of the whole", async () => {
  fc.assert(
    fc.property(
      fc.array(anyRecord, { maxLength: 8 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 70 }),
      (records, little, chunk) => {
        const bytes = pcap(records, { little });
        const blocks = records.map(({ data, wireLength }) => enhanced(little, data, { wire: wireLength }));
        const ng = file(section(little), described(little), ...blocks);
        const same = (whole: Uint8Array) =>
          JSON.stringify(read(whole).seen) === JSON.stringify(read(whole, chunk).seen);
        return same(bytes) && same(ng) && read(ng).seen.length === records.length;
      },
    ),
  );
});

t.test("property: a file cut at any byte gives its whole frames, then a byte within the file or nothing", async () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 4 }), fc.boolean(), fc.nat(), (records, ng, at) => {
      const blocks = records.map(({ data }) => enhanced(false, data));
      const bytes = ng ? file(section(false), described(false), ...blocks) : pcap(records);
      const length = at % bytes.length;
      const whole = read(bytes).seen;
      const { seen, damage } = read(bytes.subarray(0, length), 7);
      const prefix = JSON.stringify(seen) === JSON.stringify(whole.slice(0, seen.length));
      return prefix && (damage === null || (damage.byte >= 0 && damage.byte <= length));
    }),
  );
});

t.test("property: whatever the bytes, nothing is thrown", async () => {
  const starts = fc.constantFrom<Uint8Array>(
    pcap(RECORDS),
    pcap(RECORDS, { little: false, magic: NANO }),
    file(section(true), described(true), enhanced(true, [1, 2, 3])),
    file(
      section(false),
      described(false),
      block(false, 3, (writer) => writer.u32(3).raw([1, 2, 3])),
    ),
  );
  const bent = fc.tuple(starts, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }));
  fc.assert(
    fc.property(bent, fc.integer({ min: 1, max: 64 }), ([start, changes], chunk) => {
      const bytes = start.slice();
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      const { seen, damage } = read(bytes, chunk);
      return seen.length <= 3 && (damage === null || damage.byte <= bytes.length);
    }),
    { numRuns: 500 },
  );
});

/** A pcap file of frames of these lengths, every byte of a frame its number. */
function numberedFrames(lengths: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + 16 + length, 24));
  bytes.set(pcap([]));
  let at = 24;
  for (const [i, length] of lengths.entries()) {
    new DataView(bytes.buffer).setUint32(at + 8, length, true);
    bytes.fill(i + 1, at + 16, at + 16 + length);
    at += 16 + length;
  }
  return bytes;
}

t.test(
  "records longer than the chunks they come in, and than what is kept in front of a chunk, stay whole",
  async (t) => {
    const lengths = [10, 250_000, 5, 70_000, 66_000, 0, 262_144, 67_568, 67_584, 1, 100_000];
    const file = numberedFrames(lengths);
    for (const chunk of [999, 65_536, 67_584, 100_000, 1_048_576]) {
      const reader = new CaptureReader();
      const seen: number[] = [];
      for (let at = 0; at < file.length; at += chunk) {
        reader.push(file.subarray(at, at + chunk));
        while (reader.next()) {
          const { bytes, start, end } = reader.frame;
          seen.push(end - start);
          t.ok(
            bytes.subarray(start, end).every((byte) => byte === seen.length),
            `frame ${seen.length}, chunks of ${chunk}`,
          );
        }
      }
      reader.end();
      t.same([seen, reader.damage, reader.position], [lengths, null, file.length]);
    }
  },
);
