import t from "tap";
import { Overflows } from "../../../../director/datapath/tun/overflows.ts";

t.test("each realserver whose set has been full is told of once; connections are those of all", async (t) => {
  const told: string[] = [];
  const log = (level: string, event: string, { realserver }: Readonly<Record<string, unknown>> = {}) =>
    void told.push(`${level} ${event} ${realserver}`);
  const overflows = new Overflows({ log });
  const one = { service: "web", realserver: "192.168.0.2:80", connections: 3 };
  const other = { service: "web", realserver: "192.168.0.3:80", connections: 4 };
  const counted = [[], [one], [{ ...one, connections: 5 }, other]].map((found) => {
    overflows.tell(found);
    return overflows.connections;
  });
  t.same(counted, [0, 3, 9]);
  t.same(told, ["warn clients-full 192.168.0.2:80", "warn clients-full 192.168.0.3:80"]);
});

// The count fell at a reload that took the service out: a metric of Prometheus that falls was begun anew.
t.test("those of a realserver that is configured no more stay in the sum", async (t) => {
  const overflows = new Overflows({ log: () => {} });
  overflows.tell([{ service: "web", realserver: "192.168.0.2:80", connections: 3 }]);
  overflows.tell([]);
  t.equal(overflows.connections, 3);
});
