/** Datagram protocols in captures, and helpers that find their protocol by what it says: packets made by hand. */
import t from "tap";
import { type Helper, type Opening, passed } from "../../core/helper/api.ts";
import { type Direction, port, seconds } from "../../core/units.ts";
import { CaptureReader } from "../../core/wire/capture/reader.ts";
import { dns } from "../../helpers/dns/helper.ts";
import { netbios } from "../../helpers/netbios/helper.ts";
import { radius } from "../../helpers/radius/helper.ts";
import { rsh } from "../../helpers/rsh/helper.ts";
import { sip } from "../../helpers/sip/helper.ts";
import { tftp } from "../../helpers/tftp/helper.ts";
import { xdmcp } from "../../helpers/xdmcp/helper.ts";
import { bind } from "../../tools/replay/bindings.ts";
import { addCapture, emptyReport, type Report } from "../../tools/replay/report.ts";
import { type Bindings, Tracker } from "../../tools/replay/tracker.ts";
import { accessRequest } from "../helpers/radius/packets.ts";
import { tcp, udp } from "../packets.ts";

const le32 = (n: number): number[] => [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24];

function replayed(helpers: readonly Helper[], packets: readonly Uint8Array[]): Report {
  const records = packets.flatMap((bytes) => [...[0, 0, bytes.length, bytes.length].flatMap(le32), ...bytes]);
  const tracker = new Tracker(bind(helpers, []) as Bindings, helpers);
  const reader = new CaptureReader();
  reader.push(Uint8Array.from([...[0xa1b2c3d4, 0x00040002, 0, 0, 65535, 101].flatMap(le32), ...records]));
  while (reader.next()) tracker.frame(reader.frame, reader.frames);
  tracker.end();
  const report = emptyReport();
  const capture = { file: "x", format: reader.format, linkType: "RAW", packets: reader.frames, bytes: 0 };
  addCapture(report, { ...capture, truncated: false, error: null }, tracker);
  return report;
}

const controls = ({ controls }: Report): string[] =>
  controls.map(
    ({ helper, transport, client, server, firstFrame }) =>
      `${helper}/${transport} ${client.address}:${client.port} ${server.address}:${server.port} ${firstFrame}`,
  );
const related = ({ related }: Report) =>
  related.map((one) => [one.kind, one.state, one.announcedFrame, one.observed, one.firstFrame]);

const C = "10.0.0.5:40000";
const S = "192.0.2.1:69";
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const datagram = (from: string, to: string, text: string): Uint8Array => udp({ from, to, payload: bytes(text) });
const RRQ = datagram(C, S, "\0\x01a\0octet\0");
const DATA = "\0\x03\0\x01abc";

t.test("a flow of a bound port is a control connection, whoever of the two is captured first", async (t) => {
  t.same(controls(replayed([tftp], [RRQ])), [`tftp/udp ${C} ${S} 1`]);
  t.same(controls(replayed([tftp], [datagram(S, C, DATA), RRQ])), [`tftp/udp ${C} ${S} 1`]);
  t.same(controls(replayed([tftp], [datagram("10.0.0.5:69", S, "\0\x01a\0octet\0")])), [`tftp/udp 10.0.0.5:69 ${S} 1`]);
  t.same(controls(replayed([tftp], [datagram(C, "192.0.2.1:6969", "\0\x01a\0octet\0")])), []);
});

t.test("a helper of TCP is not shown datagrams of its port, nor the other way round", async (t) => {
  t.same(controls(replayed([rsh], [datagram(C, "192.0.2.1:514", "<13>x")])), []);
  t.same(controls(replayed([tftp], [tcp({ from: C, to: S, flags: "S" })])), []);
  const both: Helper = { ...tftp, transport: "both", open: () => ({ inspect: passed }) };
  t.same(controls(replayed([both], [RRQ, tcp({ from: C, to: S, flags: "S" })])), [
    `tftp/udp ${C} ${S} 1`,
    `tftp/tcp ${C} ${S} 2`,
  ]);
});

