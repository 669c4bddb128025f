/** What a capture does not have of a control connection is said, so that nobody takes it for silence. */
import { writeFileSync } from "node:fs";
import t, { type Test } from "tap";
import type { Report } from "../../tools/replay/report.ts";
import { fileOf, Recording, replayed, reportOf } from "./recording.ts";

const REPLY = "227 Entering Passive Mode (192,0,2,1,200,10)\r\n";
const FILE_HEADER = 24;
const RECORD_HEADER = 16;

/** As `tcpdump -s LENGTH` writes it. */
function cut(bytes: Uint8Array, length: number): Uint8Array {
  const pieces = [bytes.subarray(0, FILE_HEADER)];
  for (let at = FILE_HEADER; at < bytes.length; ) {
    const size = new DataView(bytes.buffer, at).getUint32(8, true);
    const header = bytes.slice(at, at + RECORD_HEADER);
    new DataView(header.buffer).setUint32(8, Math.min(size, length), true);
    pieces.push(header, bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + Math.min(size, length)));
    at += RECORD_HEADER + size;
  }
  return Buffer.concat(pieces);
}

function session(): Recording {
  const recording = new Recording();
  const control = recording.ftp().client("PASV\r\n").server(REPLY);
  recording.transfer("10.0.0.5:40001", "192.0.2.1:51210");
  control.client("QUIT\r\n").close();
  return recording;
}

async function missing(t: Test, recording: Recording): Promise<readonly string[] | undefined> {
  return (await reportOf(t, recording)).controls[0]!.missing;
}

t.test("of a whole connection nothing is missing", async (t) => {
  t.equal(await missing(t, session()), undefined);
});

t.test("packets that were cut are told of, and what they may have announced is no finding", async (t) => {
  const file = fileOf(t, new Recording());
  writeFileSync(file, cut(session().bytes(), 70));
  const report = JSON.parse((await replayed([file], { json: true })).out) as Report;
  t.match(report.controls[0]!.missing, [/cut when they were captured \(snap length\), from frame 8 on/]);
  t.same(report.findings, []);
  t.match((await replayed([file])).out, /^ {5}incomplete: its packets were cut .*frame 8 on$/m);
});

t.test("a connection that began before the capture", async (t) => {
  const recording = new Recording();
  recording.connection("10.0.0.5:40000", "192.0.2.1:21").client("PASV\r\n").server(REPLY);
  t.same(await missing(t, recording), ["it began before the capture"]);
});

t.test("one of which one direction alone was captured", async (t) => {
  const recording = new Recording();
  recording.connection("10.0.0.5:40000", "192.0.2.1:21").server("220 ready\r\n", REPLY);
  t.match(await missing(t, recording), [/only what the server sends is in the capture/, /it began/]);
});

t.test("a SYN without an answer has no other direction", async (t) => {
  const recording = new Recording();
  recording.connection("10.0.0.5:40000", "192.0.2.1:21").syn(3);
  t.equal(await missing(t, recording), undefined);
});

const CLIENT = "10.0.0.5:40000";
const SERVER = "192.0.2.1:21";

// Such a connection had an empty ladder, and the tree said only that nothing was announced on it.
const unsaid: readonly (readonly [what: string, record: (recording: Recording) => unknown])[] = [
  [
    "nothing was said on it: 3 frames, opened and not closed in this capture",
    (r) => r.connection(CLIENT, SERVER).open(),
  ],
  ["nothing was said on it: 6 frames, opened and closed", (r) => r.connection(CLIENT, SERVER).open().close()],
  [
    "nothing was said on it: 4 frames, opened and reset by the server",
    (r) => r.connection(CLIENT, SERVER).open().reset(),
  ],
  [
    "nothing was said on it: 4 frames, opened and reset by the client",
    (r) => r.connection(CLIENT, SERVER).open().reset("client"),
  ],
  ["nothing was said on it: 1 frame, opened and not answered", (r) => r.connection(CLIENT, SERVER).syn()],
  [
    "nothing was said on it: 2 frames, opened and refused by a reset",
    (r) => r.connection(CLIENT, SERVER).syn().reset(),
  ],
  [
    "nothing was said on it: 1 frame, begun before the capture and reset by the client",
    (r) => r.connection(CLIENT, SERVER).reset("client"),
  ],
];

for (const [what, record] of unsaid) {
  t.test(`${what}: in the tree and in JSON`, async (t) => {
    const recording = new Recording();
    record(recording);
    t.equal((await reportOf(t, recording)).controls[0]!.unsaid, what);
    const { out } = await replayed([fileOf(t, recording)]);
    t.ok(out.includes(`\n     ${what}\n`), out);
    t.notMatch(out, /nothing was announced/);
  });
}

t.test("what was said and cut off is no silence", async (t) => {
  const file = fileOf(t, new Recording());
  writeFileSync(file, cut(session().bytes(), 54));
  const { controls } = JSON.parse((await replayed([file], { json: true })).out) as Report;
  t.equal(controls[0]!.unsaid, "93 bytes were said on it, and none captured");
});

t.test("of a connection on which something was said nothing of the kind is told", async (t) => {
  t.equal((await reportOf(t, session())).controls[0]!.unsaid, undefined);
});
