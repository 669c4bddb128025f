import t from "tap";
import type { Balancer, ConnectionEntry } from "../../core/balancer.ts";
import type { Announcement } from "../../core/helper/api.ts";
import { schedulerNames } from "../../core/schedule/scheduler.ts";
import type { ServiceSpec } from "../../core/service.ts";
import { type Ms, ms, port, seconds } from "../../core/units.ts";
import { ftp } from "../../helpers/ftp/helper.ts";
import { endpoint } from "../addresses.ts";
import { ftpService, makeBalancer, ports, realserver } from "../conversation.ts";

const VIP = "1.2.3.4";
const client = (n: number, port = 40000) => endpoint(`10.0.${n >> 8}.${n & 255}`, port);

const three = [realserver("192.168.0.1"), realserver("192.168.0.2"), realserver("192.168.0.3")];
const web = (rest: Partial<ServiceSpec> = {}): ServiceSpec =>
  ftpService({ name: "web", ports: [ports(80)], helper: null, controlPorts: [], realservers: three, ...rest });

function admit(balancer: Balancer, n: number, to = 80, now: Ms = seconds(0)): ConnectionEntry {
  const entry = balancer.admit("tcp", client(n), endpoint(VIP, to), now);
  if (typeof entry === "string") throw new Error(entry);
  return entry;
}

const real = ({ real }: ConnectionEntry): string => real.address.toString();

const announcement: Announcement = {
  kind: "test",
  said: "SAID",
  transport: "tcp",
  opener: "original",
  from: { address: null, port: null },
  to: { address: null, port: 5001 },
  uses: 1,
  bytes: { start: 0, end: 0 },
  instead: { start: 0, end: 0, text: () => "" },
};

// --- admission, persistence, groups ---------------------------------------------------------------------------------

t.test("who is not served is turned away, with the reason", async (t) => {
  const balancer = makeBalancer([web()]);
  t.equal(balancer.admit("tcp", client(1), endpoint(VIP, 81), seconds(0)), "no-service");
  t.equal(balancer.admit("udp", client(1), endpoint(VIP, 80), seconds(0)), "no-service");
  t.equal(balancer.admit("tcp", client(1), endpoint("1.2.3.5", 80), seconds(0)), "no-service");
  const quiesced = makeBalancer([web({ realservers: [realserver("192.168.0.1", { weight: 0 })] })]);
  t.equal(quiesced.admit("tcp", client(1), endpoint(VIP, 80), seconds(0)), "no-realserver");
  t.equal(balancer.connections.size, 0);
});

t.test("a sorry server serves whom none of the others will, whatever the scheduler", async (t) => {
  // Of a weight that ovf takes for room enough.
  const [a, b] = [realserver("192.168.0.1", { weight: 100 }), realserver("192.168.0.2", { weight: 100 })];
  const realservers = [realserver("192.168.0.9", { sorry: true, weight: 100 }), a, b];
  for (const scheduler of schedulerNames) {
    const balancer = makeBalancer([web({ realservers, scheduler })]);
    const [service] = balancer.services;
    const [, first, second] = service!.realservers;
    const served = (): Set<string> => new Set([1, 2, 3, 4].map((n) => real(admit(balancer, n))));
    t.notOk(served().has("192.168.0.9"), `${scheduler}: not while others are up`);
    balancer.mark(service!, first!, false);
    t.same(served(), new Set(["192.168.0.2"]), `${scheduler}: nor while one is`);
    second!.weight = 0;
    t.same(served(), new Set(["192.168.0.9"]), `${scheduler}: the others are down, or of weight 0`);
    balancer.mark(service!, first!, true);
    t.same(served(), new Set(["192.168.0.1"]), `${scheduler}: one is back`);
  }
});

t.test("a client whom all others refused gets the sorry server, and nobody does when that is down", async (t) => {
  const realservers = [realserver("192.168.0.9", { sorry: true }), realserver("192.168.0.1")];
  const balancer = makeBalancer([web({ realservers })]);
  const entry = admit(balancer, 1);
  t.equal(real(entry), "192.168.0.1");
  t.equal(balancer.reschedule(entry, seconds(0))?.key, balancer.services[0]!.realservers[0]!.key);
  t.equal(real(admit(balancer, 2)), "192.168.0.1", "who comes next is tried with the others first");
  for (const one of balancer.services[0]!.realservers) balancer.mark(balancer.services[0]!, one, false);
  t.equal(balancer.admit("tcp", client(3), endpoint(VIP, 80), seconds(0)), "no-realserver");
});

