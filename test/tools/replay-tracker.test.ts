/** Which connections of a capture are control connections, and which of them were announced: packets made by hand. */
import fc from "fast-check";
import t from "tap";
import { port } from "../../core/units.ts";
import { CaptureReader } from "../../core/wire/capture/reader.ts";
import { ftp } from "../../helpers/ftp/helper.ts";
import { bind } from "../../tools/replay/bindings.ts";
import { inert } from "../../tools/replay/escape.ts";
import { addCapture, emptyReport } from "../../tools/replay/report.ts";
import { type Bindings, Tracker } from "../../tools/replay/tracker.ts";

const C = "10.0.0.5:40000";
const S = "192.0.2.1:21";

interface Sent {
  readonly from: string;
  readonly to: string;
  readonly flags: string;
  readonly seq: number;
  readonly ack: number;
  readonly text: string;
}

const packet = (from: string, to: string, flags: string, seq: number, ack = 0, text = ""): Sent => ({
  from,
  to,
  flags,
  seq,
  ack,
  text,
});

const u16 = (n: number): number[] => [(n >>> 8) & 255, n & 255];
const u32 = (n: number): number[] => [...u16(n >>> 16), ...u16(n)];
const le32 = (n: number): number[] => u32(n).reverse();
const FLAGS: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, A: 16 };

function frameBytes({ from, to, flags, seq, ack, text }: Sent): number[] {
  const end = (name: string) => {
    const [address, number] = name.split(":");
    return { address: address!.split(".").map(Number), port: Number(number) };
  };
  const [source, destination] = [end(from), end(to)];
  const bits = [...flags].reduce((sum, flag) => sum | FLAGS[flag]!, 0);
  const payload = [...Buffer.from(text, "latin1")];
  const tcp = [
    ...u16(source.port),
    ...u16(destination.port),
    ...u32(seq),
    ...u32(ack),
    0x50,
    bits,
    ...Array(6).fill(0),
  ];
  const length = 20 + tcp.length + payload.length;
  return [
    0x45,
    0,
    ...u16(length),
    ...Array(5).fill(0),
    6,
    0,
    0,
    ...source.address,
    ...destination.address,
    ...tcp,
    ...payload,
  ];
}

/** A RAW pcap of the packets. */
function captureOf(packets: readonly Sent[]): Uint8Array {
  const records = packets
    .map(frameBytes)
    .map((bytes) => [0, 0, bytes.length, bytes.length].flatMap(le32).concat(bytes));
  return Uint8Array.from([...[0xa1b2c3d4, 0x00040002, 0, 0, 65535, 101].flatMap(le32), ...records.flat()]);
}

const PORT_21 = bind([ftp], []) as Bindings;

function replayed(bytes: Uint8Array, bindings = PORT_21) {
  const tracker = new Tracker(bindings, [ftp]);
  const reader = new CaptureReader();
  reader.push(bytes);
  while (reader.next()) tracker.frame(reader.frame, reader.frames);
  tracker.end();
  const report = emptyReport();
  const capture = { file: "x", format: reader.format, linkType: "RAW", packets: reader.frames, bytes: 0 };
  addCapture(report, { ...capture, truncated: false, error: null }, tracker);
  return report;
}

const controls = (packets: readonly Sent[], bindings = PORT_21) =>
  replayed(captureOf(packets), bindings).controls.map(
    ({ client, server, firstFrame }) =>
      `${client.address}:${client.port} ${server.address}:${server.port} ${firstFrame}`,
  );

const related = (packets: readonly Sent[]) =>
  replayed(captureOf(packets)).related.map((one) => [
    one.kind,
    one.state,
    one.announcedFrame,
    one.observed,
    one.firstFrame,
  ]);

/** Handshake, then what each side says in turn, without acknowledgments of their own. */
function dialogue(client: string, server: string, ...lines: string[]): Sent[] {
  const packets = [
    packet(client, server, "S", 99),
    packet(server, client, "SA", 499, 100),
    packet(client, server, "A", 100, 500),
  ];
  const next = { C: 100, S: 500 };
  for (const line of lines) {
    const text = `${line.slice(3)}\r\n`;
    if (line.startsWith("C")) packets.push(packet(client, server, "A", next.C, next.S, text));
    else packets.push(packet(server, client, "A", next.S, next.C, text));
    next[line.startsWith("C") ? "C" : "S"] += text.length;
  }
  return packets;
}

