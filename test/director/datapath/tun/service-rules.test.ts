import t from "tap";
import type { ServiceConfig } from "../../../../director/config/types.ts";
import { parseConfig } from "../../../../director/config.ts";
import { type ClientSets, fitsKernel, serviceRules } from "../../../../director/datapath/tun/service-rules.ts";

const REALSERVERS = "[{ address: 192.168.0.2, port: 8080, weight: 3 }, { address: 192.168.0.3 }]";
const OWN_PORTS = "[{ address: 192.168.0.2 }, { address: 192.168.0.3 }]";
const SIX = '[{ address: "fd00::3" }]';
const SAME_ADDRESS = "[{ address: 192.168.0.2 }, { address: 192.168.0.2, port: 81 }]";
const web = (rest: string, ports = "[tcp/80]", vip = "203.0.113.10", realservers = REALSERVERS): string =>
  `{ name: web, vip: "${vip}", ports: ${ports}, realservers: ${realservers}, ${rest} }`;

const configOf = (services: string) =>
  parseConfig(`services: [${services}]\noffload: nftables\n`, "test.yaml", { path: "tun" });
const service = (...given: Parameters<typeof web>): ServiceConfig => configOf(web(...given)).services[0]!;

t.test("in turn, by weights or by the client's address: that is the kernel's", async (t) => {
  for (const scheduler of ["rr", "wrr", "sh"]) t.equal(fitsKernel(service(`scheduler: ${scheduler}`)), true, scheduler);
});

t.test("so are datagrams, several ports, and clients that stay", async (t) => {
  for (const ports of ["[udp/80]", "[tcp/80-81]", "[tcp/80, tcp/443, udp/443]"]) {
    t.equal(fitsKernel(service("scheduler: rr", ports, "203.0.113.10", OWN_PORTS)), true, ports);
  }
  t.equal(fitsKernel(service("scheduler: rr, persistence: 300s, persistenceNetmask: 24")), true, "persistence");
});

t.test("what nftables cannot say stays in the engine", async (t) => {
  const stays: readonly (readonly [string, ServiceConfig])[] = [
    ...["lc", "wlc", "sed", "nq", "fo", "ovf", "maglev"].map((one) => [one, service(`scheduler: ${one}`)] as const),
    [
      "clients that stay with one of two at the same address",
      service("scheduler: rr, persistence: 300s", "[tcp/80]", "203.0.113.10", SAME_ADDRESS),
    ],
    [
      "the same of several ports, where clients stay unasked",
      {
        ...service("scheduler: rr", "[tcp/80]", "203.0.113.10", SAME_ADDRESS),
        ports: service("scheduler: rr", "[tcp/80-81]", "203.0.113.10", OWN_PORTS).ports,
      },
    ],
    [
      "a mark",
      configOf(
        `${web("scheduler: rr, mark: one")}, ${web("scheduler: rr, mark: one", "[tcp/81]").replace("name: web", "name: other")}`,
      ).services[0]!,
    ],
    ["a helper", service("scheduler: rr, helper: ftp", "[tcp/21]", "203.0.113.10", OWN_PORTS)],
    ["flows that are to be cut", service("scheduler: rr, check: { kind: tcp, onFailure: drop }")],
    ["direct routing", service("scheduler: rr", "[tcp/80]", "203.0.113.10", "[{ address: 192.168.0.2, method: dr }]")],
    [
      "more turns than one can read",
      service(
        "scheduler: wrr",
        "[tcp/80]",
        "203.0.113.10",
        "[{ address: 192.168.0.2, weight: 256 }, { address: 192.168.0.3 }]",
      ),
    ],
  ];
  for (const [what, one] of stays) t.equal(fitsKernel(one), false, what);
});

const ALL: Parameters<typeof serviceRules>[1] = {
  number: (_service, realserver) => Number(realserver.split(":")[0]!.at(-1)),
  takes: () => true,
};
const FIRST = "ip daddr 203.0.113.10 tcp dport 80 tcp flags & (fin | syn | rst | ack) == syn";

/** The commands for one service. */
const rulesOf = (one: ServiceConfig, options = ALL, before?: ClientSets): string[] =>
  serviceRules([one], options, before).rules.split("\n");

