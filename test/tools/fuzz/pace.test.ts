/** What takes much longer than usual is noticed, and nothing else. */
import t from "tap";
import { Pace } from "../../../tools/fuzz/properties/pace.ts";

function paced(times: readonly number[], bytes: number): boolean[] {
  let now = 0;
  const clock = () => now;
  const pace = new Pace(clock, clock);
  return times.map((time) => {
    pace.begin(false);
    pace.start();
    now += time;
    pace.stop(bytes);
    return pace.slow;
  });
}

t.test("where the processor was busy with something else, nothing is slow", async (t) => {
  let [now, worked] = [0, 0];
  const pace = new Pace(
    () => now,
    () => worked,
  );
  const took = (time: number, work: number, sure = true) => {
    pace.begin(sure);
    pace.start();
    now += time;
    worked += work;
    pace.stop(500);
    return pace.slow;
  };
  for (let i = 0; i < 100; i++) took(100, 100);
  t.equal(took(50_000, 120), false);
  t.equal(took(50_000, 120, false), true, "by the time of day alone it is");
  t.equal(took(50_000, 50_000), true);
});

const usual = Array.from({ length: 100 }, () => 100);

t.test("twenty times as long as usual is slow, and a millisecond at least", async (t) => {
  t.same(paced([...usual, 1500], 500).at(-1), false, "fifteen times");
  t.same(paced([...usual, 3000], 500).at(-1), true, "thirty times");
  t.same(paced([...usual.map(() => 10), 900], 500).at(-1), false, "ninety times, and still nothing");
});

t.test("the first are never slow, and a slow one is no measure for the next", async (t) => {
  t.same(paced([50_000, 100, 100], 500), [false, false, false]);
  t.same(paced([...usual, 3000, 3500], 500).slice(-2), [true, true]);
});

t.test("regular expressions are noted while they are watched for", async (t) => {
  const pace = new Pace();
  const run = () => /a+b/.test("aab");
  run();
  t.equal(pace.expression, null);
  const untrap = pace.watch();
  run();
  untrap();
  t.equal(pace.expression, "a+b");
  run();
});
