import t from "tap";
import { type Outcome, outcomeLine, runAgain, runUpToTwice } from "../../../tools/lab/runner.ts";
import { Inconclusive, type Scenario } from "../../../tools/lab/scenario.ts";

/** A scenario whose runs end so, one after the other. */
function scenario(...runs: (Error | string)[]): Scenario & { readonly left: () => number } {
  return {
    name: "one",
    about: "",
    needs: [],
    left: () => runs.length,
    async run() {
      const end = runs.shift()!;
      if (typeof end === "string") return end;
      throw end;
    },
  };
}

t.test("an inconclusive run is run once more, and the line says so", async (t) => {
  const one = scenario(new Inconclusive("the player stood still"), "all came");
  t.equal(await runUpToTwice(one), "all came; the second run, since in the first the player stood still");
});

t.test("two inconclusive runs are a failure", async (t) => {
  const one = scenario(new Inconclusive("it stood still"), new Inconclusive("it stood still again"), "all came");
  await t.rejects(runUpToTwice(one), { message: /^it stood still again\nThe second run, .* it stood still$/ });
  t.equal(one.left(), 1);
});

t.test("a run that failed is not run again", async (t) => {
  const one = scenario(new Error("a picture is missing"), "all came");
  await t.rejects(runUpToTwice(one), { message: "a picture is missing" });
  t.equal(one.left(), 1);
});

const notOk = (detail: string): Outcome => ({ name: "one", status: "not ok", detail, seconds: 2 });
const ok: Outcome = { name: "one", status: "ok", detail: "all came", seconds: 1 };

/** What is said in the end of `count` that did not hold at first and end so in a second run; how many had one. */
async function after(count: number, second: Outcome): Promise<{ lines: string[]; runs: number }> {
  let runs = 0;
  const outcomes = new Map<Scenario, Outcome>([[scenario(), ok]]);
  for (let i = 0; i < count; i++) outcomes.set(scenario(), notOk("one was left out"));
  const lines: string[] = [];
  const run = async (): Promise<Outcome> => {
    runs++;
    return second;
  };
  for await (const [, outcome] of runAgain(outcomes, run)) lines.push(outcomeLine(outcome));
  return { lines, runs };
}

t.test("one that holds only in its second run is said to be unsteady, and what was wrong at first", async (t) => {
  const said = "ok one UNSTEADY all came (1 s)\n    Only in a second run, alone; at first: one was left out";
  t.same(await after(1, ok), { lines: [said], runs: 1 });
});

t.test("one that does not hold twice is not ok, and both runs are told", async (t) => {
  const said = "not ok one it was again (2 s)\n    At first: one was left out";
  t.same(await after(1, notOk("it was again")), { lines: [said], runs: 1 });
});

t.test("one that cannot be run a second time did not hold", async (t) => {
  const said = "not ok one one was left out (2 s)";
  t.same(await after(1, { ...ok, status: "skip" }), { lines: [said], runs: 1 });
});

t.test("many that do not hold are no accident: none is run again", async (t) => {
  const said = "not ok one one was left out (2 s)";
  t.same(await after(4, ok), { lines: [said, said, said, said], runs: 0 });
});
