/** The short way through a file finds what the long way finds. */
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import t from "tap";
import type { Helper } from "../../core/helper/api.ts";
import { putU16, putU32 } from "../../core/wire/bytes.ts";
import { CaptureReader } from "../../core/wire/capture/reader.ts";
import { helpers } from "../../helpers/index.ts";
import { bind } from "../../tools/replay/bindings.ts";
import { readCapture } from "../../tools/replay/file.ts";
import { A, B } from "../../tools/replay/flows.ts";
import { addCapture, emptyReport, jsonText } from "../../tools/replay/report.ts";
import { type Bindings, Tracker } from "../../tools/replay/tracker.ts";
import { captureEntries, capturePath } from "../captures.ts";
import { ROOT } from "../root.ts";

const FIXTURES = resolve(ROOT, "fixtures");
const own = readdirSync(FIXTURES).filter((name) => name.endsWith(".pcap"));

const newTracker = () => new Tracker(bind(helpers, []) as Bindings, helpers);

/** All that is known of the flows. */
const rowsOf = ({ flows, stalls }: Tracker) =>
  Array.from({ length: flows.count }, (_, row) => ({
    ends: ([A, B] as const).map((end) => `${flows.address(row, end)} ${flows.port(row, end)}`),
    frames: [flows.framesOf(row, A), flows.framesOf(row, B), flows.firstFrame(row), flows.lastFrame(row)],
    times: [flows.firstTime(row), flows.lastTimeOf(row, A), flows.lastTimeOf(row, B)],
    flags: [flows.flagsOf(row, A), flows.flagsOf(row, B)],
    bytes: flows.bytes(row),
    large: [flows.firstLarge(row, A), flows.firstLarge(row, B)],
    listener: flows.listener(row),
    initial: flows.initial(row),
    mark: flows.mark(row),
    stalls: [stalls.repeatAtEnd(row), stalls.closure(row, A), stalls.closure(row, B)],
  }));

/** `short`: in place, where it can be. Otherwise a frame after the other. */
async function found(file: string, short: boolean) {
  const tracker = newTracker();
  const long = {
    frame: tracker.frame.bind(tracker),
    end: tracker.end.bind(tracker),
  };
  const { capture, unread } = await readCapture(file, (async function* () {})(), short ? tracker : long, () => {});
  const report = emptyReport(true);
  addCapture(report, capture, tracker);
  return { report: jsonText(report), unread: [...unread], rows: rowsOf(tracker) };
}

t.test("every capture gives the same report and the same flows either way", async (t) => {
  for (const file of [...own.map((name) => join(FIXTURES, name)), ...captureEntries().map(capturePath)]) {
    t.same(await found(file, true), await found(file, false), file);
  }
});

interface Sent {
  readonly tag: boolean;
  readonly ipv6: boolean;
  readonly protocol: number;
  readonly client: number;
  readonly reply: boolean;
  readonly port: number;
  readonly flags: number;
  readonly sequence: number;
  readonly text: string;
  readonly cut: number;
  readonly wrong: number;
  readonly fragment: number;
}

const ETHERNET = 14;
const SERVER = 0xc0000201;
/** What is inside a VXLAN header: a frame of UDP between other ends. */
const INNER = String.fromCharCode(8, 0, 0, 0, 0, 0, 7, 0, ...ethernetUdp());

function ethernetUdp(): number[] {
  const bytes = new Uint8Array(ETHERNET + 28);
  putU16(bytes, 12, 0x0800);
  putU16(bytes, ETHERNET, 0x4500);
  putU16(bytes, ETHERNET + 2, 28);
  bytes[ETHERNET + 9] = 17;
  putU32(bytes, ETHERNET + 12, 0x0a000001);
  putU32(bytes, ETHERNET + 16, 0x0a000002);
  putU32(bytes, ETHERNET + 20, (7000 << 16) | 7001);
  putU16(bytes, ETHERNET + 24, 8);
  return [...bytes];
}

