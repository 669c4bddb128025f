/** `--explain`: bytes, rules, and what other helpers would have made of an announcement. */
import t, { type Test } from "tap";
import { helpers } from "../../helpers/index.ts";
import { bind } from "../../tools/replay/bindings.ts";
import type { Explanation, HelperVerdict } from "../../tools/replay/explain/explain.ts";
import { nfConntrackFtp } from "../../tools/replay/explain/models/nf-conntrack-ftp.ts";
import { Redactor } from "../../tools/replay/explain/redact.ts";
import { readCapture } from "../../tools/replay/file.ts";
import { type Bindings, Tracker } from "../../tools/replay/tracker.ts";
import { captureEntries, captureName, capturePath, capturesMissing, truthOf } from "../captures.ts";
import { type Conversation, fileOf, Recording, replayed, reportOf } from "./recording.ts";

async function explained(t: Test, say: (control: Conversation) => void, server?: string): Promise<Explanation[]> {
  const recording = new Recording();
  say(recording.ftp("10.0.0.5:40000", server));
  return [...(await reportOf(t, recording, { explain: true })).explanations!];
}

const verdictsOf = (helpers: readonly HelperVerdict[]): string =>
  helpers.map(({ helper, verdict }) => `${helper}: ${verdict}`).join(", ");

/** What each would do: ip_vs_ftp, the same before 2.6, nf_conntrack_ftp, libalias. */
const cases: readonly [name: string, say: (control: Conversation) => void, verdicts: readonly string[]][] = [
  [
    "a plain 227",
    (c) => c.client("PASV\r\n").server("227 Entering Passive Mode (192,0,2,1,200,10)\r\n"),
    ["opens", "opens", "opens", "opens"],
  ],
  [
    "a 227 in two segments",
    (c) => c.client("PASV\r\n").server("227 Entering Passive Mode (192,0,", "2,1,200,10)\r\n"),
    ["misses", "misses", "drops", "misses"],
  ],
  [
    "a 227 in other words",
    (c) => c.client("PASV\r\n").server("227 Passive mode on (192,0,2,1,200,10)\r\n"),
    ["opens", "misses", "opens", "opens"],
  ],
  [
    "a 227 without parentheses",
    (c) => c.client("PASV\r\n").server("227 at 192,0,2,1,200,10\r\n"),
    ["opens", "misses", "opens", "misses"],
  ],
  [
    "a 227 behind another reply in its segment",
    (c) => c.client("PASV\r\n").server("150 x\r\n227 Entering Passive Mode (192,0,2,1,200,10)\r\n"),
    ["misses", "opens", "misses", "misses"],
  ],
  [
    "a 227 that names another host",
    (c) => c.client("PASV\r\n").server("227 Entering Passive Mode (192,0,2,9,200,10)\r\n"),
    ["opens", "opens", "misses", "misses"],
  ],
  [
    "a 227 that no command asked for",
    (c) => c.server("227 Entering Passive Mode (192,0,2,1,200,10)\r\n"),
    ["misses", "misses", "opens", "opens"],
  ],
  [
    "a file whose name ends in PASV arms IPVS",
    (c) => c.client("STOR x PASV\r\n").server("227 Entering Passive Mode (192,0,2,1,200,10)\r\n"),
    ["opens", "opens", "opens", "opens"],
  ],
  ["a 229", (c) => c.client("EPSV\r\n").server("229 Extended (|||51210|)\r\n"), ["opens", "misses", "opens", "opens"]],
  [
    "a 229 with another delimiter",
    (c) => c.client("EPSV\r\n").server("229 Extended (!!!51210!)\r\n"),
    ["opens", "misses", "opens", "opens"],
  ],
  ["PORT", (c) => c.client("PORT 10,0,0,5,200,10\r\n"), ["opens", "opens", "opens", "opens"]],
  ["PORT with two blanks", (c) => c.client("PORT  10,0,0,5,200,10\r\n"), ["opens", "misses", "drops", "opens"]],
  ["PORT that ends in a bare LF", (c) => c.client("PORT 10,0,0,5,200,10\n"), ["opens", "misses", "drops", "opens"]],
  ["PORT of a third host", (c) => c.client("PORT 10,9,9,9,200,10\r\n"), ["opens", "opens", "misses", "opens"]],
  ["EPRT", (c) => c.client("EPRT |1|10.0.0.5|51210|\r\n"), ["opens", "misses", "opens", "opens"]],
];

