/**
 * The texts and numbers that stand in a configuration. A reader returns what the value means, or what is `Wrong` with
 * it; it never guesses.
 */
import {
  type Endpoint,
  isPort,
  type Ms,
  ms,
  type Port,
  type PortRange,
  port,
  type Transport,
} from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { nearest } from "./nearest.ts";
import { quote } from "./problem.ts";

export class Wrong {
  readonly message: string;
  readonly remedy: string;
  constructor(message: string, remedy: string) {
    this.message = message;
    this.remedy = remedy;
  }
}

export type Reader<T> = (value: unknown) => T | Wrong;

export function address(value: unknown): Address | Wrong {
  if (typeof value !== "string") return noAddress(value, "write an IPv4 or IPv6 address such as 192.0.2.1");
  return Address.parse(value) ?? noAddress(value, addressRemedy(value));
}

const noAddress = (value: unknown, remedy: string): Wrong => new Wrong(`${quote(value)} is no IP address`, remedy);

function addressRemedy(text: string): string {
  if (text.includes("%")) return "leave out the zone: a director needs an address that means the same on every link";
  if (text.includes("/")) return "leave out the prefix length: one address is meant";
  if (/^\[.*\]$/.test(text)) return "leave out the brackets";
  if (/^[\d.]+:\d+$|^\[.*\]:\d+$/.test(text)) return 'leave out the port: it has a key of its own ("port" or "ports")';
  if (/^\d+(\.\d+){3}$/.test(text) && /(^|\.)0\d/.test(text))
    return "leave out leading zeros: some read them as octal (010 is 8)";
  if (/^\d+(\.\d+){3}$/.test(text)) return "each of the four numbers is at most 255";
  if (/^[\d.]+$/.test(text)) return "write all four numbers, as in 192.0.2.1";
  if (/^[\da-f:.]+$/i.test(text)) return "write an IPv6 address such as 2001:db8::1";
  return "write the address itself: names are not looked up";
}

/** `tcp/21`, `udp/6970-7170`. */
export function transportPorts(value: unknown): PortRange | Wrong {
  const match = /^([a-z]+)\/(.*)$/i.exec(String(value));
  if (match === null) {
    return new Wrong(`${quote(value)} names no transport`, `write tcp/${digits(value)} or udp/${digits(value)}`);
  }
  const transport = match[1]!;
  if (transport !== "tcp" && transport !== "udp") {
    const meant = nearest(transport, ["tcp", "udp"]);
    return new Wrong(
      `${quote(transport)} is no transport`,
      meant === null ? "write tcp or udp" : `did you mean "${meant}"?`,
    );
  }
  const range = portNumbers(match[2]!);
  return range instanceof Wrong ? range : { transport, ...range };
}

const digits = (value: unknown): string => /\d+(-\d+)?/.exec(String(value))?.[0] ?? "21";

/** `40000-40100` or `21`, of this transport. */
export const portsOf =
  (transport: Transport): Reader<PortRange> =>
  (value) => {
    const range = portNumbers(value);
    return range instanceof Wrong ? range : { transport, ...range };
  };

/** `first` to `last`, both included. */
export interface PortNumbers {
  readonly first: Port;
  readonly last: Port;
}

export function portNumbers(value: unknown): PortNumbers | Wrong {
  const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(String(value));
  if (match === null) return new Wrong(`${quote(value)} is no port range`, "write first-last, as in 40000-40100");
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  if (!isPort(first)) return noPort(first);
  if (!isPort(last)) return noPort(last);
  if (first > last) return new Wrong(`${quote(value)} ends before it begins`, `write ${last}-${first}`);
  return { first, last };
}

export function portNumber(value: unknown): Port | Wrong {
  if (typeof value === "string" && /^\d+$/.test(value))
    return new Wrong(`${quote(value)} is text`, "remove the quotes");
  return typeof value === "number" && isPort(value) ? port(value) : noPort(value);
}

const noPort = (value: unknown): Wrong => new Wrong(`${quote(value)} is no port`, "write a number from 1 to 65535");

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** The longest that a timer of Node can run. */
const LONGEST = 2 ** 31 - 1;

/** `500ms`, `30s`, `5m`, `1h`; more than nothing, less than 25 days. */
export function duration(value: unknown): Ms | Wrong {
  if (typeof value === "number") return new Wrong(`${quote(value)} has no unit`, `write ${value}s or ${value}ms`);
  const match = /^(\d{1,12})(ms|s|m|h)$/.exec(String(value));
  if (match === null) {
    return new Wrong(
      `${quote(value)} is no duration`,
      "write a whole number and ms, s, m or h, as in 500ms, 30s, 5m, 1h",
    );
  }
  const length = Number(match[1]) * UNITS[match[2]!]!;
  if (length === 0) return new Wrong(`${quote(value)} is no time at all`, "write at least 1ms, or leave the key out");
  if (length > LONGEST) return new Wrong(`${quote(value)} is too long`, "write at most 596h");
  return ms(length);
}

