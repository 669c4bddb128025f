import type { PageControl, PageData, PageRelated } from "../data.ts";
import { add, badge, el, offsetText, plural, sizeText } from "./dom.ts";

/** A line of the ladder. */
export interface Step {
  readonly frame: number;
  readonly time: number;
  /** Who speaks; null: a related connection opens or ends. */
  readonly direction: "original" | "reply" | null;
  readonly text: string;
  readonly opens: PageRelated | null;
  readonly ends: PageRelated | null;
}

/** A control connection from top to bottom: who said what, and beside it the connections that were announced. */
export function ladder(data: PageData, control: PageControl, origin: number): HTMLElement {
  const root = el("div", "ladder");
  root.setAttribute("role", "table");
  root.setAttribute("aria-label", `What was said between ${control.client} and ${control.server}`);
  const related = data.related.filter((one) => one.control === control.id);
  const steps = stepsOf(control, related);
  const lanes = lanesOf(steps, related);
  const count = Math.max(0, ...lanes.values());
  root.style.gridTemplateColumns = ["auto auto minmax(15rem, 1fr)", ...Array(count).fill("minmax(6rem, 7.5rem)")].join(
    " ",
  );
  root.append(...headings(control, count));
  for (const [index, step] of steps.entries()) root.append(...stepCells(data, control, step, index + 2, origin));
  for (const [one, lane] of lanes) root.append(laneElement(one, lane, steps));
  return add(el("div", "scroll"), root);
}

export function stepsOf(control: PageControl, related: readonly PageRelated[]): Step[] {
  const plain = { opens: null, ends: null };
  const steps: Step[] = (control.messages ?? []).map((message) => ({ ...message, ...plain }));
  for (const one of related) {
    if (one.span === null) continue;
    const { firstFrame, lastFrame, start, end } = one.span;
    const about = { direction: null, ...plain };
    steps.push({ ...about, frame: firstFrame, time: start, text: `${one.kind} opens`, opens: one });
    if (lastFrame > firstFrame)
      steps.push({ ...about, frame: lastFrame, time: end, text: `${one.kind} ends`, ends: one });
  }
  return steps.sort((one, other) => one.frame - other.frame);
}

/** The side lane of each connection, from 1; those that do not overlap share one. */
export function lanesOf(steps: readonly Step[], related: readonly PageRelated[]): Map<PageRelated, number> {
  const lanes = new Map<PageRelated, number>();
  const free: number[] = [];
  const seen = related.filter(({ span }) => span !== null);
  seen.sort((one, other) => one.span!.firstFrame - other.span!.firstFrame);
  for (const one of seen) {
    const open = free.findIndex((until) => until < one.span!.firstFrame);
    const lane = open >= 0 ? open : Math.min(free.length, 7);
    free[lane] = one.span!.lastFrame;
    lanes.set(one, lane + 1);
  }
  return steps.length === 0 ? new Map() : lanes;
}

export function headings({ client, server }: PageControl, lanes: number): HTMLElement[] {
  const ends = add(el("div", "ends"), el("span", "end", client), el("span", "end", server));
  const cells = [el("div", "head frame", "Frame"), el("div", "head time", "Time"), add(el("div", "head middle"), ends)];
  for (let lane = 0; lane < lanes; lane++) {
    const cell = el("div", "head", lane === 0 ? "Announced" : "");
    cell.style.gridColumn = String(lane + 4);
    cells.push(cell);
  }
  return cells;
}

export function stepCells(
  data: PageData,
  control: PageControl,
  step: Step,
  row: number,
  origin: number,
): HTMLElement[] {
  const frame = el("div", "frame", String(step.frame));
  const time = el("div", "time", `+${offsetText(step.time - origin)}`);
  const said = el("div", step.direction === null ? "said event" : `said ${step.direction}`);
  said.append(el("span", "text", inLines(step.text)));
  if (step.direction !== null) said.append(el("span", "arrow"));
  const marks = marksOf(data, control, step);
  if (marks.length > 0) said.append(add(el("div", "marks"), ...marks));
  for (const cell of [frame, time, said]) cell.style.gridRow = String(row);
  return [frame, time, said];
}

/** Line ends as such. A backslash that was said is shown as two, and begins none. */
export function inLines(text: string): string {
  return text.replace(/\\\\|\\r\\n|\\n/g, (found) => (found === "\\\\" ? found : "\n"));
}

/** What the message announces, why that is refused, and what is found in its frame. */
export function marksOf(data: PageData, control: PageControl, step: Step): HTMLElement[] {
  if (step.direction === null) return [];
  const own = <T extends { readonly control?: number; readonly file?: string }>(one: T) => one.control === control.id;
  const marks = data.related
    .filter((one) => own(one) && one.announcedFrame === step.frame)
    .map((one) => badge(one.span === null ? "unseen" : "seen", `${one.kind} ${one.to} ${one.state}`));
  for (const fault of data.faults) {
    if (own(fault) && fault.frame === step.frame) marks.push(badge("refused", `refused: ${fault.code}`));
  }
  for (const finding of data.findings) {
    if (!own(finding) || !finding.frames.includes(step.frame)) continue;
    const mark = badge(finding.severity, finding.code);
    mark.title = finding.message;
    marks.push(mark);
  }
  return marks;
}

export function laneElement(one: PageRelated, lane: number, steps: readonly Step[]): HTMLElement {
  const first = steps.findIndex(({ opens }) => opens === one);
  const last = steps.findIndex(({ ends }) => ends === one);
  const { frames, bytes, firstFrame, start, end } = one.span!;
  const element = el("div", "lane");
  element.style.gridRow = `${first + 2} / ${(last < 0 ? first : last) + 3}`;
  element.style.gridColumn = String(lane + 3);
  const told = `${one.from} → ${one.to}`;
  element.title = `${one.kind} ${told}, announced in frame ${one.announcedFrame}, ${plural(frames, "frame")} from ${firstFrame}`;
  return add(
    element,
    el("strong", "", one.kind),
    el("span", "", one.to),
    el("span", "dim", `${plural(frames, "frame")}, ${sizeText(bytes)}, ${offsetText(end - start)}`),
  );
}
