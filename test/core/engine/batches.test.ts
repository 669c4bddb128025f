/** Control connections' packets come to the same in whatever batches: what is offered is placed a stage at a time. */
import t from "tap";
import { port } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { oneIn, Random } from "../../../tools/fuzz/generate/choices.ts";
import { describe } from "../../conversation.ts";
import { route, tcp } from "../../packets.ts";
import { Director, type Judged, realserver, service } from "../director.ts";
import { Session } from "./session.ts";

const VIP = "203.0.113.10";
const REALS = ["10.0.0.3", "10.0.0.4"];
const CLIENTS = 6;
const clientOf = (i: number): string => `192.0.2.${7 + i}:40000`;
/** Ports that are offered: so few that one is often somebody else's, or offered again. */
const PORTS = 30;

/** Remembers what went in. */
class Recorded extends Director {
  readonly packets: Uint8Array[] = [];

  override one(packet: Uint8Array, ...rest: []): Judged {
    this.packets.push(packet);
    return super.one(packet, ...rest);
  }
}

/** `gone`: as the balancer's; null: nobody wants to hear of it, and entries take turns in their rows. */
type Gone = ConstructorParameters<typeof Director>[3];

const directed = <D extends Director>(
  Made: new (...given: ConstructorParameters<typeof Director>) => D,
  gone?: Gone,
  short = true,
): D =>
  new Made(
    [
      service(
        VIP,
        [["tcp", 21, 21]],
        REALS.map((real) => realserver(real, 2121)),
        { helper: ftp, controlPorts: [port(21)] },
      ),
    ],
    { short },
    undefined,
    gone,
  );

/** All that can be told apart from outside; `batches`: how many packets each has; `short`: as the engine's. */
function outcome(
  packets: readonly Uint8Array[],
  batches: (left: number) => number,
  gone?: Gone,
  short = true,
): unknown {
  const d = directed(Director, gone, short);
  const sent = new Map<string, string[]>();
  const judged: string[] = [];
  for (let at = 0; at < packets.length; ) {
    const some = packets.slice(at, at + batches(packets.length - at));
    for (const { verdict, reason } of d.all(some)) judged.push(`${verdict} ${reason}`);
    for (const { packet } of d.sent) {
      // Of different connections nobody can tell which was first.
      const known = sent.get(route(packet)) ?? [];
      sent.set(route(packet), [...known, Buffer.from(packet).toString("latin1")]);
    }
    at += some.length;
  }
  const { table, controls, flows } = d.engine;
  return [sent, judged, [...d.balancer.related].map(describe), table.size, controls.counters.all(), flows.ended.all()];
}

const offering = (address: string, offered: number): string =>
  `227 Entering Passive Mode (${address.replaceAll(".", ",")},${offered >> 8},${offered & 255}).\r\n`;

/** What the realserver of client `i` answers. Some name what is not theirs. */
function answer(choices: Random, i: number, offered: number): string {
  const real = oneIn(choices, 20) ? "10.9.9.9" : REALS[i % REALS.length]!;
  return offering(real, offered);
}

function begun(d: Director, i: number): Session {
  const session = new Session(d, clientOf(i), `${VIP}:21`, `${REALS[i % REALS.length]}:2121`).open();
  session.reply("220 ready\r\n");
  session.say("USER a\r\n");
  session.reply("230 in\r\n");
  return session;
}

/** Client `i` opens what it was told of; or its control connection, again. */
function aside(choices: Random, i: number, offered: number): readonly Uint8Array[] {
  if (oneIn(choices, 2)) return [tcp({ from: `192.0.2.${7 + i}:50000`, to: `${VIP}:${offered}`, flags: "S" })];
  return oneIn(choices, 10) ? [tcp({ from: clientOf(i), to: `${VIP}:21`, flags: "S", sequence: 5 })] : [];
}

/** What clients and realservers say, one after the other. */
function conversation(choices: Random): readonly Uint8Array[] {
  const d = directed(Recorded);
  const sessions = Array.from({ length: CLIENTS }, (_, i) => begun(d, i));
  for (let turn = 0; turn < 60; turn++) {
    const i = choices.below(CLIENTS);
    // One of them twice now and then: what was asked twice is answered twice.
    const some = [sessions[i]!, ...sessions.filter(() => oneIn(choices, 2))];
    const offered = 5000 + choices.below(PORTS);
    for (const one of some) one.say(oneIn(choices, 20) ? "EPSV\r\n" : "PASV\r\n");
    for (const [k, one] of some.entries()) one.reply(answer(choices, sessions.indexOf(one), offered + k));
    for (const one of aside(choices, i, offered)) d.one(one);
    if (oneIn(choices, 5)) sessions[i]!.say("NOOP\r\n");
  }
  return d.packets;
}

