/** What replay found, as the records that `--json` and `--ndjson` print. The names are stable. */
import type { Endpoint, PartialEndpoint, Transport } from "../../core/units.ts";
import { rangeText } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import type { Control } from "./control.ts";
import type { DirectorReport } from "./director/records.ts";
import { type Explanation, explain } from "./explain/explain.ts";
import type { NumberedControl, Severity } from "./findings/finding.ts";
import { findingsOf } from "./findings/findings.ts";
import type { Flows } from "./flows.ts";
import { missingOf } from "./incomplete.ts";
import { matchFlows, type Related, relatedOf, saidFirst } from "./match.ts";
import type { Tracker } from "./tracker.ts";
import { unsaidText } from "./unsaid.ts";

export interface CaptureRecord {
  readonly file: string;
  readonly format: "pcap" | "pcapng" | null;
  readonly linkType: string | null;
  readonly packets: number;
  /** Captured bytes of the packets. */
  readonly bytes: number;
  /** The file ends in the middle of a record. */
  readonly truncated: boolean;
  readonly error: string | null;
}

export interface ControlRecord {
  readonly id: number;
  readonly file: string;
  readonly helper: string;
  readonly transport: Transport;
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly firstFrame: number;
  /** What of it the capture does not have, in sentences. */
  readonly missing?: readonly string[];
  /** Nothing that was said on it is in the capture: what is, in a sentence. */
  readonly unsaid?: string;
  /** Of protocols that ask in single datagrams: frames and codes of each request and its reply. */
  readonly requests?: readonly RequestRecord[];
  /** Frames of requests sent again, with that of the first. */
  readonly repeated?: readonly (readonly [frame: number, first: number])[];
  /** Frames of replies to nothing that is in the capture. */
  readonly unsolicited?: readonly number[];
}

export type RequestRecord = readonly [
  requestFrame: number,
  replyFrame: number | null,
  requestCode: number,
  replyCode: number | null,
];

export interface RelatedRecord {
  readonly control: number;
  readonly kind: string;
  readonly state: string;
  readonly transport: Transport;
  readonly from: PartialEndpoint;
  readonly to: { readonly address: Address; readonly port: number };
  readonly announcedFrame: number;
  readonly observed: boolean;
  readonly firstFrame: number | null;
  readonly frames: number;
  readonly bytes: number;
}

export interface GroupRecord {
  readonly control: number;
  readonly frame: number;
  /** Empty: those declared for the realserver, which a capture does not tell. */
  readonly ports: readonly string[];
  readonly reason: string;
}

export interface FaultRecord {
  readonly control: number;
  readonly frame: number;
  readonly code: string;
  readonly message: string;
}

/** findings/README.md says what each code means. */
export interface FindingRecord {
  readonly code: string;
  readonly severity: Severity;
  /** Absent: it is about the capture. */
  readonly control?: number;
  readonly file: string;
  readonly frames: readonly number[];
  readonly message: string;
  readonly remedy: string;
}

export interface Report {
  readonly captures: CaptureRecord[];
  readonly controls: ControlRecord[];
  readonly related: RelatedRecord[];
  readonly groups: GroupRecord[];
  readonly faults: FaultRecord[];
  /** The worst first, in each file. */
  readonly findings: FindingRecord[];
  /** Only where they were asked for. */
  readonly explanations?: Explanation[];
  /** Of `--config`: one, of all captures. */
  readonly director?: DirectorReport[];
}

export const emptyReport = (explained = false): Report => ({
  captures: [],
  controls: [],
  related: [],
  groups: [],
  faults: [],
  findings: [],
  ...(explained ? { explanations: [] } : {}),
});

/** The control connections of a capture, numbered from `before` + 1, with what came of their announcements. */
export function numbered(tracker: Tracker, before: number): NumberedControl[] {
  const controls = tracker.confirmed();
  const related = saidFirst(controls.map(relatedOf));
  matchFlows(related.flat(), tracker.flows, controls);
  return controls.map((control, index) => ({ id: before + index + 1, control, related: related[index]! }));
}

