/** What every helper owes the engine, whatever the bytes. Each helper's test calls `holdsContract` once. */
import fc from "fast-check";
import type { Test } from "tap";
import {
  type Announcement,
  type Connection,
  type Direction,
  type Helper,
  type Inspection,
  type Inspector,
  STATE_WORDS,
  UNFINISHED,
} from "../core/helper/api.ts";
import { Recorder } from "../core/helper/recorder.ts";
import { keepsContract, offer, readBrief } from "../core/helper/run.ts";
import { endpoint } from "./addresses.ts";

/** The ends that `protocols.md` uses: a client, the VIP, and a realserver. */
export const connectionFor = ({ ports, transport }: Helper): Connection => ({
  transport: transport === "udp" ? "udp" : "tcp",
  client: endpoint("10.0.0.5", 40000),
  virtual: endpoint("1.2.3.4", ports[0]!),
  real: endpoint("192.168.0.2", ports[0]!),
});

export const openFor = (helper: Helper, hold = helper.limits.hold, strict = false): Inspector =>
  helper.open(connectionFor(helper), { strict, hold });

/** What a helper makes of one payload, shown to it alone. */
export function inspect(
  helper: Helper,
  payload: Uint8Array,
  direction: Direction = "original",
): Inspection & { readonly recorder: Recorder } {
  const recorder = new Recorder();
  return { ...openFor(helper).inspect(payload, direction, recorder), recorder };
}

/** Everything one call recorded that decides what happens; ranges as offsets in the stream, replacements as text. */
function told(
  { expected, rewrites, edits, translations, refusals, settled, revoked, groups, subjects }: Recorder,
  offset: number,
): unknown[] {
  const range = ({ start, end }: { start: number; end: number }) => [start + offset, end + offset];
  const announcement = ({ bytes, instead, ...rest }: Announcement) => ({
    ...rest,
    bytes: range(bytes),
    instead: [...range(instead), instead.text("why")],
  });
  return [
    ...expected.map(({ ref, bundle }) => ({ ref, bundle: bundle.map(announcement) })),
    ...rewrites.map(({ start, end, ref, index }) => ({ rewrite: range({ start, end }), ref, index })),
    ...translations.map(({ start, end, pair }) => ({ translated: range({ start, end }), pair })),
    ...edits.map(({ start, end, text }) => ({ replaced: range({ start, end }), text })),
    // How much of a message that is too long has come, when it is refused, is the network's doing.
    ...refusals.map(({ code, instead }) => ({ code, start: instead.start + offset, text: instead.text("why") })),
    ...settled,
    ...revoked.map((ref) => ({ revoked: ref })),
    ...groups,
    ...subjects,
  ];
}

/** One way of cutting what one direction sends. */
export interface Piece {
  readonly direction: Direction;
  readonly bytes: Uint8Array;
}

/** What the helper tells of the next message: in brief, if it can, and then in full what it offers; or in full at once. */
function inspected(
  helper: Helper,
  inspector: Inspector,
  payload: Uint8Array,
  direction: Direction,
  recorder: Recorder,
  inBrief: boolean,
): Inspection {
  const behind = inBrief ? readInBrief(helper, inspector, payload, direction) : 0;
  if (behind <= 0) {
    const inspection = inspector.inspect(payload, direction, recorder);
    check(behind === 0 || (inspection.consumed === 0 && recorder.empty), "unfinished in brief, and not in full");
    return inspection;
  }
  offer.form?.tell(offer, recorder);
  return { verdict: "pass", consumed: behind };
}

/** Where the first message of `payload` ends, if the helper reads it in brief; else 0 or `UNFINISHED`, and it knows what it knew. */
function readInBrief(helper: Helper, inspector: Inspector, payload: Uint8Array, direction: Direction): number {
  const words = new Int32Array(STATE_WORDS);
  if (helper.brief === undefined || inspector.rest?.(words, 0) !== true) return 0;
  const before = words.slice();
  const behind = readBrief(helper, payload, 0, payload.length, direction, words, 0);
  check(behind >= UNFINISHED, "failed in brief");
  if (behind > 0) inspector.wake?.(words, 0);
  else check(before.join() === words.join(), "not read in brief, and the words were changed");
  return behind;
}

