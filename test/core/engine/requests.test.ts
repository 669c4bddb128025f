import t from "tap";
import { port } from "../../../core/units.ts";
import { dns } from "../../../helpers/dns/helper.ts";
import { radius } from "../../../helpers/radius/helper.ts";
import { message, QR, TC } from "../../helpers/dns/messages.ts";
import { accessRequest, packet } from "../../helpers/radius/packets.ts";
import { fragments, icmp, route, tcp, udp, wrong } from "../../packets.ts";
import { Director, realserver, service } from "../director.ts";

const NAS = "192.0.2.7:40000";
const VIP = "203.0.113.10";
const REALS = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];

const director = () =>
  new Director([
    service(
      VIP,
      [
        ["udp", 1812, 1812],
        ["udp", 3799, 3799],
      ],
      REALS.map((real) => realserver(real, null)),
      { helper: radius, controlPorts: [port(1812), port(3799)] },
    ),
    service(
      VIP,
      [
        ["udp", 53, 53],
        ["tcp", 53, 53],
      ],
      REALS.map((real) => realserver(real, null)),
      { helper: dns, controlPorts: [port(53)] },
    ),
    service("2001:db8:1::10", [["udp", 1812, 1812]], [realserver("fd00::1", 1645), realserver("fd00::2", 1645)], {
      helper: radius,
      controlPorts: [port(1812)],
    }),
  ]);

const asks = (payload: Uint8Array, from = NAS, to = `${VIP}:1812`) => udp({ from, to, payload });

/** The realserver that the packet goes to. */
function realOf(d: Director, request: Uint8Array): string {
  const judged = d.one(request, "CLIENT");
  if (judged.reason !== "request" || wrong(judged.packet) !== null) throw new Error(judged.reason);
  return route(judged.packet).split(" -> ")[1]!.split(":")[0]!;
}

const answers = (d: Director, real: string, payload: Uint8Array, to = NAS) =>
  d.say(udp({ from: `${real}:1812`, to, payload }), "REAL");

t.test("one NAS socket's 10,000 requests: a quarter to each of four realservers, every reply to the NAS", async (t) => {
  const d = director();
  const counts = new Map<string, number>();
  for (let n = 0; n < 10_000; n++) {
    const id = n & 255;
    const real = realOf(d, asks(accessRequest(id, [[1, "bob"]], (n >> 8) & 255)));
    counts.set(real, (counts.get(real) ?? 0) + 1);
    if (answers(d, real, packet(2, id)) !== `to-client: ${VIP}:1812 -> ${NAS}`) t.fail(`reply ${n}`);
  }
  t.same([...counts.keys()].sort(), REALS);
  t.ok([...counts.values()].every((count) => count >= 2300 && count <= 2700));
  t.equal(d.engine.table.size, 0, "no rows");
  t.same(d.engine.counters.all(), { request: 10_000, reply: 10_000 });
});

t.test("a request sent again goes where it went, also after its reply; another with its id does not", async (t) => {
  const d = director();
  const first = realOf(d, asks(accessRequest(7)));
  t.equal(realOf(d, asks(accessRequest(7))), first);
  answers(d, first, packet(2, 7));
  t.equal(realOf(d, asks(accessRequest(7))), first);
  t.not(realOf(d, asks(accessRequest(7, [[1, "bob"]], 99))), first);
});

t.test("State goes back to the realserver that gave it", async (t) => {
  const d = director();
  const first = realOf(d, asks(accessRequest(1)));
  answers(d, first, packet(11, 1, [[24, "s1"]]));
  for (let id = 2; id < 8; id++) t.equal(realOf(d, asks(accessRequest(id, [[24, "s1"]]))), first);
});

t.test("two realservers have open requests of one socket at once: each answers its own", async (t) => {
  const d = director();
  const one = realOf(d, asks(accessRequest(1)));
  const two = realOf(d, asks(accessRequest(2)));
  t.not(one, two);
  t.equal(answers(d, two, packet(2, 1)), "drop: reply-unasked", "the other's");
  t.equal(answers(d, one, packet(2, 1)), `to-client: ${VIP}:1812 -> ${NAS}`);
  t.equal(answers(d, two, packet(2, 2)), `to-client: ${VIP}:1812 -> ${NAS}`);
  t.equal(answers(d, two, packet(2, 2)), "drop: reply-unasked", "answered already");
  t.equal(answers(d, one, packet(2, 9)), "drop: reply-unasked", "never asked");
  t.equal(answers(d, one, packet(2, 1), "192.0.2.8:40000"), "drop: reply-unasked", "another client");
  const forged = udp({ from: `${one}:1812`, to: NAS, payload: packet(2, 1) });
  t.match(d.say(forged, "CLIENT"), /^drop/, "from the outside");
  t.equal(d.engine.requests.counters.get("dropped.unknown-request"), 3);
});

