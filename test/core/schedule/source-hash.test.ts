import fc from "fast-check";
import t from "tap";
import { hashText } from "../../../core/schedule/hash.ts";
import type { Candidate } from "../../../core/schedule/scheduler.ts";
import { SourceHash } from "../../../core/schedule/source-hash.ts";
import { Address } from "../../../core/wire/address.ts";
import { candidate, candidates, choosable, client, weighted } from "./candidates.ts";

const SEED = 5;

/** Keys of the realservers that clients 0, 1, 2 … get. */
function chosen(list: readonly Candidate[], clients: number, seed = SEED): (string | undefined)[] {
  const scheduler = new SourceHash(seed);
  scheduler.update(list);
  return Array.from({ length: clients }, (_, n) => list[scheduler.pick(list, client(n))]?.key);
}

t.test(
  "sh gives a client the same realserver, whoever else came between and wherever it stands in the list",
  async (t) => {
    const property = fc.property(candidates(50), fc.nat(0xffffff), fc.nat(0xffffff), (list, n, other) => {
      const scheduler = new SourceHash(SEED);
      scheduler.update(list);
      const first = list[scheduler.pick(list, client(n))]?.key;
      scheduler.pick(list, client(other));
      const again = list[scheduler.pick(list, client(n))]?.key;
      const reversed = list.toReversed();
      scheduler.update(reversed);
      return first === again && reversed[scheduler.pick(reversed, client(n))]?.key === first;
    });
    t.doesNotThrow(() => fc.assert(property));
  },
);

t.test("sh moves nobody else's clients when one is down, and gets back exactly those it had", async (t) => {
  const property = fc.property(candidates(50), fc.nat(8), (list, which) => {
    const good = choosable(list);
    const lost = good[which % Math.max(1, good.length)];
    if (lost === undefined) return true;
    const before = chosen(list, 200);
    const after = chosen(list.with(lost, { ...list[lost]!, available: false }), 200);
    const removed = chosen(list.toSpliced(lost, 1), 200);
    return before.every(
      (key, n) => (key === list[lost]!.key ? after[n] !== key : after[n] === key) && removed[n] === after[n],
    );
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 50 }));
});

t.test("sh moves clients only to a realserver whose weight rises, or from one whose weight falls", async (t) => {
  const before = chosen(weighted(2, 2, 2), 3000);
  const risen = chosen(weighted(2, 3, 2), 3000);
  const fallen = chosen(weighted(2, 1, 2), 3000);
  const second = "10.0.0.2:21";
  t.ok(before.every((key, n) => risen[n] === key || risen[n] === second));
  t.ok(before.every((key, n) => fallen[n] === key || key === second));
  t.notSame(risen, before);
  t.notSame(fallen, before);
});

t.test("sh gives each clients by its weight, also those of one that is down", async (t) => {
  const list = weighted(1, 2, 3, 4);
  const clients = 40000;
  const share = (keys: readonly (string | undefined)[], i: number) =>
    keys.filter((key) => key === list[i]!.key).length / keys.length;
  const before = chosen(list, clients);
  // Four standard deviations of a binomial share are below 0.01 here.
  for (const [i, { weight }] of list.entries())
    t.ok(Math.abs(share(before, i) - weight / 10) < 0.01, `${share(before, i)}`);
  const after = chosen(list.with(3, { ...list[3]!, available: false }), clients);
  const moved = after.filter((_, n) => before[n] === list[3]!.key);
  for (const i of [0, 1, 2])
    t.ok(Math.abs(share(moved, i) - (i + 1) / 6) < 0.02, `${share(moved, i)} of the moved ones`);
});

t.test("sh hashes an affinity key in the place of the client's address", async (t) => {
  const list = weighted(1, 1, 1, 1);
  const scheduler = new SourceHash(SEED);
  const texts = Array.from({ length: 40 }, (_, n) => `00-10-A4-23-19-${n}`);
  const by = (n: number) => texts.map((text) => scheduler.pick(list, { ...client(n), text }));
  t.same(by(1), by(2));
  t.equal(new Set(by(1)).size, 4);
});

t.test("sh reads all of an IPv6 address", async (t) => {
  const list = weighted(1, 1, 1, 1, 1, 1, 1, 1);
  const scheduler = new SourceHash(SEED);
  for (const place of [0, 1, 2, 3]) {
    const picks = Array.from({ length: 64 }, (_, n) => {
      const words: [number, number, number, number] = [0x20010db8, 0, 0, 1];
      words[place] = n;
      return scheduler.pick(list, { client: Address.ipv6(...words) });
    });
    t.ok(new Set(picks).size > 5, `word ${place}`);
  }
});

t.test("sh with another seed chooses otherwise", async (t) => {
  t.notSame(chosen(weighted(1, 1, 1), 50, 1), chosen(weighted(1, 1, 1), 50, 2));
});

t.test("sh lets the key decide between two of one hash, not the place in the list", async (t) => {
  const seen = new Map<number, string>();
  let twins: Candidate[] = [];
  for (let n = 0; twins.length === 0; n++) {
    const hash = hashText(SEED, `${n}`);
    const other = seen.get(hash);
    if (other !== undefined) twins = [candidate(other), candidate(`${n}`)];
    seen.set(hash, `${n}`);
  }
  t.same(chosen(twins, 20), chosen(twins.toReversed(), 20));
});
