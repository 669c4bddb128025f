/** What replay remembers of the latest. */
import t from "tap";
import { Latest } from "../../tools/replay/latest.ts";

t.test("of what was put in the latest are there, and of the others no more than as many", async (t) => {
  const latest = new Latest<string>(100);
  const wrong: string[] = [];
  for (let key = 0; key < 10_000; key++) {
    latest.set(key, `${key}`);
    for (const back of [0, 1, 50, 99])
      if (key >= back && latest.get(key - back) !== `${key - back}`) wrong.push(`no ${key - back} at ${key}`);
    if (latest.get(key - 200) !== undefined) wrong.push(`${key - 200} at ${key}`);
  }
  t.same(wrong, []);
});

t.test("what is put in again is the new one, whenever the old one was put in", async (t) => {
  const latest = new Latest<string>(3);
  for (const key of [1, 2, 3, 4]) latest.set(key, "old");
  latest.set(1, "new");
  latest.set(4, "new");
  t.same([latest.get(1), latest.get(4), latest.get(2)], ["new", "new", "old"]);
  t.equal(latest.get(5), undefined);
});
