import t from "tap";
import type { Announcement } from "../../../core/helper/api.ts";
import { Recorder } from "../../../core/helper/recorder.ts";
import { port } from "../../../core/units.ts";

const at = { start: 0, end: 1 };
const announcement = { kind: "x" } as Announcement;

t.test("every action is recorded, and clear forgets all of them", async (t) => {
  const recorder = new Recorder();
  t.ok(recorder.empty);
  const ref = recorder.expect(announcement, announcement);
  recorder.rewrite(0, 1, ref, () => "", 1);
  recorder.write(1, 2, "text");
  recorder.translate(2, 3, { client: port(1), server: port(2) }, () => "");
  recorder.settle(ref, "rejected");
  recorder.revoke(ref);
  recorder.refuse("code", at, { ...at, text: () => "" });
  recorder.group("tls");
  recorder.fault("fault");
  recorder.note("note", at);
  t.notOk(recorder.empty);
  t.match(recorder, {
    expected: [{ ref, bundle: [announcement, announcement] }],
    rewrites: [{ start: 0, end: 1, ref, index: 1 }],
    edits: [{ start: 1, end: 2, text: "text" }],
    translations: [{ start: 2, end: 3, pair: { client: 1, server: 2 } }],
    settled: [{ ref, outcome: "rejected", completed: null }],
    revoked: [ref],
    refusals: [{ code: "code", at }],
    groups: [{ reason: "tls", ports: null }],
    faults: [{ code: "fault", at: null }],
    notes: [{ code: "note", at }],
  });
  recorder.clear();
  t.ok(recorder.empty);
  for (const list of Object.values(recorder)) t.same(list, []);
});

t.test("each action by itself is one that clear sees", async (t) => {
  const record: ((recorder: Recorder) => void)[] = [
    (r) => r.expect(announcement),
    (r) => r.rewrite(0, 0, 1 as never, () => ""),
    (r) => r.write(0, 0, ""),
    (r) => r.translate(0, 0, { client: port(1), server: port(2) }, () => ""),
    (r) => r.settle(1 as never, "accepted"),
    (r) => r.revoke(1 as never),
    (r) => r.refuse("x", at, { ...at, text: () => "" }),
    (r) => r.group("x", []),
    (r) => r.fault("x"),
    (r) => r.note("x"),
  ];
  for (const one of record) {
    const recorder = new Recorder();
    one(recorder);
    t.notOk(recorder.empty);
    recorder.clear();
    t.ok(recorder.empty && Object.values(recorder).every((list) => list.length === 0));
  }
});

t.test("references are never used twice in one control connection", async (t) => {
  const recorder = new Recorder();
  const first = recorder.expect(announcement);
  recorder.clear();
  t.not(recorder.expect(announcement), first);
});
