/**
 * Runs a helper. The only catch around one: a helper that throws, or breaks its contract, loses this connection (it is
 * detached, or with `closed` the connection is dropped) and nothing else.
 */
import type { Edit } from "../nat/splice.ts";
import type { ByteRange, Direction, Endpoint } from "../units.ts";
import {
  type Announcement,
  type Connection,
  type Helper,
  type Inspection,
  type Inspector,
  type Offer,
  type OfferForm,
  type Opening,
  type PortPair,
  type Render,
  type Replacement,
  type Settings,
  UNFINISHED,
} from "./api.ts";
import type { Expected, Recorder, Rewrite, Translation } from "./recorder.ts";

/** What happens to a connection whose helper failed: it goes on unread, or it ends. */
export type OnFailure = "open" | "closed";

const NOTHING = new Uint8Array(0);

/** The connection must end. */
export interface Failure {
  readonly verdict: "abort";
  readonly consumed: 0;
}

/** Fails like any other helper, when the first payload comes. */
const UNOPENED: Inspector = {
  inspect: () => {
    throw new Error("the helper could not be opened");
  },
};

export function openHelper(helper: Helper, connection: Connection, settings: Settings): Inspector {
  try {
    return helper.open(connection, settings);
  } catch {
    return UNOPENED;
  }
}

export interface RunOptions {
  readonly onFailure?: OnFailure;
  /** The payload is one, which is consumed whole. */
  readonly datagram?: boolean;
}

export function runHelper(
  inspector: Inspector,
  payload: Uint8Array,
  direction: Direction,
  recorder: Recorder,
  { onFailure = "open", datagram = false }: RunOptions = {},
): Inspection | Failure {
  recorder.clear();
  let broken = "helper-threw";
  try {
    const inspection = inspector.inspect(payload, direction, recorder);
    if (keepsContract(inspection, recorder, payload.length, datagram)) return inspection;
    broken = "helper-broke-contract";
  } catch {
    // Counted below under its reason; the bytes that did it are the connection's own and are not logged.
  }
  recorder.clear();
  recorder.fault(broken);
  return onFailure === "open" ? { verdict: "detach", consumed: payload.length } : { verdict: "abort", consumed: 0 };
}

/** As an offer is before there is one. */
export function noOffer(): Offer {
  return { form: null, address: -1, port: 0, start: 0, end: 0, length: 0, detail: 0 };
}

/** What the message offers that `readBrief` was shown last, of whatever stream. */
export const offer: Offer = noOffer();

/** That in full. */
export const offerInFull: Inspector = {
  inspect: (_payload, _direction, actions) => {
    offer.form!.tell(offer, actions);
    return { verdict: "pass", consumed: offer.length };
  },
};

const BROKEN: Inspector = { inspect: () => ({ verdict: "pass", consumed: -1 }) };

/** Of `readBrief`. */
export const THREW = -2;
const BROKE = -3;

/**
 * Asks the helper in brief about bytes `[at, end)`, by what is known in `state` alone: where the message ends, and in `into`
 * what it offers; `UNFINISHED`; or `at`, if there is more to be said. Below that: it failed, `failedLike` tells how, and
 * `state` may be anything.
 */
export function readBrief(
  helper: Helper,
  payload: Uint8Array,
  at: number,
  end: number,
  direction: Direction,
  state: Int32Array,
  place: number,
  into: Offer = offer,
): number {
  into.form = null;
  try {
    const behind = helper.brief!(payload, at, end, direction, state, place, into);
    if (behind > at && keepsBriefContract(behind, at, end, into)) return behind;
    into.form = null;
    return behind === at || behind === UNFINISHED ? behind : BROKE;
  } catch {
    into.form = null;
    return THREW;
  }
}

/** As `Rest.rest`; one that fails at it does not rest. */
export function restHelper(inspector: Inspector, state: Int32Array, place: number): boolean {
  try {
    return inspector.rest?.(state, place) === true;
  } catch {
    return false;
  }
}

/** As `Rest.wake`. False: it failed. */
export function wakeHelper(inspector: Inspector, state: Int32Array, place: number): boolean {
  try {
    inspector.wake?.(state, place);
    return true;
  } catch {
    return false;
  }
}

/** What is left of a helper that failed while it was brief: it fails once more, and that is dealt with. */
export const failedLike = (how: number): Inspector => (how === BROKE ? BROKEN : UNOPENED);

function keepsBriefContract(behind: number, at: number, end: number, into: Offer): boolean {
  if (!Number.isInteger(behind) || behind > end) return false;
  return into.form === null || (into.length === behind - at && within(into, into.length));
}

