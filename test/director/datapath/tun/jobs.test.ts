/** What is asked of the thread that forwards, done in pieces between its packets. */
import t from "tap";
import { type Job, type JobEnds, Jobs, settled, WAITS } from "../../../../director/datapath/tun/jobs.ts";

const ends = (said: unknown[]): JobEnds => ({
  part: (items) => said.push(["part", ...items]),
  done: (answer) => said.push(["done", answer]),
  failed: (error) => said.push(["failed", (error as Error).message]),
});

function* counting(name: string, steps: number): Job<string> {
  for (let i = 0; i < steps; i++) yield i % 2 === 0 ? undefined : [name, i];
  return name;
}

t.test("jobs have their turns, one step each; parts come before the answer", async (t) => {
  const jobs = new Jobs();
  const said: unknown[] = [];
  t.equal(jobs.turn(), "none");
  jobs.add(counting("long", 3), ends(said));
  jobs.add(counting("short", 1), ends(said));
  const turns = Array.from({ length: 6 }, () => jobs.turn());
  t.same(turns, ["more", "more", "more", "more", "more", "none"]);
  t.same(said, [
    ["part", "long", 1],
    ["done", "short"],
    ["done", "long"],
  ]);
});

t.test("one that fails says why, and the others go on", async (t) => {
  const jobs = new Jobs();
  const said: unknown[] = [];
  jobs.add(
    // biome-ignore lint/correctness/useYield: it fails at once
    (function* (): Job<never> {
      throw new Error("no");
    })(),
    ends(said),
  );
  jobs.add(counting("other", 0), ends(said));
  while (jobs.turn() !== "none");
  t.same(said, [
    ["failed", "no"],
    ["done", "other"],
  ]);
});

t.test("one that waits for a promise says so until Node's event loop has turned", async (t) => {
  const jobs = new Jobs();
  const said: unknown[] = [];
  function* waiting(promise: Promise<string>): Job<string> {
    return `${yield* settled(promise)}!`;
  }
  jobs.add(waiting(Promise.resolve("there")), ends(said));
  jobs.add(waiting(Promise.reject(new Error("gone"))), ends(said));
  t.same([jobs.turn(), jobs.turn(), jobs.turn()], ["wait", "wait", "wait"]);
  t.same(said, []);
  await new Promise(setImmediate);
  while (jobs.turn() !== "none");
  t.same(said.sort(), [
    ["done", "there!"],
    ["failed", "gone"],
  ]);
});

t.test("a step that waits is told from one that has more to do", async (t) => {
  const jobs = new Jobs();
  jobs.add(
    (function* (): Job<null> {
      yield WAITS;
      yield;
      return null;
    })(),
    ends([]),
  );
  t.same([jobs.turn(), jobs.turn(), jobs.turn()], ["wait", "more", "none"]);
});
