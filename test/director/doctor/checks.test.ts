import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import t from "tap";
import { findingsOf } from "../../../director/doctor/checks/index.ts";
import { CODES } from "../../../director/doctor/finding.ts";
import { readRuleset } from "../../../director/doctor/nft.ts";
import { findingText, reportJson, reportText } from "../../../director/doctor/text.ts";
import { ROOT } from "../../root.ts";
import { built, configurationFile, Process } from "../process.ts";
import { type Changes, codes, eth0, eth1, lo, RULESET, sceneOf, tunnel } from "./scenes.ts";

const VIP = "203.0.113.10";
const MAC = "02:00:00:00:00:09";
const service = (realserver: string, more = ""): string =>
  `services:\n  - { name: web, vip: ${VIP}, ports: [tcp/80], realservers: [{ address: 192.168.0.2${realserver} }]${more} }`;
const DR = service(", method: dr");
const IPV6 = "services:\n  - { name: web, vip: 2001:db8::10, ports: [tcp/80], realservers: [{ address: fd00::2 }] }";
const ftp = (realservers: string, more = ""): string =>
  `services:\n  - { name: ftp, vip: ${VIP}, ports: [tcp/21, tcp/40000-40099], helper: ftp${more}, realservers: [${realservers}] }`;
const TWO = "{ address: 192.168.0.2, passivePorts: 40000-40050 }, { address: 192.168.0.3, passivePorts: 40050-40099 }";
const SILENT = { "net.ipv4.conf.all.arp_ignore": 1, "net.ipv4.conf.all.arp_announce": 2 };
const realserver = { role: "realserver" } as const;
const onRealserver = (...loopback: readonly string[]) => ({ devices: [lo(...loopback), eth0("192.168.0.2")] });
const encrypted = { code: "control-encrypted", severity: "warning", frames: [25], message: "TLS", remedy: "" } as const;
const way = (via: string | null, mtu: number | null = null) => ({ device: "eth0", via, mtu });

