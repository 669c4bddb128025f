import fc from "fast-check";
import t from "tap";
import type { Balancer, ConnectionEntry } from "../../core/balancer.ts";
import type { Announcement } from "../../core/helper/api.ts";
import { schedulerNames } from "../../core/schedule/scheduler.ts";
import type { RealserverSpec, ServiceSpec } from "../../core/service.ts";
import { type Ms, ms, port, seconds } from "../../core/units.ts";
import { ftp } from "../../helpers/ftp/helper.ts";
import { endpoint } from "../addresses.ts";
import { ftpService, makeBalancer, ports, realserver } from "../conversation.ts";

const VIP = "1.2.3.4";
const [A, B, C] = ["192.168.0.1", "192.168.0.2", "192.168.0.3"] as const;
const client = (n: number) => endpoint(`10.0.${n >> 8}.${n & 255}`, 40000);

const web = (realservers: readonly RealserverSpec[], rest: Partial<ServiceSpec> = {}): ServiceSpec =>
  ftpService({ name: "web", ports: [ports(80)], helper: null, controlPorts: [], realservers, ...rest });

function admit(balancer: Balancer, n: number, to = 80, now: Ms = seconds(0)): ConnectionEntry {
  const entry = balancer.admit("tcp", client(n), endpoint(VIP, to), now);
  if (typeof entry === "string") throw new Error(entry);
  return entry;
}

const real = ({ real }: ConnectionEntry): string => real.address.toString();
/** Whom the next `count` new clients get. */
const chosen = (balancer: Balancer, count = 12): string[] =>
  [...new Set(Array.from({ length: count }, (_, i) => real(admit(balancer, 100 + i))))].sort();

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

t.test("a realserver that comes gets new clients; who stays is the same object, with its connections", async (t) => {
  const balancer = makeBalancer([web([realserver(A)])]);
  const entry = admit(balancer, 1);
  const [before] = balancer.services;
  balancer.change([web([realserver(B), realserver(A)])]);
  t.equal(balancer.services[0], before);
  t.equal(balancer.services[0]!.realservers[1], entry.realserver);
  t.equal(entry.realserver.active, 1);
  t.same(chosen(balancer), [A, B]);
});

t.test(
  "a realserver whose method changes goes, with its connections, and comes anew, in the state it was in",
  async (t) => {
    const balancer = makeBalancer([web([realserver(A, { method: "dr" })], { persistence: seconds(300) })]);
    const entry = admit(balancer, 1);
    const [service] = balancer.services;
    balancer.mark(service!, entry.realserver, false);
    balancer.change([web([realserver(A, { method: "nat" })], { persistence: seconds(300) })]);
    const [after] = service!.realservers;
    t.match(entry.realserver, { method: "dr", removed: true, active: 1 });
    t.match(after, { method: "nat", removed: false, active: 0, up: false, key: entry.realserver.key });
    balancer.mark(service!, after!, true);
    t.equal(admit(balancer, 1).realserver, after, "nobody is led back to what was down");
    balancer.change([web([realserver(A)], { persistence: seconds(300) })]);
    t.equal(service!.realservers[0], after, "NAT is what no method says");
  },
);

t.test("who would be led back to a realserver is led to it by its new method", async (t) => {
  const persistent = { persistence: seconds(300) };
  const both = (method: "nat" | "dr") => web([realserver(A, { method }), realserver(B, { method })], persistent);
  const balancer = makeBalancer([both("nat")]);
  const entries = [1, 2].map((n) => admit(balancer, n));
  const service = balancer.services[0]!;
  balancer.remember(service, entries[1]!.realserver, ["state"], seconds(60), seconds(0));
  balancer.change([both("dr")]);
  for (const entry of entries) balancer.close(entry, seconds(400));
  const after = entries.map((_, i) => admit(balancer, i + 1, 80, seconds(500)));
  t.same(
    after.map(({ realserver: { key, method } }) => [key, method]),
    entries.map(({ realserver: { key } }) => [key, "dr"]),
  );
  const known = balancer.admit("tcp", client(3), endpoint(VIP, 80), seconds(1), { recall: ["state"] });
  t.equal(typeof known !== "string" && known.realserver, after[1]!.realserver);
});

t.test("data connections of who is connected go by the method of their control connection", async (t) => {
  const group = { ports: [ports(21), ports(40000, 40100)] };
  const by = (method: "nat" | "dr") => ftpService({ ...group, realservers: [realserver(A, { method })] });
  const balancer = makeBalancer([by("nat")]);
  const control = admit(balancer, 1, 21);
  const over = admit(balancer, 2, 21);
  for (const one of [control, over]) balancer.group(one, null, seconds(0));
  balancer.close(over, seconds(1));
  balancer.change([by("dr")]);
  t.equal(admit(balancer, 1, 40001, seconds(2)).realserver, control.realserver);
  t.equal(admit(balancer, 2, 40001, seconds(2)).realserver, balancer.services[0]!.realservers[0]);
});

