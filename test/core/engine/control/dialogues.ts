/** FTP dialogues, made up: what a client and a server say in turn. */
import fc from "fast-check";
import type { Direction } from "../../../../core/units.ts";
import type { Address } from "../../../../core/wire/address.ts";
import { address } from "../../../addresses.ts";

export type Turn = readonly [direction: Direction, said: string];

export interface Ends {
  readonly vip: Address;
  readonly real: Address;
  /** What realservers are told instead of the client's address. */
  readonly director: Address;
}

export interface Dialogue {
  readonly ends: Ends;
  readonly turns: readonly Turn[];
  readonly clientCloses: boolean;
  /** Neither waits for the other's end. */
  readonly bothClose: boolean;
}

/** Shorter and longer than what they stand for. */
const VIPS = ["1.2.3.4", "203.0.113.210"].map(address);
const REALS = ["10.1.1.2", "192.168.100.200"].map(address);
const DIRECTORS = ["9.9.9.9", "198.51.100.111"].map(address);

const CRLF = "\r\n";
const CLIENT_ADDRESS = "10,0,0,5";

/** A scene: what is asked, what is answered. */
type Scene = (ends: Ends, random: number) => readonly Turn[];

const client = (...lines: string[]): Turn => ["original", lines.map((line) => line + CRLF).join("")];
const server = (...lines: string[]): Turn => ["reply", lines.map((line) => line + CRLF).join("")];
const comma = ({ real }: Ends): string => real.toString().replaceAll(".", ",");
const high = (n: number): number => 5 + (n % 250);
const low = (n: number): number => (n >>> 8) % 256;

/** Segments of its own for a long one. */
const sometimesLong = (n: number): number => n % (n % 16 === 0 ? 3000 : 100);

const passive = (ends: Ends, n: number) => `227 Entering Passive Mode (${comma(ends)},${high(n)},${low(n)}).`;
const extended = (n: number) => `229 Entering Extended Passive Mode (|||${high(n) * 256 + low(n)}|)`;

const SCENES: readonly Scene[] = [
  (ends, n) => [
    client("PASV"),
    server(passive(ends, n)),
    client("RETR a.bin"),
    server("150 Here it comes.", "226 Done."),
  ],
  (_ends, n) => [client("EPSV"), server(extended(n)), client("NLST"), server("150 Listing.", "226 Sent.")],
  (_ends, n) => [client(`PORT ${CLIENT_ADDRESS},${high(n)},${low(n)}`), server("200 PORT command successful.")],
  (_ends, n) => [client(`EPRT |1|10.0.0.5|${high(n) * 256 + low(n)}|`), server("200 EPRT command successful.")],
  (_ends, n) => [client(`PORT 10,9,9,9,${high(n)},${low(n)}`), server("500 Illegal PORT command.")],
  (_ends, n) => [client(`EPRT |1|10.9.9.9|${high(n) * 256 + low(n)}|`), server("501 Bad EPRT.")],
  (_ends, n) => [client("PASV"), server(`227 Entering Passive Mode (172,16,0,1,${high(n)},${low(n)}).`)],
  () => [client("FEAT"), server("211-Features:", " EPSV", " MLST type*;size*;", " PASV", "211 End")],
  () => [client("NOOP"), server("200 NOOP ok.")],
  () => [client("STOR 227 (1,2,3,4,5,6).bin"), server("150 Ok to send data.", "226 Transfer complete.")],
  () => [
    ["original", `\xff\xf4\xff\xf2ABOR${CRLF}`],
    server("426 Failure reading network stream.", "226 ABOR successful."),
  ],
  (ends, n) => [client("PASV", "EPSV", "NOOP"), server(passive(ends, n), extended(n + 1), "200 NOOP ok.")],
  (ends, n) => [
    client(`PORT ${CLIENT_ADDRESS},${high(n)},${low(n)}`, "LIST", "PASV"),
    server("200 ok", "150 list", "226 done", passive(ends, n * 3 + 1)),
  ],
  (ends, n) => [
    client(...Array.from({ length: 5 }, () => "PASV")),
    server(...Array.from({ length: 5 }, (_, i) => passive(ends, n + i))),
  ],
  (_ends, n) => [client(`SITE ${"x".repeat(sometimesLong(n))}`), server(`200 ${"y".repeat(sometimesLong(n >>> 4))}`)],
];

const record = (text: string, type: string): string =>
  `${type}\x03\x03${String.fromCharCode(text.length >> 8, text.length & 255)}${text}`;

/** The helper goes blind, and what looks like an announcement from there on is none. */
const tls = (n: number): Turn[] => [
  client("AUTH TLS"),
  server("234 Proceed with negotiation."),
  ["original", record("client hello\r\nPORT 10,9,9,9,1,1\r\n", "\x16")],
  ["reply", record("server hello\r\n227 (192,168,0,2,5,6)\r\n", "\x16") + record("x".repeat(sometimesLong(n)), "\x17")],
  ["original", record("PASV\r\n", "\x17")],
  ["reply", record("227 (192,168,0,2,9,9)\r\n", "\x17")],
];

const GREETINGS: readonly Turn[] = [
  server("220 ready"),
  server("220-Welcome to the mirror.", " PORT 1,2,3,4,5,6", "220-227 (192,168,0,2,1,1)", "", "220 ready"),
];
const LOGIN: readonly Turn[] = [
  client("USER anonymous"),
  server("331 Please specify the password."),
  client("PASS secret"),
  server("230-Rules:", "227 (192,168,0,2,9,9)", "230 Login successful."),
];

const pick = <T>(all: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...all);

export const dialogues: fc.Arbitrary<Dialogue> = fc
  .record({
    ends: fc.record({ vip: pick(VIPS), real: pick(REALS), director: pick(DIRECTORS) }),
    greeting: pick(GREETINGS),
    scenes: fc.array(fc.tuple(pick(SCENES), fc.nat(0xffff)), { maxLength: 4 }),
    secure: fc.option(fc.nat(0xffff), { freq: 4 }),
    quits: fc.boolean(),
    clientCloses: fc.boolean(),
    bothClose: fc.boolean(),
  })
  .map(({ ends, greeting, scenes, secure, quits, clientCloses, bothClose }) => ({
    ends,
    turns: [
      greeting,
      ...LOGIN,
      ...scenes.flatMap(([scene, n]) => scene(ends, n)),
      ...(secure === null ? [] : tls(secure)),
      ...(quits && secure === null ? [client("QUIT"), server("221 Goodbye.")] : []),
    ],
    clientCloses,
    bothClose,
  }));
