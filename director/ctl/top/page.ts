/** A view on a terminal of so many rows and columns: what does not fit is said to be there. */
import { type Line, rendered } from "./text.ts";
import { type Sort, sorts, type View } from "./view.ts";

export interface Size {
  readonly rows: number;
  readonly columns: number;
}

export interface Shown {
  readonly sort: Sort;
  readonly paused: boolean;
  /** What is wrong at the moment. */
  readonly trouble: string | null;
  /** Realservers that stand above those that are shown. */
  readonly skipped: number;
}

/** Refusals give way to realservers, down to so many lines. */
const LEAST_REFUSALS = 4;
const REVERSED = 7;
const RED = 31;

/** Exactly `size.rows` lines, none longer than `size.columns`. */
export function pageOf(view: View, size: Size, shown: Shown, colour: boolean): string[] {
  const trouble: Line[] = shown.trouble === null ? [] : [[{ text: shown.trouble, sgr: RED }]];
  const head = [...trouble, ...view.head, []];
  const free = Math.max(0, size.rows - head.length - 2);
  const refusals = view.refusals.slice(0, Math.max(LEAST_REFUSALS, free - view.realservers.length));
  const realservers = scrolled(view.realservers, Math.max(2, free - refusals.length), shown.skipped);
  const body = [...head, ...realservers, [], ...refusals].slice(0, size.rows - 1);
  const blank = Array.from({ length: size.rows - 1 - body.length }, (): Line => []);
  return [...body, ...blank, footOf(shown)].map((line) => rendered(line, size.columns, colour));
}

/** How far down it can be gone. */
export const mostSkipped = (view: View): number => Math.max(0, view.realservers.length - 2);

function scrolled([head, ...rows]: readonly Line[], most: number, skipped: number): readonly Line[] {
  if (rows.length + 1 <= most) return [head!, ...rows];
  const shown = rows.slice(skipped, skipped + most - 2);
  const below = rows.length - skipped - shown.length;
  return [head!, ...shown, [{ text: `${skipped} above, ${below} below: arrow keys` }]];
}

/** It fits 80 columns. */
function footOf({ sort, paused }: Shown): Line {
  const state = paused ? "paused, space goes on" : "space pauses";
  const keys = Object.entries(sorts).map(([key, name]) => (key === sort ? `[${key} ${name}]` : `${key} ${name}`));
  return [{ text: ["q quits", state, ...keys].join("  "), sgr: REVERSED }];
}
