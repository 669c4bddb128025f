/** Related entries on packets. What control connections say is given to the balancer by hand here. */
import t from "tap";
import type { Announcement } from "../../../core/helper/api.ts";
import { type Direction, ms, port } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { endpoint } from "../../addresses.ts";
import { tcp, udp } from "../../packets.ts";
import { Director, realserver, service } from "../director.ts";
import { Session } from "./session.ts";

const CLIENT = "192.0.2.7";
const VIP = "203.0.113.10";
const REALS = ["10.0.0.3", "10.0.0.4"];
const CONTROL = `${CLIENT}:40000`;

const ftpService = (rest: Parameters<typeof service>[3] = {}) =>
  service(
    VIP,
    [["tcp", 21, 21]],
    REALS.map((address) => realserver(address, null)),
    { helper: ftp, controlPorts: [port(21)], ...rest },
  );

const announcement = (opener: Direction, to: number, rest: Partial<Announcement> = {}): Announcement => ({
  kind: "test",
  said: "SAID",
  transport: "tcp",
  opener,
  from: { address: null, port: null },
  to: { address: null, port: to },
  uses: 1,
  bytes: { start: 0, end: 0 },
  instead: { start: 0, end: 0, text: () => "" },
  ...rest,
});

/** A director with one control connection from `control`, to the first realserver unless others came before. */
function directed(d = new Director([ftpService()]), control = CONTROL) {
  d.one(tcp({ from: control, to: `${VIP}:21`, flags: "S" }), "CLIENT");
  const entry = [...d.balancer.connections].at(-1)!;
  const announce = (one: Announcement, seen: string) => {
    const related = d.balancer.announce(
      entry,
      one,
      one.opener === "reply" ? "original" : "reply",
      ftp.limits,
      ms(d.now),
    );
    if (typeof related === "string") throw new Error(related);
    const colon = seen.lastIndexOf(":");
    if (!d.balancer.place(related, endpoint(seen.slice(0, colon), Number(seen.slice(colon + 1))))) return null;
    return related;
  };
  return { d, entry, announce, real: entry.real.address.toString() };
}

t.test("a passive data connection goes to the realserver that announced it, and back as from the VIP", async (t) => {
  const { d, announce, real } = directed();
  announce(announcement("original", 5001), `${VIP}:6001`);
  const data = `${CLIENT}:50123`;
  t.equal(d.say(tcp({ from: data, to: `${VIP}:6001`, flags: "S" }), "CLIENT"), `to-real: ${data} -> ${real}:5001`);
  t.equal(d.say(tcp({ from: `${real}:5001`, to: data, flags: "SA" }), "REAL"), `to-client: ${VIP}:6001 -> ${data}`);
  t.equal(d.say(tcp({ from: data, to: `${VIP}:6001` }), "CLIENT"), `to-real: ${data} -> ${real}:5001`);
  t.equal(d.balancer.related.size, 0, "used up");
  t.equal(d.say(tcp({ from: `${CLIENT}:50124`, to: `${VIP}:6001`, flags: "S" }), "CLIENT"), "drop: no-service");
});

t.test(
  "an active one leaves as the port before the control port, where that is free, and its answers find it",
  async (t) => {
    const { d, announce, real } = directed();
    announce(announcement("reply", 1025, { leaves: port(20) }), `${CLIENT}:1025`);
    const syn = tcp({ from: `${real}:33333`, to: `${CLIENT}:1025`, flags: "S" });
    t.equal(d.say(syn, "REAL"), `to-client: ${VIP}:20 -> ${CLIENT}:1025`);
    const answer = tcp({ from: `${CLIENT}:1025`, to: `${VIP}:20`, flags: "SA" });
    t.equal(d.say(answer, "CLIENT"), `to-real: ${CLIENT}:1025 -> ${real}:33333`);
    announce(announcement("reply", 1025, { leaves: port(20) }), `${CLIENT}:1025`);
    const second = tcp({ from: `${real}:33334`, to: `${CLIENT}:1025`, flags: "S" });
    t.equal(d.say(second, "REAL"), `to-client: ${VIP}:33334 -> ${CLIENT}:1025`, "20 is in use with this client's port");
  },
);

t.test("only who was announced may open it: 10,000 others get nothing, and then he does", async (t) => {
  const { d, announce, real } = directed();
  announce(announcement("original", 5001), `${VIP}:5001`);
  for (let n = 0; n < 10_000; n++) {
    const other = tcp({ from: `198.51.100.${n & 255}:${1024 + n}`, to: `${VIP}:5001`, flags: "S" });
    if (d.say(other, "CLIENT") !== "drop: related-address") t.fail(`attempt ${n} got through`);
  }
  t.equal(d.engine.table.size, 1);
  const own = tcp({ from: `${CLIENT}:50123`, to: `${VIP}:5001`, flags: "S" });
  t.equal(d.say(own, "CLIENT"), `to-real: ${CLIENT}:50123 -> ${real}:5001`);
});

