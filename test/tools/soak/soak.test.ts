/** The long runs, made short: `npm run soak -- load` and `drip` are these for minutes. Nothing here judges a time. */
import { resolve } from "node:path";
import t from "tap";
import { locate, run } from "../../../tools/lab/process.ts";
import { holdsDrip } from "../../../tools/soak/drip.ts";
import { holdsLoad } from "../../../tools/soak/load.ts";
import { memoryOf, partsOf } from "../../../tools/soak/memory.ts";
import { holdsOverload } from "../../../tools/soak/overload.ts";
import { built } from "../../director/process.ts";
import { ROOT } from "../../root.ts";

const main = resolve(ROOT, "dist", "tools", "soak", "main.js");
const compiler = locate("cc") ?? locate("gcc");
const live = compiler === null ? { skip: "no C compiler for the load programs" } : built;

async function soak(...words: readonly string[]) {
  const { stdout, stderr } = await run([process.execPath, main, ...words], { timeout: 300_000 });
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout);
}

t.test("sessions at a steady rate are all whole, and memory is told span by span", live, async (t) => {
  const summary = await soak("load", "--rate", "40", "--seconds", "4", "--warm-up", "1");
  t.match(summary, { name: "load", rate: 40, sessions: { failed: 0 } });
  t.ok(summary.sessions.done > 0, `${summary.sessions.done} sessions`);
  t.ok(summary.memory.spans.length > 1);
  for (const { rss, files, young, old, buffers, other } of summary.memory.spans) {
    t.ok(rss > 10, `${rss} MiB`);
    t.ok(Math.abs(files + young + old + buffers + other - rss) < 1, "of these parts");
    for (const part of [files, young, old, buffers, other]) t.ok(part > 0);
  }
});

t.test("clients that say a byte now and then stay, and those beside them lose nothing", live, async (t) => {
  const turns = ["--rate", "40", "--seconds", "1", "--rounds", "1"];
  const summary = await soak("drip", "--connections", "100", "--every", "0.2", ...turns);
  t.match(summary, { alone: [{ failed: 0 }], beside: [{ failed: 0, slow: { open: 100, cut: 0 } }] });
  t.ok(summary.beside[0].slow.bytes > 100, `${summary.beside[0].slow.bytes} bytes, each by itself`);
});

t.test("more than it can carry is asked of it, on the backend that is named", live, async (t) => {
  const summary = await soak("overload", "--backend", "net", "--seconds", "2", "--factor", "1.5");
  t.match(summary, { name: "overload", backend: "net", factor: 1.5 });
  for (const part of ["capacity", "beyond", "after"]) t.ok(summary[part].done > 0, part);
  t.equal(summary.beyond.failed, summary.beyond.turnedAway, "who was greeted was served");
});

const parts = { rss: 100, files: 40, young: 20, old: 25, buffers: 5, other: 10 };
const flat = Array.from({ length: 20 }, (_, i) => ({ ...parts, collected: i % 2 === 0 ? [30, 20] : [] }));

t.test("what is resident is told apart by what it is for", async (t) => {
  const status = "VmRSS:\t  102400 kB\nRssAnon:\t   61440 kB\nRssFile:\t   40960 kB\n";
  const space = (name: string, mib: number) =>
    [`nodejs_heap_space_size_total_bytes{space="${name}"}`, mib * 1024 * 1024] as const;
  const external = ["nodejs_external_memory_bytes", 5 * 1024 * 1024] as const;
  const scraped = [space("new", 16), space("old", 20), space("code", 5), space("new_large_object", 4), external];
  t.same(partsOf(status, scraped), parts);
});

t.test("of a span counts the heap that full collections left", async (t) => {
  const { spans, spread } = memoryOf(flat, 10);
  t.same(spans[0], { ...parts, heap: 25 });
  t.same(spread, { rss: 0, heap: 0 });
});

t.test("a span without a full collection says nothing of the heap, and so does the whole", async (t) => {
  const { spans, spread } = memoryOf(flat, 20);
  t.same(spans[1], { ...parts, heap: null });
  t.equal(spread.heap, null);
});