/** All that a helper tells of `pieces`, each call checked against the contract. Throws where it is broken. */
function observe(helper: Helper, pieces: readonly Piece[], inBrief = false): unknown[] {
  const inspector = openFor(helper);
  const recorder = new Recorder();
  const sides = { original: { held: new Uint8Array(0), offset: 0 }, reply: { held: new Uint8Array(0), offset: 0 } };
  const all: unknown[] = [];
  let detached = false;
  for (const { direction, bytes } of pieces) {
    const side = sides[direction];
    let rest = Buffer.concat([side.held, bytes]) as Uint8Array;
    while (rest.length > 0 && !detached) {
      const before = new Uint8Array(rest);
      recorder.clear();
      const inspection = inspected(helper, inspector, rest, direction, recorder, inBrief);
      check(keepsContract(inspection, recorder, rest.length, helper.transport === "udp"), "keepsContract");
      check(Buffer.compare(before, rest) === 0, "the payload was changed");
      check(
        !recorder.expected.some(({ bundle }) => !bundle[0]?.either && bundle.length > helper.limits.pending),
        "more than may be pending",
      );
      all.push(...told(recorder, side.offset).map((one) => ({ direction, one })));
      detached = inspection.verdict === "detach";
      if (inspection.consumed === 0) break;
      rest = rest.subarray(inspection.consumed);
      side.offset += inspection.consumed;
    }
    check(detached || rest.length <= helper.limits.hold, "more is held than may be");
    side.held = rest.slice();
  }
  return all;
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`contract broken: ${what}`);
}

const cut = (bytes: Uint8Array, direction: Direction, at: readonly number[]): Piece[] => {
  const places = [...new Set(at.map((n) => n % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => ({ direction, bytes: bytes.subarray(from, places[i] ?? bytes.length) }));
};

/**
 * `samples` are well-formed messages of either direction; most of what is tried is made of them, with a byte changed
 * here and there.
 */
export function holdsContract(t: Test, helper: Helper, samples: readonly Uint8Array[], numRuns = 400): void {
  for (const code of helper.foreign ?? []) t.ok(helper.reasons?.[code], `${code} has its words`);
  const noise = fc.uint8Array({ maxLength: 600 });
  const bent = fc
    .record({ sample: fc.constantFrom(...samples), where: fc.nat(), byte: fc.nat(255) })
    .map(({ sample, where, byte }) => sample.with(where % sample.length, byte));
  const message = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...samples) },
    { weight: 3, arbitrary: bent },
    noise,
  );
  const payload = fc
    .array(message, { minLength: 1, maxLength: 5 })
    .map((parts) => new Uint8Array(Buffer.concat(parts)));
  const direction = fc.constantFrom<Direction>("original", "reply");
  const stream = helper.transport !== "udp" && helper.limits.hold > 0;

  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(fc.array(fc.tuple(direction, payload), { minLength: 1, maxLength: 4 }), (said) => {
          observe(
            helper,
            said.map(([direction, bytes]) => ({ direction, bytes })),
          );
        }),
        { numRuns },
      ),
    `${helper.name}: never throws, keeps its ranges, leaves the payload alone`,
  );
  if (!stream) return;
  const cuts = fc.array(fc.nat(), { maxLength: 6 });
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(fc.array(fc.tuple(direction, payload, cuts), { minLength: 1, maxLength: 4 }), (said) => {
          const whole = observe(
            helper,
            said.map(([direction, bytes]) => ({ direction, bytes })),
          );
          const pieces = said.flatMap(([direction, bytes, at]) => cut(bytes, direction, at));
          check(
            JSON.stringify(observe(helper, pieces)) === JSON.stringify(whole),
            "another segmentation, other actions",
          );
          check(JSON.stringify(observe(helper, pieces, true)) === JSON.stringify(whole), "in brief, other actions");
        }),
        { numRuns },
      ),
    `${helper.name}: the same actions however the bytes are cut`,
  );
}
