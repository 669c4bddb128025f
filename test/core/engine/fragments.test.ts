import fc from "fast-check";
import t from "tap";
import { HeldFragments } from "../../../core/flow/held.ts";
import type { Decision } from "../../../core/inspect/control.ts";
import { ms, port } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { tftp } from "../../../helpers/tftp/helper.ts";
import { fragments, joined, route, tcp, udp, wrong } from "../../packets.ts";
import { Director, realserver, service } from "../director.ts";
import { Session } from "./session.ts";

const CLIENT = "192.0.2.7:40000";
const VIP = "203.0.113.10";
const REAL = "10.0.0.3";
const CLIENT6 = "[2001:db8::7]:40000";
const VIP6 = "2001:db8:1::10";
const REAL6 = "fd00::3";

const director = () =>
  new Director([
    service(VIP, [["udp", 53, 53]], [realserver(REAL, 5353)]),
    service(VIP6, [["udp", 53, 53]], [realserver(REAL6, 5353)]),
    service(VIP, [["tcp", 21, 21]], [realserver(REAL, 2121)], { helper: ftp, controlPorts: [port(21)] }),
    service(VIP, [["udp", 69, 69]], [realserver(REAL, null)], { helper: tftp, controlPorts: [port(69)] }),
    service(VIP6, [["udp", 69, 69]], [realserver(REAL6, null)], { helper: tftp, controlPorts: [port(69)] }),
  ]);

const body = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7);
const isV6 = (packet: Uint8Array) => packet[0]! >> 4 === 6;

/** As `fragments`, of an IPv6 packet without extension headers. */
function fragments6(packet: Uint8Array, cuts: readonly number[], identification = 77): Uint8Array[] {
  const payload = packet.subarray(40);
  return [0, ...cuts].map((start, i) => {
    const stop = cuts[i] ?? payload.length;
    const header = packet.slice(0, 40);
    const view = new DataView(header.buffer);
    view.setUint16(4, 8 + stop - start);
    header[6] = 44;
    const own = new Uint8Array(8);
    own[0] = packet[6]!;
    new DataView(own.buffer).setUint16(2, start | (stop < payload.length ? 1 : 0));
    new DataView(own.buffer).setUint32(4, identification);
    return joined(header, own, payload.subarray(start, stop));
  });
}

/** What a receiver makes of `pieces`, which lack nothing: one packet without fragment headers. */
function whole(pieces: readonly Uint8Array[]): Uint8Array {
  const v6 = isV6(pieces[0]!);
  const parts = pieces.map((piece) => {
    const view = new DataView(piece.buffer, piece.byteOffset);
    const at = v6 ? view.getUint16(42) & 0xfff8 : (view.getUint16(6) & 0x1fff) << 3;
    return { at, body: piece.subarray(v6 ? 48 : 20) };
  });
  parts.sort((a, b) => a.at - b.at);
  const payload = joined(...parts.map((part) => part.body));
  const header = pieces[0]!.slice(0, v6 ? 40 : 20);
  const view = new DataView(header.buffer);
  if (v6) {
    view.setUint16(4, payload.length);
    header[6] = pieces[0]![40]!;
    return joined(header, payload);
  }
  view.setUint16(2, 20 + payload.length);
  view.setUint16(6, 0);
  view.setUint16(10, 0);
  return withHeaderChecksum(joined(header, payload));
}

function withHeaderChecksum(packet: Uint8Array): Uint8Array {
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += (packet[i]! << 8) | packet[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  new DataView(packet.buffer).setUint16(10, ~sum);
  return packet;
}

/** Packets that left, in whatever way, translated. */
function left(d: Director, packets: readonly Uint8Array[], batches = [packets]): Uint8Array[] {
  return batches.flatMap((batch) => {
    const judged = d.all(batch, "CLIENT");
    const passed = judged.filter(({ verdict }) => verdict === "to-real").map(({ packet }) => packet);
    return [...passed, ...d.sent.map(({ packet }) => packet)];
  });
}

const orders = fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4, maxLength: 4 });

