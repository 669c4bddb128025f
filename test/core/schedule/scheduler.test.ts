/** What every scheduler owes the balancer. */
import fc from "fast-check";
import t from "tap";
import { createScheduler, schedulerNames } from "../../../core/schedule/scheduler.ts";
import { candidates, choosable, client, someone, weighted } from "./candidates.ts";

for (const name of schedulerNames) {
  t.test(`${name} is created by its name`, async (t) => {
    t.equal(createScheduler(name, 1).name, name);
  });

  t.test(`${name} never chooses one that is drained or down, and always one when there is one`, async (t) => {
    const property = fc.property(candidates(20), fc.nat(0xffffff), (loaded, n) => {
      const scheduler = createScheduler(name, 7);
      // ovf counts: one that is full is none.
      const list = name === "ovf" ? loaded.map((one) => ({ ...one, active: 0 })) : loaded;
      scheduler.update(list);
      const good = choosable(list);
      for (let i = 0; i < 20; i++) {
        const picked = scheduler.pick(list, client(n + i));
        if (good.length === 0 ? picked !== -1 : !good.includes(picked)) return false;
      }
      return true;
    });
    // A maglev table takes milliseconds to build.
    t.doesNotThrow(() => fc.assert(property, { numRuns: name === "maglev" ? 40 : 200 }));
  });

  t.test(`${name} chooses none of none`, async (t) => {
    const scheduler = createScheduler(name, 7);
    t.equal(scheduler.pick([], someone), -1);
    scheduler.update([]);
    t.equal(scheduler.pick([], someone), -1);
    scheduler.update(weighted(1));
    scheduler.update([]);
    t.equal(scheduler.pick([], someone), -1);
  });

  t.test(`${name} survives an update that was forgotten`, async (t) => {
    const scheduler = createScheduler(name, 7);
    t.not(scheduler.pick(weighted(1, 1, 1), someone), -1);
    for (let n = 0; n < 20; n++) t.equal(scheduler.pick(weighted(1), client(n)), 0);
  });

  t.test(`${name} gives the same choices again to the same seed and history`, async (t) => {
    const choices = () => {
      const scheduler = createScheduler(name, 42);
      scheduler.update(weighted(3, 2, 1));
      return Array.from({ length: 50 }, (_, n) => scheduler.pick(weighted(3, 2, 1), client(n)));
    };
    t.same(choices(), choices());
  });
}
