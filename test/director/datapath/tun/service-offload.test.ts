import t from "tap";
import { parseConfig } from "../../../../director/config.ts";
import { ServiceOffload, type Staying } from "../../../../director/datapath/tun/service-offload.ts";

const REALSERVERS = "[{ address: 192.168.0.2, port: 8080 }, { address: 192.168.0.3 }]";
const STAYING = "persistence: 90s";
const ONE = "[{ address: 192.168.0.3 }]";
const web = (rest: string, realservers = REALSERVERS, name = "web", port = 80): string =>
  `{ name: ${name}, vip: 203.0.113.10, ports: [tcp/${port}], realservers: ${realservers}, scheduler: rr, ${rest} }`;
const configOf = (...services: string[]) =>
  parseConfig(`services: [${services.join(", ")}]\noffload: nftables\n`, "test.yaml", { path: "tun" });
const PLAIN = configOf(web(""));
const markedOf = (ours: string): string =>
  `add rule inet kindred translated ct status dnat ct original ${ours} meta mark set meta mark or 0x1000000 accept`;
const noneBut = (...vips: readonly string[]): string =>
  [
    ...["services", "stays", "translated"].map((chain) => `flush chain inet kindred ${chain}`),
    ...[...vips, "ip daddr @ours4", "ip6 daddr @ours6"].map(markedOf),
    "add rule inet kindred translated iif @doors jump sources",
  ].join("\n");
/** The engine has every service. */
const NONE = noneBut();

interface Kernel {
  works: boolean;
  /** Clients by set, with the seconds that are left. */
  readonly sets: Map<string, Readonly<Record<string, number>>>;
  /** Transactions that it was asked for, in order. */
  readonly told: string[];
  readonly failures: string[];
  readonly offload: ServiceOffload;
}

/** An nft that keeps what it is told, and does it or not. */
function kernel(sets: Kernel["sets"] = new Map(), counts = { full: 3 }): Kernel {
  const told: string[] = [];
  const failures: string[] = [];
  const counter = () => /goto (to\d+)/.exec(told.find((rules) => rules.includes("goto")) ?? "")?.[1] ?? "";
  const full = () => counter().replace("to", "full");
  const lists: Readonly<Record<string, (name: string) => readonly object[]>> = {
    counters: () => [
      ...[{ counter: { name: counter(), packets: 7 } }, { counter: { name: "other", packets: 9 } }],
      { counter: { name: full(), packets: counts.full } },
    ],
    sets: () => ["other", ...sets.keys()].map((name) => ({ set: { name } })),
    set: (name) => [{ set: { name, elem: Object.entries(sets.get(name) ?? {}).map(([val, expires]) => ({ elem: { val, expires } })) } }], // biome-ignore format: one line
  };
  const offload = new ServiceOffload(
    async (options, input) => {
      if (options[0] === "-j") {
        const what = options[options.indexOf("list") + 1]!;
        return { printed: JSON.stringify({ nftables: [{ metainfo: {} }, ...lists[what]!(options.at(-1)!)] }) };
      }
      told.push(input!);
      return one.works || !input!.includes("vmap") ? { printed: "" } : { reason: "Error: no" };
    },
    (reason) => failures.push(reason),
  );
  const one: Kernel = { works: true, sets, told, failures, offload };
  return one;
}

t.test("a realserver that is down is taken out, and comes back by the same chain", async (t) => {
  const { offload, told } = kernel();
  await offload.update(PLAIN);
  await offload.mark("web", "192.168.0.2:8080", false);
  t.match(told.at(-1), /vmap \{ 0 : goto to\d+ \}/);
  await offload.mark("web", "192.168.0.2:8080", false);
  t.equal(told.length, 2, "nothing new");
  await offload.mark("web", "192.168.0.2:8080", true);
  t.equal(told[2], told[0]);
  await offload.withdraw();
  await offload.mark("web", "192.168.0.2:8080", false);
  t.same(told.slice(3), [NONE], "then nothing is written any more");
});