t.test("persistence keeps nobody with a sorry server once another is there", async (t) => {
  const realservers = [realserver("192.168.0.9", { sorry: true }), realserver("192.168.0.1")];
  const balancer = makeBalancer([web({ realservers, persistence: seconds(300) })]);
  const [service] = balancer.services;
  balancer.mark(service!, service!.realservers[1]!, false);
  t.equal(real(admit(balancer, 1)), "192.168.0.9");
  t.equal(real(admit(balancer, 1)), "192.168.0.9");
  balancer.mark(service!, service!.realservers[1]!, true);
  t.equal(real(admit(balancer, 1)), "192.168.0.1");
  t.equal(real(admit(balancer, 1)), "192.168.0.1");
});

t.test("a realserver becomes a sorry server, and one again, while it runs", async (t) => {
  const spec = (sorry: boolean) => web({ realservers: [realserver("192.168.0.9", { sorry }), three[0]!] });
  const balancer = makeBalancer([spec(false)]);
  const served = (): number => new Set([1, 2, 3].map((n) => real(admit(balancer, n)))).size;
  t.equal(served(), 2);
  balancer.change([spec(true)]);
  t.equal(served(), 1);
  balancer.change([web({ realservers: [realserver("192.168.0.9"), three[0]!] })]);
  t.equal(served(), 2);
});

t.test("without persistence each connection is scheduled, and counted until it is closed", async (t) => {
  const balancer = makeBalancer([web()]);
  const entries = [1, 1, 1].map((n) => admit(balancer, n));
  t.equal(new Set(entries.map(real)).size, 3);
  t.same(
    balancer.services[0]!.realservers.map(({ active }) => active),
    [1, 1, 1],
  );
  for (const entry of entries) {
    balancer.close(entry, seconds(1));
    balancer.close(entry, seconds(1));
  }
  t.same(
    balancer.services[0]!.realservers.map(({ active }) => active),
    [0, 0, 0],
    "closed twice is closed once",
  );
});

t.test(
  "persistence: the same realserver while connected and for the timeout after; others are scheduled",
  async (t) => {
    const balancer = makeBalancer([web({ persistence: seconds(60) })]);
    const first = admit(balancer, 1);
    t.equal(real(admit(balancer, 1)), real(first));
    t.not(real(admit(balancer, 2)), real(first));
    for (const entry of [...balancer.connections]) balancer.close(entry, seconds(100));
    t.equal(real(admit(balancer, 1, 80, seconds(159))), real(first));
    const later = makeBalancer([web({ persistence: seconds(60) })]);
    const one = admit(later, 1);
    later.close(one, seconds(0));
    t.not(real(admit(later, 1, 80, seconds(60))), real(one), "after that it is scheduled again");
  },
);

t.test("persistence by network", async (t) => {
  const balancer = makeBalancer([web({ persistence: seconds(60), persistencePrefix: 24 })]);
  t.equal(real(admit(balancer, 1)), real(admit(balancer, 200)));
  t.not(real(admit(balancer, 1)), real(admit(balancer, 256)));
});

t.test(
  "a port group: all of a client's connections, to any of its ports, go to one realserver, and keep their port",
  async (t) => {
    const balancer = makeBalancer([web({ ports: [ports(80), ports(443), ports(8000, 8100)] })]);
    for (let n = 0; n < 9; n++) {
      const all = [80, 443, 8000, 8050, 8100, 80].map((to) => admit(balancer, n, to));
      t.equal(new Set(all.map(real)).size, 1, `client ${n}`);
      t.same(
        all.map(({ real }) => real.port),
        [80, 443, 8000, 8050, 8100, 80],
      );
    }
    const used = [...balancer.connections].map(real);
    t.equal(new Set(used).size, 3, "while the clients are spread");
  },
);

t.test("a port group by network: all of a network's clients, to any of its ports, go to one realserver", async (t) => {
  const group = { ports: [ports(80), ports(443)], persistence: seconds(60), persistencePrefix: 24 };
  const balancer = makeBalancer([web(group)]);
  const of = (n: number) => [real(admit(balancer, n, 80)), real(admit(balancer, n + 99, 443))];
  const networks = [1, 257, 513].map(of);
  for (const chosen of networks) t.equal(new Set(chosen).size, 1);
  t.equal(new Set(networks.flat()).size, 3, "while the networks are spread");
});

