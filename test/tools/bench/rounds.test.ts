import t from "tap";
import { takeTurns } from "../../../tools/bench/rounds.ts";

t.test("contestants take turns, each first every other time; the first turns warm up", async (t) => {
  const order: string[] = [];
  const contestant = (name: string) => ({
    name,
    measure: async () => {
      order.push(name);
      return order.length;
    },
  });
  const runs = await takeTurns([contestant("a"), contestant("b")], 2);
  t.equal(order.join(""), "abbaab");
  t.same([...runs], [["a", [4, 5]], ["b", [3, 6]]]); // biome-ignore format: one line
});
