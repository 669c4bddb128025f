import t from "tap";
import type { Method } from "../../../core/service.ts";
import { seconds } from "../../../core/units.ts";
import { address } from "../../addresses.ts";
import { embedded, fragments, icmp, route, tcp, ttlOf, udp, wrong } from "../../packets.ts";
import { Director, type Judged, realserver, service } from "../director.ts";

const CLIENT = "192.0.2.7:40000";
const VIP = "203.0.113.10:80";
const CLIENT6 = "[2001:db8::7]:40000";
const VIP6 = "[2001:db8:1::10]:80";

const web = (method: Method, vip = "203.0.113.10", real = "10.0.0.3") =>
  service(vip, [["tcp", 80, 80]], [{ ...realserver(real, null), method }]);
const director = (method: Method) =>
  new Director([web(method), web(method, "2001:db8:1::10", "fd00::3")], {
    tunnels: { from: [address("10.0.0.1"), address("fd00::1")], mtu: 1500 },
  });
const syn = tcp({ from: CLIENT, to: VIP, flags: "S" });
const full = (size: number) => tcp({ from: CLIENT, to: VIP, payload: new Uint8Array(size - 40) });

t.test("direct routing: the packet as it is, one hop on, and whose it is", async (t) => {
  for (const [from, to, real] of [
    [CLIENT, VIP, "10.0.0.3"],
    [CLIENT6, VIP6, "fd00::3"],
  ] as const) {
    const d = director("dr");
    const sent = tcp({ from, to, flags: "S" });
    const { verdict, destination, packet } = d.one(sent, "CLIENT");
    t.same([verdict, destination, route(packet)], ["direct", real, route(sent)]);
    t.same([wrong(packet), ttlOf(packet)], [null, 63]);
    const back = d.one(tcp({ from: to, to: from, flags: "SA" }), "REAL");
    t.same([back.verdict, route(back.packet)], ["to-client", route(tcp({ from: to, to: from }))], "should it come by");
  }
});

t.test("without replies an entry is established by the client's word, and over when he has finished", async (t) => {
  const d = director("dr");
  const say = (flags: string): Judged => d.one(tcp({ from: CLIENT, to: VIP, flags }), "CLIENT");
  say("S");
  say("A");
  const { realservers } = d.balancer.services[0]!;
  t.equal(realservers[0]!.active, 1, "established");
  say("FA");
  d.wait(119_000);
  t.equal(d.engine.table.size, 1, "FIN_WAIT: two minutes, where a reply's FIN would be waited for otherwise");
  d.wait(2_000);
  t.equal(d.engine.table.size, 0);
});

t.test("once a reply came by, states go by both directions", async (t) => {
  const d = director("dr");
  d.one(syn, "CLIENT");
  d.one(tcp({ from: VIP, to: CLIENT, flags: "SA" }), "REAL");
  d.one(tcp({ from: CLIENT, to: VIP }), "CLIENT");
  d.one(tcp({ from: CLIENT, to: VIP, flags: "FA" }), "CLIENT");
  d.wait(61_000);
  t.equal(d.engine.table.size, 0, "CLOSE_WAIT: a minute");
});

t.test("tunnelling: the packet in one from the director to the realserver", async (t) => {
  const d = director("tunnel");
  t.match(d.one(syn, "CLIENT"), { verdict: "taken", reason: "tunnelled" });
  const [{ verdict, packet }] = d.sent as [(typeof d.sent)[0]];
  t.equal(verdict, "to-real");
  t.equal(packet.length, 20 + syn.length);
  t.same(
    [packet[9], packet.subarray(12, 16).join("."), packet.subarray(16, 20).join(".")],
    [4, "10.0.0.1", "10.0.0.3"],
  );
  const inner = packet.subarray(20);
  t.same([route(inner), wrong(inner), ttlOf(inner)], [route(syn), null, 63]);
  t.same([packet[1], packet[6], packet[8]], [inner[1], inner[6]! & 0x40, 63], "class, DF and hops are the inner ones");
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += (packet[i]! << 8) | packet[i + 1]!;
  t.equal((sum & 0xffff) + (sum >> 16), 0xffff, "the outer header's checksum");
});

t.test("tunnelling over IPv6", async (t) => {
  const d = director("tunnel");
  const sent = tcp({ from: CLIENT6, to: VIP6, flags: "S" });
  d.one(sent, "CLIENT");
  const { packet } = d.sent[0]!;
  t.same([packet[6], (packet[4]! << 8) | packet[5]!, packet[7]], [41, sent.length, 63]);
  t.equal(route(packet.subarray(40)), route(sent));
});