/** Ethernet, perhaps a VLAN tag, IP, TCP or UDP or whatever `protocol` is. */
function frameOf(sent: Sent): Uint8Array {
  const { tag, ipv6, protocol, text } = sent;
  const at = ETHERNET + (tag ? 4 : 0);
  const transport = at + (ipv6 ? 40 : 20);
  const payload = transport + (protocol === 6 ? 20 : 8);
  const bytes = new Uint8Array(payload + text.length);
  for (let i = 0; i < text.length; i++) bytes[payload + i] = text.charCodeAt(i);
  putU16(bytes, at - 2, ipv6 ? 0x86dd : 0x0800);
  if (tag) putU16(bytes, 12, 0x8100);
  putIp(bytes, at, sent, Math.max(0, bytes.length - (ipv6 ? transport : at) + sent.wrong));
  putTransport(bytes, transport, sent);
  return bytes;
}

function putIp(bytes: Uint8Array, at: number, { ipv6, protocol, fragment, reply, client }: Sent, length: number): void {
  putU16(bytes, at, ipv6 ? 0x6000 : 0x4500);
  putU16(bytes, at + (ipv6 ? 4 : 2), length);
  if (!ipv6) putU16(bytes, at + 6, fragment);
  bytes[at + (ipv6 ? 6 : 9)] = protocol;
  if (ipv6) for (const prefix of [8, 24]) putU32(bytes, at + prefix, 0xfd000000);
  putU32(bytes, at + (ipv6 ? 20 : 12), reply ? SERVER : client);
  putU32(bytes, at + (ipv6 ? 36 : 16), reply ? client : SERVER);
}

function putTransport(bytes: Uint8Array, at: number, { protocol, reply, port, sequence, flags, text }: Sent): void {
  putU16(bytes, at, reply ? port : 30_000);
  putU16(bytes, at + 2, reply ? 30_000 : port);
  putU32(bytes, at + 4, protocol === 6 ? sequence : (8 + text.length) << 16);
  if (protocol !== 6) return;
  putU16(bytes, at + 12, 0x5000 | flags);
  putU16(bytes, at + 14, text.length * 100);
}

/** Numbers of a file in one byte order. */
class Numbers {
  readonly bytes: number[] = [];
  readonly little: boolean;

  constructor(little: boolean) {
    this.little = little;
  }

  words(...words: readonly number[]): this {
    for (const word of words) {
      const bytes = [word >>> 24, word >>> 16, word >>> 8, word].map((byte) => byte & 255);
      this.bytes.push(...(this.little ? bytes.reverse() : bytes));
    }
    return this;
  }

  /** Two of 16 bits. */
  halves(first: number, second: number): this {
    return this.words(this.little ? (second << 16) | first : (first << 16) | second);
  }
}

function pcapOf(packets: readonly Sent[], little: boolean): Uint8Array {
  const file = new Numbers(little).words(0xa1b2c3d4).halves(2, 4).words(0, 0, 65_535, 1);
  for (const [i, sent] of packets.entries()) {
    const frame = frameOf(sent);
    const kept = Math.max(0, frame.length - sent.cut);
    file.words(1_700_000_000 + i, 999_999 - i, kept, frame.length);
    file.bytes.push(...frame.subarray(0, kept));
  }
  return Uint8Array.from(file.bytes);
}

/** Of an interface: its link type, and the value of `if_tsresol`. */
type Described = readonly [linkType: number, resolution: number];

interface Block {
  readonly sent: Sent;
  readonly interface: number;
  /** Ticks since the packet before; they may run back. */
  readonly ticks: number;
  /** Upper 32 bits, which are the same for most. */
  readonly epoch: number;
  readonly kind: "enhanced" | "simple" | "comment" | "statistics" | "section";
  /** Added to its length, to the length at its end, and to that of the frame. */
  readonly wrong: readonly [total: number, repeated: number, kept: number];
}

function pcapngOf(blocks: readonly Block[], interfaces: readonly Described[], little: boolean): Uint8Array {
  const file = new Numbers(little);
  const section = () => {
    file.words(0x0a0d0d0a, 28, 0x1a2b3c4d).halves(1, 0).words(0xffffffff, 0xffffffff, 28);
    for (const [linkType, resolution] of interfaces) {
      file.words(1, 32).halves(linkType, 0).words(0).halves(9, 1);
      file.bytes.push(resolution, 0, 0, 0);
      file.words(0, 32);
    }
  };
  section();
  let lower = 4_294_000_000;
  for (const block of blocks) {
    if (block.kind === "section") section();
    lower = (lower + block.ticks) >>> 0;
    const id = block.interface < 3 ? block.interface % interfaces.length : block.interface;
    if (block.kind === "statistics") file.words(5, 24, 0, 0, 0, 24);
    else if (block.kind !== "section") append(file, block, id, lower);
  }
  return Uint8Array.from(file.bytes);
}

