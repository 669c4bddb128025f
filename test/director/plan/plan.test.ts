import { spawnSync } from "node:child_process";
import t from "tap";
import { commandText, planJson, planText, quoted } from "../../../director/plan/text.ts";
import { fixture, goldenPlan, PLANS, planned } from "./plans.ts";

for (const name of Object.keys(PLANS)) {
  t.test(`the plan ${name} is, word by word, that of fixtures/plan/${name}.txt`, async (t) => {
    t.equal(planText(goldenPlan(name)), fixture(`${name}.txt`));
  });

  t.test(
    `${name}: every step says why, and either has an undo, or goes with another, or is a recorded setting`,
    async (t) => {
      const { steps } = goldenPlan(name);
      t.ok(steps.length > 0);
      for (const { why, undo, keeps, run } of steps) {
        t.ok(why.length > 10, commandText(run));
        const goes = ["tc class", "ip link set"].some((words) => commandText(run).startsWith(words));
        t.ok(undo !== null || keeps !== undefined || goes, commandText(run));
      }
    },
  );
}

const { PATH = "" } = process.env;
const nft = spawnSync("nft", ["list", "tables"], { env: { ...process.env, PATH: `${PATH}:/usr/sbin` } });
const needs = process.getuid?.() !== 0 ? "root" : nft.status !== 0 ? "nft" : null;
t.test("nft takes every table of every plan", { skip: needs === null ? false : `needs ${needs}` }, async (t) => {
  for (const name of Object.keys(PLANS)) {
    const tables = goldenPlan(name).steps.filter(({ run }) => run.input !== undefined);
    for (const { run, host } of tables) {
      const { status, stderr } = spawnSync("/usr/sbin/nft", ["-c", "-f", "-"], { input: run.input, encoding: "utf8" });
      t.equal(status, 0, `${name}, ${host}: ${stderr}`);
    }
  }
});

t.test("the script is one that a shell can read", async (t) => {
  for (const name of Object.keys(PLANS)) {
    const { status, stderr } = spawnSync("sh", ["-n"], { input: planText(goldenPlan(name)), encoding: "utf8" });
    t.equal(status, 0, `${name}: ${stderr}`);
  }
});

t.test("a shell reads every quoted word as it was", async (t) => {
  const words = [
    "plain",
    "it's",
    "a b",
    "$HOME",
    "`id`",
    "a;b",
    "",
    "-n",
    "*",
    "~",
    "\\",
    "{ 21, 22 }",
    "a\nb",
    '"',
    "#x",
  ];
  const { stdout } = spawnSync("sh", ["-c", `printf '%s\\0' ${words.map(quoted).join(" ")}`], { encoding: "utf8" });
  t.same(stdout.split("\0").slice(0, -1), words);
});

t.test("JSON has the same steps, host by host", async (t) => {
  const plan = goldenPlan("lvc-snat");
  const { topology, steps } = JSON.parse(planJson(plan)) as typeof plan;
  t.equal(topology, "lvc-snat");
  t.same(
    steps.map(({ host, run }) => [host, run.argv]),
    plan.steps.map(({ host, run }) => [host, run.argv]),
  );
});

t.test("ARP is silenced before the realserver has the VIP, whichever way it gets it", async (t) => {
  for (const name of ["dr", "dr-route", "tunnel"]) {
    const { steps } = goldenPlan(name);
    const lines = steps.filter(({ host }) => host === "192.168.0.2").map(({ run }) => run.argv.join(" "));
    const at = (words: string): number => lines.findIndex((line) => line.includes(words));
    t.ok(at("arp_ignore=1") >= 0 && at("arp_announce=2") >= 0, name);
    t.ok(Math.max(at("arp_ignore=1"), at("arp_announce=2")) < at("203.0.113.10/32"), name);
  }
});

t.test("no two rules of a host have the same priority", async (t) => {
  for (const name of Object.keys(PLANS)) {
    const rules = goldenPlan(name).steps.filter(({ run }) => run.argv.includes("rule"));
    const seen = rules.map(({ host, run }) => [host, ...run.argv.slice(0, run.argv.indexOf("priority") + 2)].join(" "));
    t.equal(new Set(seen).size, seen.length, name);
  }
});

const yaml = (service: string): string => `services:\n  - ${service}\n`;
const WEB = "{ name: web, vip: 203.0.113.10, ports: [tcp/80], realservers: [{ address: 192.168.0.2 }] }";

