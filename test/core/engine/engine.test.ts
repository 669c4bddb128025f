import fc from "fast-check";
import t from "tap";
import { BYTES, PACKETS, ROW_SHIFT } from "../../../core/flow/rows.ts";
import { ms, port, seconds } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { fragments, joined, route, tcp, ttlOf, udp, wrong } from "../../packets.ts";
import { Director, realserver, service } from "../director.ts";

const CLIENT = "192.0.2.7:40000";
const VIP = "203.0.113.10:80";
const REAL = "10.0.0.3:8080";
const CLIENT6 = "[2001:db8::7]:40000";
const VIP6 = "[2001:db8:1::10]:80";
const REAL6 = "[fd00::3]:8080";

const web = () => service("203.0.113.10", [["tcp", 80, 80]], [realserver("10.0.0.3", 8080)]);
const web6 = () => service("2001:db8:1::10", [["tcp", 80, 80]], [realserver("fd00::3", 8080)]);
const dns = () => service("203.0.113.10", [["udp", 53, 53]], [realserver("10.0.0.3", 5353)]);
const dns6 = () => service("2001:db8:1::10", [["udp", 53, 53]], [realserver("fd00::3", 5353)]);
const syn = tcp({ from: CLIENT, to: VIP, flags: "S" });
const director = (...services: Parameters<typeof service>[] | ReturnType<typeof web>[]) =>
  new Director(services.length > 0 ? (services as ReturnType<typeof web>[]) : [web(), dns(), web6(), dns6()]);

t.test("a connection goes to its realserver and comes back as from the VIP", async (t) => {
  const d = director();
  t.equal(d.say(syn), `to-real: ${CLIENT} -> ${REAL}`);
  t.equal(d.say(tcp({ from: REAL, to: CLIENT, flags: "SA" })), `to-client: ${VIP} -> ${CLIENT}`);
  t.equal(d.say(tcp({ from: CLIENT, to: VIP })), `to-real: ${CLIENT} -> ${REAL}`);
  t.same(d.engine.counters.all(), { opened: 1, established: 2 });
});

t.test("over IPv6 too", async (t) => {
  const d = director();
  const text = (packet: Uint8Array) => route(packet);
  const there = d.one(tcp({ from: CLIENT6, to: VIP6, flags: "S" }));
  t.equal(text(there.packet), text(tcp({ from: CLIENT6, to: REAL6 })));
  const back = d.one(tcp({ from: REAL6, to: CLIENT6, flags: "SA" }));
  t.equal(text(back.packet), text(tcp({ from: VIP6, to: CLIENT6 })));
  t.same(
    [there, back].map(({ packet }) => [wrong(packet), ttlOf(packet)]),
    [
      [null, 63],
      [null, 63],
    ],
  );
});

const endsOf = (v6: boolean, datagram: boolean, clientPort: number): [string, string, string] => {
  const [client, virtual, real] = v6
    ? ["[2001:db8::7]", "[2001:db8:1::10]", "[fd00::3]"]
    : ["192.0.2.7", "203.0.113.10", "10.0.0.3"];
  return [`${client}:${clientPort}`, `${virtual}:${datagram ? 53 : 80}`, `${real}:${datagram ? 5353 : 8080}`];
};
const optionsOf = (v6: boolean, datagram: boolean) =>
  v6
    ? { options: Uint8Array.of(datagram ? 17 : 6, 0, 1, 4, 0, 0, 0, 0), next: 0 }
    : { options: Uint8Array.of(1, 1, 1, 0) };

const bodies = fc.uint8Array({ maxLength: 300 });
t.test(
  "whatever a packet carries, its checksums stay right: both families, TCP and UDP, full, partial or none",
  async () => {
    const make = fc.record({
      payload: bodies,
      v6: fc.boolean(),
      datagram: fc.boolean(),
      partial: fc.boolean(),
      unsummed: fc.boolean(),
      clientPort: fc.integer({ min: 1, max: 0xffff }),
      ttl: fc.integer({ min: 2, max: 255 }),
      optioned: fc.boolean(),
    });
    fc.assert(
      fc.property(make, ({ payload, v6, datagram, partial, unsummed, clientPort, ttl, optioned }) => {
        const d = director();
        const [client, virtual, real] = endsOf(v6, datagram, clientPort);
        const rest = { payload, partial, ttl, ...(optioned ? optionsOf(v6, datagram) : {}) };
        const build = (from: string, to: string, flags: string) =>
          datagram ? udp({ from, to, ...rest, unsummed: unsummed && !partial }) : tcp({ from, to, flags, ...rest });
        const there = d.one(build(client, virtual, "S"), "CLIENT", partial);
        const back = d.one(build(real, client, "SA"), "REAL", partial);
        return [there, back].every(
          ({ packet, verdict }) => verdict !== "drop" && wrong(packet, partial) === null && ttlOf(packet) === ttl - 1,
        );
      }),
      { numRuns: 400 },
    );
  },
);

