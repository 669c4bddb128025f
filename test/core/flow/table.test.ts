import fc from "fast-check";
import t from "tap";
import * as rows from "../../../core/flow/rows.ts";
import { CLASH, type FlowId, FlowTable, FULL, type TableOptions } from "../../../core/flow/table.ts";
import { State } from "../../../core/flow/tcp-state.ts";
import { LATER, TICK } from "../../../core/flow/wheel.ts";
import { ms } from "../../../core/units.ts";
import { type Flow, flow, flow6, original, realWords, reply } from "./flows.ts";

const SEED = [0x243f6a88, 0x85a308d3 | 0] as const;
const tableOf = (capacity: number, options: Partial<TableOptions> = {}) => {
  const table = new FlowTable({ capacity, seed: SEED, ...options });
  table.moveTo(ms(0));
  return table;
};

const add = (table: FlowTable, f: Flow, state: number = State.SYN_RECV, note = 7): number => {
  const key = original(f);
  return table.add(key, 0, table.hash(key, 0), realWords(f), f.realPort, note, state);
};
const find = (table: FlowTable, key: Int32Array): number => table.find(key, 0, table.hash(key, 0));

/** Removes all that is due; returns their ids. */
function expire(table: FlowTable): number[] {
  const gone: number[] = [];
  for (let id = table.due(); id !== 0; id = table.due()) {
    if (id === LATER) continue;
    gone.push(id);
    table.remove(id);
  }
  return gone;
}

for (const [family, make] of [["IPv4", flow] as const, ["IPv6", flow6] as const]) {
  t.test(`${family}: an entry is found from both directions, and from no other`, async (t) => {
    const table = tableOf(10);
    const f = make(1);
    const id = add(table, f);
    t.equal(find(table, original(f)), (id << 1) | rows.ORIGINAL);
    t.equal(find(table, reply(f)), (id << 1) | rows.REPLY);
    const others: [what: string, key: Int32Array][] = [
      ["another client", original(make(2))],
      ["another client port", original({ ...f, clientPort: 40_001 })],
      ["another virtual port", original({ ...f, virtualPort: 81 })],
      ["another protocol", original({ ...f, protocol: 17 })],
      ["a reply from another port", reply({ ...f, realPort: 8081 })],
      ["a reply to another client port", reply({ ...f, clientPort: 40_001 })],
    ];
    for (const [what, key] of others) t.equal(find(table, key), 0, what);
  });
}

t.test("IPv6 addresses that differ in one bit of their first 96 are different ones", async (t) => {
  const table = tableOf(10);
  add(table, flow6(1));
  for (const client of ["2001:db9::1", "2001:db8:0:1::1", "2001:db8::1:0:1"]) {
    t.equal(find(table, original(flow6(1, { client }))), 0, client);
    t.equal(find(table, reply(flow6(1, { client }))), 0, client);
  }
  for (const other of ["fd01::2", "fd00::1:0:2"]) t.equal(find(table, reply(flow6(1, { real: other }))), 0, other);
});

t.test("an entry keeps what it was made of", async (t) => {
  const table = tableOf(10);
  const id = add(table, flow(1, { realPort: 65_535 }), State.SYN_RECV, 0xfffe);
  const row = id << rows.ROW_SHIFT;
  t.equal(table.rows[row + rows.INNER_PORT]! >>> 16, 65_535);
  t.equal(table.rows[row + rows.INNER_PORT]! & 0xffff, 0xfffe);
  t.equal(table.state(id), State.SYN_RECV);
});

t.test("two entries whose answers could not be told apart are a clash, and the first stays whole", async (t) => {
  const table = tableOf(10);
  const f = flow(1);
  const id = add(table, f);
  t.equal(add(table, { ...f, virtual: "203.0.113.11" }), CLASH);
  t.equal(table.size, 1);
  t.equal(find(table, reply(f)) >> 1, id);
  t.ok(add(table, { ...f, virtual: "203.0.113.11", realPort: 8081 }) > 0);
});

t.test("a full table says so, and the half-open entry heard from longest ago gives way, never another", async (t) => {
  const table = tableOf(5);
  const established = add(table, flow(1), State.ESTABLISHED);
  const closing = add(table, flow(2), State.TIME_WAIT);
  const old = add(table, flow(3));
  table.moveTo(ms(1000));
  const young = add(table, flow(4));
  const datagrams = add(table, flow(5, { protocol: 17 }), State.UDP_UNANSWERED);
  t.equal(add(table, flow(6)), FULL);
  t.equal(table.victim(), old);
  table.moveTo(ms(2000));
  table.enter(old, State.SYN_RECV); // Its SYN came again.
  t.equal(table.victim(), young, "one that was heard from since stays longer");
  table.enter(young, State.ESTABLISHED);
  t.equal(table.victim(), datagrams);
  table.enter(datagrams, State.UDP);
  t.equal(table.victim(), old);
  table.remove(old);
  t.equal(table.victim(), 0);
  t.same(
    [established, closing].map((id) => table.state(id)),
    [State.ESTABLISHED, State.TIME_WAIT],
  );
  t.ok(add(table, flow(6)) > 0);
});