/** The stream ended with `payload` unconsumed: what to refuse of it is in the recorder afterwards. */
export function endHelper(
  inspector: Inspector,
  payload: Uint8Array,
  direction: Direction,
  recorder: Recorder,
  last: boolean,
): void {
  recorder.clear();
  try {
    inspector.end?.(payload, direction, recorder, last);
    if (keepsContract({ verdict: "pass", consumed: payload.length }, recorder, payload.length)) return;
  } catch {
    // As above.
  }
  recorder.clear();
  recorder.fault("helper-threw");
}

/** As `Helper.detect`; a helper that does not tell, or fails, finds nothing. */
export function opensLike(helper: Helper, opening: Opening): boolean | null {
  try {
    return helper.detect === undefined ? false : helper.detect(opening);
  } catch {
    return false;
  }
}

/** What one of `Helper.requests` says of a datagram; one that it fails at is none. */
export function askHelper<T>(ask: () => T): T | "helper-threw" {
  try {
    return ask();
  } catch {
    return "helper-threw";
  }
}

/** What an offer announces; null: the helper failed. */
export function announcementOf(form: OfferForm): Announcement | null {
  try {
    return form.announce(offer);
  } catch {
    return null;
  }
}

/** What takes the place of a refused offer. */
export function insteadOf(form: OfferForm, reason: string): Uint8Array {
  try {
    return form.instead(reason);
  } catch {
    return NOTHING;
  }
}

/** What takes the place of a refused message. */
export function replacementFor({ start, end, text }: Replacement, reason: string): Edit {
  try {
    return { start, end, text: text(reason) };
  } catch {
    return { start, end, text: "" };
  }
}

/** The rewrites as text, or null when one of them cannot carry its end. `seen`: those of the bundle. */
export function renderAll(rewrites: readonly Rewrite[], seen: readonly Endpoint[]): Edit[] | null {
  const edits: Edit[] = new Array(rewrites.length);
  for (let i = 0; i < rewrites.length; i++) {
    const { start, end, index, render } = rewrites[i]!;
    const text = rendered(render, seen[index]!, seen);
    if (text === null) return null;
    edits[i] = { start, end, text };
  }
  return edits;
}

/** One that throws is one that cannot. */
function rendered(render: Render, seen: Endpoint, bundle: readonly Endpoint[]): string | null {
  try {
    return render(seen, bundle);
  } catch {
    return null;
  }
}

/** What becomes of the pairs that `seen` knows. */
export function translateAll(translations: readonly Translation[], seen: (pair: PortPair) => PortPair | null): Edit[] {
  const edits: Edit[] = [];
  for (const { start, end, pair, render } of translations) {
    const other = seen(pair);
    if (other === null) continue;
    try {
      edits.push({ start, end, text: render(other) });
    } catch {
      // It stays as it is.
    }
  }
  return edits;
}

/** What `Inspector.inspect` promises; the shared contract test calls this too. */
export function keepsContract({ consumed }: Inspection, recorder: Recorder, length: number, datagram = false): boolean {
  if (!Number.isInteger(consumed) || consumed < (datagram ? length : 0) || consumed > length) return false;
  return recorder.empty || isConsistent(recorder, consumed);
}

function isConsistent({ expected, refusals, rewrites, edits, translations }: Recorder, consumed: number): boolean {
  if (expected.length + refusals.length > 1) return false;
  const announced = expected[0];
  for (const { ref, index } of rewrites) {
    if (ref !== announced?.ref || announced.bundle[index] === undefined) return false;
  }
  if (!ascend(rewrites, consumed)) return false;
  const written = edits.length + translations.length;
  if (written > 0 && !ascend(inOrder([...rewrites, ...edits, ...translations]), consumed)) return false;
  if (announced !== undefined && !bundleFits(announced, consumed)) return false;
  const refused = refusals[0];
  return refused === undefined || fits(refused.at, refused.instead, consumed);
}

function bundleFits({ bundle }: Expected, consumed: number): boolean {
  for (const { bytes, instead } of bundle) if (!fits(bytes, instead, consumed)) return false;
  return bundle.length > 0;
}

const fits = (bytes: ByteRange, instead: ByteRange, consumed: number): boolean =>
  within(bytes, consumed) && within(instead, consumed);

const within = ({ start, end }: ByteRange, consumed: number): boolean => start >= 0 && start <= end && end <= consumed;

/** None begins before the one before it has ended, and the last ends with what was consumed at the latest. */
function ascend(ranges: readonly ByteRange[], consumed: number): boolean {
  let last = 0;
  for (const { start, end } of ranges) {
    if (start < last || end < start) return false;
    last = end;
  }
  return last <= consumed;
}

/** As they stand in the message; the order in which they were asked for is the helper's. */
export const inOrder = <T extends ByteRange>(ranges: readonly T[]): readonly T[] =>
  ranges.length < 2 ? ranges : [...ranges].sort((a, b) => a.start - b.start);