t.test("what is no request, or damaged, is dropped and counted", async (t) => {
  const d = director();
  t.equal(d.say(asks(Uint8Array.of(1, 2, 3)), "CLIENT"), "drop: request-refused");
  t.equal(d.say(asks(packet(2, 1)), "CLIENT"), "drop: request-refused");
  t.equal(d.say(asks(packet(43, 1)), "CLIENT"), "drop: request-refused");
  const damaged = asks(accessRequest(1));
  damaged[damaged.length - 1]! ^= 1;
  t.equal(d.say(damaged, "CLIENT"), "drop: request-refused");
  t.match(d.engine.requests.counters.all(), { "dropped.not-from-realserver": 1, "dropped.checksum": 1 });
  t.same(
    d.balancer.services[0]!.realservers.map(({ active }) => active),
    [0, 0, 0, 0],
  );
});

t.test("a request is a connection of its realserver until it is answered, or nobody waits any more", async (t) => {
  const d = director();
  const active = () => d.balancer.services[0]!.realservers.reduce((sum, one) => sum + one.active, 0);
  const real = realOf(d, asks(accessRequest(1)));
  realOf(d, asks(accessRequest(2)));
  t.equal(active(), 2);
  answers(d, real, packet(2, 1));
  t.equal(active(), 1);
  d.wait(30_000);
  t.equal(active(), 0);
  t.equal(d.engine.requests.counters.get("requests.expired"), 1);
});

t.test("a realserver that stays silent while it is asked four times is passed over", async (t) => {
  const d = director();
  const again = () => realOf(d, asks(accessRequest(1)));
  const first = again();
  t.same([again(), again()], [first, first]);
  t.not(again(), first);
});

t.test("a CoA of a realserver leaves as the VIP to a NAS that asked before, and the answer comes back", async (t) => {
  const d = director();
  const coa = udp({ from: `${REALS[1]}:50000`, to: "192.0.2.7:3799", payload: packet(43, 5) });
  t.match(d.say(coa, "REAL"), /^drop/, "nobody known");
  realOf(d, asks(accessRequest(1)));
  t.equal(d.say(coa, "REAL"), `to-client: ${VIP}:50000 -> 192.0.2.7:3799`);
  const ack = udp({ from: "192.0.2.7:3799", to: `${VIP}:50000`, payload: packet(44, 5) });
  t.equal(d.say(ack, "CLIENT"), `to-real: 192.0.2.7:3799 -> ${REALS[1]}:50000`);
  const other = udp({ from: `${REALS[1]}:50001`, to: "192.0.2.7:3799", payload: accessRequest(5) });
  t.match(d.say(other, "REAL"), /^drop/, "not a realserver's request");
});

t.test("over IPv6, to another port", async (t) => {
  const d = director();
  const client = "[2001:db8::7]:40000";
  const judged = d.one(asks(accessRequest(1), client, "[2001:db8:1::10]:1812"), "CLIENT");
  t.equal(wrong(judged.packet), null);
  t.equal(route(judged.packet), route(udp({ from: client, to: "[fd00::1]:1645" })));
  const back = d.one(udp({ from: "[fd00::1]:1645", to: client, payload: packet(2, 1) }), "REAL");
  t.equal(wrong(back.packet), null);
  t.equal(route(back.packet), route(udp({ from: "[2001:db8:1::10]:1812", to: client })));
});

t.test("a request in fragments, as EAP-TLS makes them, is one request, and leaves in fragments", async (t) => {
  const d = director();
  const long = accessRequest(
    1,
    Array.from({ length: 8 }, () => [79, new Uint8Array(250)] as const),
  );
  const pieces = fragments(asks(long), [1480]);
  d.all([pieces[1]!, pieces[0]!], "CLIENT");
  t.same(
    d.sent.map(({ verdict, packet: { length } }) => `${verdict} ${length}`),
    pieces.map(({ length }) => `to-real ${length}`),
  );
  const [first] = d.sent;
  t.equal(first!.packet.subarray(16, 20).join("."), REALS[0]);
  t.equal(answers(d, REALS[0]!, packet(2, 1)), `to-client: ${VIP}:1812 -> ${NAS}`);
});