const refused: [why: string, config: string, texts: Parameters<typeof planned>[1], says: RegExp][] = [
  ["NAT without the director's address", WEB, { topology: "nat", front: "eth0" }, /--gateway is missing.*IPv4/],
  ["NAT without the device of the clients", WEB, { topology: "nat", gateway: ["192.168.0.1"] }, /--front is missing/],
  [
    "an IPv6 VIP on no device that neighbours ask",
    "{ name: web, vip: 2001:db8::10, ports: [tcp/80], realservers: [{ address: fd00::2 }] }",
    { topology: "lvc-rr" },
    /--front is missing/,
  ],
  ["queues without a rate", WEB, { topology: "lvc-tos", front: "eth0" }, /--rate is missing/],
  ["bandwidth without shares", WEB, { topology: "lvc-bandwidth", front: "eth0", rate: "1mbit" }, /--share is missing/],
  [
    "shares of a service that is not there",
    WEB,
    { topology: "lvc-bandwidth", front: "eth0", rate: "1mbit", share: ["wbe=70"] },
    /"wbe" is no service; there are web/,
  ],
  [
    "more than everything",
    WEB,
    { topology: "lvc-bandwidth", front: "eth0", rate: "1mbit", share: ["web=70", "mail=40"] },
    /110 % in all/,
  ],
  [
    "direct routing to a director with the VIP",
    WEB,
    { topology: "lvc-dr", vip: "director", front: "eth0" },
    /leave out --vip/,
  ],
  [
    "a realserver of the other family",
    "{ name: web, vip: 2001:db8::10, ports: [tcp/80], realservers: [{ address: 192.168.0.2 }] }",
    { topology: "lvc-rr", vip: "director", front: "eth0" },
    /192\.168\.0\.2 is IPv4, the VIP IPv6/,
  ],
  [
    "different ports where nothing remembers which",
    "{ name: web, vip: 203.0.113.10, ports: [tcp/80], realservers: [{ address: 192.168.0.2, port: 81 }, { address: 192.168.0.3 }] }",
    { topology: "lvc-snat", gateway: ["192.168.0.1"] },
    /different ports/,
  ],
  [
    "another port with direct routing",
    "{ name: web, vip: 203.0.113.10, ports: [tcp/80], realservers: [{ address: 192.168.0.2, port: 81 }] }",
    { topology: "lvc-dr", front: "eth0" },
    /cannot change port 80/,
  ],
  ["an unknown topology", WEB, { topology: "ring" }, /--topology: "ring" is none; write nat, dr/],
  ["a device that is a command", WEB, { front: "eth0; reboot" }, /is no device name/],
  ["a device that is an option", WEB, { front: "-b" }, /is no device name/],
  ["a rate that is none", WEB, { rate: "10 mbit" }, /is no rate/],
  ["an address that is none", WEB, { gateway: ["192.168.0.01"] }, /is no address/],
  ["two addresses of one family", WEB, { gateway: ["192.168.0.1", "192.168.0.9"] }, /a second IPv4 address/],
  ["a share of nothing", WEB, { share: ["web"] }, /write SERVICE=PERCENT/],
  ["a share given twice", WEB, { share: ["web=1", "web=2"] }, /given twice/],
  ["a mark that is none", WEB, { mark: ["web=toString"] }, /write SERVICE=low-delay/],
];
for (const [why, config, texts, says] of refused) {
  t.test(`refused, with what to do about it: ${why}`, async (t) => {
    const problems = planned(yaml(config), texts);
    if (!Array.isArray(problems)) return t.fail("it was planned");
    t.match(problems.join("\n"), says);
  });
}

t.test("a control port keeps its mapping beside passive ports, which keep theirs", async (t) => {
  const ftp =
    "{ name: ftp, vip: 203.0.113.10, ports: [tcp/21, tcp/40000-40100], helper: ftp, realservers: [{ address: 192.168.0.2, port: 2121 }] }";
  const plan = planned(yaml(ftp), { topology: "lvc-rr", vip: "director" });
  if (Array.isArray(plan)) return t.fail(plan.join());
  const rules = plan.steps.map(({ run }) => run.input ?? "").join("");
  t.match(rules, "tcp dport 21 dnat ip to 192.168.0.2:2121");
  t.match(rules, "tcp dport 40000-40100 dnat ip to 192.168.0.2\n");
});

t.test("UDP servers are told where to listen, if they have the VIP, and only then", async (t) => {
  const dns = "{ name: dns, vip: 203.0.113.10, ports: [udp/53], realservers: [{ address: 192.168.0.2, method: dr }] }";
  const notes = (config: string, accept: string): string => {
    const plan = planned(yaml(config), { topology: "dr", front: "eth0", accept });
    return Array.isArray(plan) ? plan.join() : plan.notes.join("\n");
  };
  t.match(notes(dns, "lo"), /listen on the VIP itself/);
  t.match(notes(dns, "route"), /listen on the VIP itself/);
  t.notMatch(notes(dns, "redirect"), /listen on the VIP/);
  t.notMatch(notes(WEB, "lo"), /listen on the VIP/);
});
