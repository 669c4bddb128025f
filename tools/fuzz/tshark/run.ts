/**
 * `kindred fuzz ftp --against tshark`: dialogues as a capture, and which ends tshark's FTP dissector names in it, beside
 * what our helper lets in. Behind each end that we let in comes a connection to it: tshark follows it as FTP data, or not.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Endpoint, port } from "../../../core/units.ts";
import { Random } from "../generate/choices.ts";
import { dialogue } from "../generate/ftp/dialogue.ts";
import type { Dialogue, Ends, Turn } from "../generate/ftp/model.ts";
import { wild } from "../generate/ftp/wild.ts";
import { addressOf } from "../hosts/service.ts";
import { textBytes } from "../hosts/text.ts";
import { type Cut, classify, endText, Ours } from "../kernel/compare.ts";
import { cut, type Row, Tally } from "../kernel/run.ts";
import { ftp } from "../run/campaign.ts";
import { Recording, Stream } from "../run/capture.ts";

export interface TsharkSummary {
  readonly helper: "ftp";
  readonly against: "tshark";
  readonly version: string;
  readonly tshark: string;
  readonly seed: number;
  readonly dialogues: number;
  readonly segments: number;
  /** Announcements that both let in; of the connections to their ends, those that tshark takes for FTP data. */
  readonly agreed: number;
  readonly followed: number;
  readonly counts: Tally["counts"];
  readonly differences: readonly Row[];
}

const CLIENT_PORT = port(40000);
const SERVER_PORT = port(21);
/** One dialogue of so many goes over IPv6. */
const IPV6 = 8;
const FIELDS = [
  "frame.number",
  "frame.protocols",
  "ftp.passive.ip",
  "ftp.passive.port",
  "ftp.active.cip",
  "ftp.active.port",
  "ftp.eprt.ip",
  "ftp.eprt.ipv6",
  "ftp.eprt.port",
  "ftp.epsv.ip",
  "ftp.epsv.ipv6",
  "ftp.epsv.port",
] as const;
const MOST_OUTPUT = 2 ** 28;

/** What was said in one go, where it is in the capture, and what came of it here. */
interface Spoken {
  readonly dialogue: Dialogue;
  readonly turn: Turn;
  readonly texts: readonly string[];
  /** Frames `[first, last]`. */
  readonly first: number;
  readonly last: number;
  readonly letIn: readonly string[];
  readonly reasons: readonly string[];
  /** Frames of data on the connections to what was let in. */
  readonly data: readonly number[];
}

/** Ends of its own for each dialogue: tshark remembers what it expects. */
function endsOf(number: number): Ends {
  const [high, low] = [number >> 8, number & 255];
  if (number % IPV6 === IPV6 - 1) {
    const real = `fd77:2::${number.toString(16)}`;
    return { client: `fd77:1::${number.toString(16)}`, virtual: real, real };
  }
  return { client: `10.77.${high}.${low}`, virtual: `10.78.${high}.${low}`, real: `10.78.${high}.${low}` };
}

/** Writes dialogue `number` of `seed` into `recording`, every other with bytes changed. */
function record(recording: Recording, seed: number, number: number): Spoken[] {
  const random = new Random(seed, number);
  const ends = endsOf(number);
  const made = dialogue(random, ends);
  const held = number % 2 === 0 ? made : wild(made, random);
  const [client, server] = [addressOf(ends.client), addressOf(ends.real)];
  const control = new Stream(recording, { address: client, port: CLIENT_PORT }, { address: server, port: SERVER_PORT });
  const ours = new Ours(ftp, ends);
  return held.turns
    .map((turn) => cut(turn, random))
    .map((part) => {
      const spoken = say(recording, control, ours, part);
      const connect = (end: string): number => connection(recording, held.ends, part.turn, end);
      return { ...spoken, dialogue: held, data: spoken.letIn.map(connect) };
    });
}

