/** Lists as tables for people, and as JSON, lines of JSON and CSV for programs. */
import { inert, inertJson } from "../inert.ts";

export const formats = ["table", "wide", "json", "ndjson", "csv"] as const;
export type Format = (typeof formats)[number];

type Cell = string | number | boolean | null | undefined;

export interface Column<T> {
  readonly name: string;
  readonly cell: (item: T) => Cell;
  /** Shown in `wide` and `csv` only. */
  readonly wide?: boolean;
  /** By what it says: the SGR code, at a terminal. */
  readonly colour?: (text: string) => number | null;
}

export interface Screen {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

/** Whether colours are wanted: at a terminal, and where nobody said otherwise (no-color.org). */
export const coloured = ({ isTTY }: Screen, env: NodeJS.ProcessEnv): boolean =>
  isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb";

export function print<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  format: Format,
  screen: Screen,
  colour: boolean,
): void {
  if (format === "json") screen.write(`${inertJson(items, 2)}\n`);
  else if (format === "ndjson") for (const item of items) screen.write(`${inertJson(item)}\n`);
  else if (format === "csv") screen.write(csv(items, columns));
  else
    screen.write(
      table(
        items,
        columns.filter(({ wide }) => format === "wide" || wide !== true),
        colour,
      ),
    );
}

const textOf = (cell: Cell): string => inert(cell === null || cell === undefined ? "-" : String(cell));

function table<T>(items: readonly T[], columns: readonly Column<T>[], colour: boolean): string {
  const rows = items.map((item) => columns.map(({ cell }) => textOf(cell(item))));
  const head = columns.map(({ name }) => name.toUpperCase());
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[], paint: (text: string, i: number) => string): string =>
    cells
      .map((cell, i) => paint(cell, i) + (i === cells.length - 1 ? "" : " ".repeat(widths[i]! - cell.length + 2)))
      .join("");
  const painted = (text: string, i: number): string => {
    const sgr = colour ? (columns[i]!.colour?.(text) ?? null) : null;
    return sgr === null ? text : `\u001b[${sgr}m${text}\u001b[0m`;
  };
  const lines = [line(head, (text) => text), ...rows.map((row) => line(row, painted))];
  return lines.map((one) => `${one.trimEnd()}\n`).join("");
}

/** RFC 4180. What a spreadsheet would take for a formula is no formula any more. */
function csv<T>(items: readonly T[], columns: readonly Column<T>[]): string {
  const cell = (value: Cell): string => {
    const text = inert(value === null || value === undefined ? "" : String(value));
    const plain = /^[=+@-]/.test(text) && !/^-?\d/.test(text) ? `'${text}` : text;
    return /[",]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  const rows = [
    columns.map(({ name }) => name),
    ...items.map((item) => columns.map((column) => cell(column.cell(item)))),
  ];
  return rows.map((row) => `${row.join(",")}\r\n`).join("");
}
