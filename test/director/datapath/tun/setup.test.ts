import t from "tap";
import { Address } from "../../../../core/wire/address.ts";
import { parseConfig } from "../../../../director/config.ts";
import { changeText } from "../../../../director/datapath/tun/change.ts";
import { PathError } from "../../../../director/datapath/tun/error.ts";
import { planSetup } from "../../../../director/datapath/tun/setup.ts";
import type { Surroundings } from "../../../../director/datapath/tun/surroundings.ts";

const at = (text: string): Address => Address.parse(text)!;

/** A director between two networks of each family; `settings` are those that are not "0". */
const host = (settings: Readonly<Record<string, string>> = {}): Surroundings => ({
  addresses: [
    { device: "lo", address: at("127.0.0.1"), prefix: 8 },
    { device: "front", address: at("10.77.1.1"), prefix: 24 },
    { device: "back", address: at("10.77.2.1"), prefix: 24 },
    { device: "front", address: at("fd77:1::1"), prefix: 64 },
    { device: "back", address: at("fd77:2::1"), prefix: 64 },
  ],
  mtus: new Map([
    ["lo", 65536],
    ["front", 9000],
    ["back", 1500],
  ]),
  wayTo: (address) => {
    const text = address.toString();
    if (text === "192.0.2.1") return null;
    if (text === "198.51.100.1") return { device: "back", gateway: "10.77.2.254", source: "10.77.2.1", local: false };
    return {
      device: "back",
      gateway: null,
      source: address.family === 4 ? "10.77.2.1" : "fd77:2::1",
      local: text === "10.77.2.1",
    };
  },
  setting: (path) => settings[path] ?? "0",
  nftTakes: () => true,
});

const config = (vip: string, ...realservers: string[]) =>
  parseConfig(
    `services: [{ name: ftp, vip: "${vip}", ports: [tcp/21], helper: ftp, realservers: [${realservers.join(", ")}] }]`,
    "test.yaml",
    { path: "tun" },
  );
const real = (address: string, method = "nat"): string => `{ address: "${address}", method: ${method} }`;
const texts = (vip: string, ...realservers: string[]): string[] =>
  planSetup(config(vip, ...realservers), host()).changes.map(changeText);

t.test("NAT: the VIP is routed into the device, and what the realserver sends too", async (t) => {
  t.same(texts("10.77.1.100", real("10.77.2.2")), [
    "sysctl -w net/ipv4/ip_forward=1",
    "ip link set kin0 addrgenmode none",
    "ip link set kin0 mtu 1500 txqueuelen 10000 up",
    "sysctl -w net/ipv4/conf/kin0/accept_local=1",
    "ip route add 10.77.1.100/32 dev kin0",
    "ip neigh add proxy 10.77.1.100 dev front",
    "ip route add default dev kin0 table 7700",
    "ip rule add pref 7700 from 10.77.2.2 iif back lookup 7700",
  ]);
});

t.test("IPv6: the same, with proxy NDP", async (t) => {
  t.same(texts("fd77:1::100", real("fd77:2::2")), [
    "sysctl -w net/ipv6/conf/all/forwarding=1",
    "ip link set kin0 addrgenmode none",
    "ip link set kin0 mtu 1500 txqueuelen 10000 up",
    "ip -6 route add fd77:1::100/128 dev kin0",
    "sysctl -w net/ipv6/conf/front/proxy_ndp=1",
    "ip -6 neigh add proxy fd77:1::100 dev front",
    "ip -6 route add default dev kin0 table 7700",
    "ip -6 rule add pref 7700 from fd77:2::2 iif back lookup 7700",
  ]);
});

t.test("direct routing: a device and a table for each realserver; what comes back has the VIP", async (t) => {
  const changes = texts("10.77.1.100", real("10.77.2.2", "dr"), real("10.77.2.3", "dr"));
  t.ok(changes.includes("ip route add default via 10.77.2.2 dev back table 7701"));
  t.ok(changes.includes("ip rule add pref 7701 iif kin1 lookup 7701"));
  t.ok(changes.includes("ip route add default via 10.77.2.3 dev back table 7702"));
  t.ok(changes.includes("ip rule add pref 7701 iif kin2 lookup 7702"));
  const replies = changes.filter((text) => text.includes("rule add pref 7700"));
  t.same(replies, ["ip rule add pref 7700 from 10.77.1.100 iif back lookup 7700"]);
  const { direct } = planSetup(config("10.77.1.100", real("10.77.2.2", "dr")), host());
  t.same([...direct], [["10.77.2.2", "kin1"]]);
});