/** RealNetworks' three services: each reads its own protocol, and all are one group. */
const media = (mark?: string) =>
  [554, 7070, 8080].map((port, i) =>
    web({
      name: `media-${port}`,
      ports: [ports(port)],
      realservers: i === 1 ? three.toReversed() : three,
      ...(mark && { mark }),
    }),
  );

t.test("services of one mark, each with ports and realservers of its own, send a client to one address", async (t) => {
  const chosen = (balancer: Balancer) =>
    [1, 2, 3, 4, 5, 6].map((n) => new Set([554, 7070, 8080, 554].map((port) => real(admit(balancer, n, port)))));
  const together = chosen(makeBalancer(media("real")));
  t.ok(together.every(({ size }) => size === 1));
  t.equal(new Set(together.flatMap((all) => [...all])).size, 3, "while the clients are spread");
  t.ok(
    chosen(makeBalancer(media())).some(({ size }) => size > 1),
    "which without a mark they would not",
  );
});

t.test(
  "a mark lasts as long as persistence does, and leads to nobody who is down, drained or no realserver there",
  async (t) => {
    const balancer = makeBalancer(media("real").map((spec) => ({ ...spec, persistence: seconds(60) })));
    const [, pnm] = balancer.services;
    const first = admit(balancer, 1, 554);
    balancer.close(first, seconds(1));
    t.equal(real(admit(balancer, 1, 7070, seconds(60))), real(first));
    const another = admit(balancer, 2, 554);
    const same = pnm!.realservers.find(({ address }) => address.equals(another.real.address))!;
    same.weight = 0;
    t.equal(real(admit(balancer, 2, 7070)), real(another), "drained: it has the client's connection open");
    balancer.close(another, seconds(1));
    const third = admit(balancer, 3, 554);
    const down = pnm!.realservers.find(({ address }) => address.equals(third.real.address))!;
    balancer.mark(pnm!, down, false);
    t.not(real(admit(balancer, 3, 7070)), real(third));
  },
);

t.test("a mark that is given or taken away by a reload counts for whoever comes next", async (t) => {
  const balancer = makeBalancer(media());
  const before = real(admit(balancer, 1, 554));
  balancer.change(media("real"));
  const kept = real(admit(balancer, 2, 554));
  t.equal(real(admit(balancer, 2, 7070)), kept);
  balancer.change(media());
  t.same(
    balancer.services.map(({ companions }) => companions),
    [[], [], []],
  );
  t.type(before, "string");
});

t.test("a realserver's own port is used where one port is translated, not in a group", async (t) => {
  const translated = [realserver("192.168.0.1", { port: port(8080) })];
  t.equal(admit(makeBalancer([web({ realservers: translated })]), 1).real.port, 8080);
  const group = web({ ports: [ports(80), ports(443)], realservers: translated });
  t.equal(admit(makeBalancer([group]), 1, 443).real.port, 443);
  const control = ftpService({
    ports: [ports(21), ports(40000, 40100)],
    realservers: [realserver("192.168.0.1", { port: port(2121) })],
  });
  const balancer = makeBalancer([control]);
  const entry = admit(balancer, 1, 21);
  t.equal(entry.real.port, 2121);
  balancer.group(entry, null, seconds(0));
  t.equal(admit(balancer, 1, 40001).real.port, 40001);
});

// --- pins -----------------------------------------------------------------------------------------------------------

const ftps = ftpService({ ports: [ports(21), ports(40000, 40100)], realservers: three });

t.test(
  "data ports are shut without a control connection that opened them: another client's does not count",
  async (t) => {
    const balancer = makeBalancer([ftps]);
    const data = (n: number, now = seconds(0)) => balancer.admit("tcp", client(n), endpoint(VIP, 40001), now);
    t.equal(data(1), "no-control-connection");
    const control = admit(balancer, 1, 21);
    t.equal(data(1), "no-control-connection", "a control connection alone opens nothing");
    balancer.group(control, null, seconds(0));
    t.equal(data(2), "no-control-connection");
    const open = data(1);
    t.equal(typeof open === "object" && real(open), real(control));
  },
);

