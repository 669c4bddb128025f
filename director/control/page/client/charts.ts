import type uPlotType from "uplot";
import { type Moment, total } from "./api.ts";
import { make, within } from "./dom.ts";

declare const uPlot: typeof uPlotType;

interface Line {
  readonly label: string;
  readonly colour: string;
  /** Lines differ by more than their colours. */
  readonly dash: number[];
}

/** A chart with its last values as text, for who does not see it. */
export function chart(title: string, lines: readonly Line[]) {
  const caption = make("figcaption");
  const place = make("div", "plot");
  place.setAttribute("aria-hidden", "true");
  const root = within(make("figure"), make("h3", "", title), caption, place);
  const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = { stroke: () => colour("--dim"), grid: { stroke: () => colour("--line"), width: 1 } };
  const series = lines.map(({ label, colour: name, dash }) => ({
    ...{ label, dash, width: 2, points: { show: false } },
    stroke: () => colour(name),
  }));
  const data: number[][] = [[], ...lines.map(() => [])];
  let plot: uPlotType | null = null;
  const width = (): number => Math.max(200, place.clientWidth);
  const show = (at: number, values: readonly number[]): void => {
    for (const [index, value] of [at, ...values].entries()) {
      data[index]!.push(value);
      // Five minutes.
      if (data[index]!.length > 150) data[index]!.shift();
    }
    const options = { width: width(), height: 180, legend: { show: false }, cursor: { show: false } };
    const range = (_: unknown, _least: number, most: number): [number, number] => [0, Math.max(1, most * 1.1)];
    const clock = (_: unknown, ticks: readonly number[]): string[] =>
      ticks.map((tick) => new Date(tick * 1000).toTimeString().slice(0, 8));
    const lastMinutes = (_: unknown, _first: number, last: number): [number, number] => [last - 300, last];
    plot ??= new uPlot(
      {
        ...options,
        series: [{}, ...series],
        axes: [
          { ...axis, space: 90, values: clock },
          { ...axis, size: 55 },
        ],
        scales: { x: { range: lastMinutes }, y: { range } },
      },
      data as uPlotType.AlignedData,
      place,
    );
    plot.setData(data as uPlotType.AlignedData);
    caption.replaceChildren(
      ...lines.map(({ label, colour: name }, index) =>
        make("span", name.slice(2), `${label} ${Number(values[index]!.toFixed(1))}`),
      ),
    );
  };
  window.addEventListener("resize", () => plot?.setSize({ width: width(), height: 180 }));
  const redraw = (): void => plot?.redraw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  return { root, show, redraw };
}

export function charts() {
  const rates = chart("A second", [
    { label: "connections", colour: "--accent", dash: [] },
    { label: "announced", colour: "--reply", dash: [8, 4] },
    { label: "refused", colour: "--error", dash: [2, 3] },
  ]);
  const flows = chart("Open flows", [
    { label: "control", colour: "--accent", dash: [] },
    { label: "related", colour: "--reply", dash: [8, 4] },
    { label: "data and plain", colour: "--good", dash: [2, 3] },
  ]);
  let last: Moment | null = null;
  const show = (now: Moment): void => {
    const rate = (...beginnings: string[]): number =>
      last === null
        ? 0
        : Math.max(0, total(now.counters, ...beginnings) - total(last.counters, ...beginnings)) / (now.at - last.at);
    rates.show(now.at, [rate("connections."), rate("expected."), rate("refused.")]);
    const open = { control: 0, related: 0, data: 0, plain: 0 };
    for (const { flows } of now.services.flatMap(({ realservers }) => realservers)) {
      for (const role of ["control", "related", "data", "plain"] as const) open[role] += flows[role];
    }
    flows.show(now.at, [open.control, open.related, open.data + open.plain]);
    last = now;
  };
  const redraw = (): void => {
    rates.redraw();
    flows.redraw();
  };
  return { root: within(make("div", "charts"), rates.root, flows.root), show, redraw };
}