t.test(
  "tunnels begin at the director's address on the way to the realserver, and fit through that network",
  async (t) => {
    const { tunnels } = planSetup(
      config("10.77.1.100", real("10.77.2.2", "tunnel"), real("10.77.2.3", "tunnel")),
      host(),
    );
    t.same(tunnels, { from: ["10.77.2.1"], mtu: 1500 });
  },
);

t.test("where everybody's rp_filter is strict, ours becomes loose: nothing else changes", async (t) => {
  const strict = host({ "net/ipv4/conf/all/rp_filter": "1" });
  const changes = planSetup(config("10.77.1.100", real("10.77.2.2")), strict).changes.map(changeText);
  t.ok(changes.includes("sysctl -w net/ipv4/conf/kin0/rp_filter=2"));
  t.ok(changes.includes("sysctl -w net/ipv4/conf/back/rp_filter=2"));
  t.notOk(changes.some((text) => text.includes("conf/all/rp_filter")));
});

t.test("a setting that is right already is not changed, so that it is not changed back either", async (t) => {
  const forwards = host({ "net/ipv4/ip_forward": "1" });
  const changes = planSetup(config("10.77.1.100", real("10.77.2.2")), forwards).changes.map(changeText);
  t.notOk(changes.some((text) => text.includes("ip_forward")));
});

t.test("a VIP that is on no network of the host needs no proxy: routers lead to it", async (t) => {
  t.notOk(texts("203.0.113.10", real("10.77.2.2")).some((text) => text.includes("neigh")));
});

const offloaded = (vip: string, ...realservers: string[]): string[] =>
  planSetup({ ...config(vip, ...realservers), offload: "nftables" }, host()).changes.map(changeText);

t.test("offload: the rules that lead here are not for what the kernel translates of our VIPs", async (t) => {
  const said = offloaded("10.77.1.100", real("10.77.2.2"));
  t.ok(said.some((text) => text.startsWith("nft 'add table inet kindred;")));
  t.ok(
    said.some((text) => text.endsWith("add element inet kindred ours4 { 10.77.1.100 }'")),
    "of others nothing",
  );
  t.same(
    said.filter((text) => text.startsWith("ip rule")),
    ["ip rule add pref 7700 from 10.77.2.2 iif back fwmark 0/0x1000000 lookup 7700"],
  );
  t.same(
    offloaded("fd77:1::100", real("fd77:2::2")).filter((text) => text.startsWith("ip -6 rule")),
    ["ip -6 rule add pref 7700 from fd77:2::2 iif back fwmark 0/0x1000000 lookup 7700"],
  );
});

t.test("offload: it goes around many rules at once, in their family", async (t) => {
  const around = (...realservers: string[]): string[] =>
    offloaded("10.77.1.100", ...realservers).filter((text) => text.includes("7702"));
  const many = Array.from({ length: 17 }, (_, i) => real(`10.77.2.${i + 2}`));
  t.same(around(...many), ["ip rule add pref 7702 nop", "ip rule add pref 7699 fwmark 0x1000000/0x1000000 goto 7702"]);
  t.same(around(...many.slice(1)), []);
  t.same(
    texts("10.77.1.100", ...many).filter((text) => text.includes("7702")),
    [],
    "and nowhere without offload",
  );
});

t.test("offload: a packet's source is looked up with its mark; how strictly, nobody changes", async (t) => {
  const changed = (one: ReturnType<typeof config>, settings: Record<string, string> = {}): string[] =>
    planSetup(one, host(settings))
      .changes.map(changeText)
      .filter((text) => /src_valid_mark|front\/rp_filter/.test(text));
  const strict = { "net/ipv4/conf/front/rp_filter": "1" };
  const plain = config("10.77.1.100", real("10.77.2.2"));
  const offloaded = { ...plain, offload: "nftables" as const };
  const both = ["front", "back"].map((device) => `sysctl -w net/ipv4/conf/${device}/src_valid_mark=1`);
  t.same(changed(offloaded, strict), both);
  t.same(changed(offloaded), both, "it is looked up where nobody asks how it came, too");
  const routed = { ...config("203.0.113.10", real("10.77.2.2")), offload: "nftables" as const };
  t.same(changed(routed), ["sysctl -w net/ipv4/conf/all/src_valid_mark=1"], "a routed VIP's clients may come by any");
  t.same(changed(plain, strict), [], "and nothing without offload");
  const six = { ...config("fd77:1::100", real("fd77:2::2")), offload: "nftables" as const };
  t.same(changed(six, strict), [], "nor for IPv6, which has no rp_filter");
});

