/** `kindred fuzz ftp --against kernel`: the known laxities first, then generated dialogues until time is up. */
import { release } from "node:os";
import { Random } from "../generate/choices.ts";
import { dialogue } from "../generate/ftp/dialogue.ts";
import { type Dialogue, saidBy, type Turn } from "../generate/ftp/model.ts";
import { wild } from "../generate/ftp/wild.ts";
import { pieces } from "../generate/segments.ts";
import { ftp } from "../run/campaign.ts";
import { type Class, type Cut, type Difference, type Held, hold, type Other, type Peer } from "./compare.ts";
import { ENDS, KNOWN } from "./known.ts";
import { Kernel } from "./namespaces.ts";

export interface Row {
  readonly class: Class;
  readonly reason: string;
  readonly about: string;
  count: number;
  /** The first one: its segments, and the end that one of the two lets in. */
  readonly example: { readonly segments: readonly string[]; readonly end: string };
}

export interface KernelSummary {
  readonly helper: "ftp";
  readonly against: "kernel";
  readonly version: string;
  readonly kernel: string;
  readonly seed: number;
  readonly seconds: number;
  readonly dialogues: number;
  readonly segments: number;
  readonly dropped: number;
  /** Announcements that both let in. */
  readonly agreed: number;
  readonly counts: Readonly<Counts>;
  readonly known: readonly { readonly name: string; readonly reproduced: boolean; readonly reason: string }[];
  readonly differences: readonly Row[];
}

export interface KernelOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly version: string;
  /** Told after each dialogue. */
  readonly progress?: (dialogues: number, tally: Tally) => void;
  readonly stopped?: () => boolean;
}

/** Pairs of namespaces at once: most of the time goes into waiting. */
const PAIRS = 4;
const PATIENCE = 600;
/** One dialogue of so many goes over IPv6. */
const IPV6 = 8;
const LONGEST = 1400;

type Counts = Partial<Record<Class, number>> & { "ours-wrong": number };

/** The least of them first. */
const none = (other: Other): Counts => ({ [`${other}-too-lax`]: 0, [`${other}-too-strict`]: 0, "ours-wrong": 0 });

/** Differences by class, reason and case. */
export class Tally {
  readonly counts: Counts;
  readonly #rows = new Map<string, Row>();
  segments = 0;
  dropped = 0;
  agreed = 0;

  constructor(other: Other) {
    this.counts = none(other);
  }

  add({ segments, drops, agreed, differences }: Held): void {
    this.segments += segments;
    this.dropped += drops;
    this.agreed += agreed;
    for (const difference of differences) this.#count(difference);
  }

  /** The worst class first, then by count. */
  get rows(): Row[] {
    const order = Object.keys(this.counts).reverse();
    const rank = (row: Row): number => order.indexOf(row.class);
    return [...this.#rows.values()].sort((a, b) => rank(a) - rank(b) || b.count - a.count);
  }

  #count({ class: kind, reason, about, end, segments }: Difference): void {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    const key = `${kind} ${reason} ${about}`;
    const row = this.#rows.get(key);
    if (row !== undefined) row.count++;
    else this.#rows.set(key, { class: kind, reason, about, count: 1, example: { segments, end } });
  }
}

/** Dialogue `number` of `seed`, every other with bytes changed, and how it is cut. */
export function generated(seed: number, number: number): { dialogue: Dialogue; cuts: Cut[] } {
  const random = new Random(seed, number);
  const made = dialogue(random, ENDS[number % IPV6 === IPV6 - 1 ? 6 : 4]);
  const held = number % 2 === 0 ? made : wild(made, random);
  const cuts = held.turns.filter((turn) => saidBy(turn) !== "").map((turn) => cut(turn, random));
  return { dialogue: held, cuts };
}

/** Mostly a message a segment, as peers send them; sometimes all in one, sometimes anywhere. */
export function cut(turn: Turn, random: Random): Cut {
  const said = saidBy(turn);
  const kind = random.below(8);
  if (said.length > LONGEST || kind === 7) return { turn, pieces: pieces(random, said.length) };
  if (kind >= 5) return { turn, pieces: [{ start: 0, end: said.length }] };
  return { turn, pieces: byMessage(turn) };
}

function byMessage({ messages }: Turn): Cut["pieces"] {
  let start = 0;
  return messages
    .filter(({ said }) => said !== "")
    .map(({ said }) => {
      const piece = { start, end: start + said.length };
      start = piece.end;
      return piece;
    });
}

export async function againstKernel(options: KernelOptions): Promise<KernelSummary> {
  const { seed, seconds, version } = options;
  const begun = performance.now();
  const kernels = Array.from({ length: PAIRS }, () => new Kernel(PATIENCE));
  try {
    for (const kernel of kernels) await kernel.start();
    const tally = new Tally("kernel");
    const known = await holdKnown(kernels[0]!);
    const spent = (): number => (performance.now() - begun) / 1000;
    const over = (): boolean => spent() >= seconds || options.stopped?.() === true;
    let dialogues = 0;
    const work = async (peer: Peer): Promise<void> => {
      while (!over()) {
        const { dialogue, cuts } = generated(seed, dialogues++);
        tally.add(await hold(ftp, dialogue, cuts, peer));
        options.progress?.(dialogues, tally);
      }
    };
    await Promise.all(kernels.map(work));
    const { segments, dropped, agreed, counts, rows: differences } = tally;
    const about = { version, kernel: release(), seed, seconds: Math.round(spent()), dialogues };
    return { helper: "ftp", against: "kernel", ...about, segments, dropped, agreed, counts, known, differences };
  } finally {
    for (const kernel of kernels) kernel.end();
  }
}

/** Whether the kernel here still is as it is known. */
export async function holdKnown(peer: Peer): Promise<KernelSummary["known"]> {
  const rows: KernelSummary["known"][number][] = [];
  for (const { name, dialogue, class: kind, end } of KNOWN) {
    const cuts = dialogue.turns.map((turn): Cut => ({ turn, pieces: [{ start: 0, end: saidBy(turn).length }] }));
    const { differences } = await hold(ftp, dialogue, cuts, peer);
    const found = differences.find((one) => one.class === kind && one.end === end);
    rows.push({ name, reproduced: found !== undefined, reason: found?.reason ?? "" });
  }
  return rows;
}
