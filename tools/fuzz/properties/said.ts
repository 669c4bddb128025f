/** Holds what came of a message of any protocol but FTP against the model. */
import type { Endpoint } from "../../../core/units.ts";
import type { Said } from "../generate/others/said.ts";
import type { SocketRun } from "../hosts/socket.ts";
import { firstDifferentByte } from "../hosts/trace.ts";
import { type Violation, violation } from "./finding.ts";

/** Says all of it, each by itself. */
export function checkSaid(run: SocketRun, all: readonly Said[]): Violation | null {
  for (const one of all) {
    const placed = run.placed.length;
    const before = run.heard(one.speaker).length;
    run.say(one.speaker, one.said);
    const wrong = checkOne(run, one, placed, before);
    if (wrong !== null) return wrong;
  }
  return null;
}

function checkOne(run: SocketRun, { speaker, said, about, lets, hears }: Said, from: number, before: number) {
  const shown = `${about}: ${JSON.stringify(said.slice(0, 160))}`;
  const news = run.placed.slice(from);
  const ports = news.map(({ target }) => target.port);
  if (lets !== undefined && ports.join() !== lets.join()) {
    const property = ports.length < lets.length ? "missed" : "opened";
    return violation(property, `${ports.join() || "nothing"} instead of ${lets.join() || "nothing"}: ${shown}`);
  }
  const own = speaker === "original" ? run.control.client : run.control.real;
  const other = news.find(({ target }) => !target.address.equals(own.address));
  if (other !== undefined) return violation("opened", `${other.target.address} is not ${own.address}: ${shown}`);
  if (hears === undefined) return null;
  const end = (port: number): Endpoint => news.find(({ target }) => target.port === port)!.seen!;
  return checkHeard(hears(end), run.heard(speaker).slice(before), (lets?.length ?? 0) > 0, shown);
}

function checkHeard(expected: string, heard: string, announced: boolean, shown: string): Violation | null {
  const different = firstDifferentByte(expected, heard);
  return different === null ? null : violation(announced ? "rewrite" : "stream", `${different}: ${shown}`);
}
