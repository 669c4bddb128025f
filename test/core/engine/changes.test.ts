import t from "tap";
import { Balancer } from "../../../core/balancer.ts";
import { Destinations } from "../../../core/engine/destinations.ts";
import type { Helper } from "../../../core/helper/api.ts";
import { port, seconds } from "../../../core/units.ts";
import { dns } from "../../../helpers/dns/helper.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { radius } from "../../../helpers/radius/helper.ts";
import { address } from "../../addresses.ts";
import { message, NOTIFY, QR } from "../../helpers/dns/messages.ts";
import { accessRequest, packet } from "../../helpers/radius/packets.ts";
import { tcp, udp } from "../../packets.ts";
import { Director, realserver, service } from "../director.ts";
import { Session } from "./session.ts";

const CLIENT = "192.0.2.7";
const VIP = "203.0.113.10";
const [A, B] = ["10.0.0.1", "10.0.0.2"] as const;

const web = (...reals: string[]) =>
  service(
    VIP,
    [["tcp", 80, 80]],
    reals.map((real) => realserver(real, null)),
  );
const mail = () => service(VIP, [["tcp", 25, 25]], [realserver(B, null)]);

function change(d: Director, ...services: ReturnType<typeof web>[]): void {
  d.balancer.change(services);
  d.engine.update();
}

const syn = (n: number, to = 80) => tcp({ from: `${CLIENT}:${40_000 + n}`, to: `${VIP}:${to}`, flags: "S" });
const to = (n: number, real: string) => `to-real: ${CLIENT}:${40_000 + n} -> ${real}:80`;

t.test("a realserver that comes gets new flows; one that goes keeps those that it has, and no more", async (t) => {
  const d = new Director([web(A)]);
  t.equal(d.say(syn(0)), to(0, A));
  change(d, web(A, B));
  t.same([d.say(syn(1)), d.say(syn(2))], [to(1, B), to(2, A)]);
  change(d, web(B));
  t.same([d.say(syn(3)), d.say(syn(4))], [to(3, B), to(4, B)]);
  const reply = tcp({ from: `${A}:80`, to: `${CLIENT}:40000`, flags: "SA" });
  t.equal(d.say(reply), `to-client: ${VIP}:80 -> ${CLIENT}:40000`);
  t.equal(d.say(tcp({ from: `${CLIENT}:40000`, to: `${VIP}:80` })), to(0, A));
});

t.test("services come before others and go, and each port stays its own", async (t) => {
  const d = new Director([web(A)]);
  t.equal(d.say(syn(0)), to(0, A));
  change(d, mail(), web(A));
  t.equal(d.say(syn(1)), to(1, A));
  t.equal(d.say(syn(2, 25)), `to-real: ${CLIENT}:40002 -> ${B}:25`);
  change(d, mail());
  t.equal(d.say(syn(3)), "drop: no-service");
  t.equal(d.say(tcp({ from: `${CLIENT}:40000`, to: `${VIP}:80` })), to(0, A), "what was begun goes on");
  d.wait(3_600_000);
  t.equal(d.engine.table.size, 0);
  t.same(
    d.balancer.services.flatMap(({ realservers }) => realservers.map(({ active, inactive }) => active + inactive)),
    [0],
  );
});

t.test("a service that becomes persistent knows its clients from then on", async (t) => {
  const d = new Director([web(A, B)]);
  change(d, mail(), { ...web(A, B), persistence: seconds(60) });
  const from = (n: number) => d.say(tcp({ from: `192.0.2.${n}:40000`, to: `${VIP}:80`, flags: "S" })).split(" -> ")[1];
  const again = (n: number) => d.say(tcp({ from: `192.0.2.${n}:40001`, to: `${VIP}:80`, flags: "S" })).split(" -> ")[1];
  const first = [1, 2, 3, 4].map(from);
  t.same(new Set(first).size, 2);
  t.same([1, 2, 3, 4].map(again), first);
  d.wait(3_600_000);
  t.equal(d.balancer.services[1]!.templates!.isOpen(address("192.0.2.1")), false, "nor does it count them for ever");
});

t.test("a control connection is read on, and announces, when its realserver goes", async (t) => {
  const ftpOf = (real: string) =>
    service(VIP, [["tcp", 21, 21]], [realserver(real, null)], { helper: ftp, controlPorts: [port(21)] });
  const d = new Director([ftpOf(A)]);
  const session = new Session(d, `${CLIENT}:40000`, `${VIP}:21`, `${A}:21`).open();
  session.reply("220 ready\r\n");
  change(d, ftpOf(B));
  session.say("PASV\r\n");
  t.equal(session.reply("227 (10,0,0,1,19,137)\r\n"), "227 (203,0,113,10,19,137)\r\n");
  t.equal(
    d.say(tcp({ from: `${CLIENT}:40001`, to: `${VIP}:5001`, flags: "S" })),
    `to-real: ${CLIENT}:40001 -> ${A}:5001`,
  );
});

