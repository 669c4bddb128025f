import t from "tap";
import { compared, median, ratioOfPairs, table, uncertaintyOfPairs } from "../../../tools/bench/report.ts";

t.test("the median of runs", async (t) => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([4, 1, 2, 3]), 2.5);
  t.equal(median([]), null);
});

const subject = { case: "bulk", unit: "Gb/s", runs: [2, 4, 3] };
const machine = {
  cpu: "a CPU",
  cpus: 2,
  kernel: "6",
  node: "v20",
  congestion: "cubic",
  load: 0,
  pinning: "none",
  flags: "none",
};

t.test("a peer is compared by medians, and all runs are kept", async (t) => {
  const result = compared(subject, { name: "haproxy", runs: [5, 6, 7] });
  t.match(result, { value: 3, peer: "haproxy", peerValue: 6, ratio: 0.5, runs: [2, 4, 3], peerRuns: [5, 6, 7] });
});

t.test("in pairs, the ratio is the median of the pairs' own, not that of the medians", async (t) => {
  const peer = { name: "haproxy", runs: [4, 40, 6] };
  t.match(compared({ ...subject, runs: [2, 30, 1] }, peer, ratioOfPairs), { value: 2, peerValue: 6, ratio: 0.5 });
  t.equal(compared(subject, { name: "haproxy", runs: [] }, ratioOfPairs).ratio, null);
});

t.test("what a ratio of pairs is uncertain by falls with the root of their number", async (t) => {
  const runs = [1, 2, 3, 4, 5, 6, 7, 8];
  const ones = runs.map(() => 1);
  t.equal(uncertaintyOfPairs(runs, ones), (1.57 * 4) / Math.sqrt(8));
  const fourTimes = uncertaintyOfPairs([...runs, ...runs, ...runs, ...runs], [...ones, ...ones, ...ones, ...ones]) ?? 0;
  t.equal(fourTimes.toFixed(9), ((1.57 * 4) / Math.sqrt(32)).toFixed(9));
  t.equal(uncertaintyOfPairs(ones, ones), 0);
  t.equal(uncertaintyOfPairs(runs, []), null);
});

t.test("a peer that is not installed is named, with no figure made up for it", async (t) => {
  const result = compared(subject, { name: "haproxy", runs: [], absent: "not installed" });
  t.match(result, { value: 3, peer: "haproxy", peerValue: null, ratio: null, note: "haproxy: not installed" });
  t.match(table({ name: "socket", machine, results: [result] }), /haproxy: not installed/);
});