t.test("a realserver that goes gets nothing new; what it has, and what that announces, goes on", async (t) => {
  const balancer = makeBalancer([ftpService({ realservers: [realserver(A), realserver(B)] })]);
  const control = admit(balancer, 1, 21);
  t.equal(real(control), A);
  balancer.change([ftpService({ realservers: [realserver(B)] })]);
  t.equal(control.realserver.removed, true);
  const related = balancer.announce(control, announcement, "reply", ftp.limits, seconds(1));
  if (typeof related === "string") throw new Error(related);
  t.ok(balancer.place(related, endpoint(VIP, 50000)));
  const claimed = balancer.claim("tcp", endpoint(VIP, 50000), client(1), seconds(2));
  if (typeof claimed === "string") throw new Error(claimed);
  t.equal(real(claimed.connection), A);
  t.equal(control.realserver.active, 2);
  t.same(
    [2, 3, 4].map((n) => real(admit(balancer, n, 21))),
    [B, B, B],
  );
  balancer.close(claimed.connection, seconds(3));
  balancer.close(control, seconds(3));
  t.equal(control.realserver.active, 0);
});

t.test("what was announced before a change is met after it", async (t) => {
  const balancer = makeBalancer([ftpService({ realservers: [realserver(A)] })]);
  const control = admit(balancer, 1, 21);
  const related = balancer.announce(control, announcement, "reply", ftp.limits, seconds(1));
  if (typeof related === "string") throw new Error(related);
  balancer.place(related, endpoint(VIP, 50000));
  balancer.change([ftpService({ realservers: [realserver(A, { weight: 5 }), realserver(B)], scheduler: "sh" })]);
  const claimed = balancer.claim("tcp", endpoint(VIP, 50000), client(1), seconds(2));
  t.not(typeof claimed, "string");
});

t.test("nobody is led back to a realserver that went: templates and what helpers remembered are gone", async (t) => {
  const persistent = { persistence: seconds(300) };
  const balancer = makeBalancer([web([realserver(A), realserver(B)], persistent)]);
  const entry = admit(balancer, 1);
  const service = balancer.services[0]!;
  balancer.remember(service, entry.realserver, ["state"], seconds(60), seconds(0));
  balancer.change([web([realserver(B)], persistent)]);
  t.equal(real(admit(balancer, 1, 80, seconds(1))), B, "though a connection is still open there");
  t.equal(service.memory.size, 0);
  balancer.close(entry, seconds(2));
  t.equal(real(admit(balancer, 1, 80, seconds(3))), B, "closing it brings nothing back");
});

t.test("an encrypted session keeps its data ports at a realserver that went, until it ends", async (t) => {
  const group = { ports: [ports(21), ports(40000, 40100)] };
  const balancer = makeBalancer([ftpService({ ...group, realservers: [realserver(A), realserver(B)] })]);
  const control = admit(balancer, 1, 21);
  balancer.group(control, null, seconds(0));
  balancer.change([ftpService({ ...group, realservers: [realserver(B)] })]);
  const data = admit(balancer, 1, 40001, seconds(1));
  t.equal(real(data), A);
  balancer.close(data, seconds(2));
  balancer.close(control, seconds(2));
  t.equal(balancer.admit("tcp", client(1), endpoint(VIP, 40001), seconds(3)), "no-control-connection");
  t.equal(balancer.services[0]!.pins.size, 0);
});

t.test("weight 0: no new clients; who is connected may come again, once he left he may not", async (t) => {
  const persistent = { persistence: seconds(300) };
  const balancer = makeBalancer([web([realserver(A), realserver(B)], persistent)]);
  const entry = admit(balancer, 1);
  t.equal(real(entry), A);
  balancer.change([web([realserver(A, { weight: 0 }), realserver(B)], persistent)]);
  t.same(chosen(balancer), [B]);
  const second = admit(balancer, 1, 80, seconds(1));
  t.equal(real(second), A, "a session of several connections stays together");
  for (const one of [entry, second]) balancer.close(one, seconds(2));
  t.equal(real(admit(balancer, 1, 80, seconds(3))), B);
  t.equal(entry.realserver.active, 0, "it is drained");
});

t.test("weight 0: a conversation is ended where it began, and not remembered anew", async (t) => {
  const balancer = makeBalancer([web([realserver(A), realserver(B)])]);
  const affinity = { recall: ["state"], remember: ["state"], ttl: seconds(10) };
  const at = (now: number) => {
    const entry = balancer.admit("tcp", client(1), endpoint(VIP, 80), seconds(now), affinity);
    return typeof entry === "string" ? entry : real(entry);
  };
  t.equal(at(0), A);
  balancer.change([web([realserver(A, { weight: 0 }), realserver(B)])]);
  t.equal(at(9), A);
  t.equal(at(10), B);
});

