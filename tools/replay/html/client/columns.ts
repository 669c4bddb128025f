import type { Explanation } from "../../explain/explain.ts";
import type { PageConnection, PageControl, PageRelated } from "../data.ts";
import { badge, el, offsetText, sizeText } from "./dom.ts";
import type { Column } from "./table.ts";

/** `captures`: how many there are to tell apart. */
export function controlColumns(captures: number): Column<PageControl>[] {
  const file: Column<PageControl> = {
    title: "Capture",
    value: (one) => one.file.replace(/.*\//, ""),
    className: "wide",
  };
  return [
    { title: "#", value: (one) => one.id, className: "number" },
    { title: "Protocol", value: (one) => one.helper },
    { title: "Client", value: (one) => one.client, className: "mono" },
    { title: "Server", value: (one) => one.server, className: "mono" },
    ...(captures > 1 ? [file] : []),
    { title: "Frame", value: (one) => one.firstFrame, className: "number" },
    {
      title: "Found",
      value: (one) => one.findings,
      show: (one) => (one.findings === 0 ? "" : badge("count", String(one.findings))),
      className: "number",
    },
  ];
}

export function relatedColumns(): Column<PageRelated>[] {
  return [
    { title: "Control", value: (one) => one.control, className: "number" },
    { title: "Kind", value: (one) => one.kind },
    { title: "From", value: (one) => one.from, className: "mono" },
    { title: "To", value: (one) => one.to, className: "mono" },
    { title: "State", value: (one) => one.state, show: (one) => badge(one.state, one.state) },
    { title: "Announced", value: (one) => one.announcedFrame, className: "number" },
    {
      title: "Seen",
      value: (one) => one.span?.firstFrame ?? -1,
      show: (one) => (one.span === null ? badge("unseen", "not seen") : String(one.span.firstFrame)),
      className: "number",
    },
    { title: "Frames", value: (one) => one.span?.frames ?? 0, className: "number" },
    {
      title: "Bytes",
      value: (one) => one.span?.bytes ?? 0,
      show: (one) => sizeText(one.span?.bytes ?? 0),
      className: "number",
    },
  ];
}

export function connectionColumns(originOf: (file: string) => number): Column<PageConnection>[] {
  return [
    { title: "Role", value: (one) => one.role, show: (one) => badge(one.role, one.role) },
    { title: "Transport", value: (one) => one.transport },
    { title: "From", value: (one) => one.from, className: "mono" },
    { title: "To", value: (one) => one.to, className: "mono" },
    { title: "Control", value: (one) => one.control ?? "", className: "number" },
    { title: "Frame", value: (one) => one.firstFrame, className: "number" },
    {
      title: "Start",
      value: (one) => one.start,
      show: (one) => `+${offsetText(one.start - originOf(one.file))}`,
      className: "number",
    },
    {
      title: "Lasts",
      value: (one) => one.end - one.start,
      show: (one) => offsetText(one.end - one.start),
      className: "number",
    },
    { title: "Frames", value: (one) => one.frames, className: "number" },
    { title: "Bytes", value: (one) => one.bytes, show: (one) => sizeText(one.bytes), className: "number" },
  ];
}

/** `helpers`: whose verdicts have a column each. */
export function explanationColumns(helpers: readonly string[]): Column<Explanation>[] {
  const verdict = (one: Explanation, name: string) => one.helpers.find(({ helper }) => helper === name);
  return [
    { title: "Control", value: (one) => one.control, className: "number" },
    { title: "Frame", value: (one) => one.frame, className: "number" },
    { title: "What", value: (one) => one.subject, show: (one) => badge(one.what, one.subject) },
    { title: "Bytes", value: (one) => one.bytes, className: "mono wide" },
    { title: "Rule", value: (one) => one.rule, className: "wide" },
    ...helpers.map((name) => ({
      title: name,
      value: (one: Explanation) => verdict(one, name)?.verdict ?? "",
      show(one: Explanation) {
        const cell = el("div");
        const found = verdict(one, name);
        if (found !== undefined)
          cell.append(badge(found.verdict, found.verdict), el("small", "dim", ` ${found.reason}`));
        return cell;
      },
    })),
  ];
}