t.test("a connection to a bound port is a control connection, whatever is said on it", async (t) => {
  t.same(controls([packet(C, S, "S", 1)]), [`${C} ${S} 1`]);
  t.same(controls([packet(S, C, "RA", 0, 2)]), [`${C} ${S} 1`], "without a SYN the bound port is the server's");
  t.same(controls([packet(C, S, "A", 5, 6), packet(S, C, "A", 6, 5)]), [`${C} ${S} 1`]);
});

t.test("a connection from a bound port is none", async (t) => {
  t.same(controls([packet(S, C, "S", 1), packet(C, S, "SA", 1, 2)]), []);
});

const openings: [why: string, found: boolean, ...lines: string[]][] = [
  ["an FTP banner", true, "S: 220 (vsFTPd 3.0.3)"],
  ["a plain banner and USER", true, "S: 220 welcome", "C: USER joe"],
  [
    "a long banner, then AUTH",
    true,
    `S: 220-${"x".repeat(400)}`,
    `S: 220-${"x".repeat(400)}`,
    "S: 220 hello",
    "C: AUTH TLS",
  ],
  ["USER, and replies of three digits", true, "C: USER joe", "S: 331 password?"],
  ["SMTP", false, "S: 220 mail.example.com ESMTP", "C: EHLO me"],
  ["SMTP on a host named ftp", false, "S: 220 ftp.example.com ESMTP mail", "C: EHLO me"],
  ["POP3", false, "C: USER joe", "S: +OK"],
  ["IRC", false, "C: USER joe 0 * :joe", "S: :irc.example.com 001 joe"],
  ["HTTP", false, "C: GET / HTTP/1.1", "S: HTTP/1.1 220 no"],
  ["a banner without end", false, `S: 220 ${"x".repeat(600)}`],
  ["a banner and nothing more", false, "S: 220 welcome"],
];
for (const [why, found, ...lines] of openings) {
  t.test(`${why} on another port is ${found ? "" : "not "}taken for FTP`, async (t) => {
    const other = "192.0.2.1:2121";
    t.same(controls(dialogue(C, other, ...lines)), found ? [`${C} ${other} 1`] : []);
  });
}

t.test("ports that are used again make a new connection, a repeated SYN does not", async (t) => {
  const again = [packet(C, S, "S", 7000), packet(C, S, "S", 7000), packet(S, C, "SA", 8000, 7001)];
  t.same(controls([...dialogue(C, S, "S: 220 ready"), ...again]), [`${C} ${S} 1`, `${C} ${S} 5`]);
});

t.test("a SYN/ACK captured before its SYN belongs to the same connection", async (t) => {
  const [syn, synAck, ...rest] = dialogue(C, S, "S: 220 ready");
  t.same(controls([synAck!, syn!, ...rest]), [`${C} ${S} 1`]);
});

const SESSION = dialogue(C, S, "S: 220 ready", "C: PASV", "S: 227 (192,0,2,1,200,10)");
const DATA = "192.0.2.1:51210";

t.test("an announced connection is seen when one to its end has a packet behind the announcement", async (t) => {
  const announced = ["ftp-passive", "accepted", 6];
  t.same(related(SESSION), [[...announced, false, null]]);
  t.same(related([...SESSION, packet("10.0.0.5:40001", DATA, "S", 1)]), [[...announced, true, 7]]);
  t.same(related([...SESSION, packet("10.0.0.5:40001", DATA, "A", 1)]), [[...announced, true, 7]], "without a SYN");
  t.same(
    related([...SESSION, packet(DATA, "10.0.0.5:40001", "S", 1)]),
    [[...announced, false, null]],
    "the other way round",
  );
  const early = packet("10.0.0.5:40001", DATA, "S", 1);
  t.same(related([early, ...SESSION]), [["ftp-passive", "accepted", 7, false, null]], "before it");
});

