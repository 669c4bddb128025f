/** Control connections to realservers that have the VIP: they go on as they are, and what comes by of them is read. */
import t from "tap";
import type { Method } from "../../../core/service.ts";
import { port } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { tftp } from "../../../helpers/tftp/helper.ts";
import { address } from "../../addresses.ts";
import { route, tcp, udp } from "../../packets.ts";
import { Director, realserver, service } from "../director.ts";
import { Session } from "./session.ts";

const CLIENT = "192.0.2.7";
const CONTROL = `${CLIENT}:40000`;
const VIP = "203.0.113.10";
const FTP = `${VIP}:21`;
const tunnels = { from: [address("10.0.0.1")], mtu: 1500 };
const reals = (...methods: Method[]) =>
  methods.map((method, i) => ({ ...realserver(`10.0.0.${i + 3}`, null), method }));

const ftpDirector = (...methods: Method[]) =>
  new Director(
    [service(VIP, [["tcp", 21, 21], ["tcp", 40000, 40100]], reals(...methods), { helper: ftp, controlPorts: [port(21)] })], // biome-ignore format: one line
    { tunnels },
  );

const encoder = new TextEncoder();

/** The halves of one control connection, each of which is shown or not. */
class Overheard {
  readonly #d: Director;
  readonly #control: string;
  #said = 1001;
  #replied = 7001;

  constructor(d: Director, control = CONTROL) {
    this.#d = d;
    this.#control = control;
  }

  /** The client connects: who serves it. */
  open(): string {
    return this.#d.one(tcp({ from: this.#control, to: FTP, flags: "S", sequence: 1000 }), "CLIENT").destination;
  }

