import fc from "fast-check";
import t from "tap";
import { ms } from "../../../core/units.ts";
import { firstPause, pause, RiseFall } from "../../../director/health/rise-fall.ts";

const told = (state: RiseFall, findings: string): string =>
  [...findings].map((one) => (state.see(one === "+") ? (state.up ? "U" : "D") : ".")).join("");

t.test(
  "so many bad findings in a row take it down, so many good ones bring it up, and each is told once",
  async (t) => {
    t.equal(told(new RiseFall({ rise: 2, fall: 3 }, true), "+--+--+----++-++-"), ".........D..U....");
  },
);

t.test("what is down in the beginning comes up by good findings only", async (t) => {
  t.equal(told(new RiseFall({ rise: 2, fall: 3 }, false), "---+-++---"), "......U..D");
});

t.test("one finding is enough where one is configured", async (t) => {
  t.equal(told(new RiseFall({ rise: 1, fall: 1 }, true), "-+-++"), "DUDU.");
});

t.test("it is as the last findings that agree with one another have it, whatever came before", async () => {
  const few = fc.integer({ min: 1, max: 5 });
  fc.assert(
    fc.property(few, few, fc.boolean(), fc.array(fc.boolean()), fc.boolean(), (rise, fall, up, before, good) => {
      const state = new RiseFall({ rise, fall }, up);
      for (const one of before) state.see(one);
      const was = state.up;
      const needed = good ? rise : fall;
      const changes = Array.from({ length: needed }, () => state.see(good)).filter(Boolean).length;
      return state.up === good && changes === (was === good ? 0 : 1);
    }),
  );
});

t.test("a check may come a little early, and never later than its interval", async (t) => {
  t.equal(pause(ms(5000), 0), 5000);
  t.equal(pause(ms(5000), 0.5), 4750);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e6 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (n, r) => {
        const [next, first] = [pause(ms(n), r), firstPause(ms(n), r)];
        return next <= n && next >= Math.floor(n * 0.9) && first >= 0 && first < n;
      },
    ),
  );
});