const dropped: [why: string, packet: Uint8Array, reason: string][] = [
  ["neither IPv4 nor IPv6", Uint8Array.of(0x50, ...new Uint8Array(39)), "malformed"],
  ["a TCP header cut short", tcp({ from: CLIENT, to: VIP, flags: "S" }).subarray(0, 39).with(3, 39), "malformed"],
  ["a TCP data offset beyond the packet", tcp({ from: CLIENT, to: VIP, flags: "S" }).with(32, 0xf0), "malformed"],
  ["a UDP length beyond the packet", udp({ from: CLIENT, to: "203.0.113.10:53" }).with(25, 9), "malformed"],
  ["a segment of no connection", tcp({ from: CLIENT, to: VIP }), "no-flow"],
  ["a SYN ACK of no connection", tcp({ from: CLIENT, to: VIP, flags: "SA" }), "no-flow"],
  ["SYN and FIN together", tcp({ from: CLIENT, to: VIP, flags: "SF" }), "tcp-flags"],
  ["a port nobody serves", tcp({ from: CLIENT, to: "203.0.113.10:81", flags: "S" }), "no-service"],
  ["an address nobody serves", tcp({ from: CLIENT, to: "203.0.113.11:80", flags: "S" }), "no-service"],
  ["another protocol's port", udp({ from: CLIENT, to: VIP }), "no-service"],
  ["what a realserver opens by itself", tcp({ from: REAL, to: "198.51.100.1:80", flags: "S" }), "no-service"],
  ["the last hop", tcp({ from: CLIENT, to: VIP, flags: "S", ttl: 1 }), "ttl-exceeded"],
  ["another protocol", tcp({ from: CLIENT, to: VIP }).with(9, 47), "protocol"],
];
for (const [why, packet, reason] of dropped) {
  t.test(`dropped and as it came: ${why}`, async (t) => {
    const d = director();
    const judged = d.one(packet);
    t.match(judged, { verdict: "drop", reason });
    t.same(judged.packet, packet);
    t.equal(d.engine.table.size, 0);
    t.same(d.engine.counters.all(), { [reason]: 1 });
  });
}

t.test("from the outside nobody passes for a realserver, from the inside nobody for a client", async (t) => {
  const d = director();
  d.one(syn, "CLIENT");
  t.equal(d.say(tcp({ from: REAL, to: CLIENT, flags: "SA" }), "CLIENT"), "drop: wrong-side");
  t.equal(d.say(tcp({ from: CLIENT, to: VIP }), "REAL"), "drop: wrong-side");
  t.equal(d.say(tcp({ from: "192.0.2.8:1", to: VIP, flags: "S" }), "REAL"), "drop: not-announced");
});

const MARTIANS: readonly (readonly [from: string, to: string, reason: string])[] = [
  ["203.0.113.10:80", "203.0.113.10:80", "land"],
  ["203.0.113.10:40000", "203.0.113.10:53", "land"],
  ["[2001:db8:1::10]:80", "[2001:db8:1::10]:80", "land"],
  ["[2001:db8:1::11]:80", "[2001:db8:1::10]:80", "opened"],
  ...["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.1.2.3", "224.0.0.1", "239.1.2.3", "255.255.255.255"].map(
    (from) => [`${from}:40000`, VIP, "martian-source"] as const,
  ),
  ...["1.2.3.4", "126.0.0.1", "128.0.0.1", "223.0.0.1", "240.0.0.1", "255.255.255.254"].map(
    (from) => [`${from}:40000`, VIP, "opened"] as const,
  ),
  ...["::", "::1", "ff02::1"].map((from) => [`[${from}]:40000`, VIP6, "martian-source"] as const),
  ...["::2", "1::1", "::1:0:0", "fe00::1"].map((from) => [`[${from}]:40000`, VIP6, "opened"] as const),
];
for (const [from, to, reason] of MARTIANS) {
  t.test(`${reason === "opened" ? "somebody may be" : `${reason}:`} ${from}, to ${to}`, async (t) => {
    for (const side of ["CLIENT", "ANYWHERE"] as const) {
      const d = director();
      const datagram = to.endsWith(":53");
      t.equal(d.one(datagram ? udp({ from, to }) : tcp({ from, to, flags: "S" }), side).reason, reason);
      t.equal(d.engine.table.size, reason === "opened" ? 1 : 0);
    }
  });
}

