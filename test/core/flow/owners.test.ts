import t from "tap";
import { Owners } from "../../../core/flow/owners.ts";
import { RelatedRows } from "../../../core/flow/related-rows.ts";
import type { Handle } from "../../../core/flow/slots.ts";
import { ms } from "../../../core/units.ts";

const endsOf = (port: number): number => port << 2;

/** Entries of the control connection with this slot, the oldest first: as many as `ports`. */
function announce(rows: RelatedRows, owners: Owners, slot: number, ports: readonly number[]): void {
  for (const port of ports) {
    if (rows.full) rows.grow();
    owners.add(rows.add(endsOf(port), port, ms(0)), (2 ** 24 + slot) as Handle, `10.0.0.${slot}`);
  }
}

// Of more than sixteen, the ports of some are not known: the place of theirs was another connection's words.
t.test("entries take turns, however many there are, and nobody else's are touched", async (t) => {
  const rows = new RelatedRows();
  const owners = new Owners(rows);
  announce(rows, owners, 0, [5000]);
  const first = owners.oldest(0);
  const ports = Array.from({ length: 20 }, (_, i) => 6000 + i);
  // What stands in the words of the first connection, read as a port.
  ports[17] = first;
  announce(rows, owners, 1, ports);
  for (let turn = 0; turn < 60; turn++) {
    owners.turn(1, endsOf(7000 + turn));
    t.equal(owners.oldest(0), first, `turn ${turn}`);
    t.ok(owners.mayHave(1, 7000 + turn));
  }
});
