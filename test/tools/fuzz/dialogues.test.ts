/**
 * FTP dialogues of the fuzzer through the socket path, the packet engine and replay: what must come of them is known (the
 * model), or, where bytes were changed, much of what must not. `kindred fuzz ftp` runs more of them.
 */
import fc from "fast-check";
import t from "tap";
import type { Helper } from "../../../core/helper/api.ts";
import { helpers } from "../../../helpers/index.ts";
import { ftpCommands, ftpDialogues, ftpReplies, wildFtpDialogues } from "../../../tools/fuzz/arbitraries.ts";
import { Random } from "../../../tools/fuzz/generate/choices.ts";
import { dialogue } from "../../../tools/fuzz/generate/ftp/dialogue.ts";
import { type Dialogue, saidBy } from "../../../tools/fuzz/generate/ftp/model.ts";
import { wild } from "../../../tools/fuzz/generate/ftp/wild.ts";
import { checkDialogue } from "../../../tools/fuzz/properties/dialogue.ts";

const ftp = helpers.find(({ name }) => name === "ftp")!;
const SEED = 20_261_121;
const COUNT = 120;

/** What the first broken dialogue among `count` shows, for a report. */
function firstBroken(helper: Helper, count: number, make: (random: Random) => Dialogue): string | null {
  for (let i = 0; i < count; i++) {
    const random = new Random(SEED, i);
    const found = checkDialogue(helper, make(random), random);
    if (found !== null) return `#${i} ${found.property}: ${found.message}`;
  }
  return null;
}

t.test(`${COUNT} dialogues: everything that the model knows comes of them, on every path`, async (t) => {
  t.equal(firstBroken(ftp, COUNT, dialogue), null);
});

t.test(`${COUNT} dialogues with bytes changed: no hole, nothing misread, the same on every path`, async (t) => {
  t.equal(
    firstBroken(ftp, COUNT, (random) => wild(dialogue(random), random)),
    null,
  );
});

t.test("a seed makes the same dialogue each time, another seed another", async (t) => {
  const made = (seed: number) => JSON.stringify(dialogue(new Random(seed, 3)));
  t.equal(made(1), made(1));
  t.not(made(1), made(2));
});

t.test("fast-check makes and shrinks them: a dialogue with a 227 shrinks to little more", async (t) => {
  const holds = ({ turns }: Dialogue) => !turns.some((turn) => saidBy(turn).startsWith("227 "));
  const result = fc.check(fc.property(ftpDialogues(), holds), { seed: SEED, numRuns: 200 });
  t.ok(result.failed);
  const [shrunk] = result.counterexample!;
  t.ok(shrunk.turns.length <= 9, JSON.stringify(shrunk.turns));
});

t.test("arbitraries make announced and refused messages, and dialogues of both kinds", async (t) => {
  const replies = fc.sample(ftpReplies(), { seed: SEED, numRuns: 100 });
  const commands = fc.sample(ftpCommands(), { seed: SEED, numRuns: 100 });
  for (const messages of [replies, commands]) {
    for (const outcome of ["announced", "refused"]) t.ok(messages.some((message) => message.outcome === outcome));
  }
  t.ok(fc.sample(wildFtpDialogues(), 10).every(({ exact }) => !exact));
});
