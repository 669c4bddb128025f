/** What the kernel's connection tracking says of connections that it translates. */
import t from "tap";
import { endpointText, type Port } from "../../../../core/units.ts";
import { Address } from "../../../../core/wire/address.ts";
import { parseConfig } from "../../../../director/config.ts";
import type { ServiceState } from "../../../../director/control/operated.ts";
import type { Calls } from "../../../../director/datapath/tun/calls.ts";
import { Conntrack, type KernelFlow, listRequest, read, removal } from "../../../../director/datapath/tun/conntrack.ts";
import { KERNEL, KernelFlows } from "../../../../director/datapath/tun/kernel.ts";

/** As the kernel writes it: length, kind, value, filled up to four bytes. */
function attribute(kind: number, ...values: Buffer[]): Buffer {
  const value = Buffer.concat(values);
  const head = Buffer.alloc(4);
  head.writeUInt16LE(4 + value.length, 0);
  head.writeUInt16LE(kind, 2);
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
}
const hex = (text: string): Buffer => Buffer.from(text.replace(/ /g, ""), "hex");
const tuple = (kind: number, from: string, to: string, ports: string): Buffer =>
  attribute(
    kind | 0x8000,
    attribute(0x8001, attribute(1, hex(from)), attribute(2, hex(to))),
    attribute(0x8002, attribute(1, hex("06")), attribute(2, hex(ports.slice(0, 4))), attribute(3, hex(ports.slice(4)))),
  );
const counts = (kind: number, packets: string, bytes: string): Buffer =>
  attribute(kind | 0x8000, attribute(1, hex(packets.padStart(16, "0"))), attribute(2, hex(bytes.padStart(16, "0"))));

function message(type: number, ...attributes: Buffer[]): Buffer {
  const body = Buffer.concat([hex("02000000"), ...attributes]);
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + body.length, 0);
  head.writeUInt16LE(type, 4);
  return Buffer.concat([head, body]);
}

/** client 192.0.2.7:40000 -> VIP 203.0.113.10:5001, which 10.0.0.1:5001 answers. */
const flow = (type: number, state: string, status = "000001ae"): Buffer =>
  message(
    type,
    tuple(1, "c0000207", "cb00710a", "9c401389"),
    tuple(2, "0a000001", "c0000207", "13899c40"),
    attribute(3, hex(status)),
    attribute(0x8004, attribute(0x8001, attribute(1, hex(state)))),
    counts(9, "03", "0100"),
    counts(10, "05", "0200"),
    attribute(12, hex("00000007")),
  );
const DONE = message(3);

const said = ({ id, transport, client, virtual, real, over, traffic }: KernelFlow) => ({
  ...{ id, transport, over, traffic },
  ends: [client, virtual, real].map(endpointText),
});

t.test("a list is read: who is translated, where to, and what was carried", async (t) => {
  const { flows, over } = read(Buffer.concat([flow(0x100, "03"), flow(0x100, "07"), DONE]));
  t.equal(over, true);
  t.same(flows.map(said), [
    {
      id: 7,
      transport: "tcp",
      over: false,
      traffic: { packets: { original: 3, reply: 5 }, bytes: { original: 256, reply: 512 } },
      ends: ["192.0.2.7:40000", "203.0.113.10:5001", "10.0.0.1:5001"],
    },
    { ...said(flows[1]!), over: true },
  ]);
  t.same(read(flow(0x100, "03", "0000018e")).flows, [], "what is not translated is not ours");
});

t.test("a list that is cut anywhere, or wrong, is read as far as it goes", async (t) => {
  const whole = Buffer.concat([flow(0x100, "03"), DONE]);
  for (let length = 0; length < whole.length; length++) t.ok(read(whole.subarray(0, length)).flows.length <= 1);
  for (let at = 0; at < whole.length; at++) {
    for (const value of [0, 1, 255]) {
      const wrong = Buffer.from(whole);
      wrong[at] = value;
      t.ok(read(wrong).flows.length <= 2);
    }
  }
});

t.test("what is asked of the kernel is written as it reads it", async (t) => {
  t.equal(
    listRequest(0x01020304).toString("hex"),
    ["24000000 0101 0103 04030201 00000000", "00000000", "08000300 00000020", "08001a00 00000020"]
      .join("")
      .replace(/ /g, ""),
  );
  const [one] = read(flow(0x100, "03")).flows;
  const { flows } = read(Buffer.concat([removal(one!, 9), DONE]));
  t.same(flows, [], "a removal names one way only");
  t.ok(removal(one!, 9).includes(hex("c0000207")));
  t.equal(removal(one!, 9).readUInt16LE(4), 0x102);
  t.equal(removal(one!, 9).readUInt32LE(8), 9);
});

/** `bytes`, one message, as an answer to the request of that number. */
function answering(bytes: Buffer, sequence: number): Buffer {
  const answer = Buffer.from(bytes);
  answer.writeUInt32LE(sequence, 8);
  return answer;
}
const REFUSED = message(2);

