import t from "tap";
import { FailOver, OverFlow } from "../../../core/schedule/highest-weight.ts";
import { candidate } from "./candidates.ts";

t.test("fo sends all to the weightiest that is available, the first of equals", async (t) => {
  const list = [
    candidate("a", { weight: 2 }),
    candidate("b", { weight: 5, active: 999 }),
    candidate("c", { weight: 5 }),
  ];
  t.equal(new FailOver().pick(list), 1);
  t.equal(new FailOver().pick([list[0]!, candidate("b", { weight: 5, available: false })]), 0);
});

t.test("fo chooses nobody when all are down or drained", async (t) => {
  t.equal(new FailOver().pick([candidate("a", { weight: 0 }), candidate("b", { available: false })]), -1);
  t.equal(new FailOver().pick([]), -1);
});

t.test("ovf flows over to the next when the connections of the weightiest are more than its weight", async (t) => {
  const second = candidate("b", { weight: 2 });
  t.equal(new OverFlow().pick([candidate("a", { weight: 3, active: 3 }), second]), 0);
  t.equal(new OverFlow().pick([candidate("a", { weight: 3, active: 4 }), second]), 1);
});

t.test("ovf chooses nobody when all are full", async (t) => {
  t.equal(new OverFlow().pick([candidate("a", { weight: 1, active: 2 }), candidate("b", { weight: 0 })]), -1);
});
