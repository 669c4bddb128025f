/** What an FTP client or server may take from a stream: the ends that it would connect to. */
import { extendedIn, fieldsAt, type Read, sixAt, sixIn } from "./endpoints.ts";
import { hidesBytes, linesOf } from "./lines.ts";

export interface Offer extends Read {
  /** `227`, `229`, `PORT`, `EPRT`, `LPRT`. */
  readonly said: string;
  readonly line: string;
}

/** What clients may take from replies. */
export function offersToClient(stream: string): Offer[] {
  if (!stream.includes("22") && !hidesBytes(stream)) return [];
  const found: Offer[] = [];
  for (const line of linesOf(stream)) {
    const said = line.slice(0, 3);
    const reads =
      said === "227" || said === "228" ? sixIn(line.slice(3)) : said === "229" ? extendedIn(line.slice(3)) : [];
    for (const { address, port, start, end } of reads) found.push({ address, port, start, end, said, line });
  }
  return found;
}

const VERBS = ["PORT", "EPRT", "LPRT"];

/** What servers may take from commands. `port` -1: an announcement that none but the sloppiest could read. */
export function offersToServer(stream: string): Offer[] {
  const found: Offer[] = [];
  for (const line of linesOf(stream)) {
    const text = line.slice(line.search(/[^ \t]|$/));
    const said = text.slice(0, 4).toUpperCase();
    if (!VERBS.includes(said) || (text.length > 4 && !" \t\r".includes(text[4]!))) continue;
    const argument = text.slice(4).trim();
    const read = said === "PORT" ? sixAt(argument, 0) : said === "EPRT" ? fieldsAt(argument, 0) : null;
    found.push({ address: null, port: -1, start: 0, end: argument.length, ...(read ?? {}), said, line });
  }
  return found;
}

/** What the director writes in the place of a command that it refuses: a server refuses it by itself. */
export const isRefusal = ({ said, address, port }: Offer): boolean =>
  said === "PORT" && address === "0.0.0.0" && port === 0;
