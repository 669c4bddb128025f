/** The kernel's verdict on a dialogue beside ours, turn by turn, for the very same segments. */
import type { Helper } from "../../../core/helper/api.ts";
import type { Direction } from "../../../core/units.ts";
import type { Dialogue, Message, Turn } from "../generate/ftp/model.ts";
import { saidBy } from "../generate/ftp/model.ts";
import type { Piece } from "../generate/segments.ts";
import { ReplayRun } from "../hosts/replay.ts";
import { addressOf } from "../hosts/service.ts";
import type { Heard, Part } from "./namespaces.ts";

/** Who is compared with us. */
export type Other = "kernel" | "tshark";

/**
 * - `kernel-too-lax`     the kernel expects what we refuse
 * - `kernel-too-strict`  we follow an announcement that the kernel misses, or whose segment it drops
 * - `ours-wrong`         the kernel and the model agree, we do not
 *
 * The same of tshark, which expects what it names.
 */
export type Class = `${Other}-too-lax` | `${Other}-too-strict` | "ours-wrong";

export interface Difference {
  readonly class: Class;
  /** Ours for refusing, or what the kernel did. */
  readonly reason: string;
  /** What the model says that was said. */
  readonly about: string;
  /** `address port`. */
  readonly end: string;
  /** The segments of its turn, one character a byte. */
  readonly segments: readonly string[];
}

/** What answers segments: the kernel, or in tests what stands for it. */
export interface Peer {
  open(family: 4 | 6): Promise<void>;
  say(part: Part): Promise<Heard>;
  close(): Promise<void>;
}

export interface Held {
  readonly segments: number;
  readonly drops: number;
  /** Expected by the kernel, and let in by us. */
  readonly agreed: number;
  readonly differences: readonly Difference[];
}

/** `cuts`: how the bytes of a turn are cut. */
export interface Cut {
  readonly turn: Turn;
  readonly pieces: readonly Piece[];
}

/** Our helper on the same segments: what it lets in, and why it refuses. */
export class Ours {
  readonly #run: ReplayRun;
  readonly #ends: Dialogue["ends"];
  #announced = 0;
  #faults = 0;
  #frame = 0;

  constructor(helper: Helper, ends: Dialogue["ends"]) {
    this.#run = new ReplayRun({ helper, ends });
    this.#ends = ends;
  }

  say(direction: Direction, text: string): void {
    this.#run.say(direction, text, ++this.#frame);
  }

  /** Since it was last asked. */
  news(): { letIn: string[]; reasons: string[] } {
    const { announcements, faults, notes } = this.#run.observer;
    const announced = announcements.slice(this.#announced);
    // What was noted explains from then on: that a stream is none of FTP, or encrypted.
    const reasons = [...faults.slice(this.#faults), ...notes.slice(-1)].map(({ code }) => code);
    this.#announced = announcements.length;
    this.#faults = faults.length;
    const { client, real } = this.#ends;
    const letIn = announced
      .filter(({ refusal }) => refusal === null)
      .map(({ announcement: { opener, to } }) => endText(opener === "original" ? real : client, to.port));
    return { letIn, reasons };
  }
}

export const endText = (address: string, port: number): string => `${addressOf(address)} ${port}`;

/** What the model says that may be let in because of a turn. */
function allowed({ ends, exact }: Dialogue, { speaker, messages }: Turn): string[] {
  if (!exact) return [];
  const own = speaker === "original" ? ends.client : ends.real;
  return messages.flatMap(({ offers }) => (offers === undefined ? [] : [endText(own, offers.port)]));
}

/** Holds a dialogue with `peer` and with `helper`. A segment that is dropped ends it. */
export async function hold(helper: Helper, dialogue: Dialogue, cuts: readonly Cut[], peer: Peer): Promise<Held> {
  const ours = new Ours(helper, dialogue.ends);
  const differences: Difference[] = [];
  let [segments, drops, agreed] = [0, 0, 0];
  await peer.open(addressOf(dialogue.ends.real).family);
  for (const { turn, pieces } of cuts) {
    const said = saidBy(turn);
    const texts = pieces.map(({ start, end }) => said.slice(start, end));
    const kernel = await sayAll(peer, turn.speaker, texts);
    for (const text of texts) ours.say(turn.speaker, text);
    const { letIn, reasons } = ours.news();
    segments += kernel.said;
    agreed += kernel.expected.filter((end) => letIn.includes(end)).length;
    const verdicts = { expected: kernel.expected, dropped: kernel.dropped, letIn, reasons };
    const context = { dialogue, turn, texts };
    differences.push(...classify("kernel", verdicts, context));
    if (!kernel.dropped) continue;
    drops++;
    break;
  }
  await peer.close();
  return { segments, drops, agreed, differences };
}

async function sayAll(peer: Peer, speaker: Direction, texts: readonly string[]) {
  const expected: string[] = [];
  let said = 0;
  for (const text of texts) {
    const heard = await peer.say([speaker === "original" ? "C" : "S", text]);
    said++;
    if (heard.expected !== null) expected.push(heard.expected);
    if (heard.dropped) return { expected, said, dropped: true };
  }
  return { expected, said, dropped: false };
}

interface Verdicts {
  /** The other's. */
  readonly expected: readonly string[];
  readonly dropped: boolean;
  readonly letIn: readonly string[];
  readonly reasons: readonly string[];
}

interface Context {
  readonly dialogue: Dialogue;
  readonly turn: Turn;
  readonly texts: readonly string[];
}

export function classify(other: Other, verdicts: Verdicts, context: Context): Difference[] {
  const { expected, dropped, letIn, reasons } = verdicts;
  const { dialogue, turn, texts } = context;
  const may = allowed(dialogue, turn);
  const difference = (kind: Class, reason: string, end: string): Difference => ({
    class: kind,
    reason,
    about: aboutOf(turn.messages, end),
    end,
    segments: texts,
  });
  const refused = reasons[0] ?? "no-announcement";
  const missed = dropped ? "segment-dropped" : "not-expected";
  const differences = expected
    .filter((end) => !letIn.includes(end))
    .map((end) => difference(may.includes(end) ? "ours-wrong" : `${other}-too-lax`, refused, end));
  for (const end of letIn) {
    if (expected.includes(end)) continue;
    const wrong = dialogue.exact && !may.includes(end);
    differences.push(difference(wrong ? "ours-wrong" : `${other}-too-strict`, missed, end));
  }
  // A segment that offers nothing, and never arrives: the dialogue hangs there.
  if (dropped && letIn.length === 0 && turn.messages.some(({ outcome }) => outcome === "same") && dialogue.exact) {
    differences.push(difference(`${other}-too-strict`, "harmless-segment-dropped", "none"));
  }
  return differences;
}

/** Names the message that offers this port, or else the turn's first that may not offer any. */
function aboutOf(messages: readonly Message[], end: string): string {
  const port = Number(end.slice(end.lastIndexOf(" ") + 1));
  const by =
    messages.find(({ offers }) => offers?.port === port) ??
    messages.find(({ outcome }) => outcome === "refused") ??
    messages.find(({ outcome }) => outcome === "announced");
  return (by ?? messages[0])?.about ?? "";
}
