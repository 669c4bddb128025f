/** Requests to realservers that have the VIP: whose replies may take another way. */
import t from "tap";
import type { Method } from "../../../core/service.ts";
import { port } from "../../../core/units.ts";
import { radius } from "../../../helpers/radius/helper.ts";
import { address } from "../../addresses.ts";
import { accessRequest, packet } from "../../helpers/radius/packets.ts";
import { fragments, route, ttlOf, udp, wrong } from "../../packets.ts";
import { Director, realserver, service } from "../director.ts";

const NAS = "192.0.2.7:40000";
const VIP = "203.0.113.10:1812";
const REALS = ["10.0.0.3", "10.0.0.4"];

const auth = (...reals: [real: string, method: Method][]) =>
  service(
    "203.0.113.10",
    [["udp", 1812, 1813]],
    reals.map(([real, method]) => ({ ...realserver(real, null), method })),
    { helper: radius, controlPorts: [port(1812)] },
  );

/** A realserver for each of `methods`. */
const director = (...methods: Method[]) =>
  new Director([auth(...methods.map((method, i): [string, Method] => [REALS[i]!, method]))], {
    tunnels: { from: [address("10.0.0.1")], mtu: 1500 },
  });

/** From now on its only realserver is the second one. */
function change(d: Director, method: Method): void {
  d.balancer.change([auth([REALS[1]!, method])]);
  d.engine.update();
}

const asks = (payload: Uint8Array, from = NAS) => udp({ from, to: VIP, payload });
const replies = (payload: Uint8Array, to = NAS) => udp({ from: VIP, to, payload });
const realOf = (d: Director, payload: Uint8Array): string => d.one(asks(payload), "CLIENT").destination;

t.test("one socket's requests go to both, each as it came with one hop less; no flow is made of them", async (t) => {
  const d = director("dr", "dr");
  const counts = new Map<string, number>();
  for (let n = 0; n < 1000; n++) {
    const request = asks(accessRequest(n & 255, [[1, `user${n}`]], n >> 8));
    const judged = d.one(request, "CLIENT");
    counts.set(judged.destination, (counts.get(judged.destination) ?? 0) + 1);
    if (judged.verdict !== "direct" || judged.reason !== "request") t.fail(judged.reason);
    if (route(judged.packet) !== route(request) || wrong(judged.packet) !== null) t.fail("changed");
    if (ttlOf(judged.packet) !== ttlOf(request) - 1) t.fail("hops");
  }
  t.same(Object.fromEntries(counts), { [REALS[0]!]: 500, [REALS[1]!]: 500 });
  t.equal(d.engine.table.size, 0);
});

t.test("in tunnels too, and beside one behind NAT", async (t) => {
  const d = director("nat", "tunnel");
  const ways = Array.from({ length: 4 }, (_, id) => {
    const { verdict, packet } = d.one(asks(accessRequest(id)), "CLIENT");
    const sent = d.sent[0]?.packet;
    return verdict === "taken" ? `tunnel: ${route(sent!.subarray(20))}` : `${verdict}: ${route(packet)}`;
  });
  const [behindNat, tunnelled] = [`to-real: ${NAS} -> 10.0.0.3:1812`, `tunnel: ${NAS} -> ${VIP}`];
  t.same(ways.sort(), [behindNat, behindNat, tunnelled, tunnelled]);
  const large = accessRequest(9, Array(6).fill([79, "x".repeat(250)]));
  const reasons = [0, 1].map((n) => d.one(asks(large.with(1, 10 + n).with(4, n)), "CLIENT").reason).sort();
  t.same(reasons, ["request", "too-big"]);
});

t.test("replies that come this way pass, only to what was asked and as often", async (t) => {
  const d = director("dr", "dr");
  realOf(d, accessRequest(1));
  t.equal(d.say(replies(packet(2, 2)), "REAL"), "drop: reply-unasked", "another id");
  t.equal(d.say(replies(packet(2, 1), "192.0.2.8:40000"), "REAL"), "drop: reply-unasked", "another client");
  t.equal(d.say(replies(packet(2, 1)), "REAL"), `to-client: ${VIP} -> ${NAS}`);
  t.equal(d.say(replies(packet(2, 1)), "REAL"), "drop: reply-unasked", "answered already");
});