t.test("on loopback a host speaks with itself", async (t) => {
  for (const [vip, from] of [
    ["127.0.0.1", "127.0.0.1:40000"],
    ["127.0.0.1", "127.0.0.2:40000"],
    ["::1", "[::1]:40000"],
  ] as const) {
    const d = director(service(vip, [["tcp", 80, 80]], [realserver(vip.includes(":") ? "fd00::3" : "10.0.0.3", null)]));
    const to = vip.includes(":") ? `[${vip}]:80` : `${vip}:80`;
    t.equal(d.one(tcp({ from, to, flags: "S" }), "CLIENT").reason, "opened", from);
  }
});

t.test("an IPv4 address as an IPv6 one is nobody's on a wire", async (t) => {
  const d = director();
  const near = tcp({ from: "[::fffe:c000:207]:40000", to: VIP6, flags: "S" });
  t.equal(d.one(near.with(8 + 11, 0xff)).reason, "martian-source");
  t.equal(d.one(near).reason, "opened");
});

t.test("from the outside nobody passes for one of our VIPs; a realserver that has it may", async (t) => {
  const reals = [{ ...realserver("10.0.0.3", null), method: "dr" as const }];
  const other = service("203.0.113.11", [["tcp", 21, 21]], reals, { helper: ftp, controlPorts: [port(21)] });
  const d = director(web(), other, web6());
  const opens = (from: string, to: string) => tcp({ from, to, flags: "S" });
  t.equal(d.say(opens("203.0.113.11:40000", VIP), "CLIENT"), "drop: martian-source");
  t.equal(d.say(opens("203.0.113.12:40000", VIP), "CLIENT"), `to-real: 203.0.113.12:40000 -> ${REAL}`);
  t.equal(d.one(opens("[::203.0.113.11]:40000", VIP6), "CLIENT").reason, "opened", "IPv4's are not IPv6's");
  const control = { from: "192.0.2.7:40001", to: "203.0.113.11:21" };
  d.one(tcp({ ...control, flags: "S", sequence: 1000 }), "CLIENT");
  const payload = new TextEncoder().encode("PORT 192,0,2,7,4,1\r\n");
  d.one(tcp({ ...control, flags: "AP", sequence: 1001, payload }), "CLIENT");
  for (const side of ["REAL", "ANYWHERE"] as const) {
    t.equal(d.one(opens("203.0.113.11:20", "192.0.2.7:1025"), side).verdict, "to-client");
  }
});

t.test("packets and bytes are counted for each direction", async (t) => {
  const d = director();
  d.one(syn);
  d.one(tcp({ from: REAL, to: CLIENT, flags: "SA" }));
  d.one(tcp({ from: CLIENT, to: VIP, payload: new Uint8Array(100) }));
  const row = 1 << ROW_SHIFT;
  const { rows } = d.engine.table;
  t.same([...rows.subarray(row + PACKETS, row + PACKETS + 2)], [2, 1]);
  t.same([...rows.subarray(row + BYTES, row + BYTES + 4)], [180, 0, 40, 0]);
  rows[row + BYTES] = -100; // 100 bytes before 4 GiB.
  d.one(tcp({ from: CLIENT, to: VIP, payload: new Uint8Array(100) }));
  t.same([...rows.subarray(row + BYTES, row + BYTES + 2)], [40, 1]);
});

