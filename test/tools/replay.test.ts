import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import t from "tap";
import { replayCommand } from "../../tools/replay/command.ts";
import type { Report } from "../../tools/replay/report.ts";
import { type ReplayOptions, runReplay } from "../../tools/replay.ts";
import { ROOT } from "../root.ts";

const fixture = (name: string) => resolve(ROOT, "fixtures", name);
const MASQUERADED = fixture("ftp-own-pasv-masq-client-fixes.pcap");
const PORT_8021 = fixture("ftp-own-port8021.pcap");
const LOOPBACK = fixture("ftp-own-loopback.pcap");

async function replay(files: string[], options: ReplayOptions = {}) {
  const io = { out: "", err: "" };
  const status = await runReplay(files, options, {
    stdout: { write: (text) => (io.out += text) },
    stderr: { write: (text) => (io.err += text) },
  });
  return { status, ...io };
}

const reported = async (file: string, options: ReplayOptions = {}): Promise<Report> =>
  JSON.parse((await replay([file], { ...options, json: true })).out);

t.test(
  "an announced address that is not the server's is listed, not seen, with the fault it is refused for",
  async (t) => {
    const { controls, related, faults } = await reported(MASQUERADED);
    t.match(controls, [{ id: 1, helper: "ftp", transport: "tcp", firstFrame: 1 }]);
    t.same(related, [
      {
        control: 1,
        kind: "ftp-passive",
        state: "accepted",
        transport: "tcp",
        from: { address: "10.77.0.10", port: null },
        to: { address: "203.0.113.5", port: 56587 },
        announcedFrame: 18,
        observed: false,
        firstFrame: null,
        frames: 0,
        bytes: 0,
      },
    ]);
    const message = "227 names 203.0.113.5, the realserver is 10.77.1.20";
    t.same(faults, [{ control: 1, frame: 18, code: "bounce", message }]);
  },
);

t.test("a control connection on another port is found by how it opens", async (t) => {
  const { controls, related } = await reported(PORT_8021);
  t.same(
    controls.map(({ server }) => server.port),
    [8021, 8021],
  );
  t.same(
    related.map(({ kind, observed }) => [kind, observed]),
    [
      ["ftp-passive", true],
      ["ftp-active", true],
    ],
  );
});

t.test("--helper names its port as well", async (t) => {
  t.same(await reported(PORT_8021, { helper: ["ftp=21,8021"] }), await reported(PORT_8021));
});

t.test("an assignment that makes no sense is refused before anything is read", async (t) => {
  for (const wrong of ["ftp", "ftp=", "ftp=x", "ftp=0", "ftp=70000", "ftp=21,,22", "gopher=70"]) {
    const { status, out, err } = await replay([PORT_8021], { helper: [wrong] });
    t.equal(status, 1, wrong);
    t.equal(out, "", wrong);
    t.ok(err.includes(wrong), `the message quotes ${wrong}`);
  }
});

t.test("the states of what was announced on loopback: accepted, rejected, accepted", async (t) => {
  const { related } = await reported(LOOPBACK);
  t.same(
    related.map(({ kind, state }) => `${kind} ${state}`),
    ["ftp-passive accepted", "ftp-eprt rejected", "ftp-epsv accepted"],
  );
});

t.test("--ndjson prints the records of --json, a line each, numbered over all files", async (t) => {
  const files = [LOOPBACK, MASQUERADED];
  const document = JSON.parse((await replay(files, { json: true })).out) as Report;
  const lines = (await replay(files, { ndjson: true })).out.trimEnd().split("\n");
  const records = lines.map((line) => JSON.parse(line) as { type: string });
  const of = (type: string) => records.filter((record) => record.type === type).map(({ type, ...record }) => record);
  t.same(of("capture"), document.captures);
  t.same(of("control"), document.controls);
  t.same(of("related"), document.related);
  t.same(of("group"), document.groups);
  t.same(of("fault"), document.faults);
  t.same(of("finding"), document.findings);
});

