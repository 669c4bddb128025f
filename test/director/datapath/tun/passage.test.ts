import t from "tap";
import { parseConfig } from "../../../../director/config.ts";
import { passageFor, passageOf } from "../../../../director/datapath/tun/passage.ts";

const config = (method: string, service = "ports: [tcp/80]") =>
  parseConfig(
    `services: [{ name: one, vip: 10.77.1.100, ${service}, realservers: [{ address: 10.77.2.2, method: ${method} }] }]`,
    "test.yaml",
    { path: "tun" },
  );
const tunnelled = passageOf(config("tunnel"), { from: ["10.77.2.1"], mtu: 1400 });
const plain = passageOf(config("nat"), { from: [], mtu: 1500 });

t.test("the flows of the last tunnelled realserver keep where their tunnel begins, and whole packets", async (t) => {
  t.same(passageFor(plain, tunnelled), { tunnels: { from: ["10.77.2.1"], mtu: 1400 }, offload: "none" });
  const twice = passageFor(plain, passageFor(plain, tunnelled));
  t.same(twice, passageFor(plain, tunnelled), "however often it is loaded again meanwhile");
});

t.test("where there was no tunnel, what is wanted now is what is done", async (t) => {
  t.same(passageFor(tunnelled, plain), tunnelled);
  t.same(passageFor(plain, { ...plain, tunnels: { from: [], mtu: 1280 } }), plain);
});

t.test("new tunnels begin where they do now, and each place is listed once", async (t) => {
  const moved = { ...tunnelled, tunnels: { from: ["10.77.2.9", "fd77:2::1"], mtu: 1500 } };
  t.same(passageFor(moved, tunnelled).tunnels.from, ["10.77.2.9", "fd77:2::1", "10.77.2.1"]);
  t.same(passageFor(tunnelled, tunnelled), tunnelled);
});

t.test("datagrams that a helper reads come one by one as long as it reads some", async (t) => {
  const read = passageOf(config("nat", "ports: [udp/69], helper: tftp"), plain.tunnels);
  t.same([plain.offload, read.offload, tunnelled.offload], ["all", "tcp", "none"]);
  t.equal(passageFor(plain, read).offload, "tcp");
  t.equal(passageFor(read, plain).offload, "tcp");
});
