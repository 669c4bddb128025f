import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { NeverQueue, ShortestExpectedDelay } from "../../../core/schedule/expected-delay.ts";
import type { Candidate } from "../../../core/schedule/scheduler.ts";
import { candidate, candidates, choosable } from "./candidates.ts";

const notLater = (a: Candidate, b: Candidate): boolean =>
  BigInt(a.active + 1) * BigInt(b.weight) <= BigInt(b.active + 1) * BigInt(a.weight);

t.test("sed chooses the first of those with the least (active + 1) / weight", async (t) => {
  const property = fc.property(candidates(9), (list) => {
    const good = choosable(list);
    const expected = good.find((i) => good.every((j) => notLater(list[i]!, list[j]!))) ?? -1;
    assert.equal(new ShortestExpectedDelay().pick(list), expected);
  });
  t.doesNotThrow(() => fc.assert(property));
});

t.test("nq chooses the first idle one, else as sed", async (t) => {
  const property = fc.property(candidates(9), (list) => {
    const idle = choosable(list).find((i) => list[i]!.active === 0);
    assert.equal(new NeverQueue().pick(list), idle ?? new ShortestExpectedDelay().pick(list));
  });
  t.doesNotThrow(() => fc.assert(property));
});

t.test("sed gives the first connections to the weightier one, nq to each in turn", async (t) => {
  const list = [candidate("slow", { weight: 1 }), candidate("fast", { weight: 4 })];
  t.equal(new ShortestExpectedDelay().pick(list), 1);
  t.equal(new NeverQueue().pick(list), 0);
});
