import { endpointText, type PartialEndpoint } from "../../core/units.ts";
import { inert } from "./escape.ts";
import { findingLines } from "./findings/text.ts";
import { type Ink, type Paint, plain } from "./paint.ts";
import type { CaptureRecord, ControlRecord, FaultRecord, RelatedRecord, Report } from "./report.ts";

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
  for (const control of report.controls) lines.push(...controlLines(control, report, paint));
  if (report.controls.length === 0 && packets > 0) lines.push("  no control connection found");
  return `${lines.join("\n")}\n`;
}

/** What was said on one control connection, in the order of frames. */
function controlLines(control: ControlRecord, report: Report, paint: Paint): string[] {
  const own = <T extends { readonly control: number }>(records: readonly T[]) =>
    records.filter((record) => record.control === control.id);
  const { id, helper, client, server, firstFrame } = control;
  const ends = `${endpointText(client)} -> ${endpointText(server)}`;
  const head = `  ${id}  ${paint("strong", helper)}  ${ends}  from frame ${firstFrame}`;
  const said = [
    ...own(report.related).map((related) => ({ frame: related.announcedFrame, line: relatedLine(related, paint) })),
    ...own(report.faults).map((fault) => ({ frame: fault.frame, line: faultLine(fault, paint) })),
  ];
  said.sort((one, another) => one.frame - another.frame);
  const groups = own(report.groups).map(({ reason, ports }) => `     group  ${reason}  ${ports.join(" ")}`.trimEnd());
  return [head, ...said.map(({ line }) => line), ...groups];
}

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
