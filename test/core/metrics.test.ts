import t from "tap";
import { Counters } from "../../core/metrics.ts";

t.test("what is counted by its parts has one name, however it is counted", async (t) => {
  const counters = new Counters();
  counters.countOf("refused", "bounce");
  counters.countOf("refused", "bounce");
  counters.countOf("refused", "bad-port");
  counters.countOf("fault", "bounce");
  counters.count("refused.bounce");
  t.same(counters.all(), { "fault.bounce": 1, "refused.bad-port": 1, "refused.bounce": 3 });
});

t.test("nothing that is counted is lost, not even what has no name", async (t) => {
  const counters = new Counters();
  counters.countOf("", "");
  t.same(counters.all(), { ".": 1 });
});
