/** What the page is made of: records with times, what was said, and every connection, as far as it can be drawn. */
import { inert } from "../escape.ts";
import type { Explanation } from "../explain/explain.ts";
import type { NumberedControl } from "../findings/finding.ts";
import { endText, listenerOf, otherEnd } from "../findings/flow.ts";
import { A, B, type End, type Flows } from "../flows.ts";
import { missingOf } from "../incomplete.ts";
import type { CaptureRecord, FaultRecord, FindingRecord, RelatedRecord, Report } from "../report.ts";
import type { Tracker } from "../tracker.ts";
import { unsaidText } from "../unsaid.ts";
import { type Message, messagesOf } from "./messages.ts";

/** What is drawn of a large capture; the page says what is left out. */
export const LIMITS = {
  controls: 3000,
  ladders: 300,
  messages: 400,
  connections: 3000,
  related: 3000,
  findings: 1000,
  records: 2000,
};

const WORST_FIRST = ", those with findings first; --json and --ndjson have all";

/** A connection with its times, in seconds since 1970-01-01 UTC. */
interface Span {
  readonly start: number;
  readonly end: number;
  readonly firstFrame: number;
  readonly lastFrame: number;
  readonly frames: number;
  readonly bytes: number;
}

export interface PageControl extends Span {
  readonly id: number;
  readonly file: string;
  readonly helper: string;
  readonly transport: string;
  readonly client: string;
  readonly server: string;
  readonly findings: number;
  readonly missing: readonly string[];
  /** Why there is nothing to draw; null: there is. */
  readonly unsaid: string | null;
  /** Null: not drawn. */
  readonly messages: readonly Message[] | null;
  readonly omitted: number;
}

export interface PageRelated extends Omit<RelatedRecord, "from" | "to" | "firstFrame" | "frames" | "bytes"> {
  readonly from: string;
  readonly to: string;
  /** Null: it was not seen. */
  readonly span: Span | null;
}

export interface PageConnection extends Span {
  readonly file: string;
  readonly role: "control" | "related" | "other";
  readonly transport: string;
  readonly from: string;
  readonly to: string;
  readonly control: number | null;
}

export interface PageData {
  readonly captures: CaptureRecord[];
  readonly controls: PageControl[];
  readonly related: PageRelated[];
  readonly findings: FindingRecord[];
  readonly faults: FaultRecord[];
  readonly explanations: Explanation[];
  readonly connections: PageConnection[];
  /** What was left out, in sentences. */
  readonly notices: string[];
}

