/** What a client's wire must show: the announcements of the mode that was asked for, each followed by its connection. */

import { type Datagram, type Segment, streams } from "./capture.ts";
import { FTP_PORT } from "./vsftpd.ts";

export type Mode = "port" | "eprt" | "pasv" | "epsv";

export interface Expected {
  readonly mode: Mode;
  readonly client: string;
  readonly vip: string;
  /** How the addresses begin that the client must not see. */
  readonly hidden: string;
  /** At least so many transfers. */
  readonly transfers: number;
}

/** Returns the number of announcements; throws when the wire shows anything else than `expected`. */
export function proveDialogue(segments: readonly Segment[], expected: Expected): number {
  proveHidden(segments, expected);
  const lines = controlLines(segments);
  const announced = lines.flatMap((line) => announcement(line, expected) ?? []);
  for (const port of announced) proveConnected(segments, port, expected);

  const verbs: Mode[] = ["port", "eprt", "pasv", "epsv"];
  const strays = lines.filter((line) =>
    verbs.some((verb) => verb !== expected.mode && line.toLowerCase().startsWith(verb)),
  );
  if (strays.length > 0) throw new Error(`asked for ${expected.mode.toUpperCase()}, the client said ${strays[0]}`);
  if (announced.length < expected.transfers) {
    throw new Error(`${announced.length} announcements for ${expected.transfers} transfers:\n${lines.join("\n")}`);
  }
  return announced.length;
}

/** Control lines of both directions. */
export const controlLines = (segments: readonly Segment[]): string[] =>
  streams(segments)
    .filter(({ from }) => from.fromPort === FTP_PORT || from.toPort === FTP_PORT)
    .flatMap(({ bytes }) => bytes.toString("latin1").split("\r\n"));

/** The port that `line` announces, if it is an announcement of this mode. It must name the end that it should. */
function announcement(line: string, { mode, client, vip }: Expected): number | null {
  const lead = { port: "PORT ", eprt: "EPRT ", pasv: "227 ", epsv: "229 " }[mode];
  if (!line.startsWith(lead)) return null;
  const { address, port } = mode === "port" || mode === "pasv" ? sixNumbers(line) : bars(line);
  const named = mode === "port" || mode === "eprt" ? client : vip;
  // EPSV leaves the address out: the control connection's own (RFC 2428 §3).
  if (address !== "" && address !== named) throw new Error(`"${line}" should name ${named}`);
  return port;
}

/** RFC 959 §4.1.2: `h1,h2,h3,h4,p1,p2`. */
function sixNumbers(line: string): { address: string; port: number } {
  const numbers = /(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)/.exec(line)?.slice(1);
  if (numbers === undefined) throw new Error(`no address in "${line}"`);
  return { address: numbers.slice(0, 4).join("."), port: Number(numbers[4]) * 256 + Number(numbers[5]) };
}

/** RFC 2428: `|family|address|port|`. */
function bars(line: string): { address: string; port: number } {
  const [, , address, port] = line.split("|");
  if (address === undefined || port === undefined) throw new Error(`no port in "${line}"`);
  return { address, port: Number(port) };
}

/** Somebody really connected to the announced end, on the client's wire. */
function proveConnected(segments: readonly Segment[], port: number, { mode, client, vip }: Expected): void {
  const [from, to] = mode === "port" || mode === "eprt" ? [vip, client] : [client, vip];
  const opened = segments.some((s) => s.opens && s.toPort === port && s.to === to && s.from === from);
  if (!opened) throw new Error(`${from} never connected to the announced ${to} port ${port}`);
}

interface Hiding {
  readonly client: string;
  readonly hidden: string;
}

/** No realserver's address, in no header and no text form, in anything that came to the client. */
export function proveHidden(
  segments: readonly Segment[],
  { client, hidden }: Hiding,
  datagrams: readonly Datagram[] = [],
): void {
  const forms = [hidden, hidden.replaceAll(".", ",")].map((form) => form.toLowerCase());
  const received = segments.filter(({ to }) => to === client);
  const alone = datagrams.filter(({ to }) => to === client);
  const header = [...received, ...alone].find(({ from }) => from.startsWith(hidden));
  if (header !== undefined) throw new Error(`a packet from ${header.from} came to the client`);
  const said = [...streams(received), ...alone.map((from) => ({ from, bytes: from.payload }))];
  for (const { from, bytes } of said) {
    const text = bytes.toString("latin1").toLowerCase();
    const form = forms.find((form) => text.includes(form));
    if (form !== undefined) {
      const at = text.indexOf(form);
      throw new Error(`"${form}" came to the client from port ${from.fromPort}: ${text.slice(at - 40, at + 40)}`);
    }
  }
}
