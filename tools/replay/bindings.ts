import type { Helper } from "../../core/helper/api.ts";
import { isPort } from "../../core/units.ts";
import type { Bindings } from "./tracker.ts";

/** The ports that each helper says, or `assigned` (`ftp=21,2121`) says instead. Text: what is wrong with an assignment. */
export function bind(helpers: readonly Helper[], assigned: readonly string[]): Bindings | string {
  const ports = new Map<Helper, readonly number[]>(helpers.map((helper) => [helper, helper.ports]));
  for (const assignment of assigned) {
    const [name, list] = halves(assignment);
    const helper = helpers.find((one) => one.name === name);
    if (helper === undefined) {
      return `no helper is named "${name}" in "${assignment}": there are ${helpers.map((one) => one.name).join(", ")}`;
    }
    const numbers = list.split(",").map(portNumber);
    const wrong = numbers.indexOf(null);
    if (wrong >= 0) return `"${list.split(",")[wrong]}" in "${assignment}" is no port: write ${name}=21,2121`;
    ports.set(helper, numbers as number[]);
  }
  const bindings = { tcp: new Map<number, Helper>(), udp: new Map<number, Helper>() };
  for (const [helper, numbers] of ports) {
    for (const transport of ["tcp", "udp"] as const) {
      if (helper.transport !== "both" && helper.transport !== transport) continue;
      for (const port of numbers) bindings[transport].set(port, helper);
    }
  }
  return bindings;
}

function halves(assignment: string): [string, string] {
  const equals = assignment.indexOf("=");
  return equals < 0 ? [assignment, ""] : [assignment.slice(0, equals).trim(), assignment.slice(equals + 1)];
}

function portNumber(text: string): number | null {
  const digits = text.trim();
  const number = Number(digits);
  return digits !== "" && String(number) === digits && isPort(number) ? number : null;
}
