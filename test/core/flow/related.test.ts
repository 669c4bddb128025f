import { deepStrictEqual, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { putKey } from "../../../core/engine/ends.ts";
import { KEY } from "../../../core/flow/key.ts";
import { type RelatedEntry, type RelatedLimits, RelatedTable } from "../../../core/flow/related.ts";
import type { Offering } from "../../../core/flow/related-entry.ts";
import type { Handle } from "../../../core/flow/slots.ts";
import { type Ms, port, seconds } from "../../../core/units.ts";
import { oneIn, Random } from "../../../tools/fuzz/generate/choices.ts";
import { address, endpoint } from "../../addresses.ts";

const MASTER = 1 as Handle;
const OTHER = 2 as Handle;
const PENDING = 10;
let ids = 0;

const entry = (target: number, rest: Partial<RelatedEntry> = {}): RelatedEntry => ({
  id: ++ids,
  row: 0,
  master: MASTER,
  kind: "ftp-passive",
  transport: "tcp",
  opener: "original",
  from: { address: address("10.0.0.5"), port: null },
  target: endpoint("192.168.0.2", target),
  seen: null,
  uses: 1,
  leaves: null,
  other: null,
  expires: seconds(30),
  ttl: seconds(30),
  state: "reserved",
  ...rest,
});

function tableWith(limits: RelatedLimits = { perClient: 100, total: 1000 }) {
  const gone: string[] = [];
  const table = new RelatedTable(limits, ({ target }, reason) => gone.push(`${target.port} ${reason}`));
  const add = (one: RelatedEntry, seen: number = one.target.port, client = "10.0.0.5"): RelatedEntry => {
    t.equal(table.reserve(one, client, PENDING), null);
    t.ok(table.place(one, endpoint("1.2.3.4", seen)));
    return one;
  };
  const claim = (seen: number, from = endpoint("10.0.0.5", 50000), now: Ms = seconds(1)) =>
    table.claim("tcp", endpoint("1.2.3.4", seen), from, now);
  return { table, gone, add, claim };
}

t.test("only what is in place can be met", async (t) => {
  const { table, add, claim } = tableWith();
  const one = entry(5001);
  table.reserve(one, "10.0.0.5", PENDING);
  t.equal(claim(5001), "no-related-entry");
  const two = add(entry(5002));
  t.equal(claim(5002), two);
  t.equal(two.state, "claimed");
});

t.test("single use: once; many: until it expires", async (t) => {
  const { table, add, claim, gone } = tableWith();
  add(entry(5001));
  const many = add(entry(6000, { uses: "many" }));
  t.type(claim(5001), "object");
  t.equal(claim(5001), "no-related-entry");
  t.same([claim(6000), claim(6000), claim(6000)], [many, many, many]);
  t.equal(claim(6000, undefined, seconds(30)), "no-related-entry");
  t.same(gone, ["6000 expired"], "what was used up did not leave unused");
  t.equal(table.size, 0);
});

t.test("any source port, or the one that is named; the address always; the transport too", async (t) => {
  const { table, add, claim } = tableWith();
  add(entry(5001));
  const strict = add(entry(5002, { from: { address: address("10.0.0.5"), port: port(20) } }));
  t.equal(claim(5001, endpoint("10.0.0.6", 50000)), "wrong-address");
  t.equal(table.claim("udp", endpoint("1.2.3.4", 5001), endpoint("10.0.0.5", 1), seconds(1)), "no-related-entry");
  t.equal(table.claim("tcp", endpoint("1.2.3.5", 5001), endpoint("10.0.0.5", 1), seconds(1)), "no-related-entry");
  t.type(claim(5001, endpoint("10.0.0.5", 65535)), "object", "a wrong try uses nothing up");
  t.equal(claim(5002), "wrong-port");
  t.equal(claim(5002, endpoint("10.0.0.5", 20)), strict);
});

t.test("an entry expires at its time, in place or not, and its place is free again", async (t) => {
  const { table, gone, add, claim } = tableWith();
  add(entry(5001));
  table.reserve(entry(5002), "10.0.0.5", PENDING);
  table.advance(seconds(29.999));
  t.same(gone, []);
  table.advance(seconds(30));
  t.same(gone, ["5001 expired", "5002 expired"]);
  t.equal(claim(5001), "no-related-entry");
  add(entry(5003), 5001);
});

t.test("an entry that is past its time cannot be claimed, swept or not", async (t) => {
  const { add, claim, gone } = tableWith();
  add(entry(5001));
  t.equal(claim(5001, undefined, seconds(30)), "no-related-entry");
  t.same(gone, ["5001 expired"]);
});

t.test("per control connection the oldest gives way", async (t) => {
  const { table, gone, add } = tableWith();
  for (let n = 0; n < 13; n++) add(entry(5000 + n));
  t.equal(table.size, PENDING);
  t.same(gone, ["5000 replaced", "5001 replaced", "5002 replaced"]);
  add(entry(6000, { master: OTHER }));
  t.equal(table.size, PENDING + 1, "of its own only");
  t.equal(table.reserve(entry(1, { master: 3 as Handle }), "10.0.0.5", 0), "control-limit");
});

t.test("a used entry counts no longer", async (t) => {
  const { add, claim, gone } = tableWith({ perClient: 10, total: 10 });
  for (let n = 0; n < 50; n++) {
    add(entry(5000 + n));
    claim(5000 + n);
  }
  t.same(gone, []);
});

t.test("per client and in all: refused, and what is there stays", async (t) => {
  const { table, gone, add } = tableWith({ perClient: 2, total: 3 });
  add(entry(5000));
  add(entry(5001, { master: OTHER }));
  t.equal(table.reserve(entry(5002), "10.0.0.5", PENDING), "client-limit");
  add(entry(5003, { master: 3 as Handle }), 5003, "10.0.0.6");
  t.equal(table.reserve(entry(5004, { master: 3 as Handle }), "10.0.0.6", PENDING), "total-limit");
  t.same(gone, []);
  table.removeMaster(MASTER);
  t.equal(table.reserve(entry(5005), "10.0.0.5", PENDING), null, "there is room again");
});

/** At most two for each client, each of whose entries is another control connection's. */
function clients() {
  const { table } = tableWith({ perClient: 2, total: 1000 });
  const masterOf = (n: number, target: number): Handle => (1 + 3 * n + (target % 3)) as Handle;
  return {
    reserve: (n: number, target: number): string | null =>
      table.reserve(entry(target, { master: masterOf(n, target) }), `10.0.1.${n}`, PENDING),
    close: (n: number, target: number): void => table.removeMaster(masterOf(n, target)),
  };
}

t.test("what each client has is counted, however many they are, on whatever control connection", async (t) => {
  const { reserve, close } = clients();
  for (const target of [5000, 5001]) for (let n = 0; n < 100; n++) t.equal(reserve(n, target), null);
  for (const target of [5002, 5003]) for (let n = 0; n < 100; n++) t.equal(reserve(n, target), "client-limit");
  for (let n = 0; n < 100; n++) close(n, 5000);
  for (let n = 0; n < 100; n++) t.same([reserve(n, 5002), reserve(n, 5003)], [null, "client-limit"]);
});

t.test("a client of which one entry is left is not another's", async (t) => {
  const { reserve, close } = clients();
  t.same([reserve(1, 5000), reserve(1, 5001)], [null, null]);
  close(1, 5000);
  t.same([reserve(2, 5000), reserve(2, 5001), reserve(2, 5002)], [null, null, "client-limit"]);
  t.same([reserve(1, 5002), reserve(1, 5003)], [null, "client-limit"]);
});

t.test("the same announced again takes the place of the former", async (t) => {
  const { table, gone, add, claim } = tableWith();
  add(entry(5001));
  const again = add(entry(5001));
  t.same(gone, ["5001 replaced"]);
  t.equal(table.size, 1);
  add(entry(5001, { master: OTHER }), 5002);
  t.equal(table.size, 2, "that of another control connection stays");
  add(entry(5001, { opener: "reply" }), 5003);
  t.equal(table.size, 3, "so does one of the other side");
  t.equal(claim(5001), again);
});

t.test("by the other transport, or opened by the other side, it is not the same", async (t) => {
  const { table, gone, add } = tableWith();
  add(entry(5001), 6001);
  add(entry(5001, { opener: "reply" }), 6002);
  add(entry(5001, { transport: "udp" }), 6003);
  add(entry(5001, { transport: "udp", opener: "reply" }), 6004);
  t.same([table.size, gone], [4, []]);
  add(entry(5001, { transport: "udp", opener: "reply" }), 6005);
  t.same([table.size, gone], [4, ["5001 replaced"]]);
});

const OFFERER = {
  handle: MASTER,
  client: endpoint("10.0.0.5", 40000),
  virtual: endpoint("1.2.3.4", 21),
  real: endpoint("192.168.0.2", 21),
};
const FORM = { kind: "ftp-passive", transport: "tcp" } as const;
const offeredBy = (table: RelatedTable, offerer: typeof OFFERER, at: number): number =>
  table.offer(offerer, FORM, at, PENDING, ++ids, seconds(0), seconds(30));

t.test("a table of which nobody hears lets go of what was offered, seen or not", async (t) => {
  const table = new RelatedTable({ perClient: 100, total: 1000 }, null);
  const seen = table.entry(offeredBy(table, OFFERER, 5001));
  offeredBy(table, OFFERER, 5002);
  t.equal(table.size, 2);
  table.removeMaster(MASTER);
  t.same([table.size, seen.state, seen.row], [0, "gone", 0]);
});

t.test("what was offered is met where its host has put it, at the virtual address or elsewhere", async (t) => {
  const { table } = tableWith();
  const elsewhere = endpoint("1.2.3.99", 7000);
  const one = table.entry(offeredBy(table, OFFERER, 5001));
  const two = table.entry(offeredBy(table, OFFERER, 5002));
  t.ok(table.place(one, elsewhere));
  t.notOk(table.place(two, elsewhere), "there is one already");
  t.equal(table.claim("tcp", elsewhere, endpoint("10.0.0.5", 50000), seconds(1)), one);
});

t.test("control connections are as many as they are, and what each offers leads to its own realserver", async (t) => {
  const { table } = tableWith({ perClient: 100, total: 10_000 });
  const offerers = [3000, 1, 70].map((slot) => ({
    ...OFFERER,
    handle: slot as Handle,
    real: endpoint(`192.168.${slot % 256}.2`, 21),
  }));
  const entries = offerers.map((offerer, i) => table.entry(offeredBy(table, offerer, 5000 + i)));
  t.same(
    entries.map(({ target }) => target.address),
    offerers.map(({ real }) => real.address),
  );
});

t.test("a public end is one entry's only; it does not change hands", async (t) => {
  const { table, add, claim } = tableWith();
  const first = add(entry(5001));
  const second = entry(5002, { master: OTHER });
  table.reserve(second, "10.0.0.6", PENDING);
  t.notOk(table.place(second, endpoint("1.2.3.4", 5001)));
  t.notOk(table.place(first, endpoint("1.2.3.4", 5009)), "nor is one placed twice");
  table.remove(second, "unavailable");
  t.equal(claim(5001), first, "removing the one that was not placed leaves the other");
  t.notOk(table.place(second, endpoint("1.2.3.4", 5001)), "what is gone cannot be placed");
});

t.test("the control connection closes: all of its entries, placed or not, and no others", async (t) => {
  const { table, gone, add, claim } = tableWith();
  add(entry(5001));
  table.reserve(entry(5002), "10.0.0.5", PENDING);
  const other = add(entry(5003, { master: OTHER }));
  table.removeMaster(MASTER);
  table.removeMaster(MASTER);
  t.same(gone, ["5001 control-closed", "5002 control-closed"]);
  t.equal(claim(5001), "no-related-entry");
  t.equal(claim(5003), other);
  t.same([...table], []);
});

t.test("what was claimed is not there to be removed", async (t) => {
  const { table, add, claim, gone } = tableWith();
  const first = add(entry(5001));
  const second = add(entry(5002));
  claim(5002);
  table.remove(second, "revoked");
  t.same([table.size, first.state, second.state, gone], [1, "pending", "claimed", []]);
});

t.test("removed twice is told once", async (t) => {
  const { table, gone, add } = tableWith();
  const one = add(entry(5001));
  table.remove(one, "revoked");
  table.remove(one, "expired");
  t.same(gone, ["5001 revoked"]);
  t.equal(one.state, "gone");
});

// --- against a list that is searched from end to end ----------------------------------------------------------------

const LIMITS: RelatedLimits = { perClient: 12, total: 60 };
/** Control connections at a time; those of some of them are one client's. */
const SLOTS = 20;
const CLAIMANT = endpoint("10.0.0.5", 50000);

const clientOf = (master: Handle): string => `10.0.0.${(master % 2 ** 24) % 7}`;
const placeOf = (seen: number) => endpoint("1.2.3.4", 6000 + seen);

/** What the table says it does, done plainly. */
class Model {
  entries: RelatedEntry[] = [];
  readonly places = new Map<RelatedEntry, number>();
  readonly gone: string[] = [];
  readonly #pending: number;

  constructor(pending: number) {
    this.#pending = pending;
  }

  reserve(one: RelatedEntry, client: string): string | null {
    const own = () => this.entries.filter(({ master }) => master === one.master);
    for (const before of own()) if (before.target.port === one.target.port) this.remove(before, "replaced");
    if (own().length >= this.#pending) this.remove(own()[0]!, "replaced");
    if (this.entries.filter(({ master }) => clientOf(master) === client).length >= LIMITS.perClient)
      return "client-limit";
    if (this.entries.length >= LIMITS.total) return "total-limit";
    this.entries.push(one);
    return null;
  }

  place(one: RelatedEntry, at: number): boolean {
    if (!this.entries.includes(one) || this.places.has(one) || [...this.places.values()].includes(at)) return false;
    this.places.set(one, at);
    return true;
  }

  at(place: number): RelatedEntry | undefined {
    return this.entries.find((one) => this.places.get(one) === place);
  }

  forget(one: RelatedEntry): void {
    this.entries = this.entries.filter((other) => other !== one);
    this.places.delete(one);
  }

  removeMaster(master: Handle): void {
    for (const one of this.entries) if (one.master === master) this.remove(one, "control-closed");
  }

  remove(one: RelatedEntry, reason: string): void {
    this.forget(one);
    this.gone.push(`${one.id} ${reason}`);
  }
}

const OFFERING = { kind: "ftp-passive", transport: "tcp" } as const;

const step = fc.tuple(
  fc.constantFrom("announce", "offer", "offer", "claim", "revoke", "close", "look"),
  fc.nat(SLOTS - 1),
  fc.integer({ min: 5000, max: 5030 }),
  fc.nat(40),
);

/** The table beside its model. */
class Both {
  readonly #pending: number;
  readonly #model: Model;
  readonly #gone: string[] | null;
  readonly #table: RelatedTable;
  readonly #generations: number[] = new Array(SLOTS).fill(1);
  readonly #key = new Int32Array(KEY);

  /** `pending`: of each control connection; `heard`: somebody wants to be told of what leaves. */
  constructor(pending: number, heard: boolean) {
    this.#pending = pending;
    this.#model = new Model(pending);
    this.#gone = heard ? [] : null;
    const gone = ({ id }: RelatedEntry, reason: string): unknown => this.#gone!.push(`${id} ${reason}`);
    this.#table = new RelatedTable(LIMITS, heard ? gone : null, [7, 8]);
  }

  announce(slot: number, target: number, seen: number): void {
    const master = this.#master(slot);
    const one = entry(target, { master });
    const client = clientOf(master);
    equal(this.#table.reserve(one, client, this.#pending), this.#model.reserve(one, client));
    equal(this.#table.place(one, placeOf(seen)), this.#model.place(one, seen));
  }

  /** The same, by number, and nobody looks at it. */
  offer(slot: number, target: number, seen: number): void {
    const master = this.#master(slot);
    const client = endpoint(clientOf(master), 40000);
    const one = entry(target, { master, from: { address: client.address, port: null } });
    const offerer = { handle: master, client, virtual: endpoint("1.2.3.4", 21), real: endpoint("192.168.0.2", 21) };
    const row = this.#table.offer(offerer, OFFERING, target, this.#pending, one.id, seconds(0), seconds(30));
    equal(row === 0, this.#model.reserve(one, clientOf(master)) !== null);
    if (row === 0) return;
    equal(this.#table.offered(row), target);
    const { address, port } = placeOf(seen);
    const placed = this.#model.place(one, seen);
    equal(this.#table.placeOffer(row, "tcp", address, port), placed);
    if (placed) return;
    this.#table.withdraw(row);
    this.#model.forget(one);
  }

  /** Somebody looks at all that there is. */
  look(): void {
    for (const one of this.#table) {
      equal(one, this.#table.entry(one.row));
      equal(one.state === "pending", one.seen !== null);
    }
  }

  claim(_slot: number, _target: number, seen: number): void {
    const there = this.#model.at(seen);
    const { address, port } = placeOf(seen);
    putKey("tcp", CLAIMANT, { address, port }, this.#key, 0);
    equal(this.#table.mayAwait(this.#key, 0), there !== undefined);
    const from = { ...CLAIMANT, address: there?.from.address ?? CLAIMANT.address };
    const claimed = this.#table.claim("tcp", { address, port }, from, seconds(1));
    equal(typeof claimed === "string" ? claimed : claimed.id, there?.id ?? "no-related-entry");
    if (there !== undefined) this.#model.forget(there);
  }

  revoke(_slot: number, _target: number, seen: number): void {
    const there = this.#model.at(seen);
    if (there === undefined) return;
    this.#table.remove([...this.#table].find(({ id }) => id === there.id)!, "revoked");
    this.#model.remove(there, "revoked");
  }

  close(slot: number): void {
    this.#table.removeMaster(this.#master(slot));
    this.#model.removeMaster(this.#master(slot));
    this.#generations[slot]!++;
  }

  compare(): void {
    equal(this.#table.size, this.#model.entries.length);
    const inOrder = [...this.#table].map(({ id }) => id);
    const expected = this.#model.entries.map(({ id }) => id);
    deepStrictEqual(inOrder, expected);
    if (this.#gone !== null) deepStrictEqual(this.#gone, this.#model.gone);
    const states = [...this.#table].map(({ row, state, seen, target }) => [row > 0, state, seen?.port, target.port]);
    const expectedStates = this.#model.entries.map((one) => {
      const place = this.#model.places.get(one);
      if (place === undefined) return [true, "reserved", undefined, one.target.port];
      return [true, "pending", placeOf(place).port, one.target.port];
    });
    deepStrictEqual(states, expectedStates);
  }

  #master(slot: number): Handle {
    return (this.#generations[slot]! * 2 ** 24 + slot) as Handle;
  }
}

for (const heard of [true, false]) {
  t.test(
    `property: as a list that is searched from end to end, ${heard ? "with" : "without"} anybody to tell`,
    async (t) => {
      const steps = fc.array(step, { minLength: 50, maxLength: 400 });
      // With few the oldest gives way nearly always; with many not all of their ports are known.
      const property = fc.property(steps, fc.constantFrom(1, 3, PENDING, 30), (all, pending) => {
        const both = new Both(pending, heard);
        for (const [what, slot, target, seen] of all) both[what](slot, target, seen);
        both.compare();
      });
      const result = fc.check(property, { numRuns: 300, seed: 1 });
      t.notOk(result.failed, fc.defaultReportMessage(result) ?? "");
    },
  );
}

t.test("of as many entries as one may have, those announced again take the place of the former", async (t) => {
  const { table, gone } = tableWith();
  const ports = Array.from({ length: 40 }, (_, n) => 5000 + n);
  for (const at of ports) t.equal(table.reserve(entry(at), "10.0.0.5", 50), null);
  for (const at of ports) t.equal(table.reserve(entry(at), "10.0.0.5", 50), null);
  t.same([table.size, gone], [40, ports.map((at) => `${at} replaced`)]);
  table.removeMaster(MASTER);
  t.equal(table.size, 0);
});

t.test("an offer whose row is another's, who gave way, is its own in all that can be seen of it", async (t) => {
  const table = new RelatedTable({ perClient: 100, total: 1000 }, null);
  const offer = (at: number, id: number, now: number, form: Offering): number =>
    table.offer(OFFERER, form, at, 2, id, seconds(now), seconds(30 + now));
  const [first, , third] = [
    offer(5001, 1, 0, FORM),
    offer(5002, 2, 1, FORM),
    offer(5003, 3, 2, { ...FORM, kind: "other" }),
  ];
  t.equal(third, first);
  const { id, kind, target, seen, state, expires, ttl } = table.entry(third!);
  t.same(
    { id, kind, at: target.port, seen, state, expires, ttl },
    { id: 3, kind: "other", at: 5003, seen: null, state: "reserved", expires: seconds(34), ttl: seconds(32) },
  );
});

t.test("one that somebody has seen gives its row to nobody without being told", async (t) => {
  const table = new RelatedTable({ perClient: 100, total: 1000 }, null);
  const offer = (at: number): number => table.offer(OFFERER, FORM, at, 1, ++ids, seconds(0), seconds(30));
  const seen = table.entry(offer(5001));
  const other = table.entry(offer(5002));
  t.same([seen.state, seen.row, other.state, other.target.port], ["gone", 0, "reserved", 5002]);
});

t.test("limits that were lowered hold for a control connection that has as many as it may", async (t) => {
  for (const limits of [
    { perClient: 1, total: 1000 },
    { perClient: 100, total: 1 },
  ]) {
    const table = new RelatedTable({ perClient: 100, total: 1000 }, null);
    const offer = (at: number): number => table.offer(OFFERER, FORM, at, 2, ++ids, seconds(0), seconds(30));
    t.ok(offer(5001) > 0 && offer(5002) > 0 && offer(5003) > 0);
    table.limit(limits);
    t.equal(offer(5004), 0);
    t.equal(table.size, 1);
  }
});

t.test("kinds of offers beyond any number that helpers have are not kept", async (t) => {
  const table = new RelatedTable({ perClient: 1000, total: 1000 }, null);
  const rows = Array.from({ length: 300 }, (_, n) =>
    table.offer(OFFERER, { ...FORM }, 5000 + n, 1000, n, seconds(0), seconds(30)),
  );
  t.equal(rows.filter((row) => row > 0).length, 256);
  t.equal(table.size, 256);
  t.ok(table.offer(OFFERER, FORM, 4999, 1000, 999, seconds(0), seconds(30)) === 0);
  table.removeMaster(OFFERER.handle);
  t.ok(table.offer(OFFERER, FORM, 4999, 1000, 999, seconds(0), seconds(30)) > 0, "nor for ever");
});

t.test("offers that nobody has seen give way the oldest first, and each is known by its port", async (t) => {
  const table = new RelatedTable({ perClient: 100, total: 1000 }, null);
  for (const at of [5001, 5002, 5003, 5004, 5005, 5004]) {
    t.ok(table.offer(OFFERER, FORM, at, 3, ++ids, seconds(0), seconds(30)) > 0);
  }
  t.same(
    [...table].map(({ target }) => target.port),
    [5003, 5005, 5004],
  );
});

t.test("what is offered again is known by its port, whatever gave way or was taken back before", async (t) => {
  for (const pending of [4, 20]) {
    const choices = new Random(pending);
    const table = new RelatedTable({ perClient: 100, total: 1000 }, null);
    const rows = new Map<number, number>();
    for (let i = 0; i < 10_000; i++) {
      const at = 5000 + choices.below(2 * pending);
      const known = rows.get(at);
      if (known !== undefined && oneIn(choices, 3)) {
        table.withdraw(known);
        rows.delete(at);
        continue;
      }
      rows.delete(at);
      // The first that was put into a map is the first that comes out.
      if (rows.size === pending) rows.delete(rows.keys().next().value!);
      rows.set(at, table.offer(OFFERER, FORM, at, pending, ++ids, seconds(0), seconds(30)));
      if (table.size !== rows.size) t.fail(`${table.size} instead of ${rows.size} after ${i}`);
    }
    t.same(
      [...rows.values()].map((row) => table.offered(row)),
      [...rows.keys()],
    );
  }
});

t.test("that one end is free says nothing of another", async (t) => {
  const table = new RelatedTable({ perClient: 100, total: 1000 }, null);
  const [first, second] = [offeredBy(table, OFFERER, 5001), offeredBy(table, OFFERER, 5002)];
  const { address } = OFFERER.virtual;
  t.ok(table.placeOffer(first, "tcp", address, port(6002)));
  t.notOk(table.awaits("tcp", address, port(6001)));
  t.notOk(table.placeOffer(second, "tcp", address, port(6002)));
});

// Where somebody else is waited for, and not this one, is not free for who may come from anywhere.
t.test("that one client is not waited for at an end says nothing of who is met there by all", async (t) => {
  const table = new RelatedTable({ perClient: 100, total: 1000 }, null);
  const [own, found] = [entry(5001), entry(5002, { master: OTHER })];
  const { address: seen } = own.target;
  t.equal(table.reserve(own, "10.0.0.5", PENDING), null);
  t.equal(table.reserve(found, "10.0.0.5", PENDING), null);
  t.ok(table.place(own, { address: seen, port: port(5001) }));
  t.notOk(table.awaits("tcp", seen, port(5001), address("10.0.0.6")));
  t.notOk(table.place(found, { address: seen, port: port(5001) }));
});