// A client that knows the realserver's address could have used up the entry with one packet in its name, and where hosts
// cannot tell sides every active data connection came to nothing: who had to open was not asked.
t.test("what a realserver is to open no packet from the client side opens, whatever source it has", async (t) => {
  const { d, announce, real } = directed();
  announce(announcement("reply", 1025, { leaves: port(20) }), `${CLIENT}:1025`);
  const syn = tcp({ from: `${real}:33333`, to: `${CLIENT}:1025`, flags: "S" });
  t.equal(d.say(syn, "CLIENT"), "drop: no-service");
  t.equal(d.balancer.related.size, 1);
  t.equal(d.say(syn, "ANYWHERE"), `to-client: ${VIP}:20 -> ${CLIENT}:1025`);
});

t.test("what a client is to open no packet from the realservers' side opens", async (t) => {
  const { d, announce, real } = directed();
  announce(announcement("original", 5001), `${VIP}:5001`);
  const data = tcp({ from: `${CLIENT}:50123`, to: `${VIP}:5001`, flags: "S" });
  t.equal(d.say(data, "REAL"), "drop: not-announced");
  t.equal(d.balancer.related.size, 1);
  t.equal(d.say(data, "CLIENT"), `to-real: ${CLIENT}:50123 -> ${real}:5001`);
});

t.test("another realserver may not open what a client announced to its own", async (t) => {
  const { d, announce, real } = directed();
  announce(announcement("reply", 1025), `${CLIENT}:1025`);
  const other = REALS.find((address) => address !== real)!;
  t.equal(d.say(tcp({ from: `${other}:20`, to: `${CLIENT}:1025`, flags: "S" }), "REAL"), "drop: related-address");
  t.equal(d.balancer.related.size, 1);
});

t.test("a client's port announced to two realservers is two entries, each for its own", async (t) => {
  const first = directed();
  const second = directed(first.d, `${CLIENT}:40001`);
  first.announce(announcement("reply", 1025), `${CLIENT}:1025`);
  second.announce(announcement("reply", 1025), `${CLIENT}:1025`);
  for (const { d, real } of [second, first]) {
    const said = d.say(tcp({ from: `${real}:20`, to: `${CLIENT}:1025`, flags: "S" }), "REAL");
    t.match(said, /^to-client: 203\.0\.113\.10:\d+ -> 192\.0\.2\.7:1025$/);
  }
  t.not(first.real, second.real);
});

t.test("a port of the VIP is announced to one client at a time", async (t) => {
  const first = directed();
  const second = directed(first.d, "192.0.2.8:40000");
  t.ok(first.announce(announcement("original", 5001), `${VIP}:5001`));
  t.equal(second.announce(announcement("original", 5001), `${VIP}:5001`), null);
});

t.test("a pending entry takes nothing from other ports, other addresses, other transports or templates", async (t) => {
  const other = service("203.0.113.11", [["tcp", 5001, 5001]], [realserver("10.0.0.9", null)], {
    persistence: ms(60_000),
  });
  const d = new Director([ftpService(), other]);
  const { announce } = directed(d);
  announce(announcement("original", 5001), `${VIP}:5001`);
  const data = `${CLIENT}:50123`;
  t.equal(
    d.say(tcp({ from: data, to: "203.0.113.11:5001", flags: "S" }), "CLIENT"),
    `to-real: ${data} -> 10.0.0.9:5001`,
  );
  t.equal(
    d.say(tcp({ from: "10.0.0.9:5001", to: data, flags: "SA" }), "REAL"),
    `to-client: 203.0.113.11:5001 -> ${data}`,
  );
  t.equal(d.say(udp({ from: data, to: `${VIP}:5001` }), "CLIENT"), "drop: no-service");
  t.equal(d.say(tcp({ from: data, to: `${VIP}:5002`, flags: "S" }), "CLIENT"), "drop: no-service");
  t.equal(d.balancer.related.size, 1);
});

t.test("what was announced is gone when its control connection is over: RST, or FIN from both", async (t) => {
  for (const ending of [
    [["client", "RA"]],
    [
      ["client", "FA"],
      ["server", "FA"],
    ],
  ] as const) {
    const { d, announce, real } = directed();
    const session = new Session(d, CONTROL, `${VIP}:21`, `${real}:21`).open();
    announce(announcement("original", 5001), `${VIP}:5001`);
    for (const [who, flags] of ending) session.send(who, flags);
    t.equal(d.balancer.related.size, 0, ending.map(([, flags]) => flags).join());
  }
});