t.test("a transfer is seen on its own flow; a request sent again is announced once", async (t) => {
  const transfer = datagram("192.0.2.1:2000", C, DATA);
  t.same(related(replayed([tftp], [RRQ, RRQ, transfer])), [["tftp", "announced", 1, true, 3]]);
  t.same(related(replayed([tftp], [RRQ, RRQ])), [["tftp", "announced", 1, false, null]]);
});

t.test("a transfer from the request port itself is seen in the control connection, from its answer on", async (t) => {
  const again = datagram(C, S, "\0\x02b\0octet\0");
  t.same(related(replayed([tftp], [RRQ, datagram(S, C, DATA), again, datagram(S, C, "\0\x04\0\0")])), [
    ["tftp", "announced", 1, true, 2],
    ["tftp", "announced", 3, true, 4],
  ]);
});

t.test("a flow that its helper lets go at once is not listed", async (t) => {
  t.same(controls(replayed([netbios], [datagram("10.0.0.5:138", "10.0.0.255:138", "\x11x")])), []);
  const stream = [
    tcp({ from: C, to: "192.0.2.1:514", flags: "S", sequence: 99 }),
    tcp({ from: C, to: "192.0.2.1:514", flags: "A", sequence: 100, payload: bytes("<13>syslog\n") }),
  ];
  t.same(controls(replayed([rsh], stream.slice(0, 1))), [`rsh/tcp ${C} 192.0.2.1:514 1`]);
  t.same(controls(replayed([rsh], stream)), []);
});

/** Datagrams of something else: no byte of them means anything. */
function noise(seed: number): () => string {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const random = (i: number): number => Math.imul(state + i, 0x9e3779b1) >>> 24;
    return String.fromCharCode(...Array.from({ length: 20 + (state >>> 23) }, (_, i) => random(i)));
  };
}

/** What a finding of it says, as it is told once. */
const strange = ({ findings }: Report) =>
  findings.filter(({ code }) => code === "port-of-another-protocol").map(({ message }) => message.split(",")[0]);

// In a capture of anybody's datagrams a port of RADIUS had thousands of lines of `bad-length`, one for each datagram.
for (const helper of [radius, tftp, xdmcp, netbios, sip, dns]) {
  const server = `192.0.2.1:${helper.ports[0]}`;
  t.test(
    `datagrams of another protocol on port ${helper.ports[0]} are told once, not each as broken ${helper.name}`,
    async (t) => {
      for (let seed = 1; seed <= 20; seed++) {
        const next = noise(seed);
        const packets = Array.from({ length: 300 }, (_, i) =>
          i % 3 === 2 ? datagram(server, C, next()) : datagram(C, server, next()),
        );
        const report = replayed([helper], packets);
        t.same([controls(report), report.faults], [[], []]);
        const message = `300 datagrams do not look like ${helper.name} on port ${helper.ports[0]} (${C} -> ${server})`;
        // An answer to a broadcast of NetBIOS is let go by its first byte.
        if (helper !== netbios) t.same(strange(report), [message]);
      }
    },
  );
}

const RADIUS = "192.0.2.1:1812";
const nas = (port: number) => `10.0.0.5:${port}`;

t.test("flows that say too little to be told by it are told by all that is said to their server", async (t) => {
  const next = noise(7);
  const scanned = Array.from({ length: 30 }, (_, i) => datagram(nas(2000 + i), RADIUS, next()));
  t.same(controls(replayed([radius], scanned)), []);
  t.same(strange(replayed([radius], scanned)), [
    `30 datagrams do not look like radius on port 1812 (${nas(2000)} -> ${RADIUS} and 29 more flows)`,
  ]);
  t.same(strange(replayed([radius], scanned.slice(0, 3))), [], "three broken requests are somebody's");
  t.equal(replayed([radius], scanned.slice(0, 3)).controls.length, 3);
  const asked = datagram(nas(40000), RADIUS, Buffer.from(accessRequest(1)).toString("latin1"));
  t.equal(replayed([radius], [...scanned, asked]).controls.length, 31, "somebody speaks RADIUS to it");
});