t.test("established connections are active, half-open and closing ones inactive, ended ones neither", async (t) => {
  const d = director();
  const { realservers } = d.balancer.services[0]!;
  const counts = () => [realservers[0]!.active, realservers[0]!.inactive];
  const seen: number[][] = [];
  for (const packet of [
    syn,
    tcp({ from: REAL, to: CLIENT, flags: "SA" }),
    tcp({ from: CLIENT, to: VIP }),
    tcp({ from: CLIENT, to: VIP, flags: "FA" }),
    tcp({ from: REAL, to: CLIENT, flags: "FA" }),
  ]) {
    d.one(packet);
    seen.push(counts());
  }
  t.same(seen, [
    [0, 1],
    [0, 1],
    [1, 0],
    [0, 1],
    [0, 1],
  ]);
  d.wait(120_000);
  t.same(counts(), [0, 0]);
  t.equal(d.engine.table.size, 0);
  t.same(d.engine.flows.ended.all(), { expired: 1 });
});

t.test("datagrams: one client's go to one realserver until they stop", async (t) => {
  const d = director();
  const query = udp({ from: CLIENT, to: "203.0.113.10:53" });
  t.equal(d.say(query), `to-real: ${CLIENT} -> 10.0.0.3:5353`);
  t.equal(d.say(udp({ from: "10.0.0.3:5353", to: CLIENT })), `to-client: 203.0.113.10:53 -> ${CLIENT}`);
  d.wait(299_000);
  t.equal(d.one(query).reason, "established");
  d.wait(299_000);
  t.equal(d.one(query).reason, "established");
  d.wait(301_000);
  t.equal(d.one(query).reason, "opened");
});

t.test("each connection is scheduled, a persistent client is not", async (t) => {
  const two = [realserver("10.0.0.3", 8080), realserver("10.0.0.4", 8080)];
  const chosen = (d: Director) =>
    [1, 2, 3, 4].map((n) => route(d.one(tcp({ from: `192.0.2.7:${n}`, to: VIP, flags: "S" })).packet).split("> ")[1]);
  const each = new Director([service("203.0.113.10", [["tcp", 80, 80]], two)]);
  t.same(chosen(each), ["10.0.0.3:8080", "10.0.0.4:8080", "10.0.0.3:8080", "10.0.0.4:8080"]);
  const persistent = new Director([service("203.0.113.10", [["tcp", 80, 80]], two, { persistence: seconds(300) })]);
  t.equal(new Set(chosen(persistent)).size, 1);
  persistent.wait(120_000);
  t.equal(persistent.balancer.services[0]!.templates!.size, 1);
  persistent.balancer.advance(ms(persistent.now + 300_001));
  t.equal(persistent.balancer.services[0]!.templates!.size, 0, "its connections were given back");
});

t.test("a realserver without a port, and a port group, keep the port that the client asked for", async (t) => {
  const d = new Director([
    service(
      "203.0.113.10",
      [
        ["tcp", 80, 80],
        ["tcp", 8000, 8010],
      ],
      [realserver("10.0.0.3", 9999)],
    ),
    service("203.0.113.11", [["tcp", 80, 80]], [realserver("10.0.0.4", null)]),
  ]);
  t.equal(d.say(tcp({ from: CLIENT, to: "203.0.113.10:8005", flags: "S" })), `to-real: ${CLIENT} -> 10.0.0.3:8005`);
  t.equal(d.say(tcp({ from: CLIENT, to: "203.0.113.11:80", flags: "S" })), `to-real: ${CLIENT} -> 10.0.0.4:80`);
});

t.test("two services of one realserver port: answers that could not be told apart are refused", async (t) => {
  const d = new Director([
    web(),
    { ...web(), name: "other", address: service("203.0.113.11", [["tcp", 80, 80]], []).address },
  ]);
  d.one(syn);
  t.equal(d.say(tcp({ from: CLIENT, to: "203.0.113.11:80", flags: "S" })), "drop: clash");
  t.equal(d.balancer.services[1]!.realservers[0]!.active, 0);
});

t.test("a realserver of the other family cannot serve", async (t) => {
  const d = new Director([service("203.0.113.10", [["tcp", 80, 80]], [realserver("fd00::3", 80)])]);
  t.equal(d.say(syn), "drop: family-mismatch");
});

t.test("no realserver, no connection", async (t) => {
  const d = new Director([service("203.0.113.10", [["tcp", 80, 80]], [])]);
  t.equal(d.say(syn), "drop: no-realserver");
});

