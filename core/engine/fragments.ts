/**
 * Fragments, from the packet that brings one to the packets that follow from it.
 *
 *   the first                          finds the flow, and goes on
 *   another                            follows it, by flow/tracks.ts
 *   one that comes before the first    is held until that came
 *   of what is read, or scheduled      all are held, and put together: the whole is judged like any other packet, and
 *                                      what follows from it leaves in fragments no larger than those that came
 *
 * What was held is judged once more after the batch that made it ready, and goes on in `Output.sent`.
 */
import { HeldFragments } from "../flow/held.ts";
import { type HashSeed, KEY, KIND, PORTS } from "../flow/key.ts";
import { GATHERED, identify, OVERLAP, Tracks } from "../flow/tracks.ts";
import { assemble, cut } from "../nat/fragment.ts";
import type { Ms } from "../units.ts";
import { type Batch, createBatch, type Output, Verdict } from "./batch.ts";
import type { Sent } from "./sent.ts";
import { AT, END, PLACE_SHIFT, type Stage, TRANSPORT } from "./stage.ts";

/** The longest packet: IPv6's header and its payload. */
const LONGEST = 40 + 0xffff;

interface Ready {
  readonly packet: Uint8Array;
  readonly side: number;
  /** Of a whole: the length of the longest fragment it came in; else 0. */
  readonly longest: number;
  readonly identification: number;
}

export class FragmentPath {
  readonly #tracks: Tracks;
  readonly #held: HeldFragments;
  readonly #ready: Ready[] = [];
  readonly #identity = new Int32Array(KEY);
  readonly #batch: Batch = createBatch(1, new Uint8Array(LONGEST));
  readonly #one = { verdict: new Uint8Array(1), reason: new Uint8Array(1), destination: new Int32Array(1) };
  // Of the fragment that `read` read:
  #at = 0;
  #transport = 0;
  #stop = 0;
  #start = 0;
  #last = false;
  #now = 0 as Ms;

  /** `givenUp`: told of fragments that are held no longer, and went nowhere. */
  constructor(seed: HashSeed, givenUp: (fragments: number) => void) {
    this.#tracks = new Tracks(seed);
    this.#held = new HeldFragments(givenUp);
  }

  /** Bytes that are held. */
  get held(): number {
    return this.#held.bytes;
  }

  /** Of the datagram that `follow` returned the handle of. */
  get direction(): number {
    return this.#tracks.direction;
  }

  /** The fragment at `place`, which the methods below are about. False: it is none. */
  read(stage: Stage, place: number, now: Ms): boolean {
    const { places, fragmentOffset, moreFragments, identification } = stage;
    const k = place >>> PLACE_SHIFT;
    this.#at = places[place + AT]!;
    this.#transport = places[place + TRANSPORT]!;
    this.#stop = places[place + END]!;
    this.#start = fragmentOffset[k]!;
    this.#last = moreFragments[k] === 0;
    this.#now = now;
    identify(places, place, identification[k]!, this.#identity);
    return this.#last || (this.#end & 7) === 0;
  }

  /** It is the first of a datagram that nothing is known of. */
  get opens(): boolean {
    return this.#start === 0 && !this.#tracks.has(this.#identity, 0, this.#now);
  }

  /** Its datagram goes where it went, or, if it was not let on before the others (`GATHERED`), is put together. */
  begin(batch: Batch, i: number, handle: number, direction: number): void {
    this.#tracks.begin(this.#identity, 0, handle, direction, this.#now);
    this.#tracks.follow(this.#identity, 0, 0, this.#end, this.#last, this.#now);
    const ready = { longest: 0, identification: 0 };
    for (const { packet, side } of this.#held.take(this.#name)) this.#ready.push({ packet, side, ...ready });
    if (handle === GATHERED) this.#hold(batch, i);
  }

  /** As `Tracks.follow`. `EARLY` and `GATHERED`: it is held. */
  follow(batch: Batch, i: number): number {
    const handle = this.#tracks.follow(this.#identity, 0, this.#start, this.#end, this.#last, this.#now);
    if (handle === OVERLAP) this.#held.drop(this.#name);
    else if (handle >= 0 && handle <= GATHERED) this.#hold(batch, i);
    if (handle === GATHERED && this.#tracks.whole) this.#assemble();
    return handle;
  }

  /** What became ready is judged by `judge`, and what goes on is in `out.sent`. */
  release(out: Output, judge: (batch: Batch, out: Output) => void): void {
    const batch = this.#batch;
    const one = { ...this.#one, sent: out.sent };
    batch.count = 1;
    for (let ready = this.#ready.shift(); ready !== undefined; ready = this.#ready.shift()) {
      const { packet, side, longest, identification } = ready;
      const before = out.sent.count;
      batch.bytes.set(packet);
      batch.length[0] = packet.length;
      batch.side[0] = side;
      judge(batch, one);
      const verdict = one.verdict[0]!;
      if (verdict !== Verdict.DROP && verdict !== Verdict.TAKEN) {
        out.sent.copy(batch.bytes.subarray(0, packet.length), verdict, one.destination[0]);
      }
      if (longest > 0) cutAgain(out.sent, before, longest, identification);
    }
  }

  advance(now: Ms): void {
    this.#held.advance(now);
  }

  get ready(): boolean {
    return this.#ready.length > 0;
  }

  get #end(): number {
    return this.#start + this.#stop - this.#transport;
  }

  get #name(): string {
    return this.#identity.join(" ");
  }

  #hold({ bytes, side }: Batch, i: number): void {
    const fragment = {
      packet: bytes.slice(this.#at, this.#stop),
      side: side[i]!,
      start: this.#start,
      body: this.#transport - this.#at,
    };
    this.#held.add(this.#name, fragment, this.#now);
  }

  #assemble(): void {
    const fragments = this.#held.take(this.#name);
    const first = fragments.find(({ start }) => start === 0);
    if (first === undefined) return;
    const parts = fragments.map(({ packet, start, body }) => ({ start, body: packet.subarray(body) }));
    const packet = assemble(first.packet, this.#identity[KIND]! & 0xff, parts);
    if (packet === null) return;
    const longest = Math.max(...fragments.map((fragment) => fragment.packet.length));
    this.#ready.push({ packet, side: first.side, longest, identification: this.#identity[PORTS]! });
  }
}

/** Packets of `sent` from the one at `from` on that are longer than `longest` leave in fragments. */
function cutAgain(sent: Sent, from: number, longest: number, identification: number): void {
  const { bytes, offset, length, verdict, destination, count } = sent;
  const packets = Array.from({ length: count - from }, (_, k) => {
    const at = offset[from + k]!;
    const packet = bytes.slice(at, at + length[from + k]!);
    return { packet, verdict: verdict[from + k]!, to: destination[from + k]! };
  });
  if (packets.every(({ packet }) => packet.length <= longest)) return;
  sent.rewind(from);
  for (const { packet, verdict, to } of packets) {
    if (packet.length <= longest) sent.copy(packet, verdict, to);
    else cut(packet, longest, identification, (fragment) => sent.copy(fragment, verdict, to));
  }
}