function append(file: Numbers, { sent, kind, epoch, wrong }: Block, id: number, lower: number): void {
  const frame = frameOf(sent);
  const kept = kind === "simple" ? frame.length : Math.max(0, frame.length - sent.cut);
  const padding = -kept & 3;
  const comment = kind === "comment" ? 12 : 0;
  const total = kept + padding + comment + (kind === "simple" ? 16 : 32);
  if (kind === "simple") file.words(3, total + wrong[0], frame.length);
  else file.words(6, total + wrong[0], id, epoch, lower, kept + wrong[2], frame.length);
  file.bytes.push(...frame.subarray(0, kept), ...new Array(padding).fill(0));
  if (comment > 0) file.halves(1, 4).words(0x61626364, 0);
  file.words(total + wrong[1]);
}

/** Shows `tracker` a capture that comes in chunks of `chunk` bytes. */
function show(tracker: Tracker, bytes: Uint8Array, chunk: number, short: boolean): CaptureReader {
  const reader = short ? tracker.newReader() : new CaptureReader();
  for (let at = 0; at < bytes.length; at += chunk) {
    reader.push(bytes.subarray(at, at + chunk));
    if (short) tracker.skim(reader);
    while (reader.next()) {
      tracker.frame(reader.frame, reader.frames);
      if (short) tracker.skim(reader);
    }
  }
  reader.end();
  return reader;
}

/** What comes of it. */
function read(bytes: Uint8Array, chunk: number, short: boolean) {
  const tracker = newTracker();
  const { frames, damage, position, captured } = show(tracker, bytes, chunk, short);
  tracker.end();
  const report = emptyReport(true);
  const capture = { file: "", format: null, linkType: null, packets: 0, bytes: 0, truncated: false, error: null };
  addCapture(report, capture, tracker);
  return { rows: rowsOf(tracker), report: jsonText(report), frames, damage, position, captured };
}

const packet = fc.record<Sent>({
  tag: fc.constantFrom(false, false, false, true),
  ipv6: fc.constantFrom(false, false, true),
  protocol: fc.constantFrom(6, 6, 6, 17, 17, 1),
  client: fc.constantFrom(0x0a000001, 0xc0000301),
  reply: fc.boolean(),
  port: fc.constantFrom(21, 80, 2100, 69, 4789, 8472),
  flags: fc.constantFrom(0x02, 0x12, 0x10, 0x11, 0x18, 0x18, 0x18, 0x04),
  sequence: fc.constantFrom(1, 2, 1000),
  text: fc.constantFrom("", "", "220 ftp\r\n", "PASV\r\n", "227 (192,0,2,1,19,137)\r\n", "\0\u0001f\0octet\0", INNER),
  cut: fc.constantFrom(0, 0, 0, 0, 1, 12, 30, 60),
  wrong: fc.constantFrom(0, 0, 0, 0, -1, -9, -30, 5, 50),
  fragment: fc.constantFrom(0, 0, 0, 0x4000, 0x2000, 7),
});

/** Chunks of the file, and how many bytes are missing at its end. */
const pieces = fc.record({ chunk: fc.integer({ min: 24, max: 5000 }), missing: fc.constantFrom(0, 0, 3, 20) });

function sameEitherWay(whole: Uint8Array, { chunk, missing }: { chunk: number; missing: number }): boolean {
  const bytes = whole.subarray(0, whole.length - missing);
  return isDeepStrictEqual(read(bytes, chunk, true), read(bytes, bytes.length, false));
}

const packets = fc.array(packet, { minLength: 1, maxLength: 60 });

t.test("property: packets of all kinds give the same either way, however a pcap file is cut into chunks", async () => {
  fc.assert(
    fc.property(packets, fc.boolean(), pieces, (sent, little, cut) => sameEitherWay(pcapOf(sent, little), cut)),
    { numRuns: 300 },
  );
});

const oneIn = <T>(weight: number, rare: fc.Arbitrary<T>, common: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 1, arbitrary: rare }, { weight: weight - 1, arbitrary: common });
const length = fc.constantFrom(0, 0, 1, 4, -4, 40, -40, 0x7fffff00, 0x80000000);

