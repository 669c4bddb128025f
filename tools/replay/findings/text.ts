import { inert } from "../escape.ts";
import { grouped } from "../grouped.ts";
import type { Paint } from "../paint.ts";
import type { FindingRecord } from "../report.ts";

/** Findings of one code that are shown; the rest is counted. */
const SHOWN = 3;

/** The findings of one capture for a terminal: by severity, code and remedy, which is told once. */
export function findingLines(findings: readonly FindingRecord[], paint: Paint): string[] {
  const groups = grouped(findings, ({ severity, code, remedy }) => `${severity} ${code} ${remedy}`);
  return [...groups.values()].flatMap((same) => codeLines(same, paint));
}

function codeLines(same: readonly FindingRecord[], paint: Paint): string[] {
  const { code, severity, remedy } = same[0]!;
  const more = same.length - SHOWN;
  return [
    `  ${paint(severity, severity.padEnd(7))}  ${paint("strong", code)}`,
    ...same
      .slice(0, SHOWN)
      .map(({ control, message }) => `     ${control === undefined ? "" : `${control}  `}${inert(message)}`),
    ...(more > 0 ? [paint("dim", `     and ${more} more`)] : []),
    paint("dim", `     remedy: ${remedy}`),
  ];
}