t.test("what changes while nft is at work is all in its next transaction, for which each waits", async (t) => {
  const { offload, told } = kernel();
  await offload.update(PLAIN);
  const first = offload.mark("web", "192.168.0.2:8080", false);
  while (told.length < 2) await new Promise(setImmediate);
  const later = [
    offload.mark("web", "192.168.0.2:8080", true),
    offload.mark("web", "192.168.0.3", false),
    offload.mark("web", "192.168.0.2:8080", false),
  ];
  await first;
  t.match(told[1], "mod 1 vmap");
  await later[0];
  t.same(told.slice(2), [noneBut("ip daddr 203.0.113.10")], "both are down: nobody's turn");
  await Promise.all(later);
  t.equal(told.length, 3);
});

t.test("what was refused does not undo what came meanwhile", async (t) => {
  const one = kernel();
  one.works = false;
  const refused = one.offload.update(PLAIN);
  while (one.told.length === 0) await new Promise(setImmediate);
  const next = one.offload.update(configOf(web("", REALSERVERS, "other")));
  await refused;
  one.works = true;
  await next;
  t.same(one.failures, ["Error: no"]);
  t.match(one.told.at(-1), "vmap");
});

t.test("connections are counted by realserver", async (t) => {
  const { offload } = kernel();
  t.same(await offload.withdraw(), {}, "there are none yet");
  await offload.update(PLAIN);
  t.same(await offload.withdraw(), { "web.192.168.0.2:8080": 7, "web.192.168.0.3": 0 });
});

t.test("who found no room in a set is counted by realserver", async (t) => {
  const { offload } = kernel();
  t.same(await offload.overflows(), []);
  await offload.update(PLAIN);
  t.same(await offload.overflows(), [], "no sets, and nobody is asked");
  await offload.update(configOf(web(STAYING)));
  t.same(await offload.overflows(), [{ service: "web", realserver: "192.168.0.2:8080", connections: 3 }]);
});

// The next director said of it once more that its set was full.
t.test("what was counted before a director was killed is not its successor's", async (t) => {
  const before = kernel();
  await before.offload.update(configOf(web(STAYING)));
  const counts = { full: 3 };
  const { offload, told } = kernel(new Map(), counts);
  // Its counters are there already.
  told.push(before.told[0]!);
  await offload.update(configOf(web(STAYING)));
  t.same(await offload.overflows(), []);
  counts.full = 5;
  t.same(await offload.overflows(), [{ service: "web", realserver: "192.168.0.2:8080", connections: 2 }]);
});

t.test("where nft refuses, no rule stays, and it is said", async (t) => {
  const one = kernel();
  await one.offload.update(PLAIN);
  one.works = false;
  await one.offload.mark("web", "192.168.0.2:8080", false);
  t.equal(one.told.at(-1), NONE);
  t.same(one.failures, ["Error: no"]);
  await one.offload.mark("web", "192.168.0.2:8080", true);
  t.equal(one.told.length, 3, "nothing more until the next configuration");
  one.works = true;
  await one.offload.update(PLAIN);
  t.match(one.told[3], /^add rule .* vmap /m, "which nft is asked to take again");
  t.same(one.failures, ["Error: no"]);
});

t.test("where nft does not even take its rules out, that is said", async (t) => {
  const failures: string[] = [];
  let works = true;
  const nft = async (options: readonly string[]) =>
    works || options[0] === "-j" ? { printed: "" } : { reason: "Error: no" };
  const offload = new ServiceOffload(nft, (reason) => failures.push(reason));
  await offload.update(configOf(web(STAYING)));
  works = false;
  t.equal(await offload.forget({}), 0, "nobody was forgotten");
  await offload.mark("web", "192.168.0.3", false);
  t.same(failures.splice(0), ["Error: no; and those of before stay: Error: no"]);
  await offload.withdraw();
  t.same(failures, ["its rules stay: Error: no"]);
});

