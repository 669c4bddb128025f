import { endpointText, type PartialEndpoint } from "../../core/units.ts";
import { inert } from "./escape.ts";
import type { CaptureRecord, ControlRecord, FaultRecord, RelatedRecord, Report } from "./report.ts";

/** The report of one capture as a tree to read at a terminal. */
export function treeText(report: Report): string {
  return report.captures.map((capture) => captureText(capture, report)).join("\n");
}

function captureText({ file, format, linkType, packets, error }: CaptureRecord, report: Report): string {
  const lines = [`${inert(file)}  ${[format, linkType, counted(packets, "packet")].filter(Boolean).join(", ")}`];
  if (error !== null) lines.push(`  ! ${inert(error)}`);
  for (const control of report.controls) lines.push(...controlLines(control, report));
  if (report.controls.length === 0 && packets > 0) lines.push("  no control connection found");
  return `${lines.join("\n")}\n`;
}

/** What was said on one control connection, in the order of frames. */
function controlLines(control: ControlRecord, report: Report): string[] {
  const own = <T extends { readonly control: number }>(records: readonly T[]) =>
    records.filter((record) => record.control === control.id);
  const { id, helper, client, server, firstFrame } = control;
  const head = `  ${id}  ${helper}  ${endpointText(client)} -> ${endpointText(server)}  from frame ${firstFrame}`;
  const said = [
    ...own(report.related).map((related) => ({ frame: related.announcedFrame, line: relatedLine(related) })),
    ...own(report.faults).map((fault) => ({ frame: fault.frame, line: faultLine(fault) })),
  ];
  said.sort((one, another) => one.frame - another.frame);
  const groups = own(report.groups).map(({ reason, ports }) => `     group  ${reason}  ${ports.join(" ")}`.trimEnd());
  return [head, ...said.map(({ line }) => line), ...groups];
}

function relatedLine(related: RelatedRecord): string {
  const { announcedFrame, kind, from, to, state, observed } = related;
  const seen = observed
    ? `seen from frame ${related.firstFrame}: ${counted(related.frames, "frame")}, ${counted(related.bytes, "byte")}`
    : "not seen";
  return `     frame ${announcedFrame}  ${kind}  ${fromText(from)} -> ${endpointText(to)}  ${state}, ${seen}`;
}

const faultLine = ({ frame, code, message }: FaultRecord): string =>
  `     frame ${frame}  ! ${code === message ? code : `${code}: ${inert(message)}`}`;

const fromText = ({ address, port }: PartialEndpoint): string =>
  `${address === null ? "any" : address.family === 6 ? `[${address}]` : address}:${port ?? "any"}`;

const counted = (n: number, unit: string): string => `${n} ${unit}${n === 1 ? "" : "s"}`;