/** Adds what was found in one capture. */
export function addCapture(
  report: Report,
  capture: CaptureRecord,
  tracker: Tracker,
  controls = numbered(tracker, report.controls.length),
): void {
  const { flows, neighbours, unreachables, stalls, strangers } = tracker;
  const { file } = capture;
  report.captures.push(capture);
  for (const { id, control, related } of controls) {
    report.controls.push(controlRecord(id, file, control, flows));
    for (const one of related) report.related.push(relatedRecord(id, one, flows));
    const { groups, faults } = control;
    for (const { frame, ports, reason } of groups) {
      report.groups.push({ control: id, frame, ports: (ports ?? []).map(rangeText), reason });
    }
    for (const { frame, code, message } of faults) report.faults.push({ control: id, frame, code, message });
    report.explanations?.push(...explain({ id, control, related }));
  }
  for (const { control, code, severity, ...rest } of findingsOf({
    flows,
    neighbours,
    unreachables,
    stalls,
    strangers: strangers.flows,
    controls,
  })) {
    report.findings.push({ code, severity, ...(control === null ? {} : { control }), file, ...rest });
  }
}

/** Adds the records of `other` to those of `report`. */
export function append(report: Report, other: Report): void {
  for (const [name, records] of Object.entries(other)) {
    const all = report[name as keyof Report] as unknown[];
    for (const record of records) all.push(record);
  }
}

function controlRecord(id: number, file: string, control: Control, flows: Flows): ControlRecord {
  const missing = missingOf(control, flows);
  const unsaid = unsaidText(control, flows);
  return {
    id,
    file,
    helper: control.helper.name,
    transport: control.transport,
    client: control.client,
    server: control.server,
    firstFrame: flows.firstFrame(control.row),
    ...(missing.length > 0 ? { missing } : {}),
    ...(unsaid === null ? {} : { unsaid }),
    ...requestRecords(control),
  };
}

function requestRecords({ requests: observed }: Control): Pick<ControlRecord, "requests" | "repeated" | "unsolicited"> {
  if (observed === null) return {};
  const { requests, repeated, unsolicited } = observed;
  return {
    requests: requests.map(({ frame, code, reply }) => [frame, reply?.frame ?? null, code, reply?.code ?? null]),
    repeated,
    unsolicited,
  };
}

function relatedRecord(
  control: number,
  { control: { row }, observed, from, to, flow, own }: Related,
  flows: Flows,
): RelatedRecord {
  const { kind, transport } = observed.announcement;
  const seen = flow >= 0;
  return {
    control,
    kind,
    state: observed.state,
    transport,
    from,
    to,
    announcedFrame: observed.frame,
    observed: seen,
    firstFrame: !seen ? null : flow === row ? own : flows.firstFrame(flow),
    frames: seen ? flows.frames(flow) : 0,
    bytes: seen ? flows.bytes(flow) : 0,
  };
}

/** The whole as one JSON document, a record a line. */
export function jsonText(report: Report): string {
  const sections = Object.entries(report).map(([name, records]) => {
    const lines = (records as unknown[]).map((record) => `\n    ${JSON.stringify(record)}`).join(",");
    return `  ${JSON.stringify(name)}: [${lines}${lines === "" ? "" : "\n  "}]`;
  });
  return `{\n${sections.join(",\n")}\n}\n`;
}

const TYPES = {
  captures: "capture",
  controls: "control",
  related: "related",
  groups: "group",
  faults: "fault",
  findings: "finding",
  explanations: "explanation",
  director: "director",
};

/** The same records, a line each, with their type. */
export function ndjsonText(report: Report): string {
  let text = "";
  for (const [name, records] of Object.entries(report)) {
    const type = TYPES[name as keyof Report];
    for (const record of records) text += `${JSON.stringify({ type, ...record })}\n`;
  }
  return text;
}