/** Without some of them, with some twice, and each client's in their order, but among one another in any. */
function onTheWay(choices: Random, packets: readonly Uint8Array[]): readonly Uint8Array[] {
  const left = new Map<string, Uint8Array[]>();
  for (const packet of packets) {
    const client = clientIn(packet);
    const its = left.get(client) ?? [];
    left.set(client, its);
    if (packet.length > HEADERS || oneIn(choices, 10) || isSyn(packet)) its.push(packet);
    if (oneIn(choices, 20)) its.push(packet);
  }
  const all: Uint8Array[] = [];
  for (let of = [...left.values()]; of.length > 0; of = of.filter(({ length }) => length > 0)) {
    all.push(of[choices.below(of.length)]!.shift()!);
  }
  return all;
}

const HEADERS = 40;
const isSyn = (packet: Uint8Array): boolean => (packet[33]! & 2) !== 0;

/** As it is told apart from the other end: `192.0.2.7`. */
const clientIn = (packet: Uint8Array): string =>
  route(packet)
    .split(" -> ")
    .map((end) => end.split(":")[0]!)
    .find((address) => address.startsWith("192.0.2."))!;

t.test("property: packets of control connections come to the same in whatever batches", async (t) => {
  for (let seed = 0; seed < 60; seed++) {
    const choices = new Random(seed);
    const packets = onTheWay(choices, conversation(choices));
    const one = outcome(packets, () => 1);
    t.strictSame(
      outcome(packets, () => 1 + choices.below(40)),
      one,
      `seed ${seed}`,
    );
    t.strictSame(
      outcome(packets, () => 256),
      one,
      `seed ${seed}, as they come`,
    );
    t.strictSame(
      outcome(packets, () => 256, null),
      one,
      `seed ${seed}, where nobody hears of what is gone`,
    );
    t.strictSame(
      outcome(packets, () => 1, undefined, false),
      one,
      `seed ${seed}, the general way`,
    );
  }
});

/** On the way, and not heard yet. */
const said = (from: Session["client"], text: string): Uint8Array =>
  tcp({
    from: from.name,
    to: from.peer,
    flags: "AP",
    payload: new TextEncoder().encode(text),
    sequence: from.sequence,
    acknowledgment: from.heard,
  });

/** Of the realserver of client `i`. */
const passive = (i: number, port: number): string => offering(REALS[i % REALS.length]!, port);

t.test("a command that crosses a 227 finds it placed and sent, though they come at once", async (t) => {
  const d = directed(Recorded);
  const session = begun(d, 0);
  session.say("PASV\r\n");
  const packets = [...d.packets, said(session.server, passive(0, 5001)), said(session.client, "NOOP\r\n")];
  t.strictSame(
    outcome(packets, () => 256),
    outcome(packets, () => 1),
  );
});

// They waited for ever, and the next stage found no room for its own.
t.test("when the host throws at what is gone, all that was offered with it is as if it had been lost", async (t) => {
  let angry = false;
  const gone = () => {
    if (angry) throw new Error("not now");
  };
  const d = directed(Director, gone);
  const sessions = [0, 1, 2].map((i) => begun(d, i));
  for (const session of sessions) session.say("PASV\r\n");
  sessions[1]!.reply(passive(1, 5002));
  sessions[1]!.say("PASV\r\n");
  // The second is said again, so the one before is gone.
  const packets = sessions.map(({ server }, i) => said(server, passive(i, 5001 + i)));
  angry = true;
  t.throws(() => d.all(packets, "REAL"), /not now/);
  angry = false;
  t.notOk(d.engine.controls.unsettled);
  t.equal(d.balancer.related.size, 1);
  const heard = sessions.map((session, i) => session.reply(passive(i, 5001 + i)));
  t.same(
    heard.slice(1),
    [5002, 5003].map((port) => offering(VIP, port)),
  );
  t.equal(d.balancer.related.size, 3);
  // The first was placed before: its PASV is answered.
  d.one(said(sessions[0]!.server, passive(0, 5009)), "REAL");
  t.equal(d.balancer.related.size, 3);
});
