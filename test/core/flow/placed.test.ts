import t from "tap";
import { putKey } from "../../../core/engine/ends.ts";
import { KEY } from "../../../core/flow/key.ts";
import { Owners } from "../../../core/flow/owners.ts";
import { Placed } from "../../../core/flow/placed.ts";
import { END, OWNER, RelatedRows, ROW_SHIFT } from "../../../core/flow/related-rows.ts";
import type { Handle } from "../../../core/flow/slots.ts";
import { type Endpoint, ms, port } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import { endpoint } from "../../addresses.ts";

const COUNT = 1000;

const MADE_UP = { kind: "made-up", transport: "tcp" } as const;

/** Each of a control connection of its own. */
function offer(rows: RelatedRows, row: number, virtual: Endpoint): void {
  rows.words[(row << ROW_SHIFT) + OWNER] = row;
  rows.putOffer(row, { handle: 1 as Handle, client: virtual, virtual, real: virtual }, rows.kindOf(MADE_UP, ms(0)));
}

/** How many chains `ends` are in, were there as many as hashes. */
function chainsOf(seed: number, ends: readonly Endpoint[]): number {
  const rows = new RelatedRows();
  const placed = new Placed(rows, [seed, 1]);
  const hashes = new Set<number>();
  for (const seen of ends) {
    if (rows.full) {
      rows.grow();
      placed.grow();
    }
    const row = rows.add(1, 1, ms(0));
    offer(rows, row, seen);
    if (!placed.add(row, "tcp", seen.address, seen.port, null)) throw new Error("met before");
    hashes.add(rows.words[(row << ROW_SHIFT) + END]!);
  }
  return hashes.size;
}

// A client has 2^64 addresses of its own and more; looked for by their last 32 bits, all of these stood in one chain.
t.test("ends that differ in the first bits of an IPv6 address only stand in chains of their own", async (t) => {
  const ends = Array.from({ length: COUNT }, (_, n) => ({
    address: Address.ipv6(0x20010db8, 0, n, 7),
    port: port(5000),
  }));
  t.equal(chainsOf(1, ends), COUNT);
});

// Of a multiplied port under a seeded xor the seed only moves the collisions: these were in one chain under every seed.
t.test("whoever does not know the seed cannot choose addresses and ports that share a chain", async (t) => {
  const ends = Array.from({ length: COUNT }, (_, n) => ({
    address: Address.ipv4(Math.imul(5000 + n, 0x9e3779b1)),
    port: port(5000 + n),
  }));
  for (const seed of [0, 1, 0xffffffff]) t.equal(chainsOf(seed, ends), COUNT);
});

t.test(
  "a packet's key leads to who is waited for at its destination, of either family, and to nobody else",
  async (t) => {
    for (const [client, virtual, other] of [
      ["192.0.2.7", "203.0.113.10", "203.0.113.11"],
      ["2001:db8::7", "2001:db8:1::10", "2001:db8:2::10"],
    ] as const) {
      const rows = new RelatedRows();
      const placed = new Placed(rows, [1, 2]);
      const seen = endpoint(virtual, 5000);
      const row = rows.add(1, 1, ms(0));
      offer(rows, row, seen);
      placed.add(row, "tcp", seen.address, seen.port, null);
      const key = new Int32Array(KEY);
      const may = (to: Endpoint): boolean => {
        putKey("tcp", endpoint(client, 40_000), to, key, 0);
        return placed.may(key, 0);
      };
      t.same([seen, endpoint(virtual, 5001), endpoint(other, 5000)].map(may), [true, false, false]);
    }
  },
);

t.test("a client whose last entry is gone is forgotten: those that come and go do not add up", async (t) => {
  const rows = new RelatedRows();
  const owners = new Owners(rows);
  const master = (2 ** 24) as Handle;
  for (let n = 0; n < COUNT; n++) {
    const row = rows.add(1, 1, ms(0));
    owners.add(row, master, `2001:db8::${n.toString(16)}`);
    if (owners.clients !== 1) t.fail(`${owners.clients} clients after ${n}`);
    owners.remove(row);
    rows.remove(row);
  }
  t.equal(owners.clients, 0);
});