t.test("a pin lasts as long as its control connection, its data connections, and 300 s after", async (t) => {
  const balancer = makeBalancer([ftps]);
  const data = (now: Ms) => balancer.admit("tcp", client(1), endpoint(VIP, 40001), now);
  const control = admit(balancer, 1, 21);
  balancer.group(control, null, seconds(0));
  balancer.group(control, null, seconds(0));
  balancer.advance(seconds(5000));
  const transfer = data(seconds(5000)) as ConnectionEntry;
  t.type(transfer, "object");
  balancer.close(control, seconds(6000));
  balancer.advance(seconds(9000));
  balancer.close(transfer, seconds(9000));
  t.type(data(seconds(9299)), "object");
  const other = makeBalancer([ftps]);
  const short = admit(other, 1, 21);
  other.group(short, null, seconds(0));
  other.close(short, seconds(0));
  t.equal(other.admit("tcp", client(1), endpoint(VIP, 40001), seconds(300)), "no-control-connection");
});

t.test("the group's ports: those asked for, the realserver's own, or the service's data ports", async (t) => {
  const own = realserver("192.168.0.1", { passivePorts: ports(40000, 40009) });
  const balancer = makeBalancer([ftps, ftpService({ address: endpoint("1.2.3.5", 1).address, realservers: [own] })]);
  const control = admit(balancer, 1, 21);
  t.same(balancer.group(control, [ports(990)], seconds(0)), [ports(990)]);
  t.same(balancer.group(control, null, seconds(0)), [ports(40000, 40100)]);
  const other = balancer.admit("tcp", client(1), endpoint("1.2.3.5", 21), seconds(0)) as ConnectionEntry;
  t.same(balancer.group(other, null, seconds(0)), [ports(40000, 40009)]);
});

// --- refusal --------------------------------------------------------------------------------------------------------

t.test("a realserver that refuses is passed over: every other is tried once, then nobody is left", async (t) => {
  const balancer = makeBalancer([web({ persistence: seconds(60) })]);
  const entry = admit(balancer, 1);
  const tried = [real(entry)];
  while (balancer.reschedule(entry, seconds(0)) !== null) tried.push(real(entry));
  t.equal(new Set(tried).size, 3);
  t.equal(tried.length, 3);
});

t.test("after a refusal the client stays with the one that took it, and counts are right", async (t) => {
  const balancer = makeBalancer([web({ persistence: seconds(60) })]);
  const entry = admit(balancer, 1);
  const refusing = real(entry);
  balancer.reschedule(entry, seconds(0));
  t.not(real(entry), refusing);
  t.equal(real(admit(balancer, 1)), real(entry));
  const counts = balancer.services[0]!.realservers.map(({ key, active }) => [key, active]);
  t.same(
    counts.find(([key]) => key === refusing),
    [refusing, 0],
  );
});

t.test("for two seconds new clients avoid it, unless nobody else is left", async (t) => {
  const balancer = makeBalancer([web()]);
  const entry = admit(balancer, 1);
  const refusing = real(entry);
  balancer.reschedule(entry, seconds(0));
  for (let n = 0; n < 6; n++) t.not(real(admit(balancer, n, 80, ms(1999))), refusing);
  t.ok([0, 1, 2].some((n) => real(admit(balancer, n, 80, seconds(2))) === refusing));
  const alone = makeBalancer([web({ realservers: [realserver("192.168.0.1")] })]);
  t.equal(alone.reschedule(admit(alone, 1), seconds(0)), null);
  t.equal(real(admit(alone, 2)), "192.168.0.1");
});

// A client that may reach the data ports chose closed ones, and its realserver was avoided by everybody.
t.test("a closed data port makes no realserver suspect, and is not tried elsewhere", async (t) => {
  const balancer = makeBalancer([ftps]);
  const control = admit(balancer, 1, 21);
  balancer.group(control, null, seconds(0));
  const data = admit(balancer, 1, 40001);
  t.equal(balancer.reschedule(data, seconds(0)), null);
  t.equal(control.realserver.suspectUntil, 0);
  t.equal(real(data), real(control));
});

// --- affinity -------------------------------------------------------------------------------------------------------

t.test("affinity: what was remembered is recalled, and stands before the scheduler", async (t) => {
  const balancer = makeBalancer([web()]);
  const ask = (recall: string[], remember: string[] = []) =>
    balancer.admit("tcp", client(1), endpoint(VIP, 80), seconds(0), {
      recall,
      remember,
      ttl: seconds(10),
    }) as ConnectionEntry;
  const first = ask([], ["state-1"]);
  t.same(
    [1, 2, 3].map(() => real(ask(["unknown", "state-1"]))),
    Array(3).fill(real(first)),
  );
});

// --- related entries ------------------------------------------------------------------------------------------------

