/** What must hold whatever is said, and whether or not anybody knows what should come of it. */
import type { RelatedEntry } from "../../../core/flow/related.ts";
import { endpointText, type Ms } from "../../../core/units.ts";
import type { Dialogue } from "../generate/ftp/model.ts";
import { saidBy } from "../generate/ftp/model.ts";
import type { SocketRun } from "../hosts/socket.ts";
import { described } from "../hosts/trace.ts";
import { isRefusal, type Offer, offersToClient, offersToServer } from "../readers/ftp.ts";
import { withoutTelnet } from "../readers/lines.ts";
import { type Violation, violation } from "./finding.ts";

const FIRST_FREE = 1024;
/** What a refused line may grow to: the reply that stands in for it. */
const MOST_GROWTH = 128;

/** About one line: a fault, a group, a settlement, an announcement. */
const MOST_DECISIONS = 6;

const linesOf = (text: string): number => text.split("\n").length;

/** The helper failed, or there is more of it than may be. */
export function checkHealth(run: SocketRun): Violation | null {
  const failed = run.decisions.find(({ reason }) => reason === "helper-threw" || reason === "helper-broke-contract");
  if (failed !== undefined) return violation("threw", failed.reason);
  for (const direction of ["original", "reply"] as const) {
    const waiting = run.stream.waiting(direction);
    if (waiting > run.hold) return violation("grew", `${waiting} bytes are held`);
  }
  return null;
}

/** No more is said than was, but for what stands in for a line; no more is decided than there is to decide about. */
export function checkGrowth(run: SocketRun, { turns }: Dialogue): Violation | null {
  let lines = 0;
  for (const direction of ["original", "reply"] as const) {
    const turnsOf = turns.filter(({ speaker }) => speaker === direction);
    const said = turnsOf.map(saidBy).join("");
    const heard = run.heard(direction).length;
    if (heard > said.length + linesOf(said) * MOST_GROWTH) {
      return violation("grew", `${said.length} bytes became ${heard}`);
    }
    lines += linesOf(said) + turnsOf.length;
  }
  const { length } = run.decisions;
  return length > lines * MOST_DECISIONS ? violation("grew", `${length} decisions about ${lines} lines`) : null;
}

/** Entries lead to the ends of the control connection and to no reserved port; no more of them than were asked for. */
export function checkEntries(run: SocketRun): Violation | null {
  const { client, real } = run.control;
  for (const entry of run.placed) {
    const fromClient = entry.opener === "original";
    const [opener, listener] = fromClient ? [client, real] : [real, client];
    const ok =
      entry.target.address.equals(listener.address) &&
      entry.target.port >= FIRST_FREE &&
      entry.from.address?.equals(opener.address) === true &&
      entry.uses === 1;
    if (!ok) return violation("opened", described(entry));
  }
  const passive = run.placed.filter(({ opener }) => opener === "original").length;
  const asked = questions(run.said("original"));
  return passive > asked ? violation("opened", `${passive} passive ends for ${asked} questions`) : null;
}

const QUESTIONS = ["PASV", "EPSV", "SPSV", "LPSV"];

/** Lines that ask for a passive end, as any server might read them. */
function questions(commands: string): number {
  const asks = (line: string): boolean =>
    QUESTIONS.includes(
      line
        .trim()
        .split(/[\s\0]/)[0]!
        .toUpperCase(),
    );
  return commands.split("\n").filter((line) => asks(line) || asks(withoutTelnet(line))).length;
}

/** Whoever reads what is heard finds only ends that were put in place. */
export function checkOffers(run: SocketRun): Violation | null {
  for (const offer of offersToClient(run.readable("reply"))) {
    if (!run.placed.some((entry) => entry.opener === "original" && leadsTo(offer, entry))) return leaked(offer);
  }
  for (const offer of offersToServer(run.readable("original"))) {
    const placed = run.placed.some((entry) => entry.opener === "reply" && leadsTo(offer, entry));
    if (!placed && !isRefusal(offer)) return leaked(offer);
  }
  return null;
}

const leaked = ({ said, line }: Offer): Violation =>
  violation("rewrite", `a ${said} that was not let in is heard: ${JSON.stringify(line.slice(0, 200))}`);

function leadsTo({ address, port, said }: Offer, { seen }: RelatedEntry): boolean {
  if (seen === null || seen.port !== port) return false;
  return said === "229"
    ? true
    : endpointText({ address: seen.address, port }) === `${bracketed(address ?? "")}:${port}`;
}

const bracketed = (address: string): string => (address.includes(":") ? `[${address}]` : address);

/** After the control connection nothing of it is left: no entry, nobody who may claim one, no handle. */
export function checkEnd(run: SocketRun): Violation | null {
  const { balancer, control, placed } = run;
  run.close();
  if (balancer.related.size > 0) return violation("outlived", `${balancer.related.size} entries`);
  for (const entry of placed) {
    if (entry.seen === null) continue;
    const from = { address: entry.from.address!, port: entry.from.port ?? control.client.port };
    const claimed = balancer.claim("tcp", entry.seen, from, 0 as Ms);
    if (typeof claimed !== "string") return violation("outlived", described(entry));
  }
  run.admitAgain();
  if (balancer.connections.get(control.handle) !== null) return violation("outlived", "its handle leads to another");
  return null;
}
