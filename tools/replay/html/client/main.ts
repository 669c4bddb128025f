import { grouped } from "../../grouped.ts";
import type { FindingRecord } from "../../report.ts";
import type { PageControl, PageData } from "../data.ts";
import { originsOf } from "./clock.ts";
import { connectionColumns, controlColumns, explanationColumns, relatedColumns } from "./columns.ts";
import { add, badge, button, el, plural } from "./dom.ts";
import { ladder } from "./ladder.ts";
import { makeTable } from "./table.ts";
import { makeTimeline } from "./timeline.ts";

/** What the search asks of a part of the page: how many of it match. */
type Filter = (matches: (text: string) => boolean) => number;

/** What a click on the number of a control connection does. */
type Pick = (control: number) => void;

export function start(): void {
  const data = JSON.parse(document.getElementById("data")!.textContent!) as PageData;
  const originOf = originsOf(data.connections);
  const filters = new Map<HTMLElement, Filter>();
  const main = document.querySelector("main")!;
  const section = (id: string, title: string, total: number, filter: Filter | null, ...parts: HTMLElement[]): void => {
    const count = el("span", "dim", String(total));
    const element = add(el("section"), add(el("h2", "", `${title} `), count), ...parts);
    element.id = id;
    if (filter !== null) filters.set(count, filter);
    main.append(element);
  };
  const detail = el("div", "detail");
  const controls = makeTable("Control connections", controlColumns(data.captures.length), data.controls, (one) =>
    select(one.id),
  );
  const select = (id: number, move = false): void => {
    const index = data.controls.findIndex((one) => one.id === id);
    const control = data.controls[index];
    controls.select(index);
    if (control === undefined) detail.replaceChildren(el("p", "empty", `Connection ${id} is not among those shown.`));
    else detail.replaceChildren(...controlDetail(data, control, originOf(control.file)));
    if (move) detail.scrollIntoView({ block: "start" });
  };
  const findings = findingList(data.findings, (id) => select(id, true));
  const timeline = makeTimeline(data.connections, originOf, (id) => select(id, true));
  const related = makeTable("Announced connections", relatedColumns(), data.related, (one) =>
    select(one.control, true),
  );
  const connections = makeTable("Connections", connectionColumns(originOf), data.connections);
  const names = [...new Set(data.explanations.flatMap(({ helpers }) => helpers.map(({ helper }) => helper)))];
  const explanations = makeTable("Explanations", explanationColumns(names), data.explanations);
  section("findings", "Findings", data.findings.length, findings.filter, findings.root);
  section(
    "ladder",
    "Control connections",
    data.controls.length,
    controls.filter,
    add(el("div", "split"), controls.root, detail),
  );
  section("timeline", "Timeline", data.connections.length, timeline.filter, timeline.root);
  section("related", "Announced connections", data.related.length, related.filter, related.root);
  section("explanations", "Explanations", data.explanations.length, explanations.filter, explanations.root);
  section("connections", "All connections", data.connections.length, connections.filter, connections.root);
  summary(data);
  // Findings are told the worst first, of each capture.
  const order = ["error", "warning", "info"];
  const worst = [...data.findings]
    .sort((one, other) => order.indexOf(one.severity) - order.indexOf(other.severity))
    .find(({ control }) => control !== undefined);
  const first = worst?.control ?? data.controls[0]?.id;
  if (first !== undefined) select(first);
  searchBox(filters, findings.severities);
  themeButton();
}

export function summary(data: PageData): void {
  const about = document.getElementById("about")!;
  for (const { file, packets, format, linkType, error } of data.captures) {
    about.append(
      el("p", "file", file),
      el("p", "dim", [plural(packets, "packet"), format, linkType].filter(Boolean).join(", ")),
    );
    if (error !== null) about.append(add(el("p"), badge("error", "broken"), el("span", "", ` ${error}`)));
  }
  const notices = document.getElementById("notices")!;
  for (const notice of data.notices) notices.append(el("p", "notice", notice));
  notices.hidden = data.notices.length === 0;
}