t.test("a stale handle finds nothing, however often its row is used again", async (t) => {
  const table = tableOf(1);
  const handles: FlowId[] = [];
  for (let n = 0; n < 1000; n++) {
    const id = add(table, flow(n));
    const handle = table.handle(id);
    t.equal(table.resolve(handle), id);
    handles.push(handle);
    table.remove(id);
  }
  t.equal(new Set(handles).size, 1000);
  add(table, flow(5000));
  t.same(
    handles.filter((handle) => table.resolve(handle) !== 0),
    [],
  );
});

t.test("a row whose generations are used up is never used again", async (t) => {
  const table = tableOf(2);
  const id = add(table, flow(1));
  table.rows[(id << rows.ROW_SHIFT) + rows.GENERATION] = 2 ** 29 - 1;
  const last = table.handle(id);
  t.equal(table.resolve(last), id);
  t.ok(Number.isSafeInteger(last));
  table.remove(id);
  t.equal(table.resolve(last), 0);
  t.not(add(table, flow(2)), id);
  t.equal(add(table, flow(3)), FULL);
});

t.test("what never was a handle resolves to nothing", async (t) => {
  const table = tableOf(3);
  add(table, flow(1));
  for (const handle of [0, 1, 2 ** 24, 2 ** 24 + 2, 2 ** 24 * 2 + 1, 2 ** 24 + 4, -1, 0.5, Number.NaN]) {
    t.equal(table.resolve(handle as FlowId), 0, String(handle));
  }
});

t.test("an entry expires at its timeout, not before", async (t) => {
  const table = tableOf(10);
  const syn = add(table, flow(1));
  const settled = add(table, flow(2), State.ESTABLISHED);
  table.moveTo(ms(60_000 - 1));
  t.same(expire(table), []);
  table.moveTo(ms(60_000));
  t.same(expire(table), [syn]);
  table.moveTo(ms(900_000 - 1));
  t.same(expire(table), []);
  table.moveTo(ms(900_000));
  t.same(expire(table), [settled]);
  t.equal(table.size, 0);
});

t.test("each packet puts the end off; a state with a shorter timeout brings it nearer", async (t) => {
  const table = tableOf(10);
  const id = add(table, flow(1), State.ESTABLISHED);
  table.moveTo(ms(800_000));
  table.enter(id, State.ESTABLISHED);
  table.moveTo(ms(1_600_000));
  t.same(expire(table), []);
  table.enter(id, State.CLOSE);
  table.moveTo(ms(1_610_000 - TICK));
  t.same(expire(table), []);
  table.moveTo(ms(1_610_000));
  t.same(expire(table), [id]);
});

t.test("timeouts may be configured, also beyond one turn of the wheel", async (t) => {
  const table = tableOf(10, { timeouts: { ESTABLISHED: ms(5 * 86_400_000), UDP: ms(1) } });
  const long = add(table, flow(1), State.ESTABLISHED);
  const short = add(table, flow(2, { protocol: 17 }), State.UDP);
  table.moveTo(ms(TICK));
  t.same(expire(table), [short]);
  table.moveTo(ms(5 * 86_400_000 - 1));
  t.same(expire(table), []);
  table.moveTo(ms(5 * 86_400_000));
  t.same(expire(table), [long]);
});

t.test("the clock may begin anywhere and never runs back", async (t) => {
  const table = new FlowTable({ capacity: 10, seed: SEED });
  table.moveTo(ms(1_750_000_000_000));
  const id = add(table, flow(1));
  table.moveTo(ms(1_750_000_000_000 - 3_600_000));
  t.same(expire(table), []);
  table.moveTo(ms(1_750_000_060_000));
  t.same(expire(table), [id]);
});

t.test("a thousand entries whose end was put off cost no single call much", async (t) => {
  const table = tableOf(1000);
  const ids = Array.from({ length: 1000 }, (_, n) => add(table, flow(n), State.ESTABLISHED));
  table.moveTo(ms(450_000));
  for (const id of ids) table.enter(id, State.ESTABLISHED);
  table.moveTo(ms(900_000));
  let later = 0;
  while (table.due() === LATER) later++;
  t.equal(later, Math.floor((1000 - 1) / 64));
  table.moveTo(ms(1_350_000));
  t.equal(expire(table).length, 1000);
});

