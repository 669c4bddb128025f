import { deepStrictEqual } from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { Chains } from "../../../core/flow/chains.ts";
import { RelatedRows, SAME_PLACE } from "../../../core/flow/related-rows.ts";
import { ms } from "../../../core/units.ts";

/** Hashes that differ in their bucket, in their tag, or in neither; of few each, so that they meet. */
const hash = fc
  .tuple(fc.nat(2), fc.nat(2), fc.nat(1))
  .map(([bucket, tag, rest]) => bucket | (tag << 24) | (rest << 20));
const step = fc.tuple(fc.constantFrom("add", "add", "remove"), hash, fc.nat(100));

const tagOf = (one: number): number => (one >>> 24) & 0x7f;

/** All rows of a chain that are met on the way of `sought`. */
function met(chains: Chains, sought: number): number[] {
  const rows: number[] = [];
  for (let row = chains.first(sought); row !== 0; row = chains.next(row, sought)) rows.push(row);
  return rows;
}

t.test(
  "property: a hash leads to all rows that have it, the last added first, and to none of another tag",
  async (t) => {
    const property = fc.property(fc.array(step, { maxLength: 60 }), fc.array(hash), (steps, others) => {
      const rows = new RelatedRows();
      while (rows.capacity < 128) rows.grow();
      const chains = new Chains(rows, SAME_PLACE);
      let there: { row: number; hash: number }[] = [];
      for (const [what, hash, which] of steps) {
        if (what === "add") {
          const row = rows.add(4, 1, ms(0));
          chains.add(row, hash);
          there.unshift({ row, hash });
        } else if (there.length > 0) {
          const gone = there[which % there.length]!;
          chains.remove(gone.row, gone.hash);
          rows.remove(gone.row);
          there = there.filter((one) => one !== gone);
        }
      }
      for (const sought of [...there.map(({ hash }) => hash), ...others]) {
        const alike = there.filter(({ hash }) => (hash & 0xff) === (sought & 0xff) && tagOf(hash) === tagOf(sought));
        deepStrictEqual(
          met(chains, sought),
          alike.map(({ row }) => row),
        );
      }
    });
    const result = fc.check(property, { numRuns: 2000, seed: 1 });
    t.notOk(result.failed, fc.defaultReportMessage(result) ?? "");
  },
);
