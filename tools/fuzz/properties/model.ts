/** Holds what came of a message against the model. */
import { endpointText } from "../../../core/units.ts";
import type { Dialogue, Message, Offered } from "../generate/ftp/model.ts";
import type { SocketRun } from "../hosts/socket.ts";
import { fieldsAt, type Read, sixAt } from "../readers/endpoints.ts";
import { isRefusal, offersToClient, offersToServer } from "../readers/ftp.ts";
import { type Violation, violation } from "./finding.ts";

const shown = (message: Message, heard: string): string =>
  `${message.about}: ${JSON.stringify(message.said.slice(0, 120))} became ${JSON.stringify(heard.slice(0, 160))}`;

/** Says every message of `dialogue` by itself, and holds what comes of it against the model. */
export function checkModel(run: SocketRun, { turns, exact }: Dialogue): Violation | null {
  for (const { speaker, messages } of turns) {
    for (const message of messages) {
      const before = run.heard(speaker).length;
      const placed = run.placed.length;
      run.say(speaker, message.said);
      if (!exact) continue;
      const heard = run.heard(speaker).slice(before);
      const wrong = checkMessage(message, heard, run, placed);
      if (wrong !== null) return wrong;
    }
  }
  return null;
}

function checkMessage(message: Message, heard: string, run: SocketRun, placed: number): Violation | null {
  const news = run.placed.length - placed;
  switch (message.outcome) {
    case "same":
      if (news !== 0) return violation("opened", shown(message, heard));
      return heard === message.said ? null : violation("stream", shown(message, heard));
    case "refused":
      if (news !== 0) return violation("opened", shown(message, heard));
      return offersNothing(heard) ? null : violation("rewrite", shown(message, heard));
    default:
      return checkAnnounced(message, message.offers!, heard, run, placed);
  }
}

/** One line, and nobody finds an end in it. */
const offersNothing = (heard: string): boolean =>
  heard.endsWith("\n") &&
  heard.indexOf("\n") === heard.length - 1 &&
  offersToClient(heard).length === 0 &&
  offersToServer(heard).every(isRefusal);

function checkAnnounced(
  message: Message,
  { kind, address, port, at }: Offered,
  heard: string,
  run: SocketRun,
  placed: number,
): Violation | null {
  const entry = run.placed[placed];
  if (entry === undefined || run.placed.length > placed + 1) return violation("missed", shown(message, heard));
  const { client, real } = run.control;
  const own = (entry.opener === "original" ? real : client).address;
  const target = `${kind} ${own} ${port}`;
  const given = `${entry.kind} ${entry.target.address} ${entry.target.port}`;
  if (target !== given) return violation("opened", `${given} instead of ${target}: ${shown(message, heard)}`);
  if (address !== null && address !== own.toString() && address !== "0.0.0.0") {
    return violation("opened", `${address} is not ${own}: ${shown(message, heard)}`);
  }
  if (entry.seen === null) return violation("missed", shown(message, heard));
  const text = around(message.said, at, heard);
  if (text === null) return violation("stream", shown(message, heard));
  const wrong = text.find((one) => !names(one, endpointText(entry.seen!), entry.seen!.port));
  return wrong === undefined ? null : violation("rewrite", `not ${endpointText(entry.seen)}: ${shown(message, heard)}`);
}

/** What stands in `heard` where `said` names its end; null when what is around it is not the same. */
function around(said: string, at: Offered["at"], heard: string): string[] | null {
  const parts: string[] = [];
  let from = 0;
  let rest = heard;
  for (const [i, [start, end]] of at.entries()) {
    const before = said.slice(from, start);
    if (!rest.startsWith(before)) return null;
    rest = rest.slice(before.length);
    const behind = said.slice(end, at[i + 1]?.[0] ?? said.length);
    const stop = i === at.length - 1 ? rest.length - behind.length : rest.indexOf(behind);
    if (stop < 0 || !rest.startsWith(behind, stop)) return null;
    parts.push(rest.slice(0, stop));
    rest = rest.slice(stop);
    from = end;
  }
  return parts;
}

/** Whether `text` is a host-port, a 229's fields, PORT or EPRT, of exactly that end. */
function names(text: string, end: string, port: number): boolean {
  const verb = text.slice(0, 5).toUpperCase();
  if (verb === "PORT ") return whole(sixAt(text, 5), text) === end;
  if (verb === "EPRT ") {
    const read = fieldsAt(text, 5);
    return read !== null && whole({ ...read, address: bracketed(read.address!) }, text) === end;
  }
  if (text.includes(",")) return whole(sixAt(text, 0), text) === end;
  const read = fieldsAt(text, 0);
  return read !== null && read.family === "" && read.address === "" && read.port === port && read.end === text.length;
}

const bracketed = (address: string): string => (address.includes(":") ? `[${address}]` : address);

const whole = (read: Read | null, text: string): string | null =>
  read !== null && read.end === text.length ? `${read.address}:${read.port}` : null;
