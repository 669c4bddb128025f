/** Captures as tshark reads them: who has never seen our reader says what is in each frame. */
import { execFileSync } from "node:child_process";
import type { Test } from "tap";
import type { FindingRecord } from "../../tools/replay/report.ts";

const FIELDS = [
  "frame.number",
  "ip.src",
  "ipv6.src",
  "tcp.srcport",
  "tcp.dstport",
  "tcp.stream",
  "tcp.len",
  "tcp.flags.syn",
  "tcp.flags.reset",
  "tcp.analysis.retransmission",
  "tcp.analysis.lost_segment",
  "tcp.analysis.zero_window",
  "icmp.mtu",
  "icmpv6.mtu",
  "ftp.response.code",
] as const;

/** The first of each field of a frame, as text; empty: there is none. */
type Row = Readonly<Record<(typeof FIELDS)[number], string>>;

/** By number, from 1. */
function rowsOf(file: string): Row[] {
  const fields = FIELDS.flatMap((field) => ["-e", field]);
  const args = ["-n", "-r", file, "-T", "fields", "-E", "occurrence=f", ...fields];
  const lines = execFileSync("tshark", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split("\n");
  const rows = lines.slice(0, -1).map((line) => {
    const values = line.split("\t");
    return Object.fromEntries(FIELDS.map((field, index) => [field, values[index] ?? ""])) as Row;
  });
  return [{} as Row, ...rows];
}

type Check = (t: Test, finding: FindingRecord, rows: readonly Row[]) => void;

/** A connection that a message begins with: its opener and its listener. */
const endsIn = (message: string): string[] => message.match(/^(\S+) -> ([^ ,]+)/)!.slice(1);

const source = (row: Row): string => {
  const v6 = row["ipv6.src"];
  return `${v6 === "" ? row["ip.src"] : `[${v6}]`}:${row["tcp.srcport"]}`;
};

const between = (rows: readonly Row[], ends: readonly string[]): Row[] => {
  const stream = rows.find((row) => source(row) === ends[0] && ends[1]!.endsWith(`:${row["tcp.dstport"]}`));
  return rows.filter((row) => stream !== undefined && row["tcp.stream"] === stream["tcp.stream"]);
};

/** The same bytes again and again, which nobody answers. */
const repeated: Check = (t, { message }, rows) => {
  const [, bytes, times, first, last] = message.match(/same (\d+) bytes (\d+) times more .*frames (\d+) to (\d+)/)!;
  const connection = between(rows, endsIn(message));
  const later = connection.filter((row) => Number(row["frame.number"]) >= Number(first));
  const again = later.filter((row) => row["tcp.analysis.retransmission"] !== "" && row["tcp.len"] === bytes);
  t.equal(again.length, Number(times));
  t.same([again[0]!["frame.number"], again.at(-1)!["frame.number"]], [first, last]);
  const answers = later.filter(
    (row) => source(row) !== source(again[0]!) && row["icmp.mtu"] + row["icmpv6.mtu"] === "",
  );
  t.ok(
    answers.every((row) => row["tcp.flags.reset"] === "1"),
    "nothing but a reset comes back",
  );
};

/** What was sent first is not in the capture. */
const lost: Check = (t, { message }, rows) => {
  const connection = between(rows, endsIn(message));
  t.ok(
    connection.some((row) => row["tcp.analysis.lost_segment"] !== ""),
    "a previous segment was not captured",
  );
  const bytes = connection.reduce((sum, row) => sum + Number(row["tcp.len"]), 0);
  t.equal(message.match(/sends (\d+) bytes? came/)![1], String(bytes));
};

const tooBig: Check = (t, { message }, rows) => {
  const told = message.match(/larger than (\d+), from (\S+) in frame (\d+)/);
  if (told === null) return;
  const row = rows[Number(told[3])]!;
  t.same([row["icmp.mtu"] || row["icmpv6.mtu"], row["ipv6.src"] || row["ip.src"]], [told[1], told[2]]);
};

const said: Check = (t, { message }, rows) => {
  const told = message.match(/the server says (\d+) in frame (\d+)/);
  if (told !== null) t.equal(rows[Number(told[2])]!["ftp.response.code"], told[1]);
};

/** What tshark must see where each of these is found. */
export const CHECKS: Readonly<Record<string, Check>> = {
  "path-mtu-black-hole"(t, finding, rows) {
    (finding.message.includes("small segments") ? lost : repeated)(t, finding, rows);
    tooBig(t, finding, rows);
    said(t, finding, rows);
  },
  "data-not-acknowledged": repeated,
  "window-closed"(t, { frames }, rows) {
    for (const frame of frames.slice(1)) t.not(rows[frame]!["tcp.analysis.zero_window"], "", `frame ${frame}`);
  },
  "transfer-failed"(t, finding, rows) {
    said(t, finding, rows);
    const bytes = between(rows, endsIn(finding.message)).reduce((sum, row) => sum + Number(row["tcp.len"]), 0);
    t.equal(finding.message.match(/carried (\d+) byte/)![1], String(bytes));
  },
  "opened-and-silent"(t, finding, rows) {
    said(t, finding, rows);
    for (const row of between(rows, endsIn(finding.message))) t.equal(row["tcp.len"], "0");
  },
  "opened-from-another-address"(t, finding, rows) {
    said(t, finding, rows);
    const opener = between(rows, endsIn(finding.message)).find((row) => row["tcp.flags.syn"] === "1")!;
    const client = finding.message.match(/than its client's, ([^;]+)/)![1];
    t.not(opener["ip.src"], client);
    t.ok(rows.some((row) => row["ip.src"] === client && row["tcp.dstport"] === "21"));
  },
};

/** Holds what was found in `file` against tshark's reading of it. */
export function heldAgainstTshark(t: Test, file: string, findings: readonly FindingRecord[]): void {
  const rows = rowsOf(file);
  for (const finding of findings) CHECKS[finding.code]?.(t, finding, rows);
}