/** A whole number, both ends included. */
export const integer =
  (least: number, most: number): Reader<number> =>
  (value) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    const remedy = `write a whole number from ${least} to ${most}`;
    const quoted = typeof value === "string" && /^\d+$/.test(value);
    return quoted
      ? new Wrong(`${quote(value)} is text`, `remove the quotes`)
      : new Wrong(`${quote(value)} is ${typeof value === "number" ? "out of range" : "no number"}`, remedy);
  };

export function yesOrNo(value: unknown): boolean | Wrong {
  if (typeof value === "boolean") return value;
  return new Wrong(`${quote(value)} is neither true nor false`, "write true or false");
}

/** One of `words`, of which each is a `noun`. */
export const choice =
  <const Word extends string>(noun: string, words: readonly Word[]): Reader<Word> =>
  (value) => {
    const word = words.find((known) => known === value);
    if (word !== undefined) return word;
    const meant = typeof value === "string" ? nearest(value, words) : null;
    const remedy = meant === null ? `write one of ${words.join(", ")}` : `did you mean "${meant}"?`;
    return new Wrong(`${quote(value)} is no ${noun}`, remedy);
  };

/** A name that can stand in logs, metrics and commands as it is. */
export function name(value: unknown): string | Wrong {
  if (typeof value === "string" && /^[A-Za-z0-9][\w.-]{0,62}$/.test(value)) return value;
  const remedy =
    typeof value === "number" || typeof value === "boolean"
      ? `put it in quotes: "${value}"`
      : "write letters, digits, dots, dashes and underscores, at most 63, a letter or digit first";
  return new Wrong(`${quote(value)} is no name`, remedy);
}

/** A file, relative to the configuration's own. */
export function modulePath(value: unknown): string | Wrong {
  if (typeof value === "string" && /^(\.{1,2}\/|\/)[^\0]+$/.test(value)) return value;
  return new Wrong(
    `${quote(value)} is no module path`,
    "write the file's path, beginning with ./ or /, as in ./acme-helper.js",
  );
}

/** A word or sentence that can stand in a line of a protocol: no control characters. */
export function printable(value: unknown): string | Wrong {
  const control = typeof value === "string" && [...value].some((one) => one < " " || one === "\x7f");
  if (typeof value === "string" && value !== "" && value.length <= 255 && !control) return value;
  const remedy = "write up to 255 characters without line ends; digits in quotes";
  return new Wrong(`${quote(value)} cannot be sent in a line`, remedy);
}

/** A file, relative to the configuration's own. */
export function filePath(value: unknown): string | Wrong {
  if (typeof value === "string" && /^[^\0]+$/.test(value)) return value;
  return new Wrong(`${quote(value)} is no path`, "write the file's path, as in ./name, or /run/kindred/name");
}

/** Permissions of a file, as text: a number would be read as decimal. */
export function fileMode(value: unknown): number | Wrong {
  if (typeof value === "string" && /^0?[0-7]{3}$/.test(value)) return Number.parseInt(value, 8);
  return new Wrong(`${quote(value)} is no file mode`, 'write three octal digits in quotes, as in "660"');
}

/** `127.0.0.1:9421`, `[::1]:9421`. */
export function endpoint(value: unknown): Endpoint | Wrong {
  const match = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(String(value));
  const host = match === null ? null : Address.parse(match[1] ?? match[2]!);
  const number = Number(match?.[3]);
  if (host !== null && isPort(number)) return { address: host, port: number };
  return new Wrong(`${quote(value)} is no address with a port`, "write both, as in 127.0.0.1:9421 or [::1]:9421");
}

/** A name or address as browsers write it in `Host`, without the port. */
export function hostName(value: unknown): string | Wrong {
  if (typeof value === "string" && /^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/.test(value)) return value.toLowerCase();
  return new Wrong(`${quote(value)} is no host name`, "write the name that clients use, as in director.example.net");
}

/** What an HTTP request asks for: printable, so that it stays one line. */
export function urlPath(value: unknown): string | Wrong {
  if (typeof value === "string" && /^\/[!-~]*$/.test(value)) return value;
  return new Wrong(`${quote(value)} is no path of a URL`, "write it from the slash on, without spaces, as in /status");
}