  say(text: string, sequence = this.#said): { verdict: string; whole: boolean } {
    const packet = tcp({ from: this.#control, to: FTP, flags: "AP", payload: encoder.encode(text), sequence });
    this.#said = sequence + text.length;
    const judged = this.#d.one(packet, "CLIENT");
    return { verdict: judged.verdict, whole: Buffer.from(judged.packet).includes(text) };
  }

  accept(): void {
    this.#d.one(tcp({ from: FTP, to: this.#control, flags: "SA", sequence: 7000 }), "REAL");
  }

  reply(text: string): void {
    const payload = encoder.encode(text);
    this.#d.one(tcp({ from: FTP, to: this.#control, flags: "AP", payload, sequence: this.#replied }), "REAL");
    this.#replied += payload.length;
  }
}

const PORT = "PORT 192,0,2,7,4,1\r\n";
const answers = (to: string, from = `${CLIENT}:1025`, flags = "SA") => tcp({ from, to, flags });

/** Each is told of port 50000 of the VIP; the realservers that serve them. */
const announcedBy = (controls: readonly Overheard[]): string[] => {
  const reals = controls.map((control) => control.open());
  for (const control of controls) {
    control.accept();
    control.reply("220 ready\r\n");
    control.say("PASV\r\n");
    control.reply("227 Entering Passive Mode (203,0,113,10,195,80)\r\n");
  }
  return reals;
};

t.test("a client's answer to an active connection past the director goes to who was told of it", async (t) => {
  const d = ftpDirector("dr", "dr");
  const [one, other] = [new Overheard(d), new Overheard(d, "192.0.2.8:40000")];
  const real = [one.open(), other.open()];
  t.not(real[0], real[1]);
  const listens = "192.0.2.8:1025";
  t.equal(d.say(answers(`${VIP}:20`, listens), "CLIENT"), "drop: no-flow", "nothing was announced");
  const port = PORT.replace("2,7", "2,8");
  t.same(other.say(port), { verdict: "direct", whole: true }, "what says so goes on as it is");
  const judged = d.one(answers(`${VIP}:20`, listens), "CLIENT");
  t.same([judged.verdict, judged.reason, judged.destination], ["direct", "opened", real[1]]);
  t.equal(d.one(answers(`${VIP}:20`, listens, "A"), "CLIENT").destination, real[1]);
  t.equal(d.say(answers(`${VIP}:33333`, listens), "CLIENT"), "drop: no-flow", "it was announced once");
});

// rsh: both its ports are the highest that are free, and so nearly always the same ones.
t.test("a client that uses its ports again, where replies go past, is scheduled and heard anew", async (t) => {
  const one = { helper: ftp, controlPorts: [port(21)] };
  const d = new Director([service(VIP, [["tcp", 21, 21]], reals("dr", "dr"), one)], { tunnels });
  const session = () => {
    const control = new Overheard(d);
    const real = control.open();
    control.say(PORT);
    const data = d.one(answers(`${VIP}:20`), "CLIENT");
    t.equal(data.reason, "opened");
    for (const [from, to] of [
      [`${CLIENT}:1025`, `${VIP}:20`],
      [CONTROL, FTP],
    ]) {
      // biome-ignore format: one line
      t.equal(d.one(tcp({ from: from!, to: to!, flags: "FA" }), "CLIENT").destination, real);
    }
    return [real, data.destination];
  };
  const [first, second] = [session(), session()];
  t.not(first[0], second[0], "its next connection is another realserver's turn");
  t.same([first[1], second[1]], [first[0], second[0]], "its answers go to who it told");
});

// Whoever knows a client's ports may send either in its name; a SYN ACK ended the connection, a RST ten seconds later.
t.test("a SYN ACK that answers nothing, or a RST, ends no connection whose client may still be reading", async (t) => {
  for (const flags of ["SA", "R", "RA"]) {
    const d = new Director([service(VIP, [["tcp", 80, 80]], reals("dr", "dr"))], { tunnels });
    const says = (flags: string) => d.one(tcp({ from: CONTROL, to: `${VIP}:80`, flags }), "CLIENT");
    const real = says("S").destination;
    for (const usual of ["A", "FA", flags]) t.equal(says(usual).destination, real, usual);
    d.wait(60_000);
    t.equal(says("A").destination, real, `what it reads is acknowledged after ${flags}`);
  }
});

t.test("what a connection announces goes by the method it began with, whatever a reload says since", async (t) => {
  for (const [before, after, verdict] of [
    ["dr", "nat", "direct"],
    ["dr", "tunnel", "direct"],
    ["tunnel", "nat", "taken"],
    ["tunnel", "dr", "taken"],
  ] as const) {
    const d = ftpDirector(before);
    const control = new Overheard(d);
    control.open();
    const [spec] = d.balancer.services.map((one) => one.spec);
    d.balancer.change([{ ...spec!, realservers: reals(after) }]);
    d.engine.update();
    t.same(control.say(PORT), { verdict, whole: true }, `${before}, then ${after}`);
    const sent = answers(`${VIP}:20`);
    const judged = d.one(sent, "CLIENT");
    t.equal(judged.verdict, verdict);
    const packet = verdict === "taken" ? d.sent[0]!.packet.subarray(20) : judged.packet;
    t.equal(route(packet), route(sent));
  }
});

t.test("one that began with NAT is translated, and what it announces, when its realserver gets the VIP", async (t) => {
  const d = ftpDirector("nat");
  const session = new Session(d, CONTROL, FTP, "10.0.0.3:21").open();
  const [spec] = d.balancer.services.map((one) => one.spec);
  d.balancer.change([{ ...spec!, realservers: reals("dr") }]);
  d.engine.update();
  session.reply("220 ready\r\n");
  session.say("PASV\r\n");
  t.equal(session.reply("227 (10,0,0,3,19,137)\r\n"), "227 (203,0,113,10,19,137)\r\n");
  const data = tcp({ from: `${CLIENT}:40001`, to: `${VIP}:5001`, flags: "S" });
  t.equal(d.say(data), `to-real: ${CLIENT}:40001 -> 10.0.0.3:5001`);
  t.equal(
    d.one(tcp({ from: `${CLIENT}:40002`, to: FTP, flags: "S" })).verdict,
    "direct",
    "new ones go by the new method",
  );
});

t.test("the same in a tunnel, and where the realserver's own SYN passes the director", async (t) => {
  const d = ftpDirector("tunnel");
  const control = new Overheard(d);
  control.open();
  control.say(PORT);
  t.equal(d.one(answers(`${VIP}:20`), "CLIENT").reason, "tunnelled");
  control.say(PORT);
  const syn = tcp({ from: `${VIP}:20`, to: `${CLIENT}:1025`, flags: "S" });
  t.equal(d.say(syn, "REAL"), `to-client: ${VIP}:20 -> ${CLIENT}:1025`, "of the same ends, the flow there is");
  control.say("PORT 192,0,2,7,4,2\r\n");
  const next = tcp({ from: `${VIP}:20`, to: `${CLIENT}:1026`, flags: "S" });
  t.equal(d.say(next, "REAL"), `to-client: ${VIP}:20 -> ${CLIENT}:1026`);
  t.equal(d.one(answers(`${VIP}:20`, `${CLIENT}:1026`), "CLIENT").reason, "tunnelled");
});

t.test("a command in pieces, out of order or twice is one command", async (t) => {
  const d = ftpDirector("dr");
  const control = new Overheard(d);
  control.open();
  control.say("USER ftp\r\n");
  const at = 1001 + "USER ftp\r\n".length;
  control.say(PORT.slice(9), at + 9);
  control.say(PORT.slice(0, 9), at);
  t.equal(d.balancer.related.size, 1);
  control.say(PORT, at);
  t.equal(d.balancer.related.size, 1);
});

t.test(
  "where replies pass the director, what they announce is met, too, at the realserver's own port or nowhere",
  async (t) => {
    const d = ftpDirector("dr", "dr");
    const controls = [new Overheard(d), new Overheard(d, `${CLIENT}:40001`)];
    const [real] = announcedBy(controls);
    t.equal(
      d.balancer.related.size,
      1,
      "of one client, another realserver's port of the same number is not waited for",
    );
    const judged = d.one(tcp({ from: `${CLIENT}:41000`, to: `${VIP}:50000`, flags: "S" }), "CLIENT");
    t.same([judged.verdict, judged.destination], ["direct", real]);
  },
);

t.test("two realservers announce the same port to two clients at once: each client meets his own", async (t) => {
  const d = ftpDirector("dr", "dr");
  const clients = [CLIENT, "192.0.2.8"];
  const reals = announcedBy(clients.map((client) => new Overheard(d, `${client}:40000`)));
  t.not(reals[0], reals[1]);
  t.equal(d.balancer.related.size, 2);
  const opens = (client: string) => tcp({ from: `${client}:41000`, to: `${VIP}:50000`, flags: "S" });
  t.match(d.say(opens("192.0.2.9"), "CLIENT"), "drop: related-address");
  for (const i of [1, 0]) {
    const judged = d.one(opens(clients[i]!), "CLIENT");
    t.same([judged.verdict, judged.destination], ["direct", reals[i]]);
  }
});

t.test("segments further ahead than any window are not kept: what is next is read still", async (t) => {
  const d = ftpDirector("dr");
  const control = new Overheard(d);
  control.open();
  for (let i = 0; i < 100; i++) control.say("x", (1001 + 2 ** 30 + 2 * i) >>> 0);
  t.equal(d.engine.controls.counters.get("control.beyond-window"), 100);
  control.say(PORT, 1001);
  t.equal(d.balancer.related.size, 1);
});

t.test("who leaves a hole before more than is kept is read no more, and counted", async (t) => {
  const d = ftpDirector("dr");
  const control = new Overheard(d);
  control.open();
  for (let i = 0; i < 100; i++) control.say("x", 2001 + 2 * i);
  t.equal(d.engine.controls.counters.get("control.gap"), 1);
  t.equal(control.say(PORT, 1001).verdict, "direct");
  t.equal(d.balancer.related.size, 0);
});

t.test("somebody else's address opens nothing, and a damaged packet says nothing", async (t) => {
  const d = ftpDirector("dr");
  const control = new Overheard(d);
  control.open();
  t.equal(control.say("PORT 192,0,2,99,4,1\r\n").verdict, "direct");
  t.equal(d.balancer.related.size, 0);
  t.equal(d.engine.controls.counters.get("refused.bounce"), 1);
  const damaged = tcp({ from: CONTROL, to: FTP, flags: "AP", payload: encoder.encode(PORT), sequence: 1022 });
  damaged[damaged.length - 3]! ^= 1;
  d.one(damaged, "CLIENT");
  t.equal(d.balancer.related.size, 0);
});

t.test("a connection that is not FTP is read no more, and goes on", async (t) => {
  const d = ftpDirector("dr");
  const control = new Overheard(d);
  control.open();
  t.equal(control.say("GET / HTTP/1.1\r\n").verdict, "direct");
  t.equal(control.say(PORT).verdict, "direct");
  t.equal(d.balancer.related.size, 0);
});

t.test("its declared data ports are open besides: what its replies say may never be seen", async (t) => {
  const d = ftpDirector("dr", "dr");
  const data = tcp({ from: `${CLIENT}:50000`, to: `${VIP}:40007`, flags: "S" });
  t.equal(d.say(data, "CLIENT"), "drop: no-control-connection");
  const real = new Overheard(d).open();
  const judged = d.one(data, "CLIENT");
  t.same([judged.verdict, judged.destination], ["direct", real]);
});

t.test("datagrams from where a client said that it waits go to who was told so, but for reserved ports", async (t) => {
  const d = new Director([
    service(VIP, [["udp", 69, 69]], reals("dr", "dr"), { helper: tftp, controlPorts: [port(69)] }),
  ]);
  const request = encoder.encode("\0\x01file\0octet\0");
  const asks = (from: string) => udp({ from, to: `${VIP}:69`, payload: request });
  const acknowledges = (from: string, to: string) => udp({ from, to, payload: encoder.encode("\0\x04\0\x01") });
  for (const from of [`${CLIENT}:2000`, `${CLIENT}:2001`]) {
    const { verdict, destination } = d.one(asks(from), "CLIENT");
    t.equal(verdict, "direct");
    t.equal(d.say(acknowledges(from, `${VIP}:161`), "CLIENT"), "drop: no-service");
    const judged = d.one(acknowledges(from, `${VIP}:33000`), "CLIENT");
    t.same([judged.verdict, judged.destination], ["direct", destination]);
  }
  t.equal(d.say(acknowledges(`${CLIENT}:2002`, `${VIP}:33000`), "CLIENT"), "drop: no-service");
});

t.test("behind NAT nobody answers what did not pass the director", async (t) => {
  const d = ftpDirector("nat");
  const control = new Overheard(d);
  control.open();
  const [entry] = d.balancer.connections;
  const announced = { kind: "ftp-active", said: "PORT", transport: "tcp", opener: "reply", uses: 1 } as const;
  const ends = { from: { address: null, port: null }, to: { address: null, port: 1025 } };
  const rest = { bytes: { start: 0, end: 0 }, instead: { start: 0, end: 0, text: () => "" } };
  const related = d.balancer.announce(
    entry!,
    { ...announced, ...ends, ...rest },
    "original",
    ftp.limits,
    d.now as never,
  );
  if (typeof related === "string") throw new Error(related);
  d.balancer.place(related, related.target);
  t.match(d.say(answers(`${VIP}:20`), "CLIENT"), /^drop/);
  t.equal(d.balancer.related.size, 1, "it is waited for still");
});
