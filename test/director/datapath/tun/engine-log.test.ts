/** What the packet director says of its engine: lines at each level, counters at all of them. */
import t from "tap";
import { ms } from "../../../../core/units.ts";
import { EngineLog } from "../../../../director/datapath/tun/engine-log.ts";
import { type Level, RANK } from "../../../../director/log.ts";
import { Random } from "../../../../tools/fuzz/generate/choices.ts";
import { Director } from "../../../core/director.ts";
import { conversation, directed, FEW } from "../../../core/engine/passive.ts";

/** What is written at `least`, and counted, of `packets`, as the forwarder listens. */
function heard(packets: readonly Uint8Array[], least: Level) {
  const lines: { readonly level: Level; readonly text: string }[] = [];
  const isHeard = (level: Level): boolean => RANK[level] >= RANK[least];
  const log = new EngineLog((level, event, fields) => {
    // Numbers of entries, some of which are never made, are names.
    const shown = { ...fields, related: typeof fields?.["related"] };
    if (isHeard(level)) lines.push({ level, text: `${event} ${JSON.stringify(shown)}` });
  }, isHeard);
  const d = directed(Director, {
    gone: (entry, reason) => log.gone(entry, reason),
    passed: (reason) => log.passed(reason),
    options: {
      explain: (decision, control) => log.explain(decision, control),
      hears: (outcome) => log.hears(outcome),
      observer: log,
    },
  });
  for (let at = 0; at < packets.length; at += 20) d.all(packets.slice(at, at + 20));
  for (const entry of [...d.balancer.connections]) d.balancer.close(entry, ms(0));
  return { lines, counters: { ...log.counters.all(), ...d.engine.controls.counters.all() } };
}

t.test("whatever the level, the same is counted, and its lines are those of debug that are not below it", async (t) => {
  const packets = conversation(new Random(1), FEW);
  const all = heard(packets, "debug");
  for (const kind of ["related ", "refusal ", "related-gone ", "connection "]) {
    t.ok(
      all.lines.some(({ text }) => text.startsWith(kind)),
      kind,
    );
  }
  for (const level of ["info", "warn"] as const) {
    const { lines, counters } = heard(packets, level);
    t.same(counters, all.counters, level);
    t.same(
      lines,
      all.lines.filter((line) => RANK[line.level] >= RANK[level]),
      level,
    );
  }
  t.ok(all.counters["related.replaced"]! > 0);
});
