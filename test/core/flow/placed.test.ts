import t from "tap";
import { Placed } from "../../../core/flow/placed.ts";
import { END, RelatedRows, ROW_SHIFT } from "../../../core/flow/related-rows.ts";
import type { Handle } from "../../../core/flow/slots.ts";
import { type Endpoint, ms, port } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";

const COUNT = 1000;

const MADE_UP = { kind: "made-up", transport: "tcp" } as const;
const offererAt = (virtual: Endpoint) => ({ handle: 1 as Handle, client: virtual, virtual, real: virtual });

/** How many chains `ends` are in, were there as many as hashes. */
function chainsOf(seed: number, ends: readonly Endpoint[]): number {
  const rows = new RelatedRows();
  const placed = new Placed(rows, seed);
  const hashes = new Set<number>();
  for (const seen of ends) {
    if (rows.full) {
      rows.grow();
      placed.grow();
    }
    const row = rows.add(1, 1, ms(0), ms(0));
    rows.put(row, null, offererAt(seen), MADE_UP);
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