t.test("a realserver that goes may still answer what it was asked, and is asked nothing more", async (t) => {
  const auth = (...reals: string[]) =>
    service(
      VIP,
      [["udp", 1812, 1812]],
      reals.map((real) => realserver(real, null)),
      { helper: radius, controlPorts: [port(1812)] },
    );
  const ask = (id: number) => udp({ from: `${CLIENT}:40000`, to: `${VIP}:1812`, payload: accessRequest(id) });
  const answer = (id: number) => udp({ from: `${A}:1812`, to: `${CLIENT}:40000`, payload: packet(2, id) });
  const d = new Director([auth(A)]);
  const reals = new Set(d.balancer.services[0]!.realservers);
  t.equal(d.say(ask(1), "CLIENT"), `to-real: ${CLIENT}:40000 -> ${A}:1812`);
  t.equal(d.say(ask(2), "CLIENT"), `to-real: ${CLIENT}:40000 -> ${A}:1812`);
  change(d, auth(B));
  for (const real of d.balancer.services[0]!.realservers) reals.add(real);
  t.equal(d.say(ask(3), "CLIENT"), `to-real: ${CLIENT}:40000 -> ${B}:1812`);
  t.equal(d.say(answer(1), "REAL"), `to-client: ${VIP}:1812 -> ${CLIENT}:40000`);
  t.match(d.say(answer(3), "REAL"), /^drop/, "that was asked of another");
  change(d);
  t.match(d.say(answer(2), "REAL"), /^drop/, "the service is gone");
  t.match(d.say(ask(4), "CLIENT"), /^drop/);
  t.equal(d.balancer.connections.size, 0);
  t.same(
    [...reals].map(({ active }) => active),
    [0, 0],
    "nobody waits for its answers",
  );
});

t.test("a realserver that goes may still answer, but asks clients nothing more by itself", async (t) => {
  const auth = (real: string) =>
    service(VIP, [["udp", 1812, 3799]], [realserver(real, null)], {
      helper: radius,
      controlPorts: [port(1812), port(3799)],
    });
  const coa = udp({ from: `${A}:50000`, to: `${CLIENT}:3799`, payload: packet(43, 5) });
  const d = new Director([auth(A)]);
  d.say(udp({ from: `${CLIENT}:40000`, to: `${VIP}:3799`, payload: accessRequest(1) }), "CLIENT");
  change(d, auth(B));
  t.match(d.say(coa, "REAL"), /^drop/);
  change(d, auth(A));
  t.equal(d.say(coa, "REAL"), `to-client: ${VIP}:50000 -> ${CLIENT}:3799`);
});

t.test("realservers may ask who asked them anything, also by a port that came later", async (t) => {
  const auth = (last: number) =>
    service(VIP, [["udp", 1812, last]], [realserver(A, null)], {
      helper: radius,
      controlPorts: [port(1812), port(3799)],
    });
  const d = new Director([auth(1812)]);
  change(d, auth(3799));
  d.say(udp({ from: `${CLIENT}:40000`, to: `${VIP}:1812`, payload: accessRequest(1) }), "CLIENT");
  const coa = udp({ from: `${A}:50000`, to: `${CLIENT}:3799`, payload: packet(43, 5) });
  t.equal(d.say(coa, "REAL"), `to-client: ${VIP}:50000 -> ${CLIENT}:3799`);
});

t.test("a helper's settings that changed count for the next request, and who was asked may still answer", async (t) => {
  const names = (...reals: string[]) =>
    service(
      VIP,
      [["udp", 53, 53]],
      reals.map((real) => realserver(real, null)),
      { helper: dns, controlPorts: [port(53)] },
    );
  let primary = address(A);
  const reading = () => ({
    settings: { strict: false, hold: 0, primary },
    onRefuse: "refuse" as const,
    onFailure: "open" as const,
  });
  const d = new Director([names(A, B)], { reading });
  const notify = (id: number) =>
    d.say(udp({ from: `${CLIENT}:40000`, to: `${VIP}:53`, payload: message(id, NOTIFY, "a.example") }), "CLIENT");
  t.equal(notify(1), `to-real: ${CLIENT}:40000 -> ${A}:53`);
  primary = address(B);
  change(d, names(A, B));
  t.equal(notify(2), `to-real: ${CLIENT}:40000 -> ${B}:53`);
  const reply = udp({ from: `${A}:53`, to: `${CLIENT}:40000`, payload: message(1, NOTIFY | QR, "a.example") });
  t.equal(d.say(reply, "REAL"), `to-client: ${VIP}:53 -> ${CLIENT}:40000`);
});

t.test("a service whose port another helper reads from now on knows nothing of what was asked before", async (t) => {
  const of = (helper: Helper) =>
    service(VIP, [["udp", 53, 53]], [realserver(A, null)], { helper, controlPorts: [port(53)] });
  const d = new Director([of(dns)]);
  const ask = (payload: Uint8Array) => d.say(udp({ from: `${CLIENT}:40000`, to: `${VIP}:53`, payload }), "CLIENT");
  t.equal(ask(message(1, 0, "a.example")), `to-real: ${CLIENT}:40000 -> ${A}:53`);
  change(d, of(radius));
  t.equal(d.balancer.services[0]!.realservers[0]!.active, 0);
  t.equal(ask(accessRequest(1)), `to-real: ${CLIENT}:40000 -> ${A}:53`);
  t.match(ask(message(2, 0, "a.example")), /^drop/);
});

t.test("numbers of realservers that are gone are given out again, but not while they have connections", async (t) => {
  const balancer = new Balancer([web(A)], { limits: { perClient: 1, total: 1 }, seed: 1, gone: () => {} });
  const { services } = balancer;
  const destinations = new Destinations();
  destinations.update(services);
  const [first] = services[0]!.realservers;
  first!.inactive = 1;
  for (let n = 0; n < 70_000; n++) {
    balancer.change([web(`10.1.${(n >> 8) & 255}.${n & 255}`)]);
    destinations.update(services);
  }
  t.equal(destinations.at(first!.number).realserver, first);
  first!.inactive = 0;
  destinations.update(services);
  t.equal(first!.number, -1);
});
