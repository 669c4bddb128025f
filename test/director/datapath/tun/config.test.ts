import t from "tap";
import { parseConfig } from "../../../../director/config.ts";
import { packConfig, unpackConfig } from "../../../../director/datapath/tun/config.ts";

t.test("a configuration is the same in another thread, its addresses too", async (t) => {
  const config = parseConfig(
    `
services:
  - name: ftp
    vip: 203.0.113.10
    ports: [tcp/21, tcp/40000-40100]
    helper: ftp
    persistence: 300s
    realservers:
      - { address: 192.168.0.2, port: 2121, announces: [203.0.113.7], passivePorts: 40000-40100 }
  - { name: web, vip: "2001:db8::1", ports: [tcp/80], realservers: [{ address: "2001:db8::2", weight: 3 }] }
`,
    "test.yaml",
    { path: "tun" },
  );
  const there = unpackConfig(packConfig(config));
  t.same(there, config);
  t.ok(there.services[0]!.vip.equals(config.services[0]!.vip));
  t.ok(there.services[0]!.realservers[0]!.announces[0]!.equals(config.services[0]!.realservers[0]!.announces[0]!));
  t.equal(there.services[0]!.realservers[0]!.announces[0]!.toString(), "203.0.113.7");
});
