import t from "tap";
import { Balancer, type ConnectionEntry } from "../../../core/balancer.ts";
import { Placing } from "../../../core/engine/placing.ts";
import type { RelatedEntry } from "../../../core/flow/related.ts";
import type { Direction, Endpoint } from "../../../core/units.ts";
import { ms, port } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { endpoint } from "../../addresses.ts";
import { realserver, service } from "../director.ts";

const VIP = "203.0.113.10";
const REAL = "10.0.0.3";

function placed() {
  const balancer = new Balancer(
    [
      service(
        VIP,
        [
          ["tcp", 21, 21],
          ["tcp", 40000, 40100],
        ],
        [realserver(REAL, null)],
        {
          helper: ftp,
          controlPorts: [port(21)],
        },
      ),
      service(VIP, [["tcp", 8080, 8080]], [realserver(REAL, null)]),
    ],
    { limits: { perClient: 100, total: 1000 }, seed: 1, gone: () => {} },
  );
  const placing = new Placing(balancer, 7);
  const control = balancer.admit("tcp", endpoint("192.0.2.7", 40000), endpoint(VIP, 21), ms(0)) as ConnectionEntry;
  const announce = (to: number, opener: Direction = "original"): RelatedEntry =>
    balancer.announce(
      control,
      {
        kind: "test",
        said: "SAID",
        transport: "tcp",
        opener,
        from: { address: null, port: null },
        to: { address: null, port: to },
        uses: 1,
        bytes: { start: 0, end: 0 },
        instead: { start: 0, end: 0, text: () => "" },
      },
      opener === "original" ? "reply" : "original",
      ftp.limits,
      ms(0),
    ) as RelatedEntry;
  const place = (to: number, below: Endpoint | null = null): Endpoint | null => {
    const entry = announce(to);
    const seen = placing.find(control, entry, below);
    if (seen !== null) balancer.place(entry, seen);
    return seen;
  };
  return { placing, control, announce, place };
}

t.test("a passive port keeps its number at the VIP where that is free, also among a group's data ports", async (t) => {
  const { place } = placed();
  t.same(place(5001), endpoint(VIP, 5001));
  t.same(place(40007), endpoint(VIP, 40007));
});

t.test("the port of another service is never taken for it", async (t) => {
  const { place } = placed();
  const seen = place(8080)!;
  t.not(seen.port, 8080);
  t.ok(seen.port >= 1024);
});

t.test("in place of a taken one another is found, even for even and odd for odd", async (t) => {
  const { placing, control, announce, place } = placed();
  for (const like of [5001, 5002]) {
    place(like);
    const another = { ...announce(7000), target: endpoint(REAL, like) };
    for (let n = 0; n < 50; n++) {
      const seen = placing.find(control, another, null)!;
      t.not(seen.port, like);
      t.equal(seen.port & 1, like & 1);
    }
  }
});

t.test("what adjoins another is next to it, or nowhere", async (t) => {
  const { place } = placed();
  const below = place(6000)!;
  t.same(place(6001, below), endpoint(VIP, 6001));
  t.equal(place(7000, below), null);
});

t.test("where a client listens it is met itself", async (t) => {
  const { placing, control, announce } = placed();
  t.same(placing.find(control, announce(1025, "reply"), null), endpoint("192.0.2.7", 1025));
});