for (const [name, say, verdicts] of cases) {
  t.test(`${name}: ${verdicts.join(", ")}`, async (t) => {
    const [first] = await explained(t, say);
    t.equal(first!.what, "announcement");
    t.match(first!.rule, /RFC/);
    t.equal(
      verdictsOf(first!.helpers),
      ["ip_vs_ftp", "ip_vs_ftp (before 2.6)", "nf_conntrack_ftp", "libalias"]
        .map((helper, index) => `${helper}: ${verdicts[index]}`)
        .join(", "),
    );
  });
}

t.test("numbers that are none: what wraps or spills where is named", async (t) => {
  const wrapped = await explained(t, (c) => c.client("PORT 10,0,0,5,300,10\r\n"));
  t.match(wrapped, [{ what: "refusal", subject: "bad-octet", rule: /octet/ }]);
  t.match(wrapped[0]!.helpers, [
    { verdict: "opens-another", reason: "an entry for 10.0.0.5:11274" },
    { verdict: "opens-another", reason: "an entry for 10.0.0.5:11274" },
    { verdict: "opens-another", reason: "an entry for 10.0.0.5:11274" },
    { verdict: "opens-another", reason: "an entry for 10.0.0.5:11274" },
  ]);
  const port = await explained(t, (c) => c.client("EPRT |1|10.0.0.5|70000|\r\n"));
  t.match(port[0]!.helpers[2], { helper: "nf_conntrack_ftp", verdict: "opens-another", reason: /:4464/ });
});

t.test("on another port they must be told to read it, and libalias cannot be", async (t) => {
  const [first] = await explained(t, (c) => c.client("PORT 10,0,0,5,200,10\r\n"), "192.0.2.1:2121");
  t.match(first!.helpers[2], { verdict: "opens", reason: /^told to read port 2121, / });
  t.match(first!.helpers[3], { verdict: "misses", reason: "it reads port 21 only" });
});