t.test("answers to other requests are passed over", async (t) => {
  const others = [flow(0x100, "03"), REFUSED, DONE].map((one) => answering(one, 1));
  const its = [flow(0x100, "07"), DONE].map((one) => answering(one, 2));
  t.same(read(Buffer.concat(others), 2), { flows: [], over: false });
  const { flows, over } = read(Buffer.concat([...others, ...its]), 2);
  t.same([flows.map(({ over }) => over), over], [[true], true]);
});

/** A kernel whose answers wait at the socket they are for. `answer`: to a request of that type and number. */
function netlink(answer: (type: number, sequence: number) => readonly Buffer[]) {
  const waiting = new Map<number, Buffer[]>();
  const room = Buffer.alloc(1 << 18);
  const calls: Pick<Calls, "socket" | "bind" | "close" | "memory" | "read" | "write"> = {
    socket: () => {
      const fd = 1000 + waiting.size;
      waiting.set(fd, []);
      return fd;
    },
    bind: () => 0,
    close: (fd) => {
      waiting.set(fd, []);
      return 0;
    },
    memory: (size) => ({ at: 0, bytes: size === room.length ? room : Buffer.alloc(size) }),
    read: (fd) => waiting.get(fd)!.shift()?.copy(room) ?? -1,
    write: (fd, _from, length) => {
      waiting.get(fd)!.push(...answer(room.readUInt16LE(4), room.readUInt32LE(8)));
      return length;
    },
  };
  const left = (): number => [...waiting.values()].flat().length;
  return { conntrack: new Conntrack(calls as Calls), left };
}

t.test("a flow that has ended before it is removed takes nothing from the lists after it", async (t) => {
  const { conntrack, left } = netlink((type, sequence) =>
    (type === 0x102 ? [REFUSED] : [flow(0x100, "03"), DONE]).map((one) => answering(one, sequence)),
  );
  const [one] = conntrack.list();
  for (let i = 0; i < 3; i++) conntrack.remove(one!);
  t.equal(left(), 0, "refusals do not pile up");
  t.equal(conntrack.list().length, 1);
  t.equal(conntrack.list().length, 1);
});

t.test("a list that comes to no end leaves nothing behind for the next", async (t) => {
  let lists = 0;
  const { conntrack, left } = netlink((_type, sequence) => {
    const whole = [flow(0x100, "03"), flow(0x100, "03"), DONE].map((one) => answering(one, sequence));
    return lists++ === 0 ? [whole[0]!, Buffer.alloc(0), ...whole] : whole;
  });
  t.equal(conntrack.list().length, 1, "as far as it was told");
  t.equal(left(), 0);
  t.equal(conntrack.list().length, 2);
});

const at = (address: string, port: number) => ({ address: Address.parse(address)!, port: port as Port });
const kernelFlow = (id: number, real: string, over = false, port = 5000 + id): KernelFlow => ({
  id,
  transport: "tcp",
  client: at("192.0.2.7", 40_000 + id),
  virtual: at("203.0.113.10", port),
  real: at(real, port),
  over,
  traffic: { packets: { original: 1, reply: 2 }, bytes: { original: 100, reply: 200 } },
});
const realserver = (key: string): ServiceState["realservers"][number] => ({
  ...{ realserver: key, condition: "up", sorry: false, weight: 1, method: "nat", active: 1, inactive: 0 },
  flows: { control: 1, related: 0, data: 0, plain: 0 },
  traffic: { connections: 1, packets: { original: 10, reply: 20 }, bytes: { original: 1, reply: 2 } },
});
const service = (name: string, helper: string | null, ...keys: string[]): ServiceState => ({
  ...{ name, vip: "203.0.113.10", ports: [], helper, scheduler: "rr", persistence: 0, removed: false },
  realservers: keys.map(realserver),
});
const SERVICES = [service("files", "ftp", "10.0.0.1:21", "10.0.0.2"), service("web", null, "10.0.0.1:80")];
const FILES = `{ name: files, vip: 203.0.113.10, ports: [tcp/21], helper: ftp, realservers: [{ address: 10.0.0.1, port: 21 }, { address: 10.0.0.2 }] }`;
const WEB = `{ name: web, vip: 203.0.113.10, ports: [tcp/80], realservers: [{ address: 10.0.0.1, port: 80 }] }`;
const configured = (...services: string[]) =>
  parseConfig(`services: [${services}]`, "test.yaml", { path: "tun" }).services;

function kernel(list: KernelFlow[], ended: KernelFlow[] = []) {
  const removed: number[] = [];
  const source = { list: () => list, ended: () => ended.splice(0), remove: ({ id }: KernelFlow) => removed.push(id) };
  const flows = new KernelFlows(source);
  flows.update(configured(FILES, WEB));
  return { flows, removed, ended };
}