/** What is wrong, how it is found, and the same host set right, on which nothing is. */
const cases: readonly [what: string, code: string, wrong: Changes, right: Changes][] = [
  ["forwarding is off", "forwarding-off", { settings: { "net.ipv4.ip_forward": 0 } }, {}],
  [
    "forwarding is off for the family of the VIP only",
    "forwarding-off",
    { yaml: IPV6, settings: { "net.ipv6.conf.all.forwarding": 0 } },
    { yaml: IPV6, settings: { "net.ipv4.ip_forward": 0 } },
  ],
  [
    "a device filters by reverse path",
    "rp-filter-strict",
    { settings: { "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.eth1.rp_filter": 1 } },
    { settings: { "net.ipv4.conf.all.rp_filter": 2, "net.ipv4.conf.eth1.rp_filter": 1 } },
  ],
  [
    "a tunnel's end filters by reverse path",
    "rp-filter-strict",
    {
      yaml: service(", method: tunnel"),
      scene: realserver,
      facts: { devices: [lo(VIP), eth0("192.168.0.2"), tunnel()] },
      settings: { ...SILENT, "net.ipv4.conf.kindred-ipip.rp_filter": 1 },
    },
    {
      yaml: service(", method: tunnel"),
      scene: realserver,
      facts: { devices: [lo(VIP), eth0("192.168.0.2"), tunnel()] },
      settings: { ...SILENT, "net.ipv4.conf.kindred-ipip.rp_filter": 2 },
    },
  ],
  [
    "the packet path's director has the VIP",
    "vip-on-director",
    { facts: { devices: [lo(), eth0("203.0.113.1", VIP), eth1("192.168.0.1")] } },
    { scene: { path: "socket" }, facts: { devices: [lo(), eth0("203.0.113.1", VIP), eth1("192.168.0.1")] } },
  ],
  [
    "the socket path's director has it not",
    "vip-missing",
    { scene: { path: "socket" } },
    { scene: { path: "socket" }, settings: { "net.ipv4.ip_nonlocal_bind": 1 } },
  ],
  [
    "a realserver has it not, and redirects nothing",
    "vip-missing",
    { yaml: DR, scene: realserver, facts: onRealserver() },
    { yaml: DR, scene: realserver, facts: { ...onRealserver(), localRoutes: [VIP] }, settings: SILENT },
  ],
  [
    "a realserver answers for the VIP",
    "vip-answers-arp",
    { yaml: DR, scene: realserver, facts: onRealserver(VIP), settings: { "net.ipv4.conf.all.arp_announce": 2 } },
    { yaml: DR, scene: realserver, facts: onRealserver(VIP), settings: SILENT },
  ],
  [
    "a realserver tells of the VIP in its own questions",
    "arp-announced",
    {
      yaml: DR,
      scene: realserver,
      facts: onRealserver(VIP),
      settings: { ...SILENT, "net.ipv4.conf.all.arp_announce": 1 },
    },
    {
      yaml: DR,
      scene: realserver,
      facts: onRealserver(VIP),
      settings: { ...SILENT, "net.ipv4.conf.eth0.arp_announce": 2 },
    },
  ],
  [
    "a realserver has the VIP on a device of the network",
    "vip-on-wire",
    { yaml: DR, scene: realserver, facts: { devices: [lo(), eth0("192.168.0.2", VIP)] }, settings: SILENT },
    { yaml: DR, scene: realserver, facts: onRealserver(VIP), settings: SILENT },
  ],
  [
    "a realserver behind NAT has the VIP",
    "vip-on-realserver",
    { scene: realserver, facts: onRealserver(VIP), settings: SILENT },
    { scene: realserver, facts: onRealserver() },
  ],
  [
    "replies do not go by the director",
    "gateway-wrong",
    {
      scene: realserver,
      gateway: "192.168.0.1",
      facts: { ...onRealserver(), ways: new Map([["192.0.2.1", way("192.168.0.254")]]) },
    },
    {
      scene: realserver,
      gateway: "192.168.0.1",
      facts: { ...onRealserver(), ways: new Map([["192.0.2.1", way("192.168.0.1")]]) },
    },
  ],
  [
    "a realserver knows no way to clients",
    "gateway-missing",
    { scene: realserver, facts: { ...onRealserver(), ways: new Map([["192.0.2.1", null]]) } },
    { scene: realserver, facts: { ...onRealserver(), ways: new Map([["192.0.2.1", way("192.168.0.9")]]) } },
  ],
  [
    "somebody else answers for the VIP, asked from the director",
    "vip-taken",
    { facts: { answers: new Map([[VIP, [{ device: "eth0", hardware: MAC }]]]) } },
    { facts: { answers: new Map([["192.168.0.2", [{ device: "eth1", hardware: MAC }]]]) } },
  ],
  [
    "two answer for the VIP, asked from a client",
    "vip-taken",
    {
      scene: { role: "client" },
      facts: {
        answers: new Map([
          [
            VIP,
            [
              { device: "eth0", hardware: MAC },
              { device: "eth0", hardware: "02:00:00:00:00:08" },
            ],
          ],
        ]),
      },
    },
    {
      scene: { role: "client" },
      facts: {
        answers: new Map([
          [
            VIP,
            [
              { device: "eth0", hardware: MAC },
              { device: "eth1", hardware: MAC },
            ],
          ],
        ]),
      },
    },
  ],
  [
    "a realserver cannot be reached",
    "realserver-unreachable",
    { facts: { ways: new Map([["192.168.0.2", null]]) } },
    { facts: { ways: new Map([["192.168.0.2", way(null)]]) } },
  ],
  [
    "direct routing would pass a router",
    "direct-through-router",
    { yaml: DR, facts: { ways: new Map([["192.168.0.2", way("192.168.9.1")]]) } },
    { yaml: service(", method: tunnel"), facts: { ways: new Map([["192.168.0.2", way("192.168.9.1", 1520)]]) } },
  ],
  [
    "a tunnel leaves no room for the outer header",
    "mtu-too-small",
    { yaml: service(", method: tunnel"), facts: { ways: new Map([["192.168.0.2", way(null)]]) } },
    { yaml: service(", method: tunnel"), facts: { ways: new Map([["192.168.0.2", way(null, 1520)]]) } },
  ],
  [
    "an IPv6 tunnel needs 40 bytes",
    "mtu-too-small",
    {
      yaml: IPV6.replace("fd00::2", "fd00::2, method: tunnel"),
      facts: { ways: new Map([["fd00::2", way(null, 1539)]]) },
    },
    {
      yaml: IPV6.replace("fd00::2", "fd00::2, method: tunnel"),
      facts: { ways: new Map([["fd00::2", way(null, 1540)]]) },
    },
  ],
  [
    "the packet path lacks its capability",
    "privilege-missing",
    { facts: { privileges: { netAdmin: false, bindService: false, firstFreePort: 1024, tun: true } } },
    { facts: { privileges: { netAdmin: true, bindService: false, firstFreePort: 1024, tun: true } } },
  ],
  [
    "low ports need a capability on the socket path",
    "privilege-missing",
    {
      scene: { path: "socket" },
      facts: {
        localRoutes: [VIP],
        privileges: { netAdmin: false, bindService: false, firstFreePort: 1024, tun: false },
      },
    },
    {
      scene: { path: "socket" },
      facts: { localRoutes: [VIP], privileges: { netAdmin: false, bindService: false, firstFreePort: 80, tun: false } },
    },
  ],
  [
    "the kernel translates connections by itself",
    "conntrack-translates-vip",
    { facts: { translated: new Map([[VIP, 3]]) } },
    { facts: { translated: new Map([[VIP, 0]]) } },
  ],
  [
    "passive ranges overlap and nothing keeps a client where it is",
    "passive-ranges-overlap",
    { yaml: ftp(TWO) },
    { yaml: ftp(TWO, ", persistence: 300s") },
  ],
  [
    "a helper sees no reply of a realserver that is routed to directly",
    "helper-bypassed",
    { yaml: ftp("{ address: 192.168.0.2, method: dr }") },
    { yaml: ftp("{ address: 192.168.0.2 }") },
  ],
  [
    "a realserver that is routed to directly answers past the director",
    "helper-bypassed",
    {
      yaml: ftp("{ address: 192.168.0.2, method: dr }"),
      scene: realserver,
      gateway: "192.168.0.1",
      facts: { ...onRealserver(VIP), ways: new Map([["192.0.2.1", way("192.168.0.254")]]) },
      settings: SILENT,
    },
    {
      yaml: ftp("{ address: 192.168.0.2, method: dr }"),
      scene: realserver,
      gateway: "192.168.0.1",
      facts: { ...onRealserver(VIP), ways: new Map([["192.0.2.1", way("192.168.0.1")]]) },
      settings: SILENT,
    },
  ],
  [
    "FTPS is spoken where no ports are declared for it",
    "ftps-without-group",
    { yaml: ftp("{ address: 192.168.0.2 }"), scene: { captured: [{ ...encrypted, server: VIP }] } },
    {
      yaml: ftp("{ address: 192.168.0.2, passivePorts: 40000-40099 }"),
      scene: { captured: [{ ...encrypted, server: VIP }] },
    },
  ],
  [
    "a capture shows something else",
    "capture-finding",
    { scene: { captured: [{ ...encrypted, code: "vip-two-macs", server: null }] } },
    { scene: { captured: [{ ...encrypted, code: "vip-two-macs", severity: "info", server: null }] } },
  ],
];

