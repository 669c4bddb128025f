import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { LeastConnections, WeightedLeastConnections } from "../../../core/schedule/least-connections.ts";
import type { Candidate } from "../../../core/schedule/scheduler.ts";
import { candidate, candidates, choosable } from "./candidates.ts";

const busy = candidates(65535).chain((list) =>
  fc.tuple(...list.map((one) => fc.integer({ min: 0, max: 100_000_000 }).map((active) => ({ ...one, active })))),
);

/** IPVS's overhead over the weight, as exact fractions. */
const overhead = ({ active, inactive }: Candidate): bigint => BigInt(active) * 256n + BigInt(inactive);

t.test("lc chooses the first of those with the least overhead", async (t) => {
  const property = fc.property(fc.oneof(candidates(9), busy), (list) => {
    const good = choosable(list);
    const expected = good.find((i) => good.every((j) => overhead(list[i]!) <= overhead(list[j]!))) ?? -1;
    assert.equal(new LeastConnections().pick(list), expected);
  });
  t.doesNotThrow(() => fc.assert(property));
});

t.test("wlc chooses the first of those with the least overhead for their weight", async (t) => {
  const property = fc.property(fc.oneof(candidates(9), busy), (list) => {
    const good = choosable(list);
    const notAbove = (a: Candidate, b: Candidate) => overhead(a) * BigInt(b.weight) <= overhead(b) * BigInt(a.weight);
    const expected = good.find((i) => good.every((j) => notAbove(list[i]!, list[j]!))) ?? -1;
    assert.equal(new WeightedLeastConnections().pick(list), expected);
  });
  t.doesNotThrow(() => fc.assert(property));
});

t.test("an active connection weighs as much as 256 inactive ones", async (t) => {
  const one = candidate("a", { active: 1 });
  t.equal(new LeastConnections().pick([one, candidate("b", { inactive: 255 })]), 1);
  t.equal(new LeastConnections().pick([one, candidate("b", { inactive: 256 })]), 0);
  t.equal(new LeastConnections().pick([one, candidate("b", { inactive: 257 })]), 0);
});

t.test("the first of equals is chosen", async (t) => {
  const list = [
    candidate("down", { available: false }),
    candidate("a", { active: 2, weight: 2 }),
    candidate("b", { active: 1 }),
  ];
  t.equal(new WeightedLeastConnections().pick(list), 1);
  t.equal(new WeightedLeastConnections().pick(list.toReversed()), 0);
  const idle = [candidate("a", { weight: 1 }), candidate("b", { weight: 9 })];
  t.equal(new WeightedLeastConnections().pick(idle), 0, "nothing over any weight is nothing");
  t.equal(new LeastConnections().pick(idle), 0);
});

t.test("wlc fills realservers in proportion to their weights", async (t) => {
  const list = [3, 2, 1].map((weight, i) => ({ ...candidate(`${i}`, { weight }), active: 0 }));
  for (let n = 0; n < 600; n++) list[new WeightedLeastConnections().pick(list)]!.active++;
  t.same(
    list.map(({ active }) => active),
    [300, 200, 100],
  );
});
