import t from "tap";
import { runUpToTwice } from "../../../tools/lab/runner.ts";
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
