/** What replay prints comes whole to who reads it, and is no trouble where nobody does. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { ROOT } from "../root.ts";

const KINDRED = `"${process.execPath}" "${resolve(ROOT, "dist", "tools", "kindred.js")}"`;
const CAPTURE = `"${resolve(ROOT, "fixtures", "ftp-own-loopback.pcap")}"`;
/** Times that the capture is named: what comes of it is more than a pipe holds. */
const MANY = Array(60).fill(CAPTURE).join(" ");

/** What a shell that fails when any command of a pipe fails prints. */
const shell = async (command: string): Promise<string> =>
  (
    await promisify(execFile)("bash", ["-o", "pipefail", "-c", command], {
      env: { PATH: process.env["PATH"] },
      maxBuffer: 2 ** 26,
    })
  ).stdout;

t.test("who reads no further than the first line has seen enough: no message, and status 0", async (t) => {
  for (const form of ["--json", "--ndjson", ""]) {
    t.equal(
      (await shell(`${KINDRED} replay --explain ${form} ${MANY} 2>/dev/null | head -n 1`)).split("\n").length,
      2,
      form,
    );
  }
});

t.test("a slow reader gets all of a long document", async (t) => {
  const { captures } = JSON.parse(await shell(`${KINDRED} replay --json --explain ${MANY} | (sleep 0.3; cat)`));
  t.equal(captures.length, 60);
});

/** The other end's flag is this end's: they are one file description. */
const nonblocking = "python3 -c 'import fcntl,os; fcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK)'";

t.test("a pipe that is not to be waited for is waited for", async (t) => {
  const document = await shell(`(${nonblocking}; ${KINDRED} replay --json --explain ${MANY}) | (sleep 0.5; cat)`);
  t.equal(JSON.parse(document).captures.length, 60);
});

t.test("and who reads no further there has seen enough, too", async (t) => {
  const lines = await shell(`(${nonblocking}; ${KINDRED} replay --json --explain ${MANY}) | (sleep 0.5; head -n 1)`);
  t.equal(lines.split("\n").length, 2);
});

const FULL = existsSync("/dev/full") ? false : "no /dev/full";

t.test("where what is printed finds no room, that is said, and the status is 1", { skip: FULL }, async (t) => {
  const commands = [
    `replay ${CAPTURE}`,
    `replay --json ${MANY}`,
    "completion bash",
    "--help",
    "ctl weight --help",
    "-V",
  ];
  for (const command of commands) {
    const failure = shell(`${KINDRED} ${command} >/dev/full`);
    await t.rejects(
      failure,
      { code: 1, stderr: /kindred: standard output: ENOSPC: no space left on device, write\n$/ },
      command,
    );
  }
});

t.test("where messages find no room, the document is whole", { skip: FULL }, async (t) => {
  const { captures } = JSON.parse(await shell(`${KINDRED} replay --json ${CAPTURE} 2>/dev/full`));
  t.equal(captures.length, 1);
});