/** Collects what is found in one capture after the other. */
export class PageBuilder {
  readonly #data: PageData = {
    captures: [],
    controls: [],
    related: [],
    findings: [],
    faults: [],
    explanations: [],
    connections: [],
    notices: [],
  };
  readonly #total = { controls: 0, connections: 0, related: 0, findings: 0, records: 0 };
  readonly #limits: typeof LIMITS;
  #ladders = 0;

  constructor(limits = LIMITS) {
    this.#limits = limits;
  }

  /** `report`: of this capture alone. */
  add(report: Report, tracker: Tracker, controls: readonly NumberedControl[]): void {
    const { file } = report.captures[0]!;
    const { flows } = tracker;
    this.#data.captures.push(...report.captures);
    this.#take("findings", this.#data.findings, report.findings);
    this.#take("records", this.#data.faults, report.faults);
    this.#take("records", this.#data.explanations, report.explanations ?? []);
    const shown = this.#controls(file, flows, controls, countByControl(report.findings));
    this.#related(report.related, controls, new Set(shown), flows);
    this.#connections(file, flows, shown, shown.length === controls.length);
  }

  /** Every text is inert: none can act on whatever shows it. */
  data(): PageData {
    const { controls, connections, related, findings, records } = this.#total;
    const notice = (total: number, shown: number, what: string, how = ""): void => {
      if (total > shown) this.#data.notices.push(`${shown} of ${total} ${what} are shown${how}.`);
    };
    notice(controls, this.#data.controls.length, "control connections", WORST_FIRST);
    notice(controls, this.#ladders, "ladders of control connections", WORST_FIRST);
    notice(connections, this.#data.connections.length, "connections");
    notice(related, this.#data.related.length, "announced connections");
    notice(findings, this.#data.findings.length, "findings");
    notice(records, this.#data.faults.length + this.#data.explanations.length, "refusals and explanations");
    return JSON.parse(JSON.stringify(this.#data), (_key, value) => (typeof value === "string" ? inert(value) : value));
  }

  #take<T>(what: "findings" | "records", to: T[], records: readonly T[]): void {
    this.#total[what] += records.length;
    for (const record of records) {
      if (to.length >= this.#limits[what]) return;
      to.push(record);
    }
  }

  /** Those that there is room for. */
  #controls(
    file: string,
    flows: Flows,
    controls: readonly NumberedControl[],
    found: ReadonlyMap<number, number>,
  ): readonly NumberedControl[] {
    this.#total.controls += controls.length;
    const shown = telling(controls, found, this.#limits.controls - this.#data.controls.length);
    const ladders = new Set(shown.slice(0, this.#limits.ladders - this.#ladders));
    this.#ladders += ladders.size;
    shown.sort((one, other) => one.id - other.id);
    for (const one of shown) this.#data.controls.push(pageControl(file, one, flows, found, ladders.has(one)));
    return shown;
  }

  /** `records`: of what all of `controls` announced, in their order. */
  #related(
    records: readonly RelatedRecord[],
    controls: readonly NumberedControl[],
    shown: ReadonlySet<NumberedControl>,
    flows: Flows,
  ): void {
    this.#total.related += records.length;
    const { related } = this.#data;
    let next = 0;
    for (const one of controls) {
      for (const { flow } of one.related) {
        const record = records[next++]!;
        if (shown.has(one) && related.length < this.#limits.related) related.push(pageRelated(record, flow, flows));
      }
    }
  }

  /** Control connections and what they announced first, then, where those are `all`, the others, in the order of their frames. */
  #connections(file: string, flows: Flows, controls: readonly NumberedControl[], all: boolean): void {
    this.#total.connections += flows.count;
    const room = this.#limits.connections - this.#data.connections.length;
    const known = knownIn(flows, controls);
    const rows = [...known.keys()].sort((one, other) => one - other).slice(0, room);
    for (let row = 0; all && row < flows.count && rows.length < room; row++) if (!known.has(row)) rows.push(row);
    for (const row of rows) {
      const { role, control, listener } = known.get(row) ?? { role: "other", control: null, listener: B };
      const listens = listenerOf(flows, row) ?? listener;
      const from = endText(flows, row, otherEnd(listens));
      const to = endText(flows, row, listens);
      const transport = flows.isTcp(row) ? "tcp" : "udp";
      this.#data.connections.push({ file, role, control, transport, from, to, ...spanOf(flows, row) });
    }
  }
}

/** What a connection is; `listener`: who listens where no SYN tells. */
interface Known {
  readonly role: "control" | "related";
  readonly control: number;
  readonly listener: End;
}

function knownIn(flows: Flows, controls: readonly NumberedControl[]): Map<number, Known> {
  const known = new Map<number, Known>();
  for (const { id, related } of controls) {
    for (const { flow, to } of related) {
      if (flow < 0) continue;
      known.set(flow, { role: "related", control: id, listener: flows.port(flow, A) === to.port ? A : B });
    }
  }
  for (const { id, control } of controls) {
    known.set(control.row, { role: "control", control: id, listener: otherEnd(control.clientEnd) });
  }
  return known;
}

function countByControl(findings: readonly FindingRecord[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { control } of findings) if (control !== undefined) counts.set(control, (counts.get(control) ?? 0) + 1);
  return counts;
}

/** As many of a capture's as there is `room` for: those with findings first, which are told the worst first. */
function telling(
  controls: readonly NumberedControl[],
  found: ReadonlyMap<number, number>,
  room: number,
): NumberedControl[] {
  const first = controls[0]?.id ?? 0;
  const chosen = [...found.keys()].slice(0, room).map((id) => controls[id - first]!);
  for (const one of controls) {
    if (chosen.length >= room) break;
    if (!found.has(one.id)) chosen.push(one);
  }
  return chosen;
}

const spanOf = (flows: Flows, row: number): Span => ({
  start: flows.firstTime(row),
  end: flows.lastTime(row),
  firstFrame: flows.firstFrame(row),
  lastFrame: flows.lastFrame(row),
  frames: flows.frames(row),
  bytes: flows.bytes(row),
});

function pageControl(
  file: string,
  { id, control }: NumberedControl,
  flows: Flows,
  found: ReadonlyMap<number, number>,
  ladder: boolean,
): PageControl {
  const { helper, transport, transcript, row, clientEnd } = control;
  return {
    id,
    file,
    helper: helper.name,
    transport,
    client: endText(flows, row, clientEnd),
    server: endText(flows, row, otherEnd(clientEnd)),
    findings: found.get(id) ?? 0,
    missing: missingOf(control, flows),
    unsaid: unsaidText(control, flows),
    messages: ladder ? messagesOf(control, LIMITS.messages) : null,
    omitted: transcript.omitted + Math.max(0, transcript.said.length - LIMITS.messages),
    ...spanOf(flows, row),
  };
}

function pageRelated(record: RelatedRecord, flow: number, flows: Flows): PageRelated {
  const { from, to, firstFrame: _first, frames: _frames, bytes: _bytes, ...rest } = record;
  const text = ({ address, port }: { address: unknown; port: number | null }) =>
    `${address === null ? "any" : String(address).includes(":") ? `[${address}]` : address}:${port ?? "any"}`;
  return { ...rest, from: text(from), to: text(to), span: flow < 0 ? null : spanOf(flows, flow) };
}