t.test("a SYN flood fills the table, the newest come in, and what is established stays", async (t) => {
  const d = new Director([web()], { capacity: 50 });
  d.one(syn);
  d.one(tcp({ from: CLIENT, to: VIP }));
  const flood = Array.from({ length: 500 }, (_, n) => tcp({ from: `198.51.100.7:${n + 1}`, to: VIP, flags: "S" }));
  t.ok(d.all(flood).every(({ verdict }) => verdict === "to-real"));
  t.equal(d.engine.table.size, 50);
  t.equal(d.one(tcp({ from: CLIENT, to: VIP })).reason, "established");
  t.same(d.engine.flows.ended.all(), { evicted: 451 });
  const { active, inactive } = d.balancer.services[0]!.realservers[0]!;
  t.same([active, inactive], [1, 49]);
});

t.test("a table full of established connections lets nobody in", async (t) => {
  const d = new Director([web()], { capacity: 3 });
  for (const n of [1, 2, 3]) {
    d.one(tcp({ from: `192.0.2.7:${n}`, to: VIP, flags: "S" }));
    d.one(tcp({ from: `192.0.2.7:${n}`, to: VIP }));
  }
  t.equal(d.say(syn), "drop: table-full");
  t.equal(d.balancer.services[0]!.realservers[0]!.active, 3);
});

t.test("a new connection with the ports of one that is over is scheduled anew", async (t) => {
  const d = new Director([
    service("203.0.113.10", [["tcp", 80, 80]], [realserver("10.0.0.3", 80), realserver("10.0.0.4", 80)]),
  ]);
  t.equal(d.say(syn), `to-real: ${CLIENT} -> 10.0.0.3:80`);
  d.one(tcp({ from: "10.0.0.3:80", to: CLIENT, flags: "RA" }));
  t.equal(d.say(syn), `to-real: ${CLIENT} -> 10.0.0.4:80`);
  t.equal(d.engine.table.size, 1);
  t.same(d.engine.flows.ended.all(), { reopened: 1 });
});

t.test("a batch of any size is judged packet by packet, in order", async (t) => {
  const packets = [...Array(100).keys()].flatMap((n) => {
    const from = `192.0.2.7:${1000 + n}`;
    return [tcp({ from, to: VIP, flags: "S" }), tcp({ from: REAL, to: from, flags: "SA" }), tcp({ from, to: VIP })];
  });
  const together = director().all(packets);
  const d = director();
  t.same(
    together,
    packets.map((packet) => d.one(packet)),
  );
  t.same(
    together.map(({ packet }) => wrong(packet)).filter((fault) => fault !== null),
    [],
  );
});

t.test("above the size where rows are touched first nothing is different", async (t) => {
  const d = new Director([web()], { capacity: 10_000 });
  const froms = Array.from({ length: 6000 }, (_, n) => `10.1.${n >> 8}.${n & 255}:5000`);
  d.all(froms.map((from) => tcp({ from, to: VIP, flags: "S" })));
  const answers = d.all(froms.map((from) => tcp({ from: REAL, to: from, flags: "SA" })));
  t.ok(answers.every(({ packet, verdict }, n) => verdict === "to-client" && route(packet) === `${VIP} -> ${froms[n]}`));
});

t.test("a control connection that gets no row leaves nothing in the balancer", async (t) => {
  const d = new Director(
    [
      service("203.0.113.10", [["tcp", 21, 21]], [realserver("10.0.0.3", 2121)], {
        helper: ftp,
        controlPorts: [port(21)],
      }),
    ],
    { capacity: 1 },
  );
  d.one(tcp({ from: CLIENT, to: "203.0.113.10:21", flags: "S" }));
  d.one(tcp({ from: CLIENT, to: "203.0.113.10:21" }));
  t.equal(d.say(tcp({ from: "192.0.2.8:1", to: "203.0.113.10:21", flags: "S" })), "drop: table-full");
  t.equal(d.balancer.connections.size, 1);
  t.equal(d.balancer.services[0]!.realservers[0]!.active, 1);
});

