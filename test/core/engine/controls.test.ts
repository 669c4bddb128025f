import t from "tap";
import type { Decision } from "../../../core/inspect/control.ts";
import type { RealserverSpec } from "../../../core/service.ts";
import { port } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { describe } from "../../conversation.ts";
import { icmp, sum, tcp, ttlOf } from "../../packets.ts";
import { Director, realserver, service } from "../director.ts";
import { Session } from "./session.ts";

const CLIENT = "192.0.2.7:40000";
const VIP = "203.0.113.10";
const REAL = "10.0.0.3";
const RST = 4;

function directed(real: Partial<RealserverSpec> = {}, options: ConstructorParameters<typeof Director>[1] = {}) {
  const decisions: Decision[] = [];
  const d = new Director(
    [
      service(VIP, [["tcp", 21, 21]], [{ ...realserver(REAL, 2121), ...real }], {
        helper: ftp,
        controlPorts: [port(21)],
      }),
      service("2001:db8:1::10", [["tcp", 21, 21]], [realserver("fd00::3", null)], {
        helper: ftp,
        controlPorts: [port(21)],
      }),
    ],
    { explain: (decision) => decisions.push(decision), ...options },
  );
  return { d, decisions, session: new Session(d, CLIENT, `${VIP}:21`, `${REAL}:2121`).open() };
}
const pending = ({ balancer }: Director): string[] => [...balancer.related].map(describe);
const reasons = (decisions: readonly Decision[]) => decisions.map(({ outcome, reason }) => `${outcome} ${reason}`);

function login(session: Session): void {
  session.reply("220 ready\r\n");
  session.say("USER anonymous\r\n");
  session.reply("230 in\r\n");
}

t.test(
  "PASV: the 227 names the VIP, the entry is there, and the data connection goes where it was announced",
  async (t) => {
    const { d, decisions, session } = directed();
    login(session);
    t.equal(session.say("PASV\r\n"), "PASV\r\n");
    t.equal(session.reply("227 ok (10,0,0,3,19,137)\r\n"), "227 ok (203,0,113,10,19,137)\r\n");
    t.same(pending(d), [`ftp-passive 192.0.2.7:any -> ${VIP}:5001 => ${REAL}:5001`]);
    t.same(reasons(decisions), ["expected ftp-passive"]);
    const data = "192.0.2.7:50123";
    t.equal(d.say(tcp({ from: data, to: `${VIP}:5001`, flags: "S" }), "CLIENT"), `to-real: ${data} -> ${REAL}:5001`);
    t.equal(session.say("RETR x\r\n"), "RETR x\r\n");
    t.equal(session.reply("226 sent\r\n"), "226 sent\r\n", "numbers are shifted from here on");
  },
);

t.test("a damaged segment of a connection at rest goes nowhere, and nothing is read of it", async (t) => {
  const { d, session } = directed();
  login(session);
  session.say("NOOP\r\n");
  session.reply("200 ok\r\n");
  const { name, peer, sequence, heard } = session.client;
  const payload = new TextEncoder().encode("PASV\r\n");
  const packet = tcp({ from: name, to: peer, flags: "AP", payload, sequence, acknowledgment: heard });
  packet[packet.length - 3]! ^= 1;
  d.one(packet, "CLIENT");
  t.same(d.sent, []);
  t.equal(d.engine.controls.counters.get("control.checksum"), 1);
  t.equal(session.say("NOOP\r\n"), "NOOP\r\n");
});

t.test("PORT: the realserver sees the client as it is, and what it opens leaves as VIP:20", async (t) => {
  const { d, session } = directed();
  login(session);
  t.equal(session.say("PORT 192,0,2,7,4,1\r\n"), "PORT 192,0,2,7,4,1\r\n");
  t.same(pending(d), [`ftp-active ${REAL}:any -> 192.0.2.7:1025 => 192.0.2.7:1025`]);
  const data = tcp({ from: `${REAL}:33000`, to: "192.0.2.7:1025", flags: "S" });
  t.equal(d.say(data, "REAL"), `to-client: ${VIP}:20 -> 192.0.2.7:1025`);
});

t.test("over IPv6: EPSV and EPRT", async (t) => {
  const { d } = directed();
  const session = new Session(d, "[2001:db8::7]:40000", "[2001:db8:1::10]:21", "[fd00::3]:21").open();
  login(session);
  session.say("EPSV\r\n");
  t.equal(session.reply("229 ok (|||5001|)\r\n"), "229 ok (|||5001|)\r\n");
  session.say("EPRT |2|2001:db8::7|1025|\r\n");
  t.same(pending(d), [
    "ftp-epsv 2001:db8::7:any -> [2001:db8:1::10]:5001 => [fd00::3]:5001",
    "ftp-eprt fd00::3:any -> [2001:db8::7]:1025 => [2001:db8::7]:1025",
  ]);
});