const anyBlock = fc.record<Block>({
  sent: packet,
  interface: oneIn(50, fc.constant(9), fc.constantFrom(0, 0, 0, 0, 1, 2)),
  ticks: fc.constantFrom(0, 1, 1000, 999_999, 1_000_000, 0x7fffffff, -1, -1_000_001),
  epoch: fc.constantFrom(0x5f5e1, 0x5f5e1, 0x5f5e1, 0x5f5e1, 0x5f5e2, 0, 0xffffffff),
  kind: fc.constantFrom("enhanced", "enhanced", "enhanced", "enhanced", "simple", "comment", "statistics", "section"),
  wrong: oneIn<Block["wrong"]>(50, fc.tuple(length, length, length), fc.constant([0, 0, 0])),
});

/** Ethernet, and another link type; micro- and nanoseconds, 2^-10 of a second, picoseconds, seconds. */
const described = fc.tuple(fc.constantFrom(1, 1, 101), fc.constantFrom(6, 9, 0x8a, 12, 0));

t.test("property: and so they do in pcapng, with several interfaces, sections and other blocks between", async () => {
  const blocks = fc.array(anyBlock, { minLength: 1, maxLength: 60 });
  const interfaces = fc.array(described, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(blocks, interfaces, fc.boolean(), pieces, (sent, interfaces, little, cut) =>
      sameEitherWay(pcapngOf(sent, interfaces, little), cut),
    ),
    { numRuns: 300 },
  );
});

t.test("a record too long to be one is where the short way ends, and the damage is told as ever", async (t) => {
  const sent = { tag: false, ipv6: false, protocol: 6, client: 1, reply: false, port: 80, flags: 16, sequence: 1 };
  const packets = Array.from({ length: 5 }, () => ({ ...sent, text: "", cut: 0, wrong: 0, fragment: 0 }));
  for (const length of [262_145, 0x80000000, 0xffffffff]) {
    const bytes = pcapOf(packets, false);
    putU32(bytes, 24 + 3 * (16 + 54) + 8, length);
    const short = read(bytes, bytes.length, true);
    t.match(short.damage, { byte: 24 + 3 * (16 + 54), message: `record 4 claims ${length} bytes` });
    t.same(short, read(bytes, bytes.length, false));
  }
});

const plain: Sent = {
  tag: false,
  ipv6: false,
  protocol: 6,
  client: 0x0a000001,
  reply: false,
  port: 21,
  flags: 0x18,
  sequence: 1,
  text: "",
  cut: 0,
  wrong: 0,
  fragment: 0,
};

t.test("a control connection whose ends are used again is over then: what it still waited for is read", async (t) => {
  const opened = [
    { ...plain, flags: 0x02, sequence: 999 },
    { ...plain, flags: 0x12, sequence: 999, reply: true },
  ];
  // Between the banner and the reply something is missing.
  const replies = ["220 ftp\r\n", "227 (192,0,2,1,19,137)\r\n"].map((text, n) => {
    return { ...plain, reply: true, sequence: 1000 + 100 * n, text };
  });
  const again = { ...plain, flags: 0x02, sequence: 5000 };
  for (const short of [false, true]) {
    const before = newTracker();
    show(before, pcapOf([...opened, ...replies], true), 1e6, short);
    t.equal(before.controls[0]?.announcements.length, 0, "more may come");
    const tracker = newTracker();
    show(tracker, pcapOf([...opened, ...replies, again], true), 1e6, short);
    t.equal(tracker.controls[0]?.announcements.length, 1, short ? "the short way" : "the long way");
  }
});

t.test("a datagram that says itself that it is empty is shown so, whatever stands behind it", async (t) => {
  const said: number[] = [];
  const curious: Helper = {
    ...helpers.find(({ name }) => name === "tftp")!,
    initials: "\0",
    detect: ({ original, reply }) => {
      said.push(original.length + reply.length);
      return null;
    },
  };
  // Of its 20 bytes the UDP header knows nothing: its length is written by hand.
  const bytes = pcapOf(
    [
      { ...plain, flags: 0x10 },
      { ...plain, protocol: 17, port: 7000, text: "x".repeat(20) },
    ],
    true,
  );
  const datagram = 24 + (16 + 54) + 16 + ETHERNET + 20;
  putU16(bytes, datagram + 4, 8);
  for (const short of [false, true]) {
    said.length = 0;
    show(new Tracker(bind([], []) as Bindings, [curious]), bytes, 1e6, short);
    t.same(said, [0, 0], short ? "the short way" : "the long way");
  }
});
