import fc from "fast-check";
import t from "tap";
import { Buckets } from "../../../core/flow/buckets.ts";
import { ROW_SHIFT } from "../../../core/flow/rows.ts";
import { flow, original } from "./flows.ts";

/** Rows of `count` entries that differ in their client; nothing but their original keys matters here. */
function rowsOf(count: number): Int32Array {
  const rows = new Int32Array((count + 1) << ROW_SHIFT);
  for (let id = 1; id <= count; id++) {
    const [client, virtual, ports, kind] = original(flow(id)).subarray(6);
    rows.set([client!, virtual!, 0, ports!, 0, kind!], id << ROW_SHIFT);
  }
  return rows;
}

const COUNT = 48;
const rows = rowsOf(COUNT);

/** The index, and the hashes that it reads. */
const indexOf = (rows: Int32Array) => {
  const hashes = new Int32Array(rows.length >> (ROW_SHIFT - 1));
  return { buckets: new Buckets(rows, new Int32Array(0), hashes), hashes };
};
type Index = ReturnType<typeof indexOf>;

/** Inserts `id`, or removes it when it is there. */
function toggle({ buckets, hashes }: Index, model: Map<number, number>, id: number, hash: number): void {
  const known = model.get(id);
  if (known === undefined) {
    hashes[id << 1] = hash;
    buckets.insert(id << 1);
    model.set(id, hash);
  } else {
    buckets.remove(id << 1);
    model.delete(id);
  }
}

/** Does looking for `id`, where it is or was, give what the model says? */
const agrees = ({ buckets }: Index, model: Map<number, number>, id: number, was: number): boolean => {
  const hash = model.get(id);
  return buckets.find(original(flow(id)), 0, hash ?? was) === (hash === undefined ? 0 : id << 1);
};

t.test("whatever is inserted and removed, in whatever clusters, is found or not found as in a map", async () => {
  // Hashes from a handful of neighbours, at the table's end too, make long clusters that wrap.
  const hash = fc.constantFrom(0, 1, 2, 3, 2045, 2046, 2047, 5 << 11, (5 << 29) | 2, (7 << 29) | 2047);
  const step = fc.record({ id: fc.integer({ min: 1, max: COUNT }), hash });
  const ids = Array.from({ length: COUNT }, (_, i) => i + 1);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const model = new Map<number, number>();
      const index = indexOf(rows);
      const was = new Map(steps.map(({ id, hash }) => [id, hash]));
      for (const { id } of steps) toggle(index, model, id, was.get(id)!);
      return ids.every((id) => agrees(index, model, id, was.get(id) ?? 1));
    }),
    { numRuns: 300 },
  );
});

t.test("a cluster longer than a slot can tell its way home falls apart in any order", async () => {
  const ids = Array.from({ length: COUNT }, (_, i) => i + 1);
  // Two homes side by side, so that each has entries that the other's pushed away.
  const hashOf = (id: number) => 2040 + (id & 1);
  fc.assert(
    fc.property(fc.shuffledSubarray(ids, { minLength: COUNT }), (order) => {
      const model = new Map<number, number>();
      const index = indexOf(rows);
      for (const id of ids) toggle(index, model, id, hashOf(id));
      return order.every((leaving) => {
        toggle(index, model, leaving, hashOf(leaving));
        return ids.every((id) => agrees(index, model, id, hashOf(id)));
      });
    }),
    { numRuns: 50 },
  );
});

t.test("while it grows everything is found, and what is removed is gone", async (t) => {
  const many = 20_000;
  const hashOf = (id: number) => Math.imul(id, 0x9e3779b1);
  const index = indexOf(rowsOf(many));
  const { buckets } = index;
  const model = new Map<number, number>();
  const wrong: number[] = [];
  let growths = 0;
  for (let id = 1; id <= many; id++) {
    const before = buckets.growing;
    toggle(index, model, id, hashOf(id));
    if (buckets.growing && !before) growths++;
    // One of four leaves again, an old one or a new one, also in the middle of a growth.
    const leaving = [id >> 1, 0, 0, 0, id - 1, 0, 0, 0][id % 8]!;
    if (model.has(leaving)) toggle(index, model, leaving, hashOf(leaving));
    const asked = [id, ((id * 7919) % id) + 1, leaving];
    wrong.push(...asked.filter((one) => one > 0 && !agrees(index, model, one, hashOf(one))));
  }
  t.same(wrong, []);
  t.ok(growths >= 4, `grew ${growths} times`);
});

t.test("an insertion moves a few slots only: a growth takes many of them", async (t) => {
  const hashOf = (id: number) => Math.imul(id, 0x9e3779b1);
  const { buckets, hashes } = indexOf(rowsOf(2700));
  let growing = 0;
  for (let id = 1; id <= 2700; id++) {
    hashes[id << 1] = hashOf(id);
    buckets.insert(id << 1);
    if (buckets.growing) growing++;
  }
  // 2,048 and 4,096 slots, eight at a time; the last move also ends the growth.
  t.equal(growing, 2048 / 8 - 1 + 4096 / 8 - 1);
});

t.test("it is a third full at most while it is small, and half full when it is large", async (t) => {
  const { buckets, hashes } = indexOf(rowsOf(80_000));
  let full = 0;
  let most = 0;
  for (let id = 1; id <= 80_000; id++) {
    hashes[id << 1] = Math.imul(id, 0x9e3779b1);
    buckets.insert(id << 1);
    if (buckets.growing) continue;
    const slots = buckets.byteLength / 4;
    if (slots <= 2 ** 16) full = Math.max(full, id / slots);
    most = Math.max(most, id / slots);
  }
  t.ok(full > 0.33 && full <= 1 / 3, `${full}`);
  t.ok(most > 0.49 && most <= 1 / 2, `${most}`);
});
