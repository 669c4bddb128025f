import { deepStrictEqual, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { putKey } from "../../../core/engine/ends.ts";
import { KEY } from "../../../core/flow/key.ts";
import { type RelatedEntry, type RelatedLimits, RelatedTable } from "../../../core/flow/related.ts";
import type { Handle } from "../../../core/flow/slots.ts";
import { type Ms, port, seconds } from "../../../core/units.ts";
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

  reserve(one: RelatedEntry, client: string): string | null {
    const own = () => this.entries.filter(({ master }) => master === one.master);
    for (const before of own()) if (before.target.port === one.target.port) this.remove(before, "replaced");
    if (own().length >= PENDING) this.remove(own()[0]!, "replaced");
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
  readonly #model = new Model();
  readonly #gone: string[] = [];
  readonly #table = new RelatedTable(LIMITS, ({ id }, reason) => this.#gone.push(`${id} ${reason}`), [7, 8]);
  readonly #generations: number[] = new Array(SLOTS).fill(1);
  readonly #key = new Int32Array(KEY);

  announce(slot: number, target: number, seen: number): void {
    const master = this.#master(slot);
    const one = entry(target, { master });
    const client = clientOf(master);
    equal(this.#table.reserve(one, client, PENDING), this.#model.reserve(one, client));
    equal(this.#table.place(one, placeOf(seen)), this.#model.place(one, seen));
  }

  /** The same, by number, and nobody looks at it. */
  offer(slot: number, target: number, seen: number): void {
    const master = this.#master(slot);
    const client = endpoint(clientOf(master), 40000);
    const one = entry(target, { master, from: { address: client.address, port: null } });
    const offerer = { handle: master, client, virtual: endpoint("1.2.3.4", 21), real: endpoint("192.168.0.2", 21) };
    const row = this.#table.offer(offerer, OFFERING, target, PENDING, one.id, seconds(0), seconds(30));
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
    deepStrictEqual(this.#gone, this.#model.gone);
  }

  #master(slot: number): Handle {
    return (this.#generations[slot]! * 2 ** 24 + slot) as Handle;
  }
}

t.test("property: as a list that is searched from end to end, whatever comes and goes", async (t) => {
  const steps = fc.array(step, { minLength: 50, maxLength: 400 });
  const property = fc.property(steps, (all) => {
    const both = new Both();
    for (const [what, slot, target, seen] of all) both[what](slot, target, seen);
    both.compare();
  });
  const result = fc.check(property, { numRuns: 300, seed: 1 });
  t.notOk(result.failed, fc.defaultReportMessage(result) ?? "");
});