t.test("DNS: the TCP connection after a truncated answer goes to the realserver that gave it", async (t) => {
  const d = director();
  const client = "192.0.2.9:40000";
  for (let n = 0; n < 6; n++) {
    const query = asks(message(n, 0, "a.example"), client, `${VIP}:53`);
    const real = realOf(d, query);
    const answer = udp({ from: `${real}:53`, to: client, payload: message(n, QR | TC, "a.example") });
    t.equal(d.say(answer, "REAL"), `to-client: ${VIP}:53 -> ${client}`);
    const syn = d.one(tcp({ from: `192.0.2.9:${41_000 + n}`, to: `${VIP}:53`, flags: "S" }), "CLIENT");
    const packets = syn.verdict === "taken" ? d.sent.map((one) => one.packet) : [syn.packet];
    t.equal(route(packets[0]!), `192.0.2.9:${41_000 + n} -> ${real}:53`);
    const strange = realOf(d, asks(message(100 + n, 0, "b.example"), "192.0.2.10:40000", `${VIP}:53`));
    t.ok(REALS.includes(strange));
  }
});

const UNREACHABLE = { type: 3, code: 3 };

// A client whose realserver's port was closed waited its whole time out: errors followed flows alone, and requests have none.
t.test("who asks where nobody serves is told so", async (t) => {
  const reals = [{ ...realserver("10.0.0.1", null), weight: 0 }];
  const d = new Director([service(VIP, [["udp", 1812, 1812]], reals, { helper: radius, controlPorts: [port(1812)] })]);
  const request = asks(accessRequest(7));
  t.equal(d.say(request, "CLIENT"), "drop: no-realserver");
  const [told] = d.sent;
  t.equal(told?.verdict, "to-client");
  t.same([...told!.packet.subarray(20, 22)], [3, 3]);
  t.same(told!.packet.subarray(28), request);
});

t.test("an error about a request leaves as the VIP's, and quotes what the client sent", async (t) => {
  const d = director();
  const request = asks(accessRequest(7));
  const real = realOf(d, request);
  const about = udp({ from: NAS, to: `${real}:1812`, payload: accessRequest(7) });
  for (const from of [real, "10.0.0.254"]) {
    const judged = d.one(icmp({ from, to: "192.0.2.7", ...UNREACHABLE, about }), "REAL");
    t.match(judged, { verdict: "to-client", reason: "icmp-error" });
    t.same(judged.packet, icmp({ from: "203.0.113.10", to: "192.0.2.7", ...UNREACHABLE, about: request, ttl: 63 }));
  }
});

t.test("the same over IPv6, of another port", async (t) => {
  const d = director();
  const nas = "[2001:db8::7]:40000";
  const request = asks(accessRequest(7), nas, "[2001:db8:1::10]:1812");
  d.one(request, "CLIENT");
  const about = udp({ from: nas, to: "[fd00::1]:1645", payload: accessRequest(7) });
  const judged = d.one(icmp({ from: "fd00::1", to: "2001:db8::7", type: 1, code: 4, about }), "REAL");
  const expected = icmp({ from: "2001:db8:1::10", to: "2001:db8::7", type: 1, code: 4, about: request, ttl: 63 });
  t.same(judged.packet, expected);
});

t.test("an error about what nobody asked, or from the wrong side, goes nowhere", async (t) => {
  const d = director();
  const real = realOf(d, asks(accessRequest(7)));
  const error = (from: string, to: string, ttl = 64) =>
    icmp({ from: real, to: "192.0.2.7", ...UNREACHABLE, about: udp({ from, to, payload: accessRequest(7) }), ttl });
  const other = REALS.find((one) => one !== real)!;
  t.equal(d.one(error("192.0.2.7:40001", `${real}:1812`), "REAL").reason, "icmp-no-flow", "another socket");
  t.equal(d.one(error(NAS, `${other}:1812`), "REAL").reason, "icmp-no-flow", "another realserver");
  t.equal(d.one(error(NAS, `${real}:1813`), "REAL").reason, "icmp-no-flow", "another port");
  t.equal(d.one(error(NAS, `${real}:1812`), "CLIENT").reason, "wrong-side");
  t.equal(d.one(error(NAS, `${real}:1812`, 1), "REAL").reason, "ttl-exceeded");
  d.wait(600_000);
  t.equal(d.one(error(NAS, `${real}:1812`), "REAL").reason, "icmp-no-flow", "long ago");
});