t.test("what does not fit the tunnel goes back with the MTU that would; what may be fragmented goes on", async (t) => {
  const d = director("tunnel");
  d.one(syn, "CLIENT");
  t.equal(d.one(full(1480), "CLIENT").reason, "tunnelled");
  const large = full(1481);
  t.match(d.one(large, "CLIENT"), { verdict: "drop", reason: "too-big", packet: large });
  const [{ verdict, packet }] = d.sent as [(typeof d.sent)[0]];
  t.equal(verdict, "to-client");
  t.same([packet[9], packet[20], packet[21], (packet[26]! << 8) | packet[27]!], [1, 3, 4, 1480]);
  t.same([packet.subarray(12, 16).join("."), packet.subarray(16, 20).join(".")], ["203.0.113.10", "192.0.2.7"]);
  t.equal(wrong(packet), null);
  t.same(embedded(packet), large.subarray(0, 548));
  const loose = full(1481).with(6, 0);
  t.equal(d.one(loose.with(10, (loose[10]! + 0x40) & 255), "CLIENT").reason, "tunnelled", "no DF");
});

t.test("super-packets, which are cut to fit later, are not too big", async (t) => {
  const d = director("tunnel");
  d.one(syn, "CLIENT");
  t.equal(d.all([full(9000)], "CLIENT", false, true)[0]!.reason, "tunnelled");
});

t.test("an IPv6 packet too big for the tunnel", async (t) => {
  const d = director("tunnel");
  d.one(tcp({ from: CLIENT6, to: VIP6, flags: "S" }), "CLIENT");
  const large = tcp({ from: CLIENT6, to: VIP6, payload: new Uint8Array(1461 - 60) });
  t.equal(d.one(large, "CLIENT").reason, "too-big");
  const { packet } = d.sent[0]!;
  t.same([packet[6], packet[40], packet.length, (packet[46]! << 8) | packet[47]!], [58, 2, 1280, 1460]);
  t.equal(wrong(packet), null);
});

t.test("without an address to begin at there is no tunnel, and the reason says so", async (t) => {
  const d = new Director([web("tunnel")]);
  t.match(d.one(syn, "CLIENT"), { verdict: "drop", reason: "no-tunnel-source", packet: syn });
});

t.test("where no tunnel begins any more, errors and later fragments of its flows are dropped", async (t) => {
  const tunnels = { from: [address("10.0.0.1")], mtu: 1500 };
  const dns = service("203.0.113.10", [["udp", 53, 53]], [{ ...realserver("10.0.0.3", null), method: "tunnel" }]);
  const d = new Director([web("tunnel"), dns], { tunnels });
  const pieces = fragments(udp({ from: CLIENT, to: "203.0.113.10:53", payload: new Uint8Array(1000) }), [400, 800]);
  t.equal(d.say(syn), "taken: tunnelled");
  t.equal(d.say(pieces[0]!), "taken: fragment");
  tunnels.from = [];
  const about = tcp({ from: VIP, to: CLIENT });
  const error = icmp({ from: "192.0.2.7", to: "203.0.113.10", type: 3, code: 3, about });
  t.equal(d.say(error), "drop: no-tunnel-source");
  t.equal(d.say(pieces[1]!), "drop: no-tunnel-source");
  t.same(d.sent, []);
});

t.test("fragments go the way of their first", async (t) => {
  const dns = (method: Method) =>
    service("203.0.113.10", [["udp", 53, 53]], [{ ...realserver("10.0.0.3", null), method }]);
  const pieces = fragments(udp({ from: CLIENT, to: "203.0.113.10:53", payload: new Uint8Array(1000) }), [400, 800]);
  const direct = new Director([dns("dr")]).all(pieces, "CLIENT");
  t.same(
    direct.map(({ verdict, destination }) => [verdict, destination]),
    Array(3).fill(["direct", "10.0.0.3"]),
  );
  const d = new Director([dns("tunnel")], { tunnels: { from: [address("10.0.0.1")], mtu: 1500 } });
  d.all(pieces, "CLIENT");
  t.same(
    d.sent.map(({ packet }) => packet.length),
    pieces.map(({ length }) => 20 + length),
  );
});

// Translated as with NAT, to what the realserver is called by: the VIP. So it came back to the director, once a hop.
t.test("an error about what a realserver sent reaches it as packets do, directly or in a tunnel", async (t) => {
  const outer = { from: "198.51.100.1", to: "203.0.113.10", type: 3, code: 4, rest: 1400 };
  const about = tcp({ from: VIP, to: CLIENT, payload: new Uint8Array(100) });
  const expected = icmp({ ...outer, about, ttl: 63 });
  const direct = director("dr");
  direct.one(syn, "CLIENT");
  const judged = direct.one(icmp({ ...outer, about }), "CLIENT");
  t.match(judged, { verdict: "direct", reason: "icmp-error", destination: "10.0.0.3" });
  t.same(judged.packet, expected);
  const tunnel = director("tunnel");
  tunnel.one(syn, "CLIENT");
  t.match(tunnel.one(icmp({ ...outer, about }), "CLIENT"), { verdict: "taken", reason: "icmp-error" });
  const [{ verdict, packet }] = tunnel.sent as [(typeof tunnel.sent)[0]];
  t.same([verdict, packet.subarray(16, 20).join("."), packet.subarray(20)], ["to-real", "10.0.0.3", expected]);
});