for (const [what, code, wrong, right] of cases) {
  t.test(`${code}: ${what}`, async (t) => {
    t.same(codes(wrong), [code]);
    t.same(codes(right), [], "set right, nothing is found");
  });
}

const RULED: readonly [what: string, code: string, yaml: string, changes: Changes][] = [
  ["DNAT and redirect of the VIP's ports", "nft-translates", ftp("{ address: 192.168.0.2 }"), {}],
  ["a rejected port", "nft-drops", IPV6, {}],
  ["untracked packets", "nft-untracked", service(""), {}],
  ["masquerading of what is forwarded", "nft-hides-clients", service(""), {}],
  ["a policy of drop for what is forwarded", "forward-dropped", service(""), {}],
];
for (const [what, code, yaml, changes] of RULED) {
  t.test(`${code}: ${what}, among a host's rules; not on a client`, async (t) => {
    const facts = { chains: readRuleset(RULESET) };
    t.ok(codes({ ...changes, yaml, facts }).includes(code));
    t.notOk(codes({ ...changes, yaml, facts, scene: { role: "client" } }).includes(code));
  });
}

t.test("rules of kindred's own tables fight nobody", async (t) => {
  const own = readRuleset(RULESET).filter(({ table }) => table.startsWith("kindred"));
  t.equal(own.length, 1);
  t.same(codes({ yaml: ftp("{ address: 192.168.0.2 }"), facts: { chains: own } }), []);
});

t.test("a rule with other conditions is a warning, one without an error", async (t) => {
  const [, ...chains] = readRuleset(RULESET);
  t.ok(chains.length > 0);
  const found = findingsOf(sceneOf({ yaml: ftp("{ address: 192.168.0.2 }"), facts: { chains: readRuleset(RULESET) } }));
  const translating = found.filter(({ code }) => code === "nft-translates");
  t.same(
    translating.map(({ severity }) => severity),
    ["error", "warning"],
  );
  t.match(translating[1]!.what, /where its other conditions hold/);
});

t.test("a transparent proxy takes the VIP's connections by its rules, and needs no address", async (t) => {
  const chains = readRuleset(RULESET);
  const found = codes({
    yaml: ftp("{ address: 192.168.0.2, method: dr }"),
    scene: realserver,
    facts: { ...onRealserver(), chains },
  });
  t.notOk(found.includes("vip-missing"));
  t.notOk(found.includes("nft-translates"));
});