t.test("without --json a tree tells the story, what is wrong first", async (t) => {
  const { out, status } = await replay([MASQUERADED]);
  t.equal(status, 0);
  const lines = out.split("\n").slice(1);
  t.equal(lines[0], "  warning  reply-names-another-address");
  t.match(
    lines[1],
    /^ {5}1 {2}227 \(203\.0\.113\.5:56587\) in frame 18 names 203\.0\.113\.5, the server is 10\.77\.1\.20/,
  );
  t.equal(
    lines.slice(3).join("\n"),
    "  1  ftp  10.77.0.10:44828 -> 10.77.1.20:21  from frame 1\n" +
      "     frame 18  ftp-passive  10.77.0.10:any -> 203.0.113.5:56587  accepted, not seen\n" +
      "     frame 18  ! bounce: 227 names 203.0.113.5, the realserver is 10.77.1.20\n",
  );
});

t.test("colour is for a terminal, and not where NO_COLOR says so", async (t) => {
  const shown = async (isTTY: boolean) => {
    let out = "";
    await runReplay(
      [MASQUERADED],
      {},
      { stdout: { write: (text) => (out += text), isTTY }, stderr: { write: () => true } },
    );
    return out;
  };
  const before = process.env["NO_COLOR"];
  t.teardown(() => {
    if (before === undefined) delete process.env["NO_COLOR"];
    else process.env["NO_COLOR"] = before;
  });
  delete process.env["NO_COLOR"];
  const coloured = await shown(true);
  const plain = await shown(false);
  t.notOk(plain.includes("\u001b"));
  t.ok(coloured.includes("\u001b[33mwarning\u001b[0m"));
  t.equal(stripVTControlCharacters(coloured), plain, "the same words");
  process.env["NO_COLOR"] = "1";
  t.equal(await shown(true), plain);
});

t.test(
  "a file that is cut anywhere gives what stands before the cut, an error with its byte, and status 2",
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "kindred-"));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const whole = readFileSync(MASQUERADED);
    const cut = join(folder, "cut.pcap");
    for (const length of [0, 3, 10, 24, 30, 1000, whole.length - 1]) {
      writeFileSync(cut, whole.subarray(0, length));
      const { status, out } = await replay([cut], { json: true });
      const { error, truncated } = (JSON.parse(out) as Report).captures[0]!;
      const between = length === 24;
      t.equal(status, between ? 0 : 2, `${length} bytes`);
      t.equal(truncated, !between);
      if (!between) t.match(error, /at byte \d+/);
    }
  },
);

t.test("a file that is not there is an error, and the others are read", async (t) => {
  const { status, out, err } = await replay([fixture("absent.pcap"), MASQUERADED], { json: true });
  const { captures, controls } = JSON.parse(out) as Report;
  t.equal(status, 2);
  t.match(captures[0]!.error, /no such file/);
  t.match(err, /no such file/);
  t.equal(controls.length, 1);
});

t.test("escape sequences and bidirectional marks in a file name do nothing to a terminal", async (t) => {
  const { out, err } = await replay([fixture("\u001b[31mred\u202efdp.pcap")]);
  for (const text of [out, err]) {
    t.notOk(text.includes("\u001b") || text.includes("\u202e"));
    t.match(text, /\\u\{1b\}\[31mred\\u\{202e\}/);
  }
});

t.test("the command passes its arguments on and sets the exit status", async (t) => {
  const before = process.exitCode;
  t.teardown(() => {
    process.exitCode = before;
  });
  let out = "";
  const io = { stdout: { write: (text: string) => (out += text) }, stderr: { write: () => true } };
  const command = replayCommand((files, options) => runReplay(files, options, io));
  await command.parseAsync(["--json", "--helper", "ftp=21", "--helper", "ftp=8021", PORT_8021], { from: "user" });
  t.equal((JSON.parse(out) as Report).controls.length, 2);
  t.equal(process.exitCode, 0);
});