t.test("a port that is taken at the VIP becomes another, and the text follows", async (t) => {
  const { d, session } = directed();
  const second = new Session(d, "192.0.2.8:40000", `${VIP}:21`, `${REAL}:2121`).open();
  for (const one of [session, second]) {
    login(one);
    one.say("PASV\r\n");
  }
  session.reply("227 ok (10,0,0,3,19,137)\r\n");
  const told = second.reply("227 ok (10,0,0,3,19,137)\r\n");
  t.match(told, /^227 ok \(203,0,113,10,\d+,\d+\)\r\n$/);
  t.notMatch(told, "19,137");
  const [high, low] = told
    .match(/(\d+),(\d+)\)/)!
    .slice(1)
    .map(Number) as [number, number];
  const from = "192.0.2.8:50000";
  const data = tcp({ from, to: `${VIP}:${high * 256 + low}`, flags: "S" });
  t.equal(d.say(data, "CLIENT"), `to-real: ${from} -> ${REAL}:5001`);
});

t.test("a long reply leaves the connection whose row lies behind as it was", async (t) => {
  const { d, session } = directed();
  login(session);
  const second = new Session(d, "192.0.2.8:40000", `${VIP}:21`, `${REAL}:2121`).open();
  login(second);
  const long = `200 ${"x".repeat(500)}\r\n`;
  t.equal(session.reply(long), long);
  t.equal(second.say("NOOP\r\n"), "NOOP\r\n");
  t.equal(second.reply("200 ok\r\n"), "200 ok\r\n");
});

t.test("what is sent in a packet's place has its hops, less one, and its class; at rest, too", async (t) => {
  const { d, session } = directed();
  for (const [ttl, type] of [
    [33, 0x10],
    [34, 0x08],
  ] as const) {
    const { sequence, heard } = session.client;
    const payload = Buffer.from("NOOP\r\n");
    const packet = tcp({ from: CLIENT, to: `${VIP}:21`, flags: "AP", sequence, acknowledgment: heard, payload, ttl });
    packet[1] = type;
    sum(packet);
    d.one(packet, "CLIENT");
    const [own] = d.sent.filter(({ verdict }) => verdict === "to-real");
    t.same([ttlOf(own!.packet), own!.packet[1]], [ttl - 1, type]);
    // The same again, and the answers.
    session.say("NOOP\r\n");
    session.reply("200 ok\r\n200 ok\r\n");
  }
});

t.test("what comes late, for a connection that is awake, is not answered by its row", async (t) => {
  const { d, session } = directed();
  login(session);
  const { name, peer, sequence } = session.client;
  const { sequence: next } = session.server;
  const reply = Buffer.from("200 ok\r\n");
  const said = { from: session.server.name, to: name, sequence: next, acknowledgment: session.server.heard };
  d.one(tcp({ ...said, flags: "AP", payload: reply }), "REAL");
  const acknowledgment = session.client.heard + reply.length;
  const late = tcp({ from: name, to: peer, sequence, acknowledgment });
  d.one(tcp({ from: name, to: peer, flags: "AP", sequence, acknowledgment, payload: Buffer.from("NO") }), "CLIENT");
  const sent = () => d.sent.map(({ verdict }) => verdict);
  t.same(sent().sort(), ["to-client", "to-real"], "half a line, and the acknowledgment that came with it");
  d.one(late, "CLIENT");
  t.same(sent(), ["to-client"], "told how far we are");
});

/** Nobody hears of decisions, so that offers need no more than the connection's row. */
function counted(window: number): Session {
  const ftpService = { helper: ftp, controlPorts: [port(21)] };
  const d = new Director([service(VIP, [["tcp", 21, 21]], [realserver(REAL, 2121)], ftpService)]);
  const session = new Session(d, CLIENT, `${VIP}:21`, `${REAL}:2121`);
  session.client.window = window;
  login(session.open());
  return session;
}

t.test("an offer that grows beyond its client's room is sent as far as there is room", async (t) => {
  const session = counted(24);
  session.say("PASV\r\n");
  t.equal(session.reply("227 (10,0,0,3,19,137)\r\n"), "227 (203,0,113,10,19,137)\r\n");
  t.same(
    session.client.received.slice(-2).map(({ length }) => length),
    [24, 3],
  );
});