function control(n = 1): { balancer: Balancer; entry: ConnectionEntry } {
  const balancer = makeBalancer([ftps]);
  return { balancer, entry: admit(balancer, n, 21) };
}

t.test("announced, placed, claimed: the connection goes where its control connection went", async (t) => {
  const { balancer, entry } = control();
  const related = balancer.announce(entry, announcement, "reply", ftp.limits, seconds(0));
  if (typeof related === "string") throw new Error(related);
  t.equal(related.state, "reserved");
  t.ok(balancer.place(related, endpoint(VIP, 6000)));
  const claimed = balancer.claim("tcp", endpoint(VIP, 6000), client(1, 51000), seconds(1));
  if (typeof claimed === "string") throw new Error(claimed);
  t.match(claimed.connection, {
    role: "related",
    master: entry.handle,
    client: client(1, 51000),
    virtual: endpoint(VIP, 6000),
    real: { address: entry.real.address, port: 5001 },
  });
  t.equal(entry.realserver.active, 2);
  balancer.close(claimed.connection, seconds(2));
  t.equal(entry.realserver.active, 1);
});

t.test("what the realserver opens leaves as the VIP", async (t) => {
  const { balancer, entry } = control();
  const active: Announcement = { ...announcement, opener: "reply", to: { address: entry.client.address, port: 5001 } };
  const related = balancer.announce(entry, active, "original", ftp.limits, seconds(0));
  if (typeof related === "string") throw new Error(related);
  balancer.place(related, endpoint("192.168.0.254", 6000));
  const from = { address: entry.real.address, port: port(20) };
  t.match(balancer.claim("tcp", endpoint("192.168.0.254", 6000), from, seconds(1)), {
    connection: { client: { address: entry.client.address, port: 5001 }, virtual: endpoint(VIP, 6000), real: from },
  });
});

t.test("an entry lives for its own ttl, else the helper's", async (t) => {
  const { balancer, entry } = control();
  const long = balancer.announce(entry, { ...announcement, ttl: seconds(100) }, "reply", ftp.limits, seconds(10));
  const short = balancer.announce(
    entry,
    { ...announcement, to: { address: null, port: 5002 } },
    "reply",
    ftp.limits,
    seconds(10),
  );
  t.match([long, short], [{ expires: seconds(110) }, { expires: seconds(40) }]);
  balancer.advance(seconds(40));
  t.equal(balancer.related.size, 1);
});

t.test("a control connection that is closed announces nothing, and what it announced is gone", async (t) => {
  const { balancer, entry } = control();
  const related = balancer.announce(entry, announcement, "reply", ftp.limits, seconds(0));
  balancer.close(entry, seconds(1));
  t.match(related, { state: "gone" });
  t.equal(balancer.announce(entry, announcement, "reply", ftp.limits, seconds(1)), "control-closed");
  const next = admit(balancer, 2, 21);
  t.not(next.handle, entry.handle);
  t.equal(balancer.announce(entry, announcement, "reply", ftp.limits, seconds(1)), "control-closed");
  t.equal(balancer.related.size, 0);
});

// The IPVS bug of 2005: one pending entry with an unknown client port, and packets of every service matched templates.
t.test("a pending entry is never an answer for a new connection, nor a template or pin one for a claim", async (t) => {
  const balancer = makeBalancer([ftps, web({ ports: [ports(80), ports(443)], persistence: seconds(60) })]);
  const entry = admit(balancer, 1, 21);
  balancer.group(entry, null, seconds(0));
  admit(balancer, 1, 80);
  const wild: Announcement = { ...announcement, to: { address: null, port: 40050 } };
  const related = balancer.announce(entry, wild, "reply", ftp.limits, seconds(0));
  if (typeof related === "string") throw new Error(related);
  balancer.place(related, endpoint(VIP, 40050));
  for (const to of [21, 22, 80, 443, 5001, 40001, 40049, 40051]) {
    t.equal(balancer.claim("tcp", endpoint(VIP, to), client(1), seconds(1)), "no-related-entry", `claim ${to}`);
  }
  t.equal(balancer.admit("tcp", client(2), endpoint(VIP, 40050), seconds(1)), "no-control-connection");
  t.equal(balancer.admit("tcp", client(1), endpoint(VIP, 5001), seconds(1)), "no-service");
  const [admitted] = [admit(balancer, 1, 40050)];
  t.equal(admitted?.role, "data", "the pin serves as it did, and the entry is untouched");
  t.equal(related.state, "pending");
});
