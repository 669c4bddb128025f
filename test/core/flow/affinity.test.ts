import t from "tap";
import { AffinityMemory } from "../../../core/flow/affinity.ts";
import { seconds } from "../../../core/units.ts";

t.test("the first key that is known decides, until its time is over", async (t) => {
  const memory = new AffinityMemory<string>(10);
  memory.remember(["state"], "a", seconds(10), seconds(0));
  memory.remember(["user"], "b", seconds(20), seconds(0));
  t.equal(memory.recall(["none", "state", "user"], seconds(9)), "a");
  t.equal(memory.recall(["state", "user"], seconds(10)), "b");
  t.equal(memory.recall(["state", "user"], seconds(20)), null);
  t.equal(memory.size, 0, "what is over is forgotten when it is asked for");
});

t.test("bounded: the oldest memory gives way, and one renewed is not old", async (t) => {
  const memory = new AffinityMemory<string>(2);
  memory.remember(["1"], "a", seconds(10), seconds(0));
  memory.remember(["2"], "b", seconds(10), seconds(0));
  memory.remember(["1"], "c", seconds(10), seconds(1));
  memory.remember(["3"], "d", seconds(10), seconds(1));
  t.equal(memory.size, 2);
  t.same(
    ["1", "2", "3"].map((key) => memory.recall([key], seconds(2))),
    ["c", null, "d"],
  );
});

t.test("a realserver that is gone is forgotten", async (t) => {
  const memory = new AffinityMemory<string>(10);
  memory.remember(["1", "2"], "a", seconds(10), seconds(0));
  memory.remember(["3"], "b", seconds(10), seconds(0));
  memory.purge("a");
  t.equal(memory.recall(["1", "2", "3"], seconds(1)), "b");
});

t.test("what a realserver lost to another is not forgotten with it", async (t) => {
  const memory = new AffinityMemory<string>(10);
  memory.remember(["1"], "a", seconds(10), seconds(0));
  memory.remember(["1"], "b", seconds(10), seconds(0));
  memory.purge("a");
  t.equal(memory.recall(["1"], seconds(1)), "b");
});

t.test(
  "an heir is recalled in the place of who was before, as long as that one, and is forgotten by himself",
  async (t) => {
    const memory = new AffinityMemory<string>(10);
    memory.remember(["1"], "a", seconds(10), seconds(0));
    memory.bequeath("a", "b");
    memory.bequeath("nobody", "c");
    t.equal(memory.purge("a"), 0);
    t.same([memory.recall(["1"], seconds(9)), memory.recall(["1"], seconds(10))], ["b", null]);
    memory.remember(["2"], "b", seconds(10), seconds(0));
    t.equal(memory.purge("b"), 1);
  },
);