t.test("what is marked as down gets nothing, not even who knows it; marked as up, it does again", async (t) => {
  const balancer = makeBalancer([web([realserver(A), realserver(B)], { persistence: seconds(300) })]);
  const entry = admit(balancer, 1);
  const [service] = balancer.services;
  balancer.mark(service!, entry.realserver, false);
  t.same(chosen(balancer), [B]);
  t.equal(real(admit(balancer, 1)), B);
  balancer.mark(service!, service!.realservers[1]!, false);
  t.equal(balancer.admit("tcp", client(9), endpoint(VIP, 80), seconds(0)), "no-realserver");
  for (const one of service!.realservers) balancer.mark(service!, one, true);
  t.equal(real(admit(balancer, 8)), A);
});

t.test("a realserver keeps its mark when its service is changed", async (t) => {
  const balancer = makeBalancer([web([realserver(A), realserver(B)])]);
  const [service] = balancer.services;
  balancer.mark(service!, service!.realservers[0]!, false);
  balancer.change([web([realserver(A, { weight: 3 }), realserver(B), realserver(C)])]);
  t.same(chosen(balancer), [B, C]);
});

t.test("a service that goes serves nobody; its connections are counted to their end", async (t) => {
  const balancer = makeBalancer([web([realserver(A)]), ftpService({ realservers: [realserver(A)] })]);
  const entry = admit(balancer, 1);
  balancer.change([ftpService({ realservers: [realserver(A)] })]);
  t.equal(balancer.admit("tcp", client(1), endpoint(VIP, 80), seconds(0)), "no-service");
  t.equal(balancer.reschedule(entry, seconds(0)), null, "it has nobody else");
  balancer.close(entry, seconds(1));
  t.equal(entry.realserver.active, 0);
  t.equal(balancer.services.length, 1);
});

t.test("a persistence that changes holds for those who come from then on", async (t) => {
  const balancer = makeBalancer([web([realserver(A), realserver(B)], { persistence: seconds(10) })]);
  balancer.close(admit(balancer, 1), seconds(0));
  balancer.change([web([realserver(A), realserver(B)], { persistence: seconds(1000) })]);
  balancer.close(admit(balancer, 2, 80, seconds(0)), seconds(0));
  const [first, second] = [1, 2].map((n) => balancer.services[0]!.templates!.find(client(n).address, seconds(11)));
  t.equal(first, null);
  t.equal(second?.address.toString(), B);
  balancer.change([web([realserver(A), realserver(B)])]);
  t.equal(balancer.services[0]!.templates, null);
});

const lists = fc.uniqueArray(fc.record({ n: fc.integer({ min: 1, max: 6 }), weight: fc.integer({ min: 0, max: 3 }) }), {
  selector: ({ n }) => n,
  maxLength: 6,
});
const steps = fc.array(
  fc.oneof(
    fc.record({ what: fc.constant("change" as const), list: lists, scheduler: fc.constantFrom(...schedulerNames) }),
    fc.record({ what: fc.constant("admit" as const), n: fc.nat(20) }),
    fc.record({ what: fc.constant("close" as const), n: fc.nat(50) }),
  ),
  { maxLength: 60 },
);

/** One service under changes, and the connections that are open. */
class Model {
  readonly balancer: Balancer;
  readonly #open: ConnectionEntry[] = [];
  readonly #persistence: Ms;

  constructor(persistence: number) {
    this.#persistence = ms(persistence);
    this.balancer = makeBalancer([web([realserver(A)], { persistence: this.#persistence })]);
  }

  change(list: readonly { readonly n: number; readonly weight: number }[], scheduler: ServiceSpec["scheduler"]): void {
    const realservers = list.map(({ n, weight }) => realserver(`192.168.0.${n}`, { weight, port: port(80) }));
    this.balancer.change([web(realservers, { persistence: this.#persistence, scheduler })]);
  }

  /** Whether the choice was one that may be made. */
  admit(n: number, now: number): boolean {
    const entry = this.balancer.admit("tcp", client(n), endpoint(VIP, 80), seconds(now));
    if (typeof entry === "string") return true;
    const { realserver: chosen } = entry;
    const stays = this.#open.some(
      (other) => other.client.address.equals(entry.client.address) && other.realserver === chosen,
    );
    this.#open.push(entry);
    return !chosen.removed && (chosen.weight > 0 || (this.#persistence > 0 && stays));
  }

  close(n: number, now: number): void {
    const [entry] = this.#open.splice(n % Math.max(this.#open.length, 1), 1);
    if (entry !== undefined) this.balancer.close(entry, seconds(now));
  }

  get balanced(): boolean {
    const known = new Set(this.#open.map((entry) => entry.realserver));
    for (const { realservers } of this.balancer.services) for (const one of realservers) known.add(one);
    return [...known].every((one) => one.active === this.#open.filter((entry) => entry.realserver === one).length);
  }
}

t.test("through any changes nobody goes where nobody may, and a realserver's count is of what it has", async (t) => {
  const property = fc.property(steps, fc.constantFrom(0, 60_000), (list, persistence) => {
    const model = new Model(persistence);
    return (
      list.every((step, now) => {
        if (step.what === "admit") return model.admit(step.n, now);
        if (step.what === "close") model.close(step.n, now);
        else model.change(step.list, step.scheduler);
        return true;
      }) && model.balanced
    );
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 300 }));
});