t.test("a hundred thousand flows are found while the table grows, and memory follows the index", async (t) => {
  const table = tableOf(100_000);
  const lost: number[] = [];
  for (let n = 1; n <= 100_000; n++) {
    const make = n % 10 === 0 ? flow6 : flow;
    const id = add(table, make(n));
    const before = (n * 7919) % n || n;
    const other = (before % 10 === 0 ? flow6 : flow)(before);
    if (find(table, original(make(n))) >> 1 !== id || find(table, reply(other)) === 0) lost.push(n);
  }
  t.same(lost, []);
  t.equal(table.indexBytes, 2 ** 19 * 4);
});

interface Known {
  readonly f: Flow;
  readonly handle: FlowId;
  state: number;
  deadline: number;
}

const FLOWS = [...Array(12).keys()].flatMap((n) => [flow(n), flow6(n), flow(n, { virtual: "203.0.113.11" })]);
const STATE_VALUES = Object.values(State).filter((state) => state !== State.LISTEN);
const TIMEOUTS = [8, 3600, 480, 240, 480, 480, 40, 240, 120, 480, 480, 1200, 1200];

/** The table, and beside it a Map that does the same in the plainest way. */
class Compared {
  readonly table = tableOf(16);
  readonly model = new Map<number, Known>();
  readonly stale: FlowId[] = [];
  now = 0;

  add(n: number, state: number): boolean {
    const f = FLOWS[n]!;
    if (this.model.has(n)) return true;
    const full = this.model.size === 16;
    const clash = [...this.model.values()].some(({ f: other }) => reply(other).join() === reply(f).join());
    const id = add(this.table, f, state);
    if (full || clash) return full ? id === FULL : id === CLASH;
    const deadline = this.now + TIMEOUTS[state]!;
    this.model.set(n, { f, handle: this.table.handle(id), state, deadline });
    return id > 0;
  }

  enter(n: number, state: number): boolean {
    const known = this.model.get(n);
    if (known === undefined) return true;
    known.state = state;
    known.deadline = this.now + TIMEOUTS[state]!;
    const id = this.table.resolve(known.handle);
    this.table.enter(id, state);
    return this.table.state(id) === state;
  }

  remove(n: number): boolean {
    const known = this.model.get(n);
    if (known !== undefined) this.table.remove(this.table.resolve(known.handle));
    return this.#forget(n);
  }

  /** Time goes on by `ticks`, and what is due goes. */
  wait(ticks: number): boolean {
    this.now += ticks;
    this.table.moveTo(ms(this.now * TICK));
    const due = [...this.model].filter(([, { deadline }]) => deadline <= this.now);
    const expected = due.map(([, { handle }]) => this.table.resolve(handle));
    const same = expire(this.table).sort().join() === expected.sort().join();
    for (const [n] of due) this.#forget(n);
    return same;
  }

  #forget(n: number): boolean {
    const known = this.model.get(n);
    if (known !== undefined) this.stale.push(known.handle);
    return this.model.delete(n) || true;
  }

  agrees(): boolean {
    const found = FLOWS.every((f, n) => {
      const known = this.model.get(n);
      const id = known === undefined ? 0 : this.table.resolve(known.handle);
      if (find(this.table, original(f)) !== id << 1) return false;
      return (
        known === undefined ||
        (id > 0 && find(this.table, reply(f)) === ((id << 1) | 1) && this.table.state(id) === known.state)
      );
    });
    const halfOpen = [...this.model.values()].filter(({ state }) => [0, 2, 3, 10, 11].includes(state));
    const heard = halfOpen.map(({ state, deadline }) => deadline - TIMEOUTS[state]!);
    const victim = this.table.victim();
    const row = victim << rows.ROW_SHIFT;
    const oldest = this.table.rows[row + rows.DEADLINE]! - TIMEOUTS[this.table.state(victim)]!;
    const fair = victim === 0 ? halfOpen.length === 0 : oldest === Math.min(...heard);
    return (
      found && fair && this.table.size === this.model.size && this.stale.every((old) => this.table.resolve(old) === 0)
    );
  }
}

t.test("whatever happens, the table is what a Map would be: entries, expiry, victims, stale handles", async () => {
  const n = fc.nat(FLOWS.length - 1);
  const state = fc.constantFrom(...STATE_VALUES);
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ what: fc.constant("add" as const), n, state }) },
    { weight: 4, arbitrary: fc.record({ what: fc.constant("enter" as const), n, state }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant("remove" as const), n, state }) },
    {
      weight: 3,
      arbitrary: fc.record({ what: fc.constant("wait" as const), n: fc.oneof(fc.nat(300), fc.nat(6000)), state }),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const compared = new Compared();
      return steps.every(({ what, n, state }) => compared[what](n, state) && compared.agrees());
    }),
    { numRuns: 300 },
  );
});