function say(recording: Recording, control: Stream, ours: Ours, { turn, pieces }: Cut) {
  const said = turn.messages.map((message) => message.said).join("");
  const texts = pieces.map(({ start, end }) => said.slice(start, end)).filter((text) => text !== "");
  const first = recording.frames + 1;
  for (const text of texts) {
    control.say(turn.speaker, textBytes(text));
    ours.say(turn.speaker, text);
  }
  return { turn, texts, first, last: recording.frames, ...ours.news() };
}

/** Opens a connection to `end`, which the speaker of `turn` listens at; the frame of its data. */
function connection(recording: Recording, { client, real }: Ends, { speaker }: Turn, end: string): number {
  const text = end.slice(end.lastIndexOf(" ") + 1);
  const passive = speaker === "reply";
  const listener: Endpoint = { address: addressOf(passive ? real : client), port: port(Number(text)) };
  const opener: Endpoint = { address: addressOf(passive ? client : real), port: passive ? port(50000) : port(20) };
  new Stream(recording, opener, listener).say(passive ? "reply" : "original", textBytes("data"));
  return recording.frames;
}

/** By the number of its frame, what tshark names there, and whether it takes the frame for FTP data. */
interface Dissected {
  readonly named: readonly string[];
  readonly data: boolean;
}

function dissect(capture: Uint8Array): Map<number, Dissected> {
  const folder = mkdtempSync(join(tmpdir(), "kindred-tshark-"));
  try {
    const file = join(folder, "dialogues.pcapng");
    writeFileSync(file, capture);
    const fields = FIELDS.flatMap((field) => ["-e", field]);
    const out = execFileSync("tshark", ["-n", "-r", file, "-T", "fields", "-E", "occurrence=a", ...fields], {
      encoding: "utf8",
      maxBuffer: MOST_OUTPUT,
      stdio: ["ignore", "pipe", "ignore"],
    });
    return new Map(out.split("\n").filter(Boolean).map(dissected));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function dissected(line: string): [number, Dissected] {
  const [frame, protocols = "", ...columns] = line.split("\t");
  const all = columns.map((column) => column.split(",").filter((value) => value !== ""));
  const [passive, passivePort, active, activePort, eprt, eprt6, eprtPort, epsv, epsv6, epsvPort] = all as string[][];
  const ends = (addresses: readonly string[], ports: readonly string[]): string[] =>
    addresses.flatMap((address, i) => (ports[i] === undefined ? [] : [endText(address, Number(ports[i]))]));
  const named = [
    ...ends(passive!, passivePort!),
    ...ends(active!, activePort!),
    ...ends([...eprt!, ...eprt6!], eprtPort!),
    ...ends([...epsv!, ...epsv6!], epsvPort!),
  ];
  return [Number(frame), { named, data: protocols.includes("ftp-data") }];
}

export const tsharkVersion = (): string =>
  execFileSync("tshark", ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split("\n")[0]!;

/** Of `count` dialogues. */
export function againstTshark(seed: number, count: number, version: string): TsharkSummary {
  const recording = new Recording("dialogues");
  const all = Array.from({ length: count }, (_, number) => record(recording, seed, number)).flat();
  const frames = dissect(recording.bytes());
  const tally = new Tally("tshark");
  let followed = 0;
  for (const { dialogue: held, turn, texts, first, last, letIn, reasons, data } of all) {
    const expected: string[] = [];
    for (let frame = first; frame <= last; frame++) expected.push(...(frames.get(frame)?.named ?? []));
    const verdicts = { expected: [...new Set(expected)], dropped: false, letIn, reasons };
    const differences = classify("tshark", verdicts, { dialogue: held, turn, texts });
    const agreed = letIn.filter((end) => expected.includes(end)).length;
    followed += data.filter((frame) => frames.get(frame)?.data === true).length;
    tally.add({ segments: texts.length, drops: 0, agreed, differences });
  }
  const { segments, agreed, counts, rows: differences } = tally;
  const about = { version, tshark: tsharkVersion(), seed, dialogues: count, segments };
  return { helper: "ftp", against: "tshark", ...about, agreed, followed, counts, differences };
}