t.test("a bounce is refused: the realserver gets what it will refuse itself", async (t) => {
  const { d, decisions, session } = directed();
  login(session);
  t.equal(session.say("PORT 198,51,100,9,4,1\r\n"), "PORT 0,0,0,0,0,0\r\n");
  t.same(pending(d), []);
  t.same(reasons(decisions), ["refused bounce"]);
  t.equal(d.engine.controls.counters.get("refused.bounce"), 1);
});

t.test("a line cut anywhere is one line", async (t) => {
  const text = "227 ok (10,0,0,3,19,137)\r\n";
  for (let cut = 1; cut < text.length; cut++) {
    const { d, session } = directed();
    login(session);
    session.say("PASV\r\n");
    t.equal(session.reply(text, cut), "227 ok (203,0,113,10,19,137)\r\n");
    t.equal(pending(d).length, 1);
  }
});

t.test("encrypted: nothing is read, and numbers are shifted by what was changed before", async (t) => {
  const { d, session } = directed();
  login(session);
  session.say("PASV\r\n");
  session.reply("227 ok (10,0,0,3,19,137)\r\n");
  session.say("AUTH TLS\r\n");
  session.reply("234 go ahead\r\n");
  const hello = "\x16\x03\x01\x00\x04abcd";
  t.equal(session.say(hello), hello);
  t.equal(session.reply(`${hello}\x17\x03\x03\x00\x0a227 (1,2,3`), `${hello}\x17\x03\x03\x00\x0a227 (1,2,3`);
  t.equal(d.balancer.related.size, 1);
});

t.test("a stream that does not open like FTP is let go, and its packets are translated like any other's", async (t) => {
  const { d, session } = directed();
  session.reply("SSH-2.0-x\r\n");
  session.say("hello\r\n");
  session.send("server", "A");
  session.reply("one\r\n");
  const judged = d.one(
    tcp({ from: CLIENT, to: `${VIP}:21`, sequence: session.client.sequence, acknowledgment: session.client.heard }),
    "CLIENT",
  );
  t.match(judged, { verdict: "to-real", reason: "established" });
});

t.test("RST and FIN reach the other end, and the flow ends", async (t) => {
  const { d, session } = directed();
  login(session);
  session.say("PASV\r\n");
  session.reply("227 ok (10,0,0,3,19,137)\r\n");
  session.send("client", "RA");
  t.ok((session.server.flags.at(-1)! & RST) !== 0);
  t.same(pending(d), [], "what was announced is gone with it");
  d.wait(11_000);
  t.equal(d.engine.table.size, 0);
  t.equal(d.balancer.connections.size, 0);
  t.equal(d.balancer.services[0]!.realservers[0]!.active, 0);
});

t.test("a RST that nobody can have meant changes nothing", async (t) => {
  const { d, session } = directed();
  login(session);
  const blind = tcp({ from: CLIENT, to: `${VIP}:21`, flags: "R", sequence: (session.client.sequence + 99_999) >>> 0 });
  d.one(blind, "CLIENT");
  t.same(d.sent, []);
  d.wait(11_000);
  t.equal(d.engine.table.size, 1);
  t.equal(session.say("NOOP\r\n"), "NOOP\r\n");
});

t.test("what was read and not delivered is sent again, in time", async (t) => {
  const { d, session } = directed();
  login(session);
  const { sequence, heard } = session.client;
  d.one(
    tcp({ from: CLIENT, to: `${VIP}:21`, flags: "AP", sequence, acknowledgment: heard, payload: Buffer.from("NO") }),
    "CLIENT",
  );
  t.same(
    d.sent.map(({ verdict }) => verdict),
    ["to-client"],
    "half a line is acknowledged, and kept",
  );
  d.wait(61_000);
  t.ok(
    d.sent.some(({ verdict }) => verdict === "to-real"),
    "let go unread when it takes too long",
  );
  d.wait(2_000);
  t.ok(
    d.sent.some(({ verdict }) => verdict === "to-real"),
    "nobody acknowledged it",
  );
});

t.test("a path-MTU message makes our segments smaller", async (t) => {
  const { d, session } = directed();
  login(session);
  const sequence = session.server.heard;
  const sent = tcp({ from: CLIENT, to: `${REAL}:2121`, flags: "A", payload: new Uint8Array(100), sequence });
  d.one(icmp({ from: "10.9.9.9", to: "192.0.2.7", type: 3, code: 4, rest: 140, about: sent.subarray(0, 40) }), "REAL");
  const line = `${"STOR "}${"x".repeat(200)}\r\n`;
  t.equal(session.say(line), line);
  t.ok(session.server.received.slice(-4).every(({ length }) => length <= 100));
});
