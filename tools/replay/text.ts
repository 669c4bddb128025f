import { endpointText, type PartialEndpoint } from "../../core/units.ts";
import { inert } from "./escape.ts";
import type { Explanation } from "./explain/explain.ts";
import { Explained } from "./explain/text.ts";
import { findingLines } from "./findings/text.ts";
import { grouped } from "./grouped.ts";
import { type Ink, type Paint, plain } from "./paint.ts";
import type { CaptureRecord, ControlRecord, FaultRecord, GroupRecord, RelatedRecord, Report } from "./report.ts";

/** Frames that are named in a line. */
const NAMED = 5;

/** The report of one capture as a tree to read at a terminal: what is wrong first, then what was said. */
export function treeText(report: Report, paint: Paint = plain): string {
  return report.captures.map((capture) => captureText(capture, report, paint)).join("\n");
}

function captureText(capture: CaptureRecord, report: Report, paint: Paint): string {
  const { file, format, linkType, packets, error } = capture;
  const about = [format, linkType, counted(packets, "packet")].filter(Boolean).join(", ");
  const lines = [`${paint("strong", inert(file))}  ${about}`];
  if (error !== null) lines.push(paint("error", `  ! ${inert(error)}`));
  lines.push(...findingLines(report.findings, paint));
  const said = {
    related: byControl(report.related),
    faults: byControl(report.faults),
    groups: byControl(report.groups),
    explanations: byControl(report.explanations ?? []),
  };
  for (const control of report.controls) lines.push(...controlLines(control, said, paint));
  if (report.controls.length === 0 && packets > 0) lines.push("  no control connection found");
  return `${lines.join("\n")}\n`;
}

interface SaidByControl {
  readonly related: ReadonlyMap<number, readonly RelatedRecord[]>;
  readonly faults: ReadonlyMap<number, readonly FaultRecord[]>;
  readonly groups: ReadonlyMap<number, readonly GroupRecord[]>;
  readonly explanations: ReadonlyMap<number, readonly Explanation[]>;
}

const byControl = <T extends { readonly control: number }>(records: readonly T[]): Map<number, T[]> =>
  grouped(records, ({ control }) => control);

/** What was said on one control connection, in the order of frames. */
function controlLines(control: ControlRecord, said: SaidByControl, paint: Paint): string[] {
  const { id, helper, client, server, firstFrame, missing = [], unsaid } = control;
  const ends = `${endpointText(client)} -> ${endpointText(server)}`;
  const head = `  ${id}  ${paint("strong", helper)}  ${ends}  from frame ${firstFrame}`;
  const related = said.related.get(id) ?? [];
  const faults = said.faults.get(id) ?? [];
  const groups = said.groups.get(id) ?? [];
  const events = [
    ...related.map((one) => ({
      frame: one.announcedFrame,
      subject: one.kind,
      line: relatedLine(one, paint),
      told: "",
    })),
    ...faults.map((one) => ({ frame: one.frame, subject: one.code, line: faultLine(one, paint), told: one.message })),
    ...groups.map((one) => ({ frame: one.frame, subject: one.reason, line: groupLine(one), told: "" })),
  ];
  events.sort((one, another) => one.frame - another.frame);
  const explained = new Explained(said.explanations.get(id) ?? [], paint);
  const lines = events.flatMap(({ frame, subject, line, told }) => [line, ...explained.lines(frame, subject, told)]);
  const gaps = missing.map((what) => paint("warning", `     incomplete: ${what}`));
  const asked = requestsText(control);
  if (asked !== "") lines.push(`     ${asked}`);
  if (lines.length === 0) lines.push(paint("dim", `     ${unsaid ?? "nothing was announced on it"}`));
  return [head, ...gaps, ...lines];
}

/** `7 requests: 6 answered, 1 not (frame 13), 2 sent again; 1 reply to nothing (frame 5)`; empty: nothing was asked so. */
function requestsText({ requests = [], repeated = [], unsolicited = [] }: ControlRecord): string {
  const unanswered = requests.filter(([, reply]) => reply === null).map(([frame]) => frame);
  const answers = [
    `${requests.length - unanswered.length} answered`,
    ...(unanswered.length > 0 ? [`${unanswered.length} not (${framesText(unanswered)})`] : []),
    ...(repeated.length > 0 ? [`${repeated.length} sent again`] : []),
  ];
  const said = requests.length > 0 ? [`${counted(requests.length, "request")}: ${answers.join(", ")}`] : [];
  if (unsolicited.length > 0)
    said.push(`${unsolicited.length} of the server's to nothing that was asked (${framesText(unsolicited)})`);
  return said.join("; ");
}

/** The first of them. */
const framesText = (frames: readonly number[]): string =>
  `frame ${frames.slice(0, NAMED).join(", ")}${frames.length > NAMED ? ", …" : ""}`;

const groupLine = ({ frame, reason, ports }: GroupRecord): string =>
  `     frame ${frame}  group  ${reason}: ${ports.length > 0 ? ports.join(" ") : "the passive ports declared for the realserver"}`;

const INKS: Readonly<Record<string, Ink>> = { accepted: "good", announced: "good", rejected: "error" };

function relatedLine(related: RelatedRecord, paint: Paint): string {
  const { announcedFrame, kind, from, to, state, observed } = related;
  const seen = observed
    ? `seen from frame ${related.firstFrame}: ${counted(related.frames, "frame")}, ${counted(related.bytes, "byte")}`
    : paint("warning", "not seen");
  return `     frame ${announcedFrame}  ${kind}  ${fromText(from)} -> ${endpointText(to)}  ${paint(INKS[state] ?? "dim", state)}, ${seen}`;
}

const faultLine = ({ frame, code, message }: FaultRecord, paint: Paint): string =>
  `     frame ${frame}  ${paint("error", "!")} ${code === message ? code : `${code}: ${inert(message)}`}`;

const fromText = ({ address, port }: PartialEndpoint): string =>
  `${address === null ? "any" : address.family === 6 ? `[${address}]` : address}:${port ?? "any"}`;

const counted = (n: number, unit: string): string => `${n} ${unit}${n === 1 ? "" : "s"}`;