t.test("a realserver whose replies were never seen is not taken for dead; one that was heard before is", async (t) => {
  const d = director("dr", "dr");
  const first = realOf(d, accessRequest(1));
  for (let n = 0; n < 10; n++) t.equal(realOf(d, accessRequest(1)), first);
  d.one(replies(packet(2, 1)), "REAL");
  d.wait(6000);
  const ask = (): string => realOf(d, accessRequest(3, [[1, "eve"]], 8));
  while (ask() !== first) d.wait(31_000);
  t.same([ask(), ask()], [first, first]);
  t.not(ask(), first);
});

t.test("what continues a conversation goes where its user's last request went, though no reply was seen", async (t) => {
  const d = director("dr", "dr");
  const began = ["ann", "bob", "cid", "dan"].map((user, id) => realOf(d, accessRequest(id, [[1, user]])));
  t.equal(new Set(began).size, 2);
  for (let round = 1; round < 5; round++) {
    const state: [number, string] = [24, `state ${round}`];
    const goes = ["ann", "bob", "cid", "dan"].map((user, id) =>
      realOf(d, accessRequest(id + round * 10, [[1, user], state])),
    );
    t.same(goes, began);
  }
});

t.test("where the reply was seen, State leads, whoever the user is", async (t) => {
  const d = director("dr", "dr");
  const first = realOf(d, accessRequest(1, [[1, "ann"]]));
  d.one(replies(packet(11, 1, [[24, "s1"]])), "REAL");
  while (realOf(d, accessRequest(2, [[1, "ann"]], 50)) === first) d.wait(31_000);
  for (let id = 3; id < 7; id++) {
    const next = accessRequest(id, [
      [1, "ann"],
      [24, "s1"],
    ]);
    t.equal(realOf(d, next), first);
  }
});

t.test("whose CoA one is cannot be seen, so it goes nowhere", async (t) => {
  const d = director("dr", "dr");
  realOf(d, accessRequest(1));
  const coa = udp({ from: "203.0.113.10:50000", to: "192.0.2.7:3799", payload: packet(43, 5) });
  t.match(d.one(coa, "REAL"), { verdict: "drop", reason: "not-announced" });
});

for (const method of ["nat", "dr", "tunnel"] as const) {
  const to = { nat: `to-real: ${NAS} -> ${REALS[1]}:1812`, dr: "direct: request", tunnel: "taken: tunnelled" }[method];

  t.test(`${method}: a request sent again whose realserver answered and is gone is for another`, async (t) => {
    const d = director(method);
    const from = method === "nat" ? `${REALS[0]}:1812` : VIP;
    d.one(asks(accessRequest(1)), "CLIENT");
    t.equal(d.say(udp({ from, to: NAS, payload: packet(2, 1) }), "REAL"), `to-client: ${VIP} -> ${NAS}`);
    change(d, method);
    t.equal(d.say(asks(accessRequest(1)), "CLIENT"), to);
    t.equal(d.balancer.services[0]!.realservers[0]!.active, 1, "which has it to answer");
  });

  t.test(`${method}: what one that is gone still answers leads nobody to it`, async (t) => {
    const d = director(method);
    const from = method === "nat" ? `${REALS[0]}:1812` : VIP;
    d.one(asks(accessRequest(1)), "CLIENT");
    change(d, method);
    t.equal(d.say(udp({ from, to: NAS, payload: packet(11, 1, [[24, "s1"]]) }), "REAL"), `to-client: ${VIP} -> ${NAS}`);
    change(d, method);
    t.equal(d.say(asks(accessRequest(2, [[24, "s1"]])), "CLIENT"), to);
    t.equal(d.balancer.services[0]!.realservers[0]!.active, 1);
  });
}

t.test("a request in fragments leaves in fragments, all for the same realserver", async (t) => {
  const d = director("dr", "dr");
  realOf(d, accessRequest(1));
  const large = accessRequest(2, Array(3).fill([79, "x".repeat(250)]));
  for (const piece of fragments(asks(large), [400])) d.one(piece, "CLIENT");
  t.same(
    d.sent.map(({ verdict, number, packet }) => [verdict, number, packet.length]),
    [
      ["direct", 1, 420],
      ["direct", 1, 28 + large.length - 400],
    ],
  );
});