const marked = (ours: string): string =>
  `add rule inet kindred translated ct status dnat ct original ${ours} meta mark set meta mark or 0x1000000 accept`;
/** What empties the chains of those before, where `vip` is the only one. */
const noneBut = (vip: string): string[] => [
  ...["services", "stays", "translated"].map((chain) => `flush chain inet kindred ${chain}`),
  ...[vip, "ip daddr @ours4", "ip6 daddr @ours6"].map(marked),
  "add rule inet kindred translated iif @doors jump sources",
];
const NONE = noneBut("ip daddr 203.0.113.10");

t.test("a service is a rule, and a chain with a counter for each realserver", async (t) => {
  const rules = rulesOf(service("scheduler: rr"));
  t.same(rules, [
    ...NONE,
    "add counter inet kindred to2",
    "add chain inet kindred to2",
    "flush chain inet kindred to2",
    "add rule inet kindred to2 meta l4proto tcp counter name to2 dnat ip to 192.168.0.2:8080",
    "add counter inet kindred to3",
    "add chain inet kindred to3",
    "flush chain inet kindred to3",
    "add rule inet kindred to3 counter name to3 dnat ip to 192.168.0.3",
    `add rule inet kindred services ${FIRST} numgen inc mod 2 vmap { 0 : goto to2, 1 : goto to3 }`,
  ]);
});

t.test("the only VIP of a family is compared, before the set of all that there have been is asked", async (t) => {
  const markedIn = (...vips: readonly string[]): string[] =>
    serviceRules(
      vips.map((vip) => service("scheduler: lc", "[tcp/80]", vip, vip.includes(":") ? SIX : OWN_PORTS)),
      ALL,
    )
      .rules.split("\n")
      .filter((rule) => rule.includes("meta mark set"));
  const sets = ["ip daddr @ours4", "ip6 daddr @ours6"].map(marked);
  const [four, six] = ["ip daddr 203.0.113.10", "ip6 daddr 2001:db8::10"].map(marked);
  t.same(markedIn("203.0.113.10", "203.0.113.10"), [four, ...sets]);
  t.same(markedIn("203.0.113.10", "2001:db8::10"), [four, six, ...sets]);
  t.same(markedIn("203.0.113.10", "203.0.113.11", "2001:db8::10"), [six, ...sets]);
  t.same(markedIn(), sets);
});

const lastOf = (one: ServiceConfig, options = ALL): string => rulesOf(one, options).at(-1)!;

t.test("weights are turns of a cycle, none twice in a row without need", async (t) => {
  const cycle = "0 : goto to2, 1 : goto to2, 2 : goto to3, 3 : goto to2";
  t.match(lastOf(service("scheduler: wrr")), `numgen inc mod 4 vmap { ${cycle} }`);
  const even = "[{ address: 192.168.0.2, weight: 200 }, { address: 192.168.0.3, weight: 100 }]";
  t.match(lastOf(service("scheduler: wrr", "[tcp/80]", "203.0.113.10", even)), "numgen inc mod 3");
});

t.test("by the client's address, of either family", async (t) => {
  t.match(lastOf(service("scheduler: sh")), "jhash ip saddr mod 2");
  const six = service("scheduler: sh", "[tcp/80]", "2001:db8::10", '[{ address: "fd00::3" }]');
  const options = { ...ALL, number: () => 1 };
  t.match(lastOf(six, options), "ip6 daddr 2001:db8::10 tcp dport 80");
  t.match(lastOf(six, options), "jhash ip6 saddr mod 1");
  t.match(rulesOf(six, options).join("\n"), "dnat ip6 to fd00::3");
  const own = service("scheduler: sh", "[tcp/80]", "2001:db8::10", '[{ address: "fd00::3", port: 81 }]');
  t.match(rulesOf(own, options).join("\n"), "meta l4proto tcp counter name to1 dnat ip6 to [fd00::3]:81");
});

t.test("who takes nothing new is in no rule, and without anybody there is none", async (t) => {
  const drained = service("scheduler: rr", "[tcp/80]", "203.0.113.10", REALSERVERS.replace("weight: 3", "weight: 0"));
  t.match(lastOf(drained), "mod 1 vmap { 0 : goto to3 }");
  t.match(
    lastOf(service("scheduler: rr"), { ...ALL, takes: (_service, real) => real !== "192.168.0.3" }),
    "goto to2 }",
  );
  t.same(rulesOf(service("scheduler: rr"), { ...ALL, takes: () => false }), NONE);
});

