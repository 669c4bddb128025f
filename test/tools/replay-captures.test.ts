/** Every capture of the development set against its truth file. */
import t from "tap";
import { helpers } from "../../helpers/index.ts";
import type { ControlRecord, Report } from "../../tools/replay/report.ts";
import { runReplay } from "../../tools/replay.ts";
import {
  type CaptureEntry,
  captureEntries,
  captureName,
  capturePath,
  capturesMissing,
  type Truth,
  truthOf,
} from "../captures.ts";

/** Containers that replay does not read; README.md lists them by the same names. */
const UNREAD: Readonly<Record<string, string>> = {
  "ctr-solaris-snoop.snoop": "a snoop file",
  "rtsp-panw-knoxville-ppp.pcap": "a pppdump file",
  "rtsp-panw-m20100301-ppp.pcap": "a pppdump file",
  "rtsp-panw-m20100303-ppp.pcap": "a pppdump file",
  "ctr-tcpdump-unknown-linktype-2.pcap": "link type 164",
};
const BROKEN = new Set([
  "ctr-dpkt-truncated-dns.pcap",
  "ctr-gopacket-shb-v2-le.pcapng",
  "ctr-libpcap-invalid-version-1.pcap",
  "ctr-libpcap-pcapng-invalid-version-0.pcapng",
  "ctr-suricata-bad-caplen-smtp.pcap",
  "ctr-suricata-bad-caplen.pcap",
  "der-cut-mid-record.pcap",
]);

async function replayed(path: string): Promise<{ status: number; report: Report }> {
  let stdout = "";
  const io = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: () => true } };
  const status = await runReplay([path], { json: true }, io);
  return { status, report: JSON.parse(stdout) };
}

/** Captures whose connections we count otherwise than their truth, and why. */
const OTHERWISE: Readonly<Record<string, string>> = {
  "radius-ndpi-fuzz.pcap": "port 1814, made of 1812 by a flipped bit, is nobody's; a broken header on 1812 is RADIUS's",
  "radius-tcpdump-rfc5447-invalid-length.pcap": "a packet shorter than its length is no request (RFC 2865 §3)",
};

/** Captures whose DNS is within what replay does not read; README.md lists it by the same names. */
const WITHIN: Readonly<Record<string, string>> = {
  "ctr-arkime-synthetic.pcap": "DNS within tunnels over UDP",
  "ctr-libpcap-ppi-http.pcap": "PPI",
  "ctr-tcpdump-arcnet-rfc1051.pcap": "ARCNET",
  "ctr-tcpdump-arcnet-rfc1201.pcap": "ARCNET",
  "ctr-tcpdump-pktap.pcap": "PKTAP",
  "ctr-zeek-radiotap.pcap": "radiotap",
};

/** Truth files' names for helpers that have another here. */
const NAMES: Readonly<Record<string, string>> = { nbns: "netbios", mms: "wms" };
const KNOWN = new Set(helpers.map(({ name }) => name));
const nameOf = (helper: string): string => NAMES[helper] ?? helper;

const ends = ({ helper, client, server }: ControlRecord): string =>
  `${helper} ${client.address} ${client.port} ${server.address} ${server.port}`;

function foundLines({ controls, related }: Report): { controls: string[]; related: string[] } {
  const byId = new Map(controls.map((control) => [control.id, ends(control)]));
  const lines = related.map(
    ({ control, kind, from, to, state, announcedFrame, observed }) =>
      `${byId.get(control)}: frame ${announcedFrame} ${kind} ${from.address ?? "*"} ${from.port ?? "*"} -> ` +
      `${to.address} ${to.port} ${state} ${observed}`,
  );
  return { controls: controls.map(ends).sort(), related: lines.sort() };
}

function trueLines({ control_connections = [], related = [] }: Truth): { controls: string[]; related: string[] } {
  const known = control_connections.filter(({ helper }) => KNOWN.has(nameOf(helper)));
  const byId = new Map(
    known.map((one) => [one.id, `${nameOf(one.helper)} ${one.client} ${one.cport} ${one.server} ${one.sport}`]),
  );
  const lines = related
    .filter(({ cid }) => byId.has(cid))
    .map(
      (one) =>
        `${byId.get(one.cid)}: frame ${one.by_frame} ${one.kind} ${one.from_ip} ${one.from_port} -> ` +
        `${one.to_ip} ${one.to_port} ${one.state} ${one.observed}`,
    );
  return { controls: [...byId.values()].sort(), related: lines.sort() };
}

/** Requests of RADIUS, as replay and as the truth have them. */
function requestsOf({ controls }: Report): NonNullable<Truth["radius"]> {
  const own = controls.filter(({ helper }) => helper === "radius");
  const all = own.flatMap(({ requests = [] }) => requests);
  return {
    pairs: all.filter((one): one is [number, number, number, number] => one[1] !== null).sort(byFrame),
    unanswered: all.flatMap(([frame, reply]) => (reply === null ? [frame] : [])).sort((a, b) => a - b),
    duplicates: own.flatMap(({ repeated = [] }) => repeated).sort(byFrame),
    orphan_responses: own.flatMap(({ unsolicited = [] }) => unsolicited).sort((a, b) => a - b),
  };
}

function trueRequests({ radius }: Truth): unknown {
  if (radius === undefined) return { pairs: [], unanswered: [], duplicates: [], orphan_responses: [] };
  const { pairs, unanswered, duplicates, orphan_responses } = radius;
  return { pairs, unanswered, duplicates, orphan_responses };
}

const byFrame = (a: readonly number[], b: readonly number[]): number => a[0]! - b[0]!;

const isFull = ({ protocols, truth_level }: CaptureEntry) =>
  truth_level === "full" && protocols.some((name) => KNOWN.has(nameOf(name)));

t.test("captures of protocols that there are helpers for match their truth", { skip: capturesMissing }, async (t) => {
  for (const entry of captureEntries().filter(isFull)) {
    const name = captureName(entry);
    t.test(name, { skip: UNREAD[name] ?? false }, async (t) => {
      const truth = truthOf(entry);
      const { report } = await replayed(capturePath(entry));
      t.equal(report.captures[0]!.packets, truth.packets, "packets");
      t.same(foundLines(report), trueLines(truth), "control connections and related ones");
      t.same(requestsOf(report), trueRequests(truth), "requests and responses");
    });
  }
});

t.test(
  "every other capture is read as far as it goes, and nothing is invented",
  { skip: capturesMissing },
  async (t) => {
    for (const entry of captureEntries().filter((entry) => !isFull(entry))) {
      const name = captureName(entry);
      t.test(name, { skip: UNREAD[name] ?? false }, async (t) => {
        const truth = truthOf(entry);
        const { report } = await replayed(capturePath(entry));
        t.equal(report.captures[0]!.packets, truth.packets, "packets");
        if (name in OTHERWISE) return;
        const what = "control connections and related ones";
        t.same(foundLines(report), trueLines(truth), what, { skip: WITHIN[name] ?? false });
        t.same(requestsOf(report), trueRequests(truth), "requests and responses");
      });
    }
  },
);

t.test(
  "broken captures, and no others, have exit status 2 and a message that names the byte",
  { skip: capturesMissing },
  async (t) => {
    for (const entry of captureEntries().filter((entry) => !(captureName(entry) in UNREAD))) {
      const { status, report } = await replayed(capturePath(entry));
      const { error } = report.captures[0]!;
      const expected = BROKEN.has(captureName(entry)) ? 2 : 0;
      if (status !== expected || (error?.includes("at byte") ?? false) !== (expected === 2)) {
        t.fail(captureName(entry), { status, error });
      }
    }
  },
);