t.test("nor does it outlive a control connection that times out", async (t) => {
  const { d, announce, real } = directed();
  new Session(d, CONTROL, `${VIP}:21`, `${real}:21`).open();
  announce(announcement("original", 5001), `${VIP}:5001`);
  d.wait(899_000);
  t.equal(d.balancer.related.size, 1);
  d.wait(2_000);
  t.same([d.balancer.related.size, d.engine.table.size], [0, 0]);
});

t.test("an established data connection outlives its control connection", async (t) => {
  const { d, announce, real } = directed();
  const session = new Session(d, CONTROL, `${VIP}:21`, `${real}:21`).open();
  announce(announcement("original", 5001), `${VIP}:5001`);
  const data = `${CLIENT}:50123`;
  d.one(tcp({ from: data, to: `${VIP}:5001`, flags: "S" }), "CLIENT");
  session.send("client", "RA");
  d.wait(11_000);
  t.equal(d.engine.table.size, 1);
  t.equal(d.say(tcp({ from: `${real}:5001`, to: data, flags: "SA" }), "REAL"), `to-client: ${VIP}:5001 -> ${data}`);
});

t.test("a multi-use entry is met again and again", async (t) => {
  const { d, announce, real } = directed();
  announce(announcement("reply", 6000, { uses: "many" }), `${CLIENT}:6000`);
  for (const from of [1024, 1025, 1026]) {
    const syn = tcp({ from: `${real}:${from}`, to: `${CLIENT}:6000`, flags: "S" });
    t.equal(d.say(syn, "REAL"), `to-client: ${VIP}:${from} -> ${CLIENT}:6000`);
  }
});

t.test("datagrams are announced as well", async (t) => {
  const { d, announce, real } = directed();
  announce(
    announcement("reply", 7000, { transport: "udp", from: { address: null, port: port(9000) } }),
    `${CLIENT}:7000`,
  );
  t.equal(d.say(udp({ from: `${real}:9002`, to: `${CLIENT}:7000` }), "REAL"), "drop: related-port");
  t.equal(
    d.say(udp({ from: `${real}:9000`, to: `${CLIENT}:7000` }), "REAL"),
    `to-client: ${VIP}:9000 -> ${CLIENT}:7000`,
  );
  t.equal(
    d.say(udp({ from: `${CLIENT}:7000`, to: `${VIP}:9000` }), "CLIENT"),
    `to-real: ${CLIENT}:7000 -> ${real}:9000`,
  );
});

t.test("realservers open by themselves only what their service lets them", async (t) => {
  const d = new Director([ftpService({ originates: [{ transport: "tcp", first: port(113), last: port(113) }] })]);
  const ident = (real: string, to: number) => tcp({ from: `${real}:50000`, to: `${CLIENT}:${to}`, flags: "S" });
  t.equal(d.say(ident(REALS[1]!, 113), "REAL"), `to-client: ${VIP}:50000 -> ${CLIENT}:113`);
  const answer = tcp({ from: `${CLIENT}:113`, to: `${VIP}:50000`, flags: "SA" });
  t.equal(d.say(answer, "CLIENT"), `to-real: ${CLIENT}:113 -> ${REALS[1]}:50000`);
  t.equal(d.say(ident(REALS[0]!, 113), "REAL"), `to-client: ${VIP}:50001 -> ${CLIENT}:113`, "50000 is taken");
  t.equal(d.say(ident(REALS[0]!, 25), "REAL"), "drop: not-announced");
  t.equal(d.say(ident("10.0.0.77", 113), "REAL"), "drop: not-announced");
  const outside = tcp({ from: `${REALS[0]}:50000`, to: "192.0.2.8:113", flags: "S" });
  t.equal(d.say(outside, "CLIENT"), "drop: no-service", "from the outside, nobody passes for one");
});

t.test("connections opened by realservers are counted with the others, and no longer when they are over", async (t) => {
  const { d, announce, entry, real } = directed();
  announce(announcement("reply", 1025), `${CLIENT}:1025`);
  d.one(tcp({ from: `${real}:20`, to: `${CLIENT}:1025`, flags: "S" }), "REAL");
  d.one(tcp({ from: `${CLIENT}:1025`, to: `${VIP}:20`, flags: "SA" }), "CLIENT");
  t.equal(d.balancer.connections.size, 2);
  d.one(tcp({ from: `${CLIENT}:1025`, to: `${VIP}:20`, flags: "R" }), "CLIENT");
  d.wait(11_000);
  t.equal(d.balancer.connections.size, 1);
  const { active, inactive } = entry.realserver;
  t.equal(active + inactive, 1);
});
