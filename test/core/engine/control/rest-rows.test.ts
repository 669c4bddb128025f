import t from "tap";
import { READER, RestRows } from "../../../../core/engine/control/rest-rows.ts";
import { Random } from "../../../../tools/fuzz/generate/choices.ts";

const PER_PAGE = 256;

t.test("property: a row is one connection's alone while it has it, and nobody's reader at first", async (t) => {
  const random = new Random(1);
  const rows = new RestRows();
  const held = new Map<number, number>();
  const words = (row: number): Int32Array => rows.page(row).words.subarray(rows.place(row), rows.place(row) + 128);
  let wrong = 0;
  for (let i = 1; i < 20_000; i++) {
    const growing = i % 4000 < 2000;
    if (held.size === 0 || random.below(10) < (growing ? 7 : 3)) {
      const row = rows.add();
      if (row === 0 || held.has(row) || words(row)[READER] !== 0) wrong++;
      held.set(row, i);
      words(row).fill(i);
    } else {
      const row = [...held.keys()][random.below(held.size)]!;
      if (words(row).some((word) => word !== held.get(row))) wrong++;
      rows.remove(row);
      held.delete(row);
    }
  }
  t.equal(wrong, 0);
});

t.test("pages whose connections are over go, but for one", async (t) => {
  const rows = new RestRows();
  const held = Array.from({ length: 10 * PER_PAGE }, () => rows.add());
  t.equal(rows.pages, 11, "row 0 is nobody's");
  for (const row of held.splice(0, 5 * PER_PAGE)) rows.remove(row);
  t.equal(rows.pages, 6 + 1);
  for (const row of held.splice(0)) rows.remove(row);
  t.equal(rows.pages, 1);
  for (let i = 0; i < 10; i++) rows.remove(rows.add());
  t.equal(rows.pages, 1);
});

t.test("new connections fill the first pages, so that the last ones go", async (t) => {
  const rows = new RestRows();
  const held = Array.from({ length: 8 * PER_PAGE }, () => rows.add());
  // One in eight stays, wherever it is, and then as many others come and go as there were.
  let staying = held.filter((row) => row % 8 === 0);
  for (const row of held) if (row % 8 !== 0) rows.remove(row);
  for (let i = 0; i < 8; i++) {
    const others = staying.map(() => rows.add());
    for (const row of staying) rows.remove(row);
    staying = others;
  }
  t.equal(staying.length, PER_PAGE);
  t.ok(rows.pages <= 3, `${rows.pages}`);
});