t.test("a late fragment goes to its datagram's realserver, or nowhere, whoever has its number meanwhile", async (t) => {
  const dns = (...reals: string[]) => {
    const method = "dr" as const;
    return service(
      "203.0.113.10",
      [["udp", 53, 53]],
      reals.map((real) => ({ ...realserver(real, null), method })),
    );
  };
  const d = new Director([dns("10.0.0.3")], { timeouts: { UDP_UNANSWERED: seconds(1) } });
  const change = (...reals: string[]): void => {
    d.balancer.change([dns(...reals)]);
    d.engine.update();
  };
  const pieces = fragments(udp({ from: CLIENT, to: "203.0.113.10:53", payload: new Uint8Array(1000) }), [400, 800]);
  const first = d.all([pieces[0]!], "CLIENT");
  t.match(first, [{ verdict: "direct", destination: "10.0.0.3" }]);
  change("10.0.0.4");
  t.match(d.one(pieces[1]!, "CLIENT"), { verdict: "direct", destination: "10.0.0.3" }, "it ends what it has begun");
  d.wait(2_000);
  t.equal(d.engine.table.size, 0);
  change("10.0.0.4", "10.0.0.5");
  t.equal(d.engine.flows.destination(0).address.toString(), "10.0.0.5", "the number is another's");
  t.match(d.one(pieces[2]!, "CLIENT"), { verdict: "drop", reason: "no-flow" });
});

for (const [family, vip, real, client] of [
  ["IPv4", "203.0.113.10", "10.0.0.3", "192.0.2.7:40000"],
  ["IPv6", "2001:db8:1::10", "fd00::3", "[2001:db8::7]:40000"],
] as const) {
  t.test(`who connects where nobody serves is told so, as by IPVS: ${family}`, async (t) => {
    const d = new Director([service(vip, [["tcp", 80, 80]], [{ ...realserver(real, null), weight: 0 }])]);
    const to = family === "IPv6" ? `[${vip}]` : vip;
    const opens = tcp({ from: client, to: `${to}:80`, flags: "S" });
    t.equal(d.say(opens, "CLIENT"), "drop: no-realserver");
    const [told, ...more] = d.sent;
    t.same([told!.verdict, more], ["to-client", []]);
    t.equal(wrong(told!.packet), null);
    t.same(embedded(told!.packet), opens, "with the packet that it is about");
    const at = family === "IPv6" ? 40 : 20;
    t.same([...told!.packet.subarray(at, at + 2)], family === "IPv6" ? [1, 4] : [3, 3]);
    t.equal(d.say(tcp({ from: client, to: `${to}:81`, flags: "S" }), "CLIENT"), "drop: no-service");
    t.same(d.sent, [], "ports that are not served are nobody's");
  });
}

t.test("nobody is told where the sender is no host, or the VIP itself", async (t) => {
  const d = new Director(
    ["203.0.113.10", "2001:db8:1::10"].map((vip, i) =>
      service(vip, [["tcp", 80, 80]], [{ ...realserver(["10.0.0.3", "fd00::3"][i]!, null), weight: 0 }]),
    ),
  );
  const told = (from: string, to: string): number => {
    d.one(tcp({ from, to, flags: "S" }), "CLIENT");
    return d.sent.length;
  };
  for (const from of ["224.0.0.1", "255.255.255.255", "0.0.0.0", "127.0.0.1", "203.0.113.10"]) {
    t.equal(told(`${from}:40000`, "203.0.113.10:80"), 0, from);
  }
  for (const from of ["::", "::1", "ff02::1", "2001:db8:1::10"]) {
    t.equal(told(`[${from}]:40000`, "[2001:db8:1::10]:80"), 0, from);
  }
  t.same([told("223.0.0.1:40000", "203.0.113.10:80"), told("[::1:1]:40000", "[2001:db8:1::10]:80")], [1, 1]);
});

t.test("a flood where nobody serves is answered a thousand times a second, and no more", async (t) => {
  const d = new Director([
    service("203.0.113.10", [["tcp", 80, 80]], [{ ...realserver("10.0.0.3", null), weight: 0 }]),
  ]);
  const flood = (): number => {
    let told = 0;
    for (let i = 0; i < 1500; i++) {
      d.one(tcp({ from: `192.0.2.7:${1024 + i}`, to: "203.0.113.10:80", flags: "S" }), "CLIENT");
      told += d.sent.length;
    }
    return told;
  };
  t.equal(flood(), 1000);
  d.now += 1000;
  t.equal(flood(), 1000);
});
