/** What was found, for people and for programs. */
import type { Facts } from "./facts.ts";
import type { Finding } from "./finding.ts";
import type { Role } from "./scene.ts";

export function findingText({ code, severity, where, what, remedy }: Finding): string {
  return `${severity.padEnd(8)} ${code}  ${where}\n  ${what}\n  remedy: ${remedy}\n`;
}

export function reportText(role: Role, findings: readonly Finding[], unseen: readonly string[]): string {
  const verdict = findings.length === 0 ? `as a ${role}: nothing found\n` : "";
  return [...findings.map(findingText), ...unseen.map((what) => `not looked at: ${what}\n`), verdict].join("");
}

/** The facts too: who reads this by program may judge by itself. */
export function reportJson(role: Role, findings: readonly Finding[], facts: Facts): string {
  const plain = (_key: string, value: unknown): unknown => (value instanceof Map ? Object.fromEntries(value) : value);
  const { unseen, ...seen } = facts;
  return `${JSON.stringify({ role, findings, unseen, facts: seen }, plain, 2)}\n`;
}