t.test("memory that grows is seen, by how far a span is from the mean", async (t) => {
  const growing = flat.map(({ rss, collected, ...rest }, i) => ({
    ...rest,
    rss: rss + i,
    collected: collected.map((one) => one + i),
  }));
  t.ok(memoryOf(growing, 10).spread.rss > 0.05);
  t.ok(memoryOf(growing, 10).spread.heap! > 0.05);
});

const loaded = {
  perSecond: 1000,
  done: 1,
  failed: 0,
  turnedAway: 0,
  medianMs: 1,
  p90Ms: 1,
  p99Ms: 1,
  p999Ms: 1,
  maxMs: 1,
  cpuMs: 1,
  busy: 1,
};
t.test("a run shorter than its spans has one for each sample", async (t) => {
  t.equal(memoryOf(flat.slice(0, 3), 10).spans.length, 3);
});

const machine = { cpu: "", cpus: 2, kernel: "", node: "", congestion: "", load: 0, pinning: "", flags: "" };
const load = {
  name: "load" as const,
  machine,
  rate: 1000,
  seconds: 1,
  warmUp: 1,
  sessions: loaded,
  memory: memoryOf(flat, 10),
};

t.test("a load holds when all were served at its rate, in memory that is flat", async (t) => {
  t.ok(holdsLoad(load));
  t.notOk(holdsLoad({ ...load, sessions: { ...loaded, failed: 1 } }));
  t.notOk(holdsLoad({ ...load, sessions: { ...loaded, perSecond: 900 } }));
  t.notOk(holdsLoad({ ...load, memory: { spans: [], spread: { rss: 0.06, heap: 0 } } }));
  t.notOk(holdsLoad({ ...load, memory: { spans: [], spread: { rss: 0, heap: 0.06 } } }));
  t.notOk(holdsLoad({ ...load, memory: { spans: [], spread: { rss: 0, heap: null } } }));
});

t.test("slow clients do no harm when none was cut, nothing failed, and the others' p99 is below 120 %", async (t) => {
  const beside = [{ ...loaded, slow: { open: 9, cut: 0, bytes: 9 } }];
  const p99 = { alone: 1, beside: 1.19, change: 0.19 };
  const drip = { name: "drip" as const, machine, connections: 9, every: 1, rate: 1, seconds: 1, rounds: 1 };
  t.ok(holdsDrip({ ...drip, alone: [loaded], beside, p99 }));
  t.notOk(holdsDrip({ ...drip, alone: [loaded], beside, p99: { ...p99, change: 0.2 } }));
  t.notOk(holdsDrip({ ...drip, alone: [{ ...loaded, failed: 1 }], beside, p99 }));
  t.notOk(holdsDrip({ ...drip, alone: [loaded], beside: [{ ...beside[0]!, failed: 1 }], p99 }));
  t.notOk(holdsDrip({ ...drip, connections: 10, alone: [loaded], beside, p99 }));
  t.notOk(holdsDrip({ ...drip, alone: [loaded], beside: [{ ...loaded, slow: { open: 9, cut: 1, bytes: 9 } }], p99 }));
});

t.test("overload is borne when as many are served as can be, none is begun in vain, and it passes", async (t) => {
  const options = {
    backend: "epoll" as const,
    factor: 2,
    seconds: 1,
    rate: 2000,
    served: { byClock: 0.95, byCpu: 0.95 },
  };
  const beyond = { ...loaded, perSecond: 950, failed: 900, turnedAway: 900 };
  const overload = { name: "overload" as const, machine, ...options, capacity: loaded, beyond, after: loaded };
  t.ok(holdsOverload(overload));
  t.notOk(holdsOverload({ ...overload, served: { byClock: 0.79, byCpu: 1 } }));
  t.notOk(holdsOverload({ ...overload, beyond: { ...beyond, failed: 901 } }));
  t.notOk(holdsOverload({ ...overload, beyond: { ...beyond, p99Ms: 2500 } }));
  t.notOk(holdsOverload({ ...overload, after: { ...loaded, failed: 1 } }));
});
