import t from "tap";
import { Overflows } from "../../../../director/datapath/tun/overflows.ts";

t.test("each realserver whose set has been full is told of once; connections are those of all", async (t) => {
  const told: string[] = [];
  const log = (level: string, event: string, { realserver }: Readonly<Record<string, unknown>> = {}) =>
    void told.push(`${level} ${event} ${realserver}`);
  const overflows = new Overflows({ log });
  const one = { service: "web", realserver: "192.168.0.2:80", connections: 3 };
  const other = { service: "web", realserver: "192.168.0.3:80", connections: 4 };
  t.same([overflows.tell([]), overflows.tell([one]), overflows.tell([one, other])], [0, 3, 7]);
  t.same(told, ["warn clients-full 192.168.0.2:80", "warn clients-full 192.168.0.3:80"]);
});
