/**
 * Whatever the network does, and however the ends send: each end hears what the dialogue said in one piece makes of it,
 * decisions are the same, and the dialogue finishes. The ends (peer.ts) find fault with everything that a correct
 * connection could not bring. KINDRED_DIALOGUES makes them more than in `npm test`; see CONTRIBUTING.md.
 */
import { deepStrictEqual } from "node:assert/strict";
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { Placing } from "../../../../core/engine/placing.ts";
import type { Conversation } from "../../../conversation.ts";
import { type Dialogue, dialogues } from "./dialogues.ts";
import { elsewhere, machine, traced } from "./machine.ts";
import { settings } from "./settings.ts";
import { type MakeMiddle, type Place, reference, Talk } from "./talk.ts";
import { SEED, tracedWhole, whole } from "./whole.ts";

const { env } = process;
const count = Number(env["KINDRED_DIALOGUES"] ?? 1000);
const seed = Number(env["KINDRED_SEED"] ?? 1);
/** The folder where each run adds a line. */
const summary = env["KINDRED_SOAK"];

interface Kind {
  readonly name: string;
  readonly make: MakeMiddle;
  readonly placeFor: (dialogue: Dialogue) => (talk: Conversation) => Place;
}

const kinds: readonly Kind[] = [
  {
    name: "machine",
    make: machine,
    placeFor:
      ({ ends }) =>
      () =>
        elsewhere(ends),
  },
  {
    name: "engine",
    make: whole,
    placeFor: () => (talk) => {
      const placing = new Placing(talk.balancer, SEED);
      return (entry) => placing.find(talk.control, entry, null);
    },
  },
];

for (const { name, make, placeFor } of kinds) {
  t.test(`${count} dialogues through the ${name}, over a network that loses, repeats and reorders`, async (t) => {
    let events = 0;
    const result = fc.check(
      fc.property(dialogues, settings, (dialogue, setting) => {
        const { outcome, lengths } = reference(dialogue, placeFor(dialogue));
        const talk = new Talk(dialogue, setting, lengths, make);
        deepStrictEqual(talk.run(), outcome);
        events += talk.clock.events;
      }),
      { numRuns: count, seed },
    );
    if (result.failed) t.fail(fc.defaultReportMessage(result) ?? "");
    t.equal(result.numRuns, count);
    if (summary === undefined || result.failed) return;
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    mkdirSync(summary, { recursive: true });
    const line = JSON.stringify({ name, version, dialogues: count, seed, events, failed: 0, node: process.version });
    appendFileSync(`${summary}/control.ndjson`, `${line}\n`);
  });
}

const [machineKind, engineKind] = kinds as [Kind, Kind];
for (const [{ name, placeFor }, make] of [
  [machineKind, traced],
  [engineKind, tracedWhole],
] as const) {
  t.test(
    `${name}: what goes a short way is sent what the general one sends: the same segments, at the same times`,
    async (t) => {
      const result = fc.check(
        fc.property(dialogues, settings, (dialogue, setting) => {
          const { outcome, lengths } = reference(dialogue, placeFor(dialogue));
          const run = (short: boolean): readonly string[] => {
            const trace: string[] = [];
            const { client, server } = new Talk(dialogue, setting, lengths, make(short, trace)).run();
            deepStrictEqual([client, server], [outcome.client, outcome.server]);
            return trace;
          };
          deepStrictEqual(run(true), run(false));
        }),
        { numRuns: Math.ceil(count / 20), seed },
      );
      t.notOk(result.failed, result.failed ? (fc.defaultReportMessage(result) ?? "") : "");
    },
  );
}