t.test("in whatever order fragments come, all leave, and make the translated datagram", async () => {
  fc.assert(
    fc.property(orders, fc.boolean(), fc.boolean(), (order, v6, together) => {
      const d = director();
      const from = v6 ? CLIENT6 : CLIENT;
      const datagram = udp({ from, to: v6 ? `[${VIP6}]:53` : `${VIP}:53`, payload: body(100) });
      const pieces = (v6 ? fragments6 : fragments)(datagram, [32, 56, 80]);
      const packets = order.map((i) => pieces[i]!);
      const out = left(d, packets, together ? [packets] : packets.map((one) => [one]));
      if (out.length !== 4) return false;
      const made = whole(out);
      const expected = udp({ from, to: v6 ? `[${REAL6}]:5353` : `${REAL}:5353`, payload: body(100) });
      return wrong(made) === null && route(made) === route(expected);
    }),
  );
});

t.test("a fragment before its first is held, and counted again when it goes on", async (t) => {
  const d = director();
  const [first, last] = fragments(udp({ from: CLIENT, to: `${VIP}:53`, payload: body(72) }), [32]);
  t.match(d.one(last!, "CLIENT"), { verdict: "taken", reason: "fragment-held" });
  t.match(d.one(first!, "CLIENT"), { verdict: "to-real", reason: "fragment" });
  t.equal(d.sent.length, 1);
  t.same(d.engine.counters.all(), { "fragment-held": 1, fragment: 2 });
});

t.test("what was held is dropped for the same reasons as what was not", async (t) => {
  const d = director();
  const [first, last] = fragments(udp({ from: CLIENT, to: `${VIP}:53`, payload: body(72) }), [32]);
  d.one(last!, "REAL");
  d.one(first!, "CLIENT");
  t.same(d.sent, [], "the other side's");
  t.equal(d.engine.counters.get("wrong-side"), 1);
});

t.test("held for 30 seconds; then given up, and counted", async (t) => {
  const d = director();
  const [first, last] = fragments(udp({ from: CLIENT, to: `${VIP}:53`, payload: body(72) }), [32]);
  d.one(last!, "CLIENT");
  d.wait(30_000);
  t.equal(d.engine.counters.get("fragment-incomplete"), 1);
  d.one(first!, "CLIENT");
  t.same(d.sent, []);
});

t.test("held bytes are bounded, in all and for a datagram; what waits longest gives way", async (t) => {
  let givenUp = 0;
  const held = new HeldFragments((fragments) => {
    givenUp += fragments;
  });
  const fragment = { packet: new Uint8Array(1480), side: 0, start: 0, body: 20 };
  for (let n = 0; n < 10_000; n++) held.add(`${n}`, fragment, ms(0));
  t.ok(held.bytes <= 3 * 1024 * 1024);
  t.equal(held.take("0").length, 0);
  t.equal(held.take("9999").length, 1);
  const many = new HeldFragments(() => {});
  for (let n = 0; n < 129; n++) many.add("one", fragment, ms(0));
  t.same([many.take("one").length, many.bytes], [0, 0]);
  t.ok(givenUp > 5000);
});

const login = (session: Session) => {
  session.reply("220 ready\r\n");
  session.say("USER anonymous\r\n");
  session.reply("230 in\r\n");
};

t.test("a segment of a control connection that comes in fragments is read whole, in whatever order", async (t) => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
  ]) {
    const d = director();
    const session = new Session(d, CLIENT, `${VIP}:21`, `${REAL}:2121`).open();
    login(session);
    session.say("PASV\r\n");
    const { sequence, heard } = session.server;
    const payload = Buffer.from("227 ok (10,0,0,3,19,137)\r\n");
    const from = `${REAL}:2121`;
    const segment = tcp({ from, to: CLIENT, flags: "AP", payload, sequence, acknowledgment: heard });
    const pieces = fragments(segment, [24, 32]);
    const reasons = order.map((i) => d.one(pieces[i]!, "REAL").reason);
    t.same(reasons, Array(3).fill("fragment-held"));
    const isFragment = ({ packet }: { packet: Uint8Array }) => (packet[6]! & 0x3f) + packet[7]! > 0;
    const cut = d.sent.filter(isFragment);
    t.ok(cut.every(({ packet }) => packet.length <= pieces[0]!.length));
    d.sent = [
      ...d.sent.filter((one) => !isFragment(one)),
      { verdict: "to-client", number: 0, packet: whole(cut.map((one) => one.packet)) },
    ];
    session.hear();
    const said = Buffer.concat(session.client.received).toString("latin1");
    t.match(said, /227 ok \(203,0,113,10,19,137\)\r\n$/);
    t.equal(d.balancer.related.size, 1);
  }
});

