/** How the balancer schedules what comes request by request. */
import t from "tap";
import { Balancer, type ConnectionEntry } from "../../core/balancer.ts";
import type { Affinity } from "../../core/helper/api.ts";
import type { ServiceSpec } from "../../core/service.ts";
import { ms, port, seconds } from "../../core/units.ts";
import { radius } from "../../helpers/radius/helper.ts";
import { address, endpoint } from "../addresses.ts";
import { LIMITS, realserver } from "../conversation.ts";

const CLIENT = endpoint("10.0.0.5", 40000);
const udp = (n: number) => ({ transport: "udp" as const, first: port(n), last: port(n) });

const service: ServiceSpec = {
  name: "radius",
  address: address("1.2.3.4"),
  ports: [udp(1812), udp(1813)],
  helper: radius,
  controlPorts: [port(1812), port(1813)],
  scheduler: "rr",
  persistence: ms(0),
  persistencePrefix: null,
  realservers: ["192.168.0.2", "192.168.0.3"].map((text) => realserver(text)),
};

function balancer(): { asks: (affinity?: Affinity, now?: number) => string; admitted: Balancer } {
  const admitted = new Balancer([service], { limits: LIMITS, seed: 1, gone: () => {} });
  const asks = (affinity?: Affinity, now = 0): string => {
    const entry = admitted.admit("udp", CLIENT, endpoint("1.2.3.4", 1812), seconds(now), affinity ?? null);
    return typeof entry === "string" ? entry : String((entry as ConnectionEntry).real.address);
  };
  return { asks, admitted };
}

t.test("two ports do not tie a client to one realserver: each request is scheduled", async (t) => {
  const { asks } = balancer();
  t.same([asks(), asks(), asks(), asks()], ["192.168.0.2", "192.168.0.3", "192.168.0.2", "192.168.0.3"]);
});

t.test("the only realserver for a request is chosen whatever is remembered, and nobody takes its place", async (t) => {
  const { asks, admitted } = balancer();
  const [first, second] = admitted.services[0]!.realservers;
  admitted.remember(admitted.services[0]!, first!, ["key"], seconds(60), seconds(0));
  const only = { recall: ["key"], only: second!.address };
  t.equal(asks({ recall: ["key"] }), "192.168.0.2");
  t.same([asks(only), asks(only)], ["192.168.0.3", "192.168.0.3"]);
  admitted.lost(admitted.services[0]!, second!, seconds(0));
  t.equal(asks(only), "no-realserver");
  t.equal(asks(only, 2), "192.168.0.3", "asked again after two seconds");
});

t.test("a realserver that is lost is passed over, and what it knew goes elsewhere", async (t) => {
  const { asks, admitted } = balancer();
  const [service] = admitted.services;
  const [first] = service!.realservers;
  admitted.remember(service!, first!, ["key"], seconds(60), seconds(0));
  t.equal(asks({ recall: ["key"] }), "192.168.0.2");
  admitted.lost(service!, first!, seconds(0));
  t.same([asks({ recall: ["key"] }), asks(), asks()], ["192.168.0.3", "192.168.0.3", "192.168.0.3"]);
});