t.test("clients without a timeout are listed, and an nft that writes no JSON lists nobody", async (t) => {
  let elements = JSON.stringify({ nftables: [{ set: { name: "x", elem: ["192.0.2.1"] } }] });
  const offload = new ServiceOffload(
    async (options) => ({ printed: options[0] !== "-j" ? "" : options.at(-1)!.startsWith("stay") ? elements : "no" }),
    () => t.fail("nothing failed"),
  );
  await offload.update(configOf(web(STAYING, ONE)));
  const listed = async (): Promise<string[]> => {
    const clients: string[] = [];
    for await (const { client, expires } of offload.staying({})) clients.push(`${client} ${expires}`);
    return clients;
  };
  t.same(await listed(), ["192.0.2.1 0"]);
  elements = "no";
  t.same(await listed(), []);
});

const setsIn = (rules: string): string[] => [...new Set(rules.match(/stay4_\d+/g))];

t.test("a realserver's names are its own, in whichever order the configuration has it", async (t) => {
  const namesIn = async (...services: string[]): Promise<string[]> => {
    const { offload, told } = kernel();
    await offload.update(configOf(...services));
    return setsIn(told[0]!).sort();
  };
  const other = web(STAYING, REALSERVERS, "other", 81);
  const names = await namesIn(web(STAYING), other);
  t.equal(names.length, 4);
  t.same(await namesIn(other, web(STAYING)), names);
});

const flushedIn = (told: readonly string[]): number[] => told.map((rules) => rules.match(/flush set/g)?.length ?? 0);

t.test("the set of a realserver that left is emptied once", async (t) => {
  const { offload, told } = kernel();
  for (const realservers of [REALSERVERS, ONE, ONE]) await offload.update(configOf(web(STAYING, realservers)));
  t.same(flushedIn(told), [0, 1, 0]);
});

t.test("so is one of a director that was killed, whose realserver is configured no more", async (t) => {
  const before = kernel();
  await before.offload.update(configOf(web(STAYING)));
  const sets = new Map(setsIn(before.told[0]!).map((name) => [name, {}]));
  const [kept, less] = [kernel(sets), kernel(sets)];
  await kept.offload.update(configOf(web(STAYING)));
  for (let i = 0; i < 2; i++) await less.offload.update(configOf(web(STAYING, ONE)));
  t.same([flushedIn(kept.told), flushedIn(less.told)], [[0], [1, 0]]);
});

t.test("who stays is listed, and forgotten, by service and realserver", async (t) => {
  const { offload, told, sets } = kernel();
  await offload.update(configOf(web(`${STAYING}, persistenceNetmask: 24`), web(STAYING, ONE, "other", 81)));
  const [first, second, other] = setsIn(told[0]!);
  sets.set(first!, { "192.0.2.0": 89 }).set(second!, { "198.51.100.0": 5 }).set(other!, { "192.0.2.7": 1 });
  const listed = async (scope: Parameters<typeof offload.staying>[0]): Promise<readonly Staying[]> => {
    const all: Staying[] = [];
    for await (const one of offload.staying(scope)) all.push(one);
    return all;
  };
  const told0 = { service: "web", realserver: "192.168.0.2:8080", gets: "new", prefix: 24 };
  t.same((await listed({}))[0], { ...told0, client: "192.0.2.0", expires: 89_000 });
  t.same(
    (await listed({})).map(({ client }) => client),
    ["192.0.2.0", "198.51.100.0", "192.0.2.7"],
  );
  t.same(
    (await listed({ service: "web", realserver: "192.168.0.3" })).map(({ client }) => client),
    ["198.51.100.0"],
  );
  t.equal(await offload.forget({ service: "web" }), 2);
  t.equal(told.at(-1), `flush set inet kindred ${first}\nflush set inet kindred ${second}`);
});