t.test("of several, one that begins behind the announcement and comes from its opener is taken", async (t) => {
  const early = packet("10.0.0.5:40001", DATA, "S", 1);
  const late = packet("10.0.0.5:40001", DATA, "F", 9);
  const stranger = packet("10.9.9.9:40001", DATA, "S", 1);
  const opener = packet("10.0.0.5:40002", DATA, "S", 1);
  t.match(related([early, ...SESSION, late]), [["ftp-passive", "accepted", 7, true, 1]]);
  t.match(related([early, ...SESSION, late, stranger]), [["ftp-passive", "accepted", 7, true, 9]]);
  t.match(related([early, ...SESSION, late, stranger, opener]), [["ftp-passive", "accepted", 7, true, 10]]);
});

t.test("0.0.0.0 stands for the server that says it", async (t) => {
  const session = dialogue(C, S, "S: 220 ready", "C: PASV", "S: 227 (0,0,0,0,200,10)");
  t.match(related([...session, packet("10.0.0.5:40001", DATA, "S", 1)]), [["ftp-passive", "accepted", 6, true, 7]]);
});

t.test("what the other side has acknowledged is jumped over where the capture lacks it", async (t) => {
  const [syn, synAck, ack, banner, pasv, reply] = SESSION;
  const more = dialogue(C, S, "S: 220 ready", "C: PASV", "S: 227 (192,0,2,1,200,10)", "C: NOOP", "S: 200 fine");
  t.match(related([syn!, synAck!, ack!, pasv!, reply!, more[6]!, more[7]!]), [["ftp-passive", "accepted"]]);
  t.match(related([syn!, synAck!, ack!, pasv!, reply!]), [["ftp-passive", "accepted"]], "or at the end");
  t.match(related([banner!, pasv!, reply!]), [["ftp-passive", "accepted"]], "begun in the middle");
});

t.test("a port scan costs little for each control connection it makes", async (t) => {
  const tracker = new Tracker(PORT_21, [ftp]);
  const reader = new CaptureReader();
  const bytes = captureOf([packet(C, S, "S", 1)]);
  reader.push(bytes);
  t.ok(reader.next());
  const { frame } = reader;
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 100_000; n++) {
    frame.bytes[frame.start + 13] = n >>> 16;
    frame.bytes[frame.start + 14] = n >>> 8;
    frame.bytes[frame.start + 15] = n;
    tracker.frame(frame, n + 1);
  }
  t.equal(tracker.confirmed().length, 100_000);
  t.equal(tracker.flows.count, 100_000);
  t.ok((process.memoryUsage().heapUsed - before) / 100_000 < 2_000, "bytes each");
});

t.test("ports are bound as the helpers say, or as they are assigned", async (t) => {
  t.same([...PORT_21.tcp.keys()], [21]);
  t.same([...(bind([ftp], ["ftp=2121, 8021"]) as Bindings).tcp.keys()], [2121, 8021]);
  t.same([...(bind([{ ...ftp, ports: [port(21), port(990)] }], []) as Bindings).tcp.keys()], [21, 990]);
  t.match(bind([ftp], ["gopher=70"]), /no helper is named "gopher"/);
});

t.test("control characters and bidirectional marks are written out, other text stays", async (t) => {
  t.equal(
    inert("a\u001b[2J\r\n\u0085\u202eb\u2066\u2029é漢"),
    "a\\u{1b}[2J\\u{d}\\u{a}\\u{85}\\u{202e}b\\u{2066}\\u{2029}é漢",
  );
});

t.test("property: whatever happens to its bytes, a capture is read to its end", async () => {
  const whole = captureOf([
    ...SESSION,
    packet("10.0.0.5:40001", DATA, "S", 1),
    ...dialogue(C, "192.0.2.1:99", "S: 220 ftp"),
  ]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }), (changes) => {
      const bytes = whole.slice();
      for (const [at, byte] of changes) bytes[24 + (at % (bytes.length - 24))] = byte;
      return replayed(bytes).controls.length <= 20;
    }),
    { numRuns: 300 },
  );
});
