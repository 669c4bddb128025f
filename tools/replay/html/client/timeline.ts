import type { PageConnection } from "../data.ts";
import { add, el, offsetText, plural, sizeText } from "./dom.ts";

export interface Timeline {
  readonly root: HTMLElement;
  filter(matches: (text: string) => boolean): number;
}

/** Every connection as a bar over the time of the capture; `pick`: a control connection, or one that it announced. */
export function makeTimeline(
  connections: readonly PageConnection[],
  originOf: (file: string) => number,
  pick: (control: number) => void,
): Timeline {
  const most = 250;
  const ordered = [...connections].sort((one, other) => one.start - other.start || one.firstFrame - other.firstFrame);
  const span = connections.reduce((longest, { file, end }) => Math.max(longest, end - originOf(file)), 1e-6);
  const list = el("div", "bars");
  const note = el("p", "empty");
  const texts = ordered.map((one) =>
    `${one.role} ${one.transport} ${one.from} ${one.to} ${one.control ?? ""}`.toLowerCase(),
  );
  const filter = (matches: (text: string) => boolean): number => {
    const visible = ordered.filter((_one, index) => matches(texts[index]!));
    list.replaceChildren(...visible.slice(0, most).map((one) => bar(one, originOf(one.file), span, pick)));
    note.textContent =
      visible.length > most ? `The first ${most} of ${visible.length} are drawn; search for the others.` : "";
    if (visible.length === 0) note.textContent = ordered.length === 0 ? "There are none." : "Nothing matches.";
    return visible.length;
  };
  filter(() => true);
  return { root: add(el("div", "timeline"), axis(span), list, note), filter };
}

export function axis(span: number): HTMLElement {
  const ticks = el("div", "ticks");
  for (const share of [0, 0.25, 0.5, 0.75, 1]) ticks.append(el("span", "", offsetText(span * share)));
  return add(el("div", "bar axis"), el("span", "", "since the first packet"), ticks);
}

export function bar(one: PageConnection, origin: number, span: number, pick: (control: number) => void): HTMLElement {
  const piece = el("span", `piece ${one.role}`);
  piece.style.left = `${((one.start - origin) / span) * 100}%`;
  piece.style.width = `${((one.end - one.start) / span) * 100}%`;
  const row = el("button", "bar");
  const times = `+${offsetText(one.start - origin)} for ${offsetText(one.end - one.start)}`;
  row.title = `${one.role}, ${one.transport}, frames ${one.firstFrame} to ${one.lastFrame}, ${times}, ${plural(one.frames, "frame")}, ${sizeText(one.bytes)}`;
  if (one.control === null) (row as HTMLButtonElement).disabled = true;
  else row.addEventListener("click", () => pick(one.control!));
  return add(row, el("span", "name", `${one.from} → ${one.to}`), add(el("span", "track"), piece));
}