t.test(
  "offload: that no source is the host's own is asked by nftables, where the kernel asks nothing else",
  async (t) => {
    const asked = (
      one: ReturnType<typeof config>,
      settings: Record<string, string> = {},
      more: Partial<Surroundings> = {},
    ) =>
      planSetup(one, { ...host(settings), ...more })
        .changes.map(changeText)
        .filter((text) => /doors \{ "|(front|back|all)\/accept_local/.test(text))
        .map((text) => /"(\w+)" \}'$|conf\/(\w+)\//.exec(text)!.slice(1).join(""));
    const plain = config("10.77.1.100", real("10.77.2.2"));
    const offloaded = { ...plain, offload: "nftables" as const };
    t.same(asked(offloaded), ["front", "front", "back", "back"], "of each first nftables' rule, then the setting");
    t.same(asked(plain), [], "not without offload");
    const six = { ...config("fd77:1::100", real("fd77:2::2")), offload: "nftables" as const };
    t.same(asked(six), [], "nor for IPv6, which never asks");
    for (const rp_filter of ["1", "2"]) {
      t.same(
        asked(offloaded, { "net/ipv4/conf/front/rp_filter": rp_filter }),
        ["back", "back"],
        "the way is asked for, too",
      );
      t.same(asked(offloaded, { "net/ipv4/conf/all/rp_filter": rp_filter }), [], "everywhere");
    }
    t.same(
      asked(offloaded, { "net/ipv4/conf/back/rp_filter": "1" }),
      ["front", "front", "back", "back"],
      "it is not, by then",
    );
    t.same(
      asked(offloaded, { "net/ipv4/conf/front/accept_local": "1" }),
      ["back", "back"],
      "whoever accepts it gets it",
    );
    t.same(asked(offloaded, { "net/ipv4/conf/all/accept_local": "1" }), []);
    t.same(asked(offloaded, {}, { nftTakes: () => false }), [], "and not by a kernel that cannot");
    const direct = { ...config("203.0.113.10", real("10.77.2.2", "dr")), offload: "nftables" as const };
    t.same(asked(direct), [], "what realservers send that the kernel does not translate is the engine's");
  },
);

t.test("offload: where clients and realservers are on one wire, nobody is told of the shorter way", async (t) => {
  const told = (vip: string, address: string, settings: Record<string, string> = {}): string[] =>
    planSetup({ ...config(vip, real(address)), offload: "nftables" }, host(settings))
      .changes.map(changeText)
      .filter((text) => text.includes("send_redirects"));
  const on = Object.fromEntries(
    ["all", "front", "back"].map((device) => [`net/ipv4/conf/${device}/send_redirects`, "1"]),
  );
  const neither = ["all", "back"].map((device) => `sysctl -w net/ipv4/conf/${device}/send_redirects=0`);
  t.same(told("10.77.2.100", "10.77.2.2", on), neither, "it is sent where either says so");
  t.same(told("203.0.113.10", "10.77.2.2", on), neither, "a routed VIP's clients may come by the realservers' wire");
  t.same(told("10.77.1.100", "10.77.2.2", on), [], "two wires: nothing leaves by where it came from");
  t.same(told("fd77:2::100", "fd77:2::2", on), [], "IPv6 has no such setting");
  const asked = { ...on, "net/ipv4/conf/all/rp_filter": "1" };
  t.same(told("10.77.2.100", "10.77.2.2", asked), [], "sources are looked up anyway");
});

t.test("every change but those that go with the device can be taken back", async (t) => {
  const { changes } = planSetup(config("10.77.1.100", real("10.77.2.2", "dr")), host());
  for (const change of changes) {
    if (!("ip" in change) || change.undo !== null) continue;
    t.match(change.ip.join(" "), /\bkin\d+\b/, changeText(change));
  }
});

const refused: [why: string, vip: string, realserver: string, message: RegExp][] = [
  ["the VIP is the host's own", "10.77.1.1", real("10.77.2.2"), /VIP 10\.77\.1\.1 is an address of this host/],
  ["the realserver is the host itself", "10.77.1.100", real("10.77.2.1"), /is this host itself/],
  ["nothing leads to the realserver", "10.77.1.100", real("192.0.2.1"), /no route to the realserver/],
  ["direct routing over a router", "10.77.1.100", real("198.51.100.1", "dr"), /behind the router 10\.77\.2\.254/],
];
for (const [why, vip, realserver, message] of refused) {
  t.test(`refused with a remedy: ${why}`, async (t) => {
    try {
      planSetup(config(vip, realserver), host());
      t.fail("it was planned");
    } catch (error) {
      t.ok(error instanceof PathError);
      t.match((error as PathError).message, message);
      t.not((error as PathError).remedy, "");
    }
  });
}
