/** Who listens to the packet engine hears the same, in the same order, where offers wait for one another and where none does. */
import { deepStrictEqual } from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import type { ConnectionEntry } from "../../../core/balancer.ts";
import type { RelatedEntry } from "../../../core/flow/related.ts";
import type { Helper, OfferForm } from "../../../core/helper/api.ts";
import { endpointText, ms } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { Random } from "../../../tools/fuzz/generate/choices.ts";
import { describe } from "../../conversation.ts";
import { Director } from "../director.ts";
import {
  begun,
  conversation,
  directed,
  FEW,
  MANY,
  type Made,
  onTheWay,
  outcome,
  passive,
  Recorded,
  said,
} from "./passive.ts";

const entryText = (entry: RelatedEntry): string => `${describe(entry)} ${entry.state} ${entry.expires}`;
const clientOf = ({ client }: ConnectionEntry): string => endpointText(client);

/** Writes down all that it is told. `short`: as the engine's; false: nothing waits. */
function listening(short: boolean, rest: Made = {}): { readonly told: string[]; readonly made: Made } {
  const told: string[] = [];
  const tell = (...words: readonly unknown[]): void => void told.push(words.join(" "));
  const made: Made = {
    gone: (entry, reason) => tell("gone", reason, entryText(entry)),
    ...rest,
    options: {
      short,
      explain: ({ outcome, reason, message, direction, offset, length, related }, control) =>
        tell(outcome, reason, message, direction, offset, length, clientOf(control), related.map(entryText)),
      observer: {
        opened: (entry, related) => tell("opened", clientOf(entry), related?.kind),
        closed: (entry, original, reply) => tell("closed", clientOf(entry), original, reply),
      },
      ...rest.options,
    },
  };
  return { told, made };
}

/** The same, with what is in place: who hears of that has an entry of each. */
function handing(short: boolean, rest: Made = {}): ReturnType<typeof listening> {
  const listener = listening(short, {
    ...rest,
    options: {
      placed: (entry, seen) => void listener.told.push(`placed ${endpointText(seen)} ${describe({ ...entry, seen })}`),
    },
  });
  return listener;
}

t.test("property: what is told is the same, and so are the packets whether anybody listens or not", async (t) => {
  let expected = 0;
  const result = fc.check(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 64 }), (seed, most) => {
      const choices = new Random(seed);
      const packets = onTheWay(choices, conversation(choices, seed % 2 === 0 ? FEW : MANY));
      const waiting = handing(true);
      const alone = handing(false);
      const heard = outcome(packets, () => 1 + choices.below(most), waiting.made);
      deepStrictEqual(
        outcome(packets, () => 1, alone.made),
        heard,
      );
      deepStrictEqual(
        outcome(packets, () => 256),
        heard,
        "nobody listens",
      );
      deepStrictEqual(waiting.told, alone.told);
      expected += waiting.told.filter((text) => text.startsWith("expected")).length;
    }),
    { numRuns: 60 },
  );
  t.notOk(result.failed, result.failed ? (fc.defaultReportMessage(result) ?? "") : "");
  t.ok(expected > 3000, `${expected}`);
});

/** What the realservers of so many clients answer to a PASV each, all of them on the way at once. */
function atOnce(d: Director, clients: number): readonly Uint8Array[] {
  const sessions = Array.from({ length: clients }, (_, i) => begun(d, i));
  for (const session of sessions) session.say("PASV\r\n");
  return sessions.map(({ server }, i) => said(server, passive(i, 5001 + i)));
}

t.test("each offer is in place, and told of, after the reply before it was sent, and before its own is", async (t) => {
  const heard: unknown[] = [];
  const d: Director = directed(Director, {
    options: {
      placed: ({ target, state }) => heard.push(["placed", target.port, state, d.out.sent.count]),
      explain: ({ outcome, related }) => heard.push([outcome, related[0]?.target.port, d.out.sent.count]),
    },
  });
  d.all(atOnce(d, 3), "REAL");
  t.same(
    heard,
    [0, 1, 2].flatMap((i) => [
      ["placed", 5001 + i, "pending", i],
      ["expected", 5001 + i, i],
    ]),
  );
  t.equal(d.sent.length, 3);
});

/** FTP, but for one port that it has no words for. */
function speechless(port: number): Helper {
  const forms = new Map<OfferForm, OfferForm>();
  const mute = (form: OfferForm): OfferForm => {
    const known = forms.get(form) ?? { ...form, write: () => -1 };
    forms.set(form, known);
    return known;
  };
  const brief: Helper["brief"] = (payload, at, end, direction, state, place, into) => {
    const behind = ftp.brief!(payload, at, end, direction, state, place, into);
    if (into.form?.says === "offer" && into.port === port) into.form = mute(into.form);
    return behind;
  };
  return { ...ftp, brief };
}

t.test("of an offer that cannot be written, and is announced in full, nothing is told twice", async (t) => {
  const packets = (() => {
    const d = directed(Recorded);
    const offers = atOnce(d, 3);
    return [...d.packets, ...offers];
  })();
  const helper = speechless(5002);
  const waiting = handing(true, { helper });
  const alone = handing(false, { helper });
  t.strictSame(
    outcome(packets, () => 256, waiting.made),
    outcome(packets, () => 1, alone.made),
  );
  t.strictSame(waiting.told, alone.told);
  t.equal(waiting.told.filter((text) => text.startsWith("placed")).length, 3);
});

t.test("where nobody wants to read of what is expected, it is counted, and no entry is made of it", async (t) => {
  const passed: string[] = [];
  const { told, made } = listening(true, {
    passed: (reason) => void passed.push(reason),
    options: { hears: (outcome) => outcome !== "expected" },
  });
  const d = directed(Director, made);
  const [session] = [begun(d, 0)] as const;
  for (let i = 0; i < 11; i++) {
    session.say("PASV\r\n");
    t.equal(session.reply(passive(0, 5001 + i)).length > 0, true);
  }
  t.equal(d.engine.controls.counters.get("expected.ftp-passive"), 11);
  session.reply("227 unasked (10,0,0,3,19,136)\r\n");
  d.balancer.close([...d.balancer.connections][0]!, ms(0));
  t.same(passed, ["replaced", ...Array(10).fill("control-closed")]);
  t.same(
    told.map((text) => text.split(" ")[0]),
    ["opened", "refused"],
  );
});
