/**
 * Conversations of every protocol but FTP, with what must come of each message, and the same with bytes changed.
 * `kindred fuzz HELPER` runs more of them.
 */
import fc from "fast-check";
import t from "tap";
import type { Helper } from "../../../core/helper/api.ts";
import { helpers } from "../../../helpers/index.ts";
import { conversations } from "../../../tools/fuzz/arbitraries.ts";
import { Random } from "../../../tools/fuzz/generate/choices.ts";
import { conversation, spoken } from "../../../tools/fuzz/generate/others/index.ts";
import type { Kind } from "../../../tools/fuzz/run/inputs.ts";
import { MessageCampaign } from "../../../tools/fuzz/run/messages.ts";

const SEED = 20_261_121;
const COUNT = 60;

const found = (helper: Helper, count: number, kinds: readonly Kind[] = ["dialogue", "wild"]) => {
  const campaign = new MessageCampaign(helper, { seed: SEED });
  for (let i = 0; i < count; i++) {
    for (const kind of kinds) {
      const finding = campaign.only(kind, i);
      if (finding !== null) return `${kind}/${i} ${finding.property}: ${finding.message}`;
    }
  }
  return null;
};

t.test("there are conversations for every helper but ftp", async (t) => {
  t.same(
    [...spoken].sort(),
    helpers
      .map(({ name }) => name)
      .filter((name) => name !== "ftp")
      .sort(),
  );
});

/** Those that let connections in. */
const OPENING = ["rtsp", "sip", "pnm", "wms", "dns", "tftp", "rsh", "xdmcp"];

for (const name of spoken) {
  const helper = helpers.find((one) => one.name === name)!;
  t.test(
    `${COUNT} conversations of ${name}: what the model knows comes of them; changed, they show nothing`,
    async (t) => {
      t.equal(found(helper, COUNT), null);
      const all = Array.from({ length: COUNT }, (_, i) => conversation(name, new Random(SEED, i)).said).flat();
      const opens = all.filter(({ lets = [] }) => lets.length > 0).length;
      t.equal(opens > COUNT / 8, OPENING.includes(name), `${opens} messages of ${all.length} let something in`);
      t.ok(all.filter(({ hears }) => hears !== undefined).length > all.length / 2, "of most it is known what is heard");
    },
  );
}

t.test("there are conversations of every port and transport of a helper", async (t) => {
  const services = (name: string) => {
    const all = Array.from({ length: COUNT }, (_, i) => conversation(name, new Random(SEED, i)).ends);
    return [...new Set(all.map(({ port = "first", transport = "own" }) => `${port} ${transport}`))].sort();
  };
  t.same(services("netbios"), ["138 own", "first own"]);
  t.same(services("rsh"), ["512 own", "first own"]);
  for (const name of ["dns", "sip"]) t.same(services(name), ["first own", "first udp"]);
});

t.test("a helper that does otherwise on packets is found", async (t) => {
  for (const name of ["tftp", "ident"]) {
    const helper = helpers.find((one) => one.name === name)!;
    let opened = 0;
    // Each conversation is held whole, cut where it is a stream, and on packets.
    const runs = helper.transport === "udp" ? 2 : 3;
    const moody: Helper = {
      ...helper,
      open: (connection, settings) => {
        const inspector = helper.open(connection, settings);
        const last = ++opened % runs === 0;
        return {
          inspect: (payload, direction, actions) => {
            if (last) actions.note("moody");
            return inspector.inspect(payload, direction, actions);
          },
        };
      },
    };
    t.match(found(moody, 1, ["dialogue"]), /hosts: the packet engine decides otherwise/, name);
  }
});

t.test("fast-check makes and shrinks them", async (t) => {
  const holds = ({ said }: { said: readonly { lets?: readonly number[] }[] }) =>
    said.every(({ lets }) => !lets?.length);
  const result = fc.check(fc.property(conversations("sip"), holds), { seed: SEED, numRuns: 100 });
  t.ok(result.failed);
  t.ok(result.counterexample![0].said.length <= 4);
});

const rtsp = helpers.find(({ name }) => name === "rtsp")!;
const broken = (inspect: ReturnType<Helper["open"]>["inspect"]): Helper => ({ ...rtsp, open: () => ({ inspect }) });

t.test("a helper that throws, cannot bear to be cut, or reads nothing is found", async (t) => {
  t.match(
    found(
      broken(() => ({ verdict: "pass", consumed: -1 })),
      3,
    ),
    /threw/,
  );
  const bySegment = broken((payload, _direction, actions) => {
    if (payload[0] === 0x53) actions.fault("begins-with-s");
    return { verdict: "pass", consumed: payload.length };
  });
  t.match(found(bySegment, COUNT, ["wild"]), /segmentation/);
  t.match(
    found(
      broken(({ length }) => ({ verdict: "pass", consumed: length })),
      COUNT,
    ),
    /missed|stream/,
  );
});

t.test("a helper that writes the wrong port is found", async (t) => {
  const rsh = helpers.find(({ name }) => name === "rsh")!;
  const wrong: Helper = {
    ...rsh,
    open: (connection, settings) => {
      const inspector = rsh.open(connection, settings);
      return {
        inspect: (payload, direction, actions) =>
          inspector.inspect(payload, direction, {
            ...bound(actions),
            rewrite: (start, end, ref, render) => actions.rewrite(start, end - 1, ref, render),
          }),
      };
    },
  };
  t.match(found(wrong, COUNT), /rewrite/);
});

/** Its methods, to be taken apart. */
function bound<T extends object>(actions: T): T {
  const all = Object.getOwnPropertyNames(Object.getPrototypeOf(actions) as object) as (keyof T)[];
  return Object.fromEntries(
    all
      .filter((name) => typeof actions[name] === "function")
      .map((name) => [name, (actions[name] as () => void).bind(actions)]),
  ) as T;
}