t.test(
  "what the kernel carries counts for the service whose helper announced it, also when it has ended",
  async (t) => {
    const { flows, ended } = kernel([kernelFlow(1, "10.0.0.1"), kernelFlow(2, "10.0.0.1", true)]);
    ended.push(kernelFlow(3, "10.0.0.2"), kernelFlow(4, "10.9.9.9"));
    const [files, web] = flows.added(SERVICES);
    t.match(web!.realservers, [{ active: 1, inactive: 0, traffic: { connections: 1 } }]);
    t.match(files!.realservers, [
      {
        active: 2,
        inactive: 1,
        flows: { control: 1, related: 1 },
        traffic: { connections: 3, packets: { original: 12 } },
      },
      { active: 1, inactive: 0, flows: { related: 0 }, traffic: { connections: 2, bytes: { reply: 202 } } },
    ]);
    t.same(flows.added(SERVICES)[0], files, "told once, and kept");
    t.same(flows.traffic().packets, { original: 3, reply: 6 }, "without what others on the host have translated");
  },
);

t.test("of an address that went and came back, what the kernel carries counts once", async (t) => {
  const { flows, ended } = kernel([kernelFlow(1, "10.0.0.1")]);
  ended.push(kernelFlow(2, "10.0.0.1"));
  flows.update(configured(FILES.replace("port: 21", "port: 2121"), WEB));
  flows.update(configured(FILES, WEB));
  const states = [service("files", "ftp", "10.0.0.1:21", "10.0.0.1:2121", "10.0.0.1:21", "10.0.0.2")];
  const [files] = flows.added(states);
  t.same(
    files!.realservers.map(({ active, traffic }) => [active, traffic!.connections]),
    [[2, 3], [1, 1], [1, 1], [1, 1]], // biome-ignore format: one line
  );
  t.same(flows.traffic().packets, { original: 2, reply: 4 });
});

t.test("its connections are listed after the engine's, a page at a time, and dropped by scope", async (t) => {
  const { flows, removed } = kernel([1, 2, 3].map((id) => kernelFlow(id, id === 2 ? "10.0.0.2" : "10.0.0.1")));
  const first = flows.page({ after: KERNEL, limit: 2 });
  t.match(first, { items: [{ handle: KERNEL + 1, service: "files", role: "related" }, {}], next: KERNEL + 2 });
  const second = flows.page({ after: first.next!, limit: 2 });
  t.match(second, { items: [{ handle: KERNEL + 3 }], next: null });
  t.equal(flows.page({ after: KERNEL, limit: 9, realserver: "10.0.0.2" }).items.length, 1);
  t.equal(flows.page({ after: KERNEL, limit: 9, client: "192.0.2.8" }).items.length, 0);
  t.equal(flows.page({ after: KERNEL, limit: 9, role: "control" }).items.length, 0);
  t.equal(flows.drop({ realserver: "10.0.0.1:21" }), 2);
  t.same(removed, [1, 3]);
  t.equal(flows.drop({ service: "web" }), 0);
});

t.test("a connection to a service's own port is that service's, whatever a helper beside it announces", async (t) => {
  const spread = kernelFlow(1, "10.0.0.1", false, 80);
  const { flows, removed, ended } = kernel([spread, kernelFlow(2, "10.0.0.1")]);
  ended.push(kernelFlow(3, "10.0.0.1", true, 80));
  t.match(flows.added(SERVICES), [
    { realservers: [{ active: 2, flows: { related: 1, plain: 0 }, traffic: { connections: 2 } }, { active: 1 }] },
    { realservers: [{ active: 2, flows: { related: 0, plain: 1 }, traffic: { connections: 3 } }] },
  ]);
  const { items } = flows.page({ after: KERNEL, limit: 9, role: "plain" });
  t.match(items, [{ service: "web", realserver: "10.0.0.1:80", virtual: "203.0.113.10:80" }]);
  t.equal(items.length, 1);
  t.equal(flows.drop({ service: "files" }), 1);
  t.equal(flows.drop({ service: "web" }), 1);
  t.same(removed, [2, 1]);
});

t.test("to another port of the realserver it is not the service's, nor over UDP", async (t) => {
  const elsewhere = { ...kernelFlow(1, "10.0.0.1", false, 80), real: at("10.0.0.1", 8080) };
  const datagrams = { ...kernelFlow(2, "10.0.0.1", false, 80), transport: "udp" as const };
  const { flows } = kernel([elsewhere, datagrams]);
  t.match(flows.added(SERVICES)[1]!.realservers, [{ active: 1 }]);
});

t.test("what a service had is still its own when it is configured no more", async (t) => {
  const { flows, removed, ended } = kernel([kernelFlow(1, "10.0.0.1", false, 80)]);
  ended.push(kernelFlow(2, "10.0.0.1", true, 80));
  flows.update(configured(FILES));
  t.match(flows.added(SERVICES)[1]!.realservers, [{ active: 2, traffic: { connections: 3 } }]);
  t.same(flows.traffic().packets, { original: 2, reply: 4 });
  flows.update(configured(FILES, WEB.replace("name: web", "name: pages")));
  t.match(flows.page({ after: KERNEL, limit: 9 }).items, [{ service: "pages" }], "or that of who came in its place");
  t.equal(flows.drop({ service: "files" }), 0);
  t.same(removed, []);
});
