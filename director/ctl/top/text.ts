/** Lines of spans with a colour: cut to the width of a terminal before they are painted. */

export interface Span {
  readonly text: string;
  /** SGR code (ECMA-48 §8.3.117). */
  readonly sgr?: number;
}

export type Line = readonly Span[];

/** At most `width` characters of it. */
export function rendered(line: Line, width: number, colour: boolean): string {
  let left = width;
  return line
    .map(({ text, sgr }) => {
      const shown = text.slice(0, left);
      left -= shown.length;
      return colour && sgr !== undefined && shown !== "" ? `\u001b[${sgr}m${shown}\u001b[0m` : shown;
    })
    .join("");
}

export interface Cell extends Span {
  /** Numbers stand under one another's ends. */
  readonly right?: boolean;
}

/** `rows`, the first of which is the head, in columns as wide as they need. */
export function columns(rows: readonly (readonly Cell[])[]): Line[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.text.length)));
  return rows.map((row) =>
    row.flatMap((cell, i) => {
      const blank = { text: " ".repeat(widths[i]! - cell.text.length) };
      const gap = { text: i === row.length - 1 ? "" : "  " };
      return cell.right === true ? [blank, cell, gap] : [cell, blank, gap];
    }),
  );
}

/** Three digits or so, with the SI prefix: 999, 1.2k, 34k, 5.6M. */
export function short(n: number): string {
  let value = n;
  for (const prefix of ["", "k", "M", "G"]) {
    if (value < 999.5)
      return value < 9.95 && prefix !== "" ? `${value.toFixed(1)}${prefix}` : `${Math.round(value)}${prefix}`;
    value /= 1000;
  }
  return `${value.toFixed(1)}T`;
}

/** So much a second: small ones with a digit more. */
export const rate = (n: number): string => (n < 99.95 ? n.toFixed(1) : short(n));

/** `3 d 04:12`, `04:12:09`. */
export function lasted(milliseconds: number): string {
  const all = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (n: number): string => String(Math.floor(n)).padStart(2, "0");
  const [days, hours, minutes, seconds] = [Math.floor(all / 86_400), (all / 3600) % 24, (all / 60) % 60, all % 60];
  return days > 0 ? `${days} d ${two(hours)}:${two(minutes)}` : `${two(hours)}:${two(minutes)}:${two(seconds)}`;
}
