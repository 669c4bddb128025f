import t from "tap";
import type { Offerer } from "../../../core/flow/related-entry.ts";
import { ENDS, OWNER, RelatedRows, ROW_SHIFT } from "../../../core/flow/related-rows.ts";
import type { Handle } from "../../../core/flow/slots.ts";
import { type Ms, seconds } from "../../../core/units.ts";
import { endpoint } from "../../addresses.ts";

const FORM = { kind: "ftp-passive", transport: "tcp" } as const;
const TTL: Ms = seconds(30);

const offerer = (slot: number): Offerer => ({
  handle: slot as Handle,
  client: endpoint(`10.0.0.${slot}`, 40000),
  virtual: endpoint("1.2.3.4", 21),
  real: endpoint(`192.168.0.${slot}`, 21),
});

/** A row of what `one` offers at this port. */
function offered(rows: RelatedRows, one: Offerer, port: number): number {
  if (rows.full) rows.grow();
  const row = rows.add(port << 2, port, TTL);
  rows.words[(row << ROW_SHIFT) + OWNER] = Number(one.handle);
  rows.putOffer(row, one, rows.kindOf(FORM, TTL));
  return row;
}

t.test(
  "rows that were freed are used again, the last freed first: what comes and goes takes no more room",
  async (t) => {
    const rows = new RelatedRows();
    const [first, second, third] = [1, 2, 3].map((port) => offered(rows, offerer(1), port));
    for (const row of [first!, third!]) rows.remove(row);
    t.same([rows.size, rows.used(second!), rows.used(third!)], [1, true, false]);
    t.same([offered(rows, offerer(1), 4), offered(rows, offerer(1), 5)], [third, first]);
    for (let i = 0; i < 1000; i++) rows.remove(offered(rows, offerer(1), 6));
    t.same([rows.size, rows.end, rows.capacity], [3, 5, 16]);
  },
);

t.test(
  "a freed row, whatever it was and whichever is freed before it, is wholly that of whom it goes to",
  async (t) => {
    for (const before of ["an offer", "an offer that was seen"]) {
      const rows = new RelatedRows();
      const former = [1, 2].map((port) => offered(rows, offerer(1), port));
      if (before !== "an offer") for (const row of former) rows.entry(row);
      for (const row of former) rows.remove(row);
      const row = offered(rows, offerer(2), 7);
      t.equal(row, former[1], before);
      t.equal(rows.seen(row), null, `${before}: nobody has seen it`);
      t.same([rows.entry(row).id, rows.entry(row).master, rows.from(row)?.toString()], [7, 2, "10.0.0.2"], before);
      t.equal(rows.target(row).toString(), "192.168.0.2", before);
    }
  },
);

t.test("an entry of its own may follow an offer in its row, and an offer it", async (t) => {
  const rows = new RelatedRows();
  const once = rows.entry(offered(rows, offerer(1), 5));
  rows.remove(once.row);
  const row = rows.add(ENDS, 8, TTL);
  const own = { ...once, id: 8, row, from: { address: offerer(3).client.address, port: once.target.port } };
  rows.put(row, own);
  t.same([rows.entry(row), rows.fromPort(row)], [own, 5]);
  rows.remove(row);
  t.equal(rows.fromPort(offered(rows, offerer(1), 6)), null);
});

t.test("whose control connection is forgotten is asked no more for what its slot offers next", async (t) => {
  const rows = new RelatedRows();
  rows.remove(offered(rows, offerer(1), 5));
  rows.forget(1);
  rows.forget(1000);
  const next = { ...offerer(9), handle: 1 as Handle };
  t.equal(rows.entry(offered(rows, next, 6)).target.address, next.real.address);
});
