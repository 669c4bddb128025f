import fc from "fast-check";
import t from "tap";
import { RoundRobin } from "../../../core/schedule/round-robin.ts";
import { candidate, candidates, choosable, weighted } from "./candidates.ts";

t.test("rr chooses the next in the list that can be chosen, whatever is down at that moment", async (t) => {
  const property = fc.property(
    candidates(5),
    fc.array(fc.array(fc.boolean(), { minLength: 9, maxLength: 9 })),
    (list, ups) => {
      const scheduler = new RoundRobin();
      scheduler.update(list);
      let last = -1;
      return ups.every((up) => {
        const now = list.map((one, i) => ({ ...one, available: up[i]! }));
        const good = choosable(now);
        // The definition: the first behind the last one, else the first of all.
        const expected = good.find((i) => i > last) ?? good[0] ?? -1;
        if (expected >= 0) last = expected;
        return scheduler.pick(now) === expected;
      });
    },
  );
  t.doesNotThrow(() => fc.assert(property));
});

t.test("rr takes no notice of weights", async (t) => {
  const scheduler = new RoundRobin();
  const list = weighted(9, 1, 3);
  scheduler.update(list);
  t.same(
    [1, 2, 3, 4].map(() => scheduler.pick(list)),
    [0, 1, 2, 0],
  );
});

t.test("rr's turn goes on when the set changes", async (t) => {
  const [a, b, c, d] = ["a", "b", "c", "d"].map((key) => candidate(key));
  const after = (list: typeof pool) => {
    const scheduler = new RoundRobin();
    scheduler.update(pool);
    for (let i = 0; i < 2; i++) scheduler.pick(pool); // a, b
    scheduler.update(list);
    return list[scheduler.pick(list)]!.key;
  };
  const pool = [a!, b!, c!];
  t.equal(after([a!, b!, c!, d!]), "c", "one was added behind");
  t.equal(after([d!, a!, b!, c!]), "c", "one was added before");
  t.equal(after([b!, c!]), "c", "one that had its turn was removed");
  t.equal(after([a!, c!]), "c", "the last one chosen was removed");
  t.equal(after([a!, b!]), "a", "the next one was removed");
  t.equal(after([c!, d!]), "c", "all that had a turn were removed");
  t.equal(after([c!, b!, a!]), "a", "the list was reordered");
});