t.test("a sorry server is in a rule only while nobody else takes anything", async (t) => {
  const sorry = service("scheduler: rr", "[tcp/80]", "203.0.113.10", OWN_PORTS.replace(" }]", ", sorry: true }]"));
  t.match(lastOf(sorry), "mod 1 vmap { 0 : goto to2 }");
  t.match(lastOf(sorry, { ...ALL, takes: (_service, real) => real !== "192.168.0.2" }), "mod 1 vmap { 0 : goto to3 }");
});

t.test("several ports are a set for each transport, and a datagram needs no flags to be the first", async (t) => {
  const several = service("scheduler: rr", "[tcp/80, udp/443, tcp/8000-8010]", "203.0.113.10", OWN_PORTS);
  const rules = rulesOf(several);
  const firsts = rules.flatMap((rule) => /services (ip daddr .*) numgen/.exec(rule)?.[1] ?? []);
  t.same(firsts, [
    "ip daddr 203.0.113.10 tcp dport { 80, 8000-8010 } tcp flags & (fin | syn | rst | ack) == syn",
    "ip daddr 203.0.113.10 udp dport 443",
  ]);
});

t.test("clients of several ports stay for 300 s unasked, as with the engine, and as long as asked for", async (t) => {
  for (const [rest, seconds] of [
    ["scheduler: rr", 300],
    [STAYING, 90],
  ] as const) {
    const rules = rulesOf(service(rest, "[tcp/80, udp/443]", "203.0.113.10", OWN_PORTS));
    for (const first of [FIRST, "ip daddr 203.0.113.10 udp dport 443"]) {
      t.ok(rules.includes(`add rule inet kindred services ${first} ip saddr @stay4_2 goto to2`), first);
    }
    t.ok(rules.some((rule) => rule.includes(`to2 update @stay4_2 { ip saddr timeout ${seconds}s }`)));
  }
  t.notOk(
    rulesOf(service("scheduler: rr")).some((rule) => rule.includes("stay4")),
    "of one port they do not",
  );
});

const STAYING = "scheduler: rr, persistence: 90s";

t.test("who stays is asked for first, put into the set by the first packet, and renewed by each", async (t) => {
  const rules = rulesOf(service(STAYING));
  const known = `add rule inet kindred services ${FIRST} ip saddr @stay4_2 goto to2`;
  t.ok(rules.includes(known));
  t.ok(rules.indexOf(known) < rules.findIndex((rule) => rule.includes("numgen")), "before it is anybody's turn");
  const staying = "update @stay4_2 { ip saddr timeout 90s }";
  const to = `add rule inet kindred to2 meta l4proto tcp ${staying} counter name to2 dnat ip to 192.168.0.2:8080`;
  t.ok(rules.includes(to));
  t.ok(rules.includes(`add rule inet kindred keep2 ip saddr @stay4_2 ${staying}`), "but nobody who is not in it");
  const each = "ct original ip daddr 203.0.113.10 meta l4proto tcp ct original proto-dst 80 ip daddr";
  const keepers = "{ 192.168.0.2 : goto keep2, 192.168.0.3 : goto keep3 }";
  t.equal(rules.at(-1), `add rule inet kindred stays ${each} vmap ${keepers}`);
  const led = "add rule inet kindred translated ct status dnat ct direction original jump stays";
  t.equal(
    rules.indexOf(led),
    3,
    "each of a client's packets comes there before it goes on, and only where somebody stays",
  );
  t.same([...rules.slice(0, 3), ...rules.slice(4, NONE.length + 1)], NONE);
});

// Of several in a set nft 1.0.6 lists "0x50 [invalid type]", and cannot read it again.
t.test("each range of ports has a rule of its own for packets that are translated", async (t) => {
  const rules = rulesOf(service(STAYING, "[tcp/80, tcp/443, udp/7000-7010]", "203.0.113.10", OWN_PORTS));
  const ranges = rules.flatMap(
    (rule) => /meta l4proto (\w+) ct original proto-dst (.+) ip daddr/.exec(rule)?.slice(1) ?? [],
  );
  t.same(ranges, ["tcp", "80", "tcp", "443", "udp", "7000-7010"]);
});