t.test("a bounce hidden in fragments is read, and refused", async (t) => {
  const decisions: Decision[] = [];
  const d = new Director(
    [service(VIP, [["tcp", 21, 21]], [realserver(REAL, 2121)], { helper: ftp, controlPorts: [port(21)] })],
    { explain: (decision) => decisions.push(decision) },
  );
  const session = new Session(d, CLIENT, `${VIP}:21`, `${REAL}:2121`).open();
  login(session);
  const { sequence, heard } = session.client;
  const payload = Buffer.from("PORT 198,51,100,9,4,1\r\n");
  const segment = tcp({ from: CLIENT, to: `${VIP}:21`, flags: "AP", payload, sequence, acknowledgment: heard });
  d.all(fragments(segment, [24, 32]), "CLIENT");
  t.match(decisions.at(-1), { outcome: "refused", reason: "bounce" });
});

t.test("a datagram that is read leaves in fragments no longer than it came in, IPv6 too", async (t) => {
  for (const v6 of [false, true]) {
    const d = director();
    const from = v6 ? CLIENT6 : CLIENT;
    const payload = joined(Uint8Array.of(0, 1), Buffer.from(`${"f".repeat(200)}\0octet\0`));
    const datagram = udp({ from, to: v6 ? `[${VIP6}]:69` : `${VIP}:69`, payload });
    const pieces = (v6 ? fragments6 : fragments)(datagram, [96, 192]);
    const out = left(d, [pieces[1]!, pieces[0]!, pieces[2]!]);
    t.ok(out.length > 1);
    t.ok(out.every(({ length }) => length <= pieces[0]!.length));
    const made = whole(out);
    t.equal(wrong(made), null);
    t.equal(route(made), route(udp({ from, to: v6 ? `[${REAL6}]:69` : `${REAL}:69`, payload })));
    t.equal(d.balancer.related.size, 1, "it was read");
  }
});

t.test("teardrop: of overlapping fragments of a datagram that is read nothing goes on", async (t) => {
  for (const v6 of [false, true]) {
    const d = director();
    const payload = joined(Uint8Array.of(0, 1), Buffer.from(`${"f".repeat(200)}\0octet\0`));
    const make = v6 ? fragments6 : fragments;
    const datagram = udp({ from: v6 ? CLIENT6 : CLIENT, to: v6 ? `[${VIP6}]:69` : `${VIP}:69`, payload });
    const [first, middle, last] = make(datagram, [96, 192]);
    const overlapping = make(datagram, [88, 192])[1]!;
    t.same(left(d, [first!, overlapping, middle!, last!]), []);
    t.equal(d.balancer.related.size, 0);
    t.equal(d.engine.counters.get("fragment-overlap"), 3);
    t.equal(d.engine.counters.get("fragment-incomplete"), 1, "the first was held in vain");
  }
});

t.test("a whole that were longer than an IP packet can be is none", async (t) => {
  const d = director();
  const datagram = udp({ from: CLIENT, to: `${VIP}:69`, payload: body(65_500) });
  const cuts = Array.from({ length: 63 }, (_, i) => (i + 1) * 1024);
  const pieces = fragments(datagram, cuts);
  const end = pieces.at(-1)!;
  const longer = joined(end, new Uint8Array(24));
  new DataView(longer.buffer).setUint16(2, longer.length);
  t.same(left(d, [...pieces.slice(0, -1), withHeaderChecksum(longer)]), []);
  t.equal(d.engine.counters.get("control"), 0);
});
