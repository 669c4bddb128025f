/**
 * Whatever the network does, and however the ends send: each end hears what the dialogue said in one piece makes of it,
 * and the dialogue finishes. The ends (peer.ts) find fault with everything that a correct connection could not bring.
 */
import { deepStrictEqual } from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { dialogues } from "./dialogues.ts";
import { settings } from "./settings.ts";
import { reference, Talk } from "./talk.ts";

const { env } = process;
const count = Number(env["KINDRED_DIALOGUES"] ?? 2000);
const seed = Number(env["KINDRED_SEED"] ?? 1);

t.test(`${count} dialogues over a network that loses, repeats and reorders`, async (t) => {
  const result = fc.check(
    fc.property(dialogues, settings, (dialogue, setting) => {
      const { outcome, lengths } = reference(dialogue);
      deepStrictEqual(new Talk(dialogue, setting, lengths).run(), outcome);
    }),
    { numRuns: count, seed },
  );
  if (result.failed) t.fail(fc.defaultReportMessage(result) ?? "");
  t.equal(result.numRuns, count);
});