export function controlDetail(data: PageData, control: PageControl, origin: number): HTMLElement[] {
  const { id, helper, client, server, omitted } = control;
  const title = add(el("h3"), badge("control", `${id} ${helper}`), el("span", "mono", ` ${client} → ${server}`));
  const found = data.findings.filter((one) => one.control === id);
  const gaps = control.missing.map((what) => el("p", "notice", `Incomplete: ${what}.`));
  const parts = [title, ...gaps, ...findingGroups(found, null)];
  const { unsaid } = control;
  if (unsaid !== null) return [...parts, el("p", "empty", `${unsaid[0]!.toUpperCase()}${unsaid.slice(1)}.`)];
  if (control.messages === null)
    return [...parts, el("p", "empty", "This connection has no ladder: there are too many.")];
  parts.push(ladder(data, control, origin));
  if (omitted > 0) parts.push(el("p", "notice", `${plural(omitted, "more message")} are not drawn.`));
  return parts;
}

/** Findings by severity, code and remedy, with a switch for each severity. */
export function findingList(findings: readonly FindingRecord[], pick: Pick) {
  const on = new Set(["error", "warning", "info"]);
  const texts = findings.map((one) => `${one.severity} ${one.code} ${one.message} ${one.control ?? ""}`.toLowerCase());
  const list = el("div", "findings");
  const note = el("p", "empty");
  const filter: Filter = (matches) => {
    const visible = findings.filter((one, index) => on.has(one.severity) && matches(texts[index]!));
    list.replaceChildren(...findingGroups(visible, pick));
    const none = findings.length === 0 ? "Nothing is wrong that a capture can show." : "Nothing matches.";
    note.textContent = visible.length === 0 ? none : "";
    return visible.length;
  };
  filter(() => true);
  return { root: add(el("div"), list, note), filter, severities: on };
}

export function findingGroups(findings: readonly FindingRecord[], pick: Pick | null): HTMLElement[] {
  const groups = grouped(findings, ({ severity, code, remedy }) => `${severity} ${code} ${remedy}`);
  return [...groups.values()].map((same) => findingGroup(same, pick));
}

/** Findings of one code: the first of them, and the others on request. */
export function findingGroup(same: readonly FindingRecord[], pick: Pick | null): HTMLElement {
  const { severity, code, remedy } = same[0]!;
  const head = add(el("div", "findinghead"), badge(severity, severity), el("strong", "", code));
  if (same.length > 1) head.append(el("span", "dim", `${same.length} times`));
  const list = el("ul");
  const lines = same.map((one) => findingLine(one, pick));
  list.append(...lines.slice(0, 3));
  const group = add(el("article", `finding ${severity}`), head, list);
  if (lines.length > 3) {
    const more = button("link", `${lines.length - 3} more`, () => {
      list.append(...lines.slice(3));
      more.remove();
    });
    group.append(more);
  }
  return add(group, el("p", "dim", remedy));
}

export function findingLine(one: FindingRecord, pick: Pick | null): HTMLElement {
  const line = el("li", "", `${one.message} `);
  const { control, file } = one;
  line.title = file;
  if (control !== undefined && pick !== null) line.append(button("link", `connection ${control}`, () => pick(control)));
  if (one.frames.length > 0) line.append(el("span", "dim", ` frame ${one.frames.join(", ")}`));
  return line;
}

export function searchBox(filters: ReadonlyMap<HTMLElement, Filter>, severities: Set<string>): void {
  const input = document.getElementById("search") as HTMLInputElement;
  const apply = (): void => {
    const words = input.value.toLowerCase().split(" ").filter(Boolean);
    for (const [count, filter] of filters)
      count.textContent = String(filter((text) => words.every((word) => text.includes(word))));
  };
  input.addEventListener("input", apply);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== input) {
      event.preventDefault();
      input.focus();
    } else if (event.key === "Escape" && input.value !== "") {
      input.value = "";
      apply();
    }
  });
  for (const press of document.querySelectorAll<HTMLElement>("button[data-severity]")) {
    press.addEventListener("click", () => {
      const severity = press.dataset["severity"]!;
      if (!severities.delete(severity)) severities.add(severity);
      press.setAttribute("aria-pressed", String(severities.has(severity)));
      apply();
    });
  }
}

/** Light or dark as the system says, until the button says otherwise. */
export function themeButton(): void {
  const root = document.documentElement;
  document.getElementById("theme")!.addEventListener("click", () => {
    const dark =
      root.dataset["theme"] === undefined
        ? matchMedia("(prefers-color-scheme: dark)").matches
        : root.dataset["theme"] === "dark";
    root.dataset["theme"] = dark ? "light" : "dark";
  });
}
