import t from "tap";
import type { Actions, Announcement, Inspection, Inspector } from "../../../core/helper/api.ts";
import { Recorder } from "../../../core/helper/recorder.ts";
import { endHelper, openHelper, renderAll, replacementFor, runHelper } from "../../../core/helper/run.ts";
import { port } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { endpoint } from "../../addresses.ts";
import { connectionFor } from "../../contract.ts";

const PAYLOAD = Uint8Array.of(1, 2, 3, 4);
const WHOLE = { start: 0, end: 4 };
const INSTEAD = { ...WHOLE, text: () => "" };

const announcement: Announcement = {
  kind: "test",
  said: "SAID",
  transport: "tcp",
  opener: "original",
  from: { address: null, port: null },
  to: { address: null, port: 5001 },
  uses: 1,
  bytes: WHOLE,
  instead: INSTEAD,
};

const inspector = (does: (actions: Actions) => Inspection): Inspector => ({
  inspect: (_payload, _direction, actions) => does(actions),
});
const passing = (does: (actions: Actions) => void, consumed = 4): Inspector =>
  inspector((actions) => {
    does(actions);
    return { verdict: "pass", consumed };
  });

t.test("a helper that keeps its contract is believed", async (t) => {
  const recorder = new Recorder();
  const good = passing((actions) => {
    const ref = actions.expect(announcement);
    actions.rewrite(0, 1, ref, () => "");
    actions.rewrite(2, 4, ref, () => "");
    actions.write(1, 2, "");
  });
  t.same(runHelper(good, PAYLOAD, "original", recorder), { verdict: "pass", consumed: 4 });
  t.equal(recorder.expected.length, 1);
});

const broken: [why: string, inspector: Inspector][] = [
  ["consumes more than it was shown", passing(() => {}, 5)],
  ["consumes less than nothing", passing(() => {}, -1)],
  ["consumes half a byte", passing(() => {}, 0.5)],
  ["announces twice", passing((a) => void [a.expect(announcement), a.expect(announcement)])],
  ["announces nothing", passing((a) => void a.expect())],
  ["announces and refuses", passing((a) => void [a.expect(announcement), a.refuse("x", WHOLE, INSTEAD)])],
  ["announces what it did not consume", passing((a) => void a.expect(announcement), 3)],
  [
    "names bytes that it did not consume",
    passing((a) => void a.expect({ ...announcement, instead: { ...INSTEAD, end: 3 } }), 3),
  ],
  ["refuses what it did not consume", passing((a) => a.refuse("x", WHOLE, { ...INSTEAD, end: 3 }), 3)],
  ["replaces what it did not consume", passing((a) => a.refuse("x", { start: 0, end: 1 }, INSTEAD), 3)],
  ["replaces a place twice", passing((a) => void [a.write(1, 3, ""), a.write(2, 4, "")])],
  ["replaces backwards", passing((a) => a.write(3, 2, ""))],
  ["replaces beyond what it consumed", passing((a) => a.write(3, 5, ""))],
  [
    "replaces what it rewrites",
    passing((a) => void [a.rewrite(0, 2, a.expect(announcement), () => ""), a.write(1, 3, "")]),
  ],
  [
    "translates what it writes",
    passing((a) => void [a.write(0, 2, ""), a.translate(1, 3, { client: port(1), server: port(2) }, () => "")]),
  ],
  ["rewrites backwards", passing((a) => a.rewrite(3, 2, a.expect(announcement), () => ""))],
  ["rewrites beyond what it consumed", passing((a) => a.rewrite(3, 5, a.expect(announcement), () => ""))],
  [
    "rewrites overlap",
    passing((a) => {
      const ref = a.expect(announcement);
      a.rewrite(0, 2, ref, () => "");
      a.rewrite(1, 3, ref, () => "");
    }),
  ],
  [
    "rewrites with an end that is not in the bundle",
    passing((a) => a.rewrite(0, 1, a.expect(announcement), () => "", 1)),
  ],
  ["rewrites with what it did not announce", passing((a) => a.rewrite(0, 1, 1 as never, () => ""))],
  [
    "throws",
    inspector(() => {
      throw new Error("x");
    }),
  ],
];
for (const [why, helper] of broken) {
  t.test(
    `a helper that ${why} loses the connection, or with \`closed\` ends it, and nothing that it said counts`,
    async (t) => {
      const recorder = new Recorder();
      t.same(runHelper(helper, PAYLOAD, "original", recorder), { verdict: "detach", consumed: 4 });
      t.match(recorder.faults, [{ code: why === "throws" ? "helper-threw" : "helper-broke-contract" }]);
      t.same([recorder.expected, recorder.refusals, recorder.rewrites], [[], [], []]);
      t.same(runHelper(helper, PAYLOAD, "original", recorder, { onFailure: "closed" }), {
        verdict: "abort",
        consumed: 0,
      });
    },
  );
}

t.test("a helper that cannot be opened fails at its first payload", async (t) => {
  const never = {
    ...ftp,
    open: () => {
      throw new Error("x");
    },
  };
  const opened = openHelper(never, connectionFor(ftp), { strict: false, hold: 1 });
  t.equal(runHelper(opened, PAYLOAD, "original", new Recorder()).verdict, "detach");
});

t.test("a helper may not care for the end, and may fail at it", async (t) => {
  const recorder = new Recorder();
  endHelper(
    passing(() => {}),
    PAYLOAD,
    "original",
    recorder,
    true,
  );
  t.ok(recorder.empty);
  const throws = {
    ...passing(() => {}),
    end: () => {
      throw new Error("x");
    },
  };
  endHelper(throws, PAYLOAD, "original", recorder, true);
  t.match(recorder.faults, [{ code: "helper-threw" }]);
  const refuses: Inspector = {
    ...passing(() => {}),
    end: (_p, _d, actions) => actions.refuse("unfinished", WHOLE, INSTEAD),
  };
  endHelper(refuses, PAYLOAD, "original", recorder, true);
  t.match(recorder.refusals, [{ code: "unfinished" }]);
});

t.test("what a helper writes may fail like anything else of it", async (t) => {
  const throwing = () => {
    throw new Error("x");
  };
  t.same(replacementFor({ ...WHOLE, text: throwing }, "why"), { ...WHOLE, text: "" });
  t.same(replacementFor({ ...WHOLE, text: (reason) => reason }, "why"), { ...WHOLE, text: "why" });
  const recorder = new Recorder();
  const ref = recorder.expect(announcement);
  const seen = [endpoint("1.2.3.4", 5001)];
  recorder.rewrite(0, 1, ref, ({ port }) => `${port}`);
  t.same(renderAll(recorder.rewrites, seen), [{ start: 0, end: 1, text: "5001" }]);
  recorder.rewrite(1, 2, ref, () => null);
  t.equal(renderAll(recorder.rewrites, seen), null);
  recorder.clear();
  recorder.rewrite(0, 1, ref, throwing);
  t.equal(renderAll(recorder.rewrites, seen), null);
});