t.test("a client's network stays as one, in either family", async (t) => {
  t.match(
    rulesOf(service(`${STAYING}, persistenceNetmask: 20`)).join("; "),
    "{ ip saddr & 255.255.240.0 timeout 90s }",
  );
  const six = service(`${STAYING}, persistenceNetmask: 64`, "[tcp/80]", "2001:db8::10", '[{ address: "fd00::3" }]');
  const masked = "ip6 saddr & ffff:ffff:ffff:ffff:: @stay6_1 goto to1";
  t.match(rulesOf(six, { ...ALL, number: () => 1 }).join("; "), masked);
});

const DRAINING = REALSERVERS.replace("weight: 3", "weight: 0");

t.test("who is drained keeps clients with connections, and nobody for long; who is down keeps none", async (t) => {
  const drained = rulesOf(service(STAYING, "[tcp/80]", "203.0.113.10", DRAINING));
  t.ok(drained.includes("flush set inet kindred stay4_2"));
  t.ok(drained.includes(`add rule inet kindred services ${FIRST} ip saddr @stay4_2 goto to2`));
  const keepers = drained.filter((rule) => rule.startsWith("add rule inet kindred keep"));
  t.same(
    keepers.map((rule) => rule.slice("add rule inet kindred ".length)),
    [
      "keep3 ip saddr @stay4_3 update @stay4_3 { ip saddr timeout 90s }",
      "keep2 ip saddr @stay4_3 return",
      "keep2 update @stay4_2 { ip saddr timeout 10s }",
    ],
  );
  t.match(drained.join("; "), "mod 1 vmap { 0 : goto to3 }");
  const down = rulesOf(service(STAYING), { ...ALL, takes: (_service, real) => real === "192.168.0.3" });
  t.ok(down.includes("flush set inet kindred stay4_2"));
  t.notOk(down.includes("flush set inet kindred stay4_3"));
  t.notOk(down.some((rule) => rule.includes("goto to2") || rule.includes("goto keep2")));
});

t.test("where all are drained, who is connected stays, and the others are the engine's", async (t) => {
  const rules = rulesOf(service(STAYING, "[tcp/80]", "203.0.113.10", DRAINING.replace(".3 }", ".3, weight: 0 }")));
  t.ok(rules.includes(`add rule inet kindred services ${FIRST} ip saddr @stay4_2 goto to2`));
  t.ok(rules.includes(`add rule inet kindred services ${FIRST} ip saddr @stay4_3 goto to3`));
  t.notOk(rules.some((rule) => rule.includes("numgen")));
});

t.test(
  "a set is emptied when its realserver stops taking clients, goes, or is down; never while it is drained",
  async (t) => {
    const emptiedBy = (one: ServiceConfig | null, before?: ClientSets, options = ALL): string[] =>
      serviceRules(one === null ? [] : [one], options, before).rules.match(/(?<=flush set inet kindred ).*/g) ?? [];
    const setsOf = (one: ServiceConfig): ClientSets => serviceRules([one], ALL).sets;
    const all = service(STAYING);
    const one = service(STAYING, "[tcp/80]", "203.0.113.10", "[{ address: 192.168.0.3 }]");
    const drained = service(STAYING, "[tcp/80]", "203.0.113.10", DRAINING);
    t.same(emptiedBy(all), [], "of one before that was killed");
    t.same(emptiedBy(all, setsOf(all)), []);
    t.same(emptiedBy(drained), ["stay4_2"]);
    t.same(emptiedBy(drained, setsOf(all)), ["stay4_2"]);
    t.same(emptiedBy(drained, setsOf(drained)), []);
    t.same(emptiedBy(all, setsOf(drained)), []);
    t.same(emptiedBy(one, setsOf(all)), ["stay4_2"]);
    t.same(emptiedBy(null, setsOf(all)), ["stay4_2", "stay4_3"]);
    t.same(emptiedBy(all, setsOf(all), { ...ALL, takes: () => false }), ["stay4_2", "stay4_3"]);
  },
);