t.test("data ports of a service with a helper are shut until its control connection opens them", async (t) => {
  const spec = service(
    "203.0.113.10",
    [
      ["tcp", 21, 21],
      ["tcp", 40000, 40100],
    ],
    [realserver("10.0.0.3", null)],
    {
      helper: ftp,
      controlPorts: [port(21)],
    },
  );
  const d = new Director([spec]);
  const data = tcp({ from: CLIENT, to: "203.0.113.10:40001", flags: "S" });
  t.equal(d.say(data), "drop: no-control-connection");
  d.one(tcp({ from: "192.0.2.7:1", to: "203.0.113.10:21", flags: "S" }));
  d.balancer.group(d.engine.flows.entry(1)!, null, ms(0));
  t.equal(d.say(data), `to-real: ${CLIENT} -> 10.0.0.3:40001`);
});

const datagram = udp({ from: CLIENT, to: "203.0.113.10:53", payload: Uint8Array.from({ length: 72 }, (_, i) => i) });
const [first, middle, last] = fragments(datagram, [32, 56]) as [Uint8Array, Uint8Array, Uint8Array];

t.test("fragments follow the first one to its realserver, and make the translated datagram there", async (t) => {
  const d = director();
  const judged = d.all([first, last, middle]);
  t.same(
    judged.map(({ verdict, reason }) => `${verdict} ${reason}`),
    Array(3).fill("to-real fragment"),
  );
  const bodies = [judged[0]!, judged[2]!, judged[1]!].map(({ packet }) => packet.subarray(20));
  const whole = joined(judged[0]!.packet.subarray(0, 20), ...bodies);
  const expected = udp({ from: CLIENT, to: "10.0.0.3:5353", payload: datagram.slice(28) });
  t.same(whole.subarray(20), expected.subarray(20));
  t.ok(judged.every(({ packet }) => packet.subarray(16, 20).join(".") === "10.0.0.3"));
});

t.test("of fragments that overlap none goes on any more; a repetition is dropped alone", async (t) => {
  const d = director();
  const overlapping = fragments(datagram, [24, 56])[1]!;
  t.same(
    d.all([first, first, overlapping, middle, last]).map(({ reason }) => reason),
    ["fragment", "fragment-repeated", "fragment-overlap", "fragment-overlap", "fragment-overlap"],
  );
});

// Beyond that its bits would be another datagram's (the ping of death, to whoever adds up in 16 bits).
t.test("a fragment that reaches beyond the longest datagram goes nowhere, and takes its datagram along", async (t) => {
  for (const [length, reason] of [
    [7, "fragment"],
    [8, "fragment-overlap"],
    [3000, "fragment-overlap"],
  ] as const) {
    const d = director();
    t.equal(d.one(first).reason, "fragment");
    const beyond = joined(last.subarray(0, 20), new Uint8Array(length));
    const view = new DataView(beyond.buffer);
    view.setUint16(2, beyond.length);
    view.setUint16(6, 65_528 >> 3);
    t.equal(d.one(beyond).reason, reason);
    t.equal(d.one(middle).reason, reason);
  }
});

t.test("a fragment that comes too late goes nowhere, nor one without ports", async (t) => {
  const d = director();
  t.equal(d.one(first).reason, "fragment");
  d.now += 30_000;
  t.equal(d.one(middle).reason, "fragment-held");
  d.wait(30_000);
  t.equal(d.engine.counters.get("fragment-incomplete"), 1);
  const tiny = fragments(tcp({ from: CLIENT, to: VIP, flags: "S" }), [8])[0]!;
  t.equal(d.one(tiny).reason, "fragment-tiny");
});

t.test("fragments of a segment follow their connection", async (t) => {
  const d = director();
  d.one(syn);
  const segment = tcp({ from: CLIENT, to: VIP, payload: new Uint8Array(64) });
  t.same(
    d.all(fragments(segment, [40, 64])).map(({ reason }) => reason),
    ["fragment", "fragment", "fragment"],
  );
});

t.test("fragments of nobody's datagrams, however many, neither grow the engine nor stop it", async (t) => {
  const d = director();
  for (let n = 0; n < 5000; n++) {
    const strange = udp({ from: `198.51.100.7:${n + 1}`, to: "203.0.113.10:53", payload: new Uint8Array(72) });
    const [begun, , ended] = fragments(strange, [32, 56]) as [Uint8Array, Uint8Array, Uint8Array];
    begun[4] = n >> 8;
    begun[5] = n & 255;
    d.all([begun, ended]);
  }
  t.same(
    d.all([first, middle, last]).map(({ reason }) => reason),
    ["fragment", "fragment", "fragment"],
  );
});