t.test("bytes are printable ASCII whatever they are, and the tree shows them below their line", async (t) => {
  const recording = new Recording();
  recording.ftp().client("PORT 10,0,0,5,\u001b[31m\u00ff,1\r\n").server("500 no\r\n");
  const { out } = await replayed([fileOf(t, recording)], { explain: true });
  const lines = out.split("\n");
  const fault = lines.findIndex((line) => line.includes("! bad-argument"));
  t.match(lines[fault + 1], /^ {15}bytes {2}PORT 10,0,0,5,\\x1b\[31m\\xff,1\\r\\n$/);
  t.match(lines[fault + 2], /^ {15}rule {3}RFC 959/);
  t.match(lines[fault + 5], /^ {15}nf_conntrack_ftp {8}drops its segment: /);
});

t.test("an announcement and why it is refused share their bytes in the tree", async (t) => {
  const recording = new Recording();
  recording.ftp().client("PORT 10,9,9,9,200,10\r\n");
  const { out } = await replayed([fileOf(t, recording)], { explain: true });
  t.equal(out.split("bytes  PORT").length, 2);
});

t.test("a port group has its frame, bytes and rule, and a connection without announcements says so", async (t) => {
  const recording = new Recording();
  recording.ftp().client("AUTH TLS\r\n").server("234 go ahead\r\n");
  recording.ftp("10.0.0.5:40001").client("NOOP\r\n");
  const [grouped, silent] = (await replayed([fileOf(t, recording)], { explain: true })).out.split("  2  ftp");
  const frame = (await reportOf(t, recording)).groups[0]!.frame;
  t.match(grouped, new RegExp(`^ {5}frame ${frame} {2}group {2}tls: the passive ports declared`, "m"));
  t.match(grouped, /^ {15}bytes {2}234 go ahead\\r\\n\n {15}rule {3}RFC 4217 §4: /m);
  t.match(silent, /^ {5}nothing was announced on it$/m);
});

t.test("without --explain there are no explanations, and no segments are kept", async (t) => {
  const recording = new Recording();
  recording.ftp().client("PORT 10,0,0,5,200,10\r\n");
  t.equal((await reportOf(t, recording)).explanations, undefined);
});

// --- passwords -------------------------------------------------------------------------------------------------------

t.test("passwords are struck out, whatever the segments", async (t) => {
  const line = "USER bob\r\nPASS hunter2 \\o/\r\npass hunter2\r\nACCT hunter2\r\nLIST\r\n";
  const expected = "USER bob\\r\\nPASS ****\\r\\npass ****\\r\\nACCT ****\\r\\nLIST\\r\\n";
  t.equal(new Redactor().show(Buffer.from(line)), expected);
  for (let size = 1; size < 8; size++) {
    const redactor = new Redactor();
    let shown = "";
    for (let at = 0; at < line.length; at += size) shown += redactor.show(Buffer.from(line.slice(at, at + size)));
    t.equal(shown, expected, `${size} bytes a segment`);
  }
});

t.test("passwords in URLs are struck out, whatever the segments; ports are none", async (t) => {
  const urls = "SETUP rtsp://bob:hunter2@host:554/a RTSP/1.0\r\nContact: <sip:al:hunter:2@host:5060;lr>\r\n";
  t.equal(
    new Redactor().show(Buffer.from(urls)),
    "SETUP rtsp://bob: ****@host:554/a RTSP/1.0\\r\\nContact: <sip:al: ****@host:5060;lr>\\r\\n",
  );
  for (let size = 1; size < 40; size++) {
    const redactor = new Redactor();
    let shown = "";
    for (let at = 0; at < urls.length; at += size) shown += redactor.show(Buffer.from(urls.slice(at, at + size)));
    t.notMatch(shown, /hunter|ter2|ter:|er:2/, `${size} bytes a segment: ${shown}`);
    t.match(shown, /@host.*@host/, `${size} bytes a segment: ${shown}`);
  }
  const ports = "SETUP rtsp://host:554/a RTSP/1.0\r\nVia: SIP/2.0/UDP host:5060\r\nTo: <sip:bob@host:5060>\r\n";
  t.equal(new Redactor().show(Buffer.from(ports)), ports.replaceAll("\r\n", "\\r\\n"));
});

t.test("a refusal of another protocol's is explained without FTP's rules", async (t) => {
  const recording = new Recording();
  const transport = "Transport: RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001";
  recording
    .connection("10.0.0.5:40000", "192.0.2.1:554")
    .open()
    .client("OPTIONS rtsp://x/y RTSP/1.0\r\nCSeq: 1\r\n\r\n")
    .server(`RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 7\r\n${transport}\r\n\r\n`);
  const { explanations } = await reportOf(t, recording, { explain: true });
  const refusals = explanations!.filter(({ what }) => what === "refusal");
  t.ok(refusals.length > 0);
  for (const { rule } of refusals) t.notMatch(rule, /959/);
});

t.test("telnet bytes, blanks and gaps do not uncover them", async (t) => {
  for (const line of [
    "\u00ff\u00f4PASS hunter2\r\n",
    "  PASS hunter2\r\n",
    "P\u0000ASS hunter2\r\n",
    "Authorization: Basic hunter2\r\n",
  ]) {
    t.notOk(new Redactor().show(Buffer.from(line, "latin1")).includes("hunter2"), line);
  }
  const redactor = new Redactor();
  redactor.show(Buffer.from("PA"));
  redactor.gap();
  t.equal(redactor.show(Buffer.from("unter2\r\nLIST\r\n")), " ****\\r\\nLIST\\r\\n");
  t.equal(new Redactor().show(Buffer.from("PASSIVE\r\nSTOR PASS x\r\n")), "PASS ****\\r\\nSTOR PASS x\\r\\n");
});

// --- against the kernel, as recorded with the captures ----------------------------------------------------------------

/** What the kernel cannot see of a capture, whatever its bytes. */
const UNSEEN: Readonly<Record<string, string>> = {
  "ftp-own-loopback.pcap": "the kernel does not let 127.0.0.0/8 through, and ::1 neither",
  "ftp-suricata-active-mode.pcap": "127.0.0.0/8",
  "ftp-suricata-passive-mode.pcap": "127.0.0.0/8",
};

async function modelled(file: string): Promise<string[]> {
  const tracker = new Tracker(bind(helpers, []) as Bindings, helpers, true);
  await readCapture(file, process.stdin, tracker, () => undefined);
  const found = new Set<string>();
  for (const control of tracker.confirmed().filter(({ helper }) => helper.name === "ftp")) {
    for (const { opens, frame } of nfConntrackFtp.judge(control, control.transcript.said)) {
      if (opens === null) continue;
      const { direction } = control.transcript.said.find((said) => said.frame === frame)!;
      const opener = direction === "original" ? control.server : control.client;
      found.add(`${opener.address} ${opens.address} ${opens.port}`);
    }
  }
  return [...found].sort();
}

t.test(
  "the model of nf_conntrack_ftp expects what the kernel expected, capture by capture",
  { skip: capturesMissing },
  async (t) => {
    const ftp = captureEntries().filter(
      ({ protocols, truth_level }) => protocols.includes("ftp") && truth_level === "full",
    );
    t.ok(ftp.length > 60);
    for (const entry of ftp) {
      const { oracle_check: oracle } = truthOf(entry);
      const listed = oracle?.kernel_expectations ?? [];
      const complete = oracle?.kernel_expectations_total === listed.length;
      const kernel = [
        ...new Set(
          listed.filter(({ helper }) => helper === "ftp").map((one) => `${one.from_ip} ${one.to_ip} ${one.to_port}`),
        ),
      ].sort();
      const model = await modelled(capturePath(entry));
      const name = captureName(entry);
      if (name in UNSEEN) t.same(kernel, [], `${name}: ${UNSEEN[name]}`);
      else t.same(complete ? model : kernel.filter((one) => !model.includes(one)), complete ? kernel : [], name);
    }
  },
);

/** RADIUS: a packet without attributes. */
const radius = (code: number, id: number): string => String.fromCharCode(code, id, 0, 20).padEnd(20, "\0");

t.test("requests and what became of them are counted in the tree", async (t) => {
  const recording = new Recording();
  const [client, server] = ["10.0.0.5:40000", "192.0.2.1:1812"];
  recording.datagram(client, server, radius(1, 1)).datagram(server, client, radius(2, 1));
  recording.datagram(client, server, radius(1, 2)).datagram(client, server, radius(1, 2));
  recording.datagram(server, client, radius(2, 9));
  const { out } = await replayed([fileOf(t, recording)]);
  t.match(
    out,
    /^ {5}2 requests: 1 answered, 1 not \(frame 3\), 1 sent again; 1 of the server's to nothing that was asked \(frame 5\)$/m,
  );
  t.notMatch(out, /nothing was announced/);
});

t.test("a rule that is what the line above says is not told twice", async (t) => {
  const recording = new Recording();
  recording.datagram("10.0.0.5:40000", "192.0.2.1:1812", "short");
  const { out } = await replayed([fileOf(t, recording)], { explain: true });
  t.match(out, /! short-packet: shorter than the header of a RADIUS packet\n {15}bytes /);
  t.notMatch(out, /rule/);
});