t.test("a RADIUS client all of whose requests are broken is seen, beside strangers and alone", async (t) => {
  const next = noise(3);
  const broken = Array.from({ length: 40 }, (_, i) => {
    const bytes = accessRequest(i);
    bytes.set([0xff, 0xff], 2);
    return datagram(nas(40000), RADIUS, Buffer.from(bytes).toString("latin1"));
  });
  const strangers = Array.from({ length: 60 }, (_, i) => datagram(nas(2000 + (i % 3)), RADIUS, next()));
  for (const packets of [broken, [...strangers, ...broken]]) {
    const report = replayed([radius], packets);
    t.match(report.controls, [{ helper: "radius", client: { port: 40000 } }]);
    t.equal(report.faults.length, 40);
    t.same([...new Set(report.faults.map(({ code }) => code))], ["bad-length"]);
  }
});

/** Detected by a word that the client says. */
const wordy = (name: string, word: string, shown: [string, Direction][] = []): Helper => ({
  name,
  transport: "tcp",
  ports: [port(9000)],
  sources: [],
  limits: { pending: 1, ttl: seconds(1), hold: 100, patience: seconds(1) },
  open: () => ({
    inspect(payload, direction) {
      shown.push([Buffer.from(payload).toString("latin1"), direction]);
      return passed(payload);
    },
    gap: (direction) => void shown.push(["gap", direction]),
  }),
  detect({ original, reply }: Opening): boolean | null {
    const said = Buffer.from(original).toString("latin1");
    if (original.length === 0) return reply.length === 0 ? null : false;
    if (said.length >= word.length) return said.startsWith(word);
    return word.startsWith(said) ? null : false;
  },
});

const OTHER = "192.0.2.1:7777";
const said = (sequence: number, text: string): Uint8Array =>
  tcp({ from: C, to: OTHER, flags: "A", sequence, payload: bytes(text) });

t.test(
  "of helpers whose protocols open alike the one that is sure has the connection, with all that was said",
  async (t) => {
    const shown: [string, Direction][] = [];
    const helpers = [wordy("first", "OPTIONS *"), wordy("second", "OPTIONS rtsp", shown)];
    const stream = [
      tcp({ from: C, to: OTHER, flags: "S", sequence: 99 }),
      said(100, "OPTIONS "),
      said(108, "rtsp://x"),
    ];
    t.same(controls(replayed(helpers, stream)), [`second/tcp ${C} ${OTHER} 1`]);
    t.same(
      shown.filter(([text]) => text !== "gap"),
      [
        ["OPTIONS ", "original"],
        ["rtsp://x", "original"],
      ],
    );
    t.same(controls(replayed(helpers, stream.slice(0, 2))), [], "nobody is sure yet");
    t.same(controls(replayed(helpers, [...stream.slice(0, 2), said(108, "neither")])), []);
  },
);

t.test("a helper that fails to tell finds nothing", async (t) => {
  const broken: Helper = {
    ...wordy("broken", "X"),
    detect: () => {
      throw new Error("broken");
    },
  };
  t.same(controls(replayed([broken, wordy("sound", "HELLO")], [said(1, "HELLO")])), [`sound/tcp ${C} ${OTHER} 1`]);
});

t.test("a connection begun in the middle has a gap in both directions before anything is shown", async (t) => {
  const shown: [string, Direction][] = [];
  replayed(
    [wordy("made-up", "X", shown)],
    [
      tcp({ from: "192.0.2.1:9000", to: C, flags: "A", sequence: 5, payload: bytes("reply") }),
      tcp({ from: C, to: "192.0.2.1:9000", flags: "A", sequence: 7, payload: bytes("next") }),
    ],
  );
  t.same(shown, [
    ["gap", "original"],
    ["gap", "reply"],
    ["reply", "reply"],
    ["next", "original"],
  ]);
});