const bypassed = (helper: string, ports: string, method = "dr") => {
  const yaml = `services:\n  - { name: one, vip: ${VIP}, ports: [${ports}], helper: ${helper}, realservers: [{ address: 192.168.0.2, method: ${method} }] }`;
  return findingsOf(sceneOf({ yaml })).map(({ severity, what }) => `${severity}: ${what}`);
};

t.test(
  "what works where replies pass the director by is said for each helper, and nothing where all does",
  async (t) => {
    t.match(
      bypassed("ftp", "tcp/21")[0],
      /^error: replies of 192\.168\.0\.2 \(dr\) .* passive ones reach no realserver/,
    );
    t.match(
      bypassed("ftp", "tcp/21, tcp/40000-40099", "tunnel")[0],
      /^warning: .*\(tunnel\).* by the service's data ports/,
    );
    t.match(bypassed("rsh", "tcp/514")[0], /^error: .*stderr/);
    t.match(bypassed("sip", "udp/5060")[0], /^warning: .*clients offer/);
    t.match(bypassed("xdmcp", "udp/177")[0], /^warning: .*X11/);
    t.match(bypassed("dns", "udp/53, tcp/53")[0], /^warning: .*TCP retry/);
    t.match(bypassed("radius", "udp/1812")[0], /^warning: .*User-Name/);
    const all = { pnm: "tcp/7070", rtsp: "tcp/554", tftp: "udp/69", wms: "tcp/1755, udp/1755" };
    for (const [helper, ports] of Object.entries(all)) t.same(bypassed(helper, ports), [], helper);
  },
);

t.test("there is a case for every code", async (t) => {
  const shown = new Set([...cases, ...RULED].map(([, code]) => code));
  t.same(
    CODES.filter((code) => !shown.has(code)),
    [],
  );
});

t.test("the worst comes first, each with where, what and a remedy", async (t) => {
  const scene = sceneOf({ yaml: ftp(TWO), settings: { "net.ipv4.ip_forward": 0 } });
  const found = findingsOf(scene);
  t.same(
    found.map(({ severity }) => severity),
    ["error", "warning"],
  );
  t.match(findingText(found[0]!), /^error {4}forwarding-off {2}net.ipv4.ip_forward\n {2}\S.*\n {2}remedy: \S/);
  t.match(
    reportText("director", [], ["rules: needs root"]),
    /not looked at: rules: needs root\nas a director: nothing found/,
  );
  const { findings, facts } = JSON.parse(reportJson("director", found, scene.facts));
  t.equal(findings.length, 2);
  t.equal(facts.settings["net.ipv4.ip_forward"], 0);
});

t.test("as a command: 0 when nothing is found, 1 when something is, 2 for wrong input", built, async (t) => {
  const file = await configurationFile(t, service(""));
  const exits = async (...args: string[]): Promise<number | string | null> =>
    new Process(t, ["doctor", ...args]).exited;
  t.equal(await exits(file, "--host", "client", "--no-probe"), 0);
  t.equal(await exits(file, "--host", "director", "--path", "socket", "--no-probe"), 1);
  t.equal(await exits(file, "--host", "nobody"), 2);
  t.equal(await exits(file, "--path", "pigeon"), 2);
  t.equal(await exits(file, "--gateway", "here"), 2);
  t.equal(await exits("no-such-file.yaml"), 2);
  t.equal(await exits(file, "--host", "client", "--no-probe", "--capture", "no-such-file.pcap"), 2);
});

t.test("as a command with a capture: what replay finds in it is found", built, async (t) => {
  const file = await configurationFile(t, service(""));
  const capture = resolve(ROOT, "fixtures/ftp-own-pasv-masq-client-fixes.pcap");
  const process = new Process(t, ["doctor", file, "--host", "client", "--no-probe", "--capture", capture, "--json"]);
  t.equal(await process.exited, 1);
  t.match(JSON.parse(process.stdout), {
    role: "client",
    findings: [{ code: "capture-finding", what: /^reply-names-another-address/, remedy: /pasv_address/ }],
  });
});

const ip = spawnSync("ip", ["-j", "address", "show"], { encoding: "utf8" });
t.test(
  "this host's own devices are found",
  { skip: built.skip ?? (ip.status === 0 ? false : "needs ip") },
  async (t) => {
    const file = await configurationFile(t, service(""));
    const process = new Process(t, ["doctor", file, "--host", "client", "--no-probe", "--json"]);
    await process.exited;
    const names = (JSON.parse(ip.stdout) as { ifname?: string }[]).flatMap(({ ifname }) => ifname ?? []);
    t.same(
      JSON.parse(process.stdout).facts.devices.map(({ name }: { name: string }) => name),
      names,
    );
  },
);
