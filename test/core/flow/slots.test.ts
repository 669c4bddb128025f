import fc from "fast-check";
import t from "tap";
import { type Handle, Slots } from "../../../core/flow/slots.ts";

t.test("a handle finds its item until it is removed, and never what comes after it in the same slot", async (t) => {
  const slots = new Slots<{ handle: Handle; name: string }>();
  const a = slots.add((handle) => ({ handle, name: "a" }));
  t.equal(slots.get(a.handle), a);
  t.equal(slots.remove(a.handle), a);
  const b = slots.add((handle) => ({ handle, name: "b" }));
  t.equal(slots.get(a.handle), null);
  t.equal(slots.remove(a.handle), null, "nor can the old handle remove it");
  t.equal(slots.get(b.handle), b);
  t.equal(slots.size, 1);
});

t.test("handles that were never given out find nothing", async (t) => {
  const slots = new Slots<number>();
  slots.add(() => 7);
  for (const handle of [0, 1, 2 ** 24, 2 ** 24 + 5, 2 ** 52, -1, Number.NaN]) {
    if (handle !== 2 ** 24) t.notOk(slots.get(handle as Handle), `${handle}`);
  }
});

t.test("an item is held where it is, by its own handle alone, until it is removed", async (t) => {
  const slots = new Slots<Item>();
  const [one, other] = [slots.add((handle) => ({ handle })), slots.add((handle) => ({ handle }))];
  t.same([slots.holds(one.handle, one), slots.holds(other.handle, one)], [true, false]);
  slots.remove(one.handle);
  t.notOk(slots.holds(one.handle, one));
});

t.test("those from a slot on are met with their slots; what was removed meanwhile is passed by", async (t) => {
  const slots = new Slots<Item>();
  const items = [0, 1, 2, 3].map(() => slots.add((handle) => ({ handle })));
  slots.remove(items[2]!.handle);
  t.same(
    [...slots.from(1)].map(([slot, { handle }]) => [slot, handle]),
    [
      [1, items[1]!.handle],
      [3, items[3]!.handle],
    ],
  );
  t.same([...slots.from(4)], []);
});

interface Item {
  readonly handle: Handle;
}

/** A Map that is asked the same, and the handles that must find nothing. */
class Model {
  readonly slots = new Slots<Item>();
  readonly live = new Map<Handle, Item>();
  readonly stale = new Set<Handle>();

  /** False: a handle was given out twice. */
  add(): boolean {
    const item = this.slots.add((handle) => ({ handle }));
    const fresh = !this.live.has(item.handle) && !this.stale.has(item.handle);
    this.live.set(item.handle, item);
    return fresh;
  }

  remove(n: number): boolean {
    const handle = [...this.live.keys()][n % this.live.size]!;
    const same = this.slots.remove(handle) === this.live.get(handle);
    this.live.delete(handle);
    this.stale.add(handle);
    return same;
  }

  agrees(): boolean {
    const { slots, live, stale } = this;
    return (
      slots.size === live.size &&
      [...slots].length === live.size &&
      [...live].every(([handle, item]) => slots.get(handle) === item) &&
      [...stale].every((handle) => slots.get(handle) === null)
    );
  }
}

t.test("as a map would, over any sequence of adding and removing", async (t) => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat()), { maxLength: 200 });
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(steps, (all) => {
        const model = new Model();
        return all.every(
          ([add, n]) => (add || model.live.size === 0 ? model.add() : model.remove(n)) && model.agrees(),
        );
      }),
      { numRuns: 100 },
    ),
  );
});
