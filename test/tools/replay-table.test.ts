/** The table of flows, which is WebAssembly, and the memory that it shares. */
import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import * as key from "../../core/flow/key.ts";
import { A, B, Flows } from "../../tools/replay/flows.ts";
import { BYTES_LENGTH, SEED, WANTED } from "../../tools/replay/layout.ts";
import { Memory } from "../../tools/replay/memory.ts";

const SYN = 2;

const ends = (n: number, family: 4 | 6 = 4) => ({
  family,
  words: Uint32Array.of(0xfd000000, 0, 0xffff, 0x0a000000 + (n >>> 3), 0xfd000000, 0, 0xffff, 0xc0000201),
  protocol: 6,
});

const ipv4 = (word: number): number[] => [0, 0, 0xffff, word];

t.test("a key has the hash that the engine gives it", async (t) => {
  const { assembly, words } = new Memory();
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const kind = fc.constantFrom(6, 17, 6 | key.IPV6, 17 | key.IPV6);
  fc.assert(
    fc.property(word, word, fc.array(word, { minLength: 9, maxLength: 9 }), kind, (k0, k1, rest, kind) => {
      words.set([k0, k1], SEED / 4);
      words.set([...rest, kind], WANTED / 4);
      t.equal(assembly.hashKey(WANTED), key.hashKey(k0, k1, words, WANTED / 4));
    }),
  );
});

t.test("a flow has the same row from both ends, however many come between", async (t) => {
  const flows = new Flows();
  const find = (n: number) => flows.find(ends(n, n % 3 === 0 ? 6 : 4), 1024 + n, 80);
  const rows = Array.from({ length: 50_000 }, (_, n) => find(n));
  t.equal(flows.count, 50_000);
  t.same(
    rows,
    rows.map((_, n) => n),
    "in the order that they came",
  );
  t.ok(rows.every((row, n) => find(n) === row));
});

t.test("property: the ends of a flow are those of its packets, and either end finds it", async () => {
  const word = fc.oneof(
    fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff),
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  );
  const words = fc.array(word, { minLength: 8, maxLength: 8 });
  const port = fc.integer({ min: 0, max: 65_535 });
  const flow = fc.record({ ipv6: fc.boolean(), words, ports: fc.tuple(port, port) });
  fc.assert(
    fc.property(fc.array(flow, { minLength: 1, maxLength: 20 }), (all) => {
      const flows = new Flows();
      for (const { ipv6, words, ports } of all) {
        const [source, destination] = ipv6 ? [words.slice(0, 4), words.slice(4)] : [ipv4(words[0]!), ipv4(words[1]!)];
        const find = (one: number[], other: number[], [from, to]: readonly [number, number]) =>
          flows.find({ family: ipv6 ? 6 : 4, words: Uint32Array.from([...one, ...other]), protocol: 6 }, from, to);
        const row = find(source, destination, ports);
        const [from, to] = flows.sender === A ? ([A, B] as const) : ([B, A] as const);
        const seen = [from, to].map((end) => [...flows.address(row, end).words, flows.port(row, end)]);
        assert.deepEqual(seen, [
          [...source, ports[0]],
          [...destination, ports[1]],
        ]);
        assert.equal(find(destination, source, [ports[1], ports[0]]), row);
      }
    }),
  );
});

t.test("ends that were used again lead to the newest row, also when the table has grown", async (t) => {
  const flows = new Flows();
  const open = (n: number, sequence: number) => {
    const row = flows.find(ends(n), 1024 + n, 80);
    const own = flows.opened(row, SYN, sequence, 0);
    flows.add(own, 1, sequence, 0, SYN);
    return own;
  };
  const first = Array.from({ length: 1500 }, (_, n) => open(n, 1));
  const second = first.map((_, n) => open(n, 2));
  t.ok(second.every((row, n) => row !== first[n] && flows.initial(row) === 2));
  for (let n = 1500; n < 20_000; n++) open(n, 1);
  t.ok(
    second.every((row, n) => open(n, 2) === row),
    "a SYN sent again opens nothing",
  );
  t.ok(first.every((row) => flows.initial(row) === 1 && flows.frames(row) === 1));
});

t.test("of a piece that the memory has no room for, nothing is skimmed", async (t) => {
  const memory = new Memory();
  const reader = memory.newReader();
  reader.push(new Uint8Array(1000));
  t.ok(memory.has(reader.queue.bytes));
  reader.push(new Uint8Array(BYTES_LENGTH));
  t.notOk(memory.has(reader.queue.bytes));
});

t.test("the memory of a capture that is done with is the next one's, as if it were new", async (t) => {
  const open = (memory: Memory, count: number) => {
    const flows = new Flows(memory);
    return Array.from({ length: count }, (_, n) => {
      const row = flows.opened(flows.find(ends(n, n % 2 === 0 ? 6 : 4), 1024 + n, 80), SYN, n, 0);
      flows.add(row, n, n + 1, 60, SYN);
      return [row, flows.frames(row), flows.firstFrame(row), flows.initial(row), flows.mark(row)];
    });
  };
  const first = new Memory();
  const found = open(first, 5000);
  first.bound.tcp[21] = 1;
  first.telling.udp[50] = 1;
  first.release();
  const second = new Memory();
  second.words[200] = 7;
  t.equal(first.words[200], 7);
  t.same([second.bound.tcp[21], second.telling.udp[50], new Flows(second).count], [0, 0, 0]);
  t.same(open(second, 5000), found);
  t.equal(new Memory().words[200], 0, "it has but one owner");
});

t.test("property: rows are found by port, by addresses, and told apart, as if each were looked at", async () => {
  const side = fc.record({ host: fc.integer({ min: 0, max: 3 }), port: fc.integer({ min: 1, max: 6 }) });
  const flow = fc.record({ ipv6: fc.boolean(), from: side, to: side });
  const wordsOf = (ipv6: boolean, host: number): number[] =>
    ipv6 ? [0xfd000000, host & 1, 0x80000000, host] : [0, 0, 0xffff, 0xc0000200 + host];
  fc.assert(
    fc.property(fc.array(flow, { maxLength: 30 }), (all) => {
      const flows = new Flows();
      for (const [index, { ipv6, from, to }] of all.entries()) {
        const words = Uint32Array.from([...wordsOf(ipv6, from.host), ...wordsOf(ipv6, to.host)]);
        flows.add(
          flows.find({ family: ipv6 ? 6 : 4, words, protocol: 17 }, from.port, to.port),
          index / 4,
          index + 1,
          0,
          0,
        );
      }
      const rows = Array.from({ length: flows.count }, (_, row) => row);
      const portsOf = (row: number) => [flows.port(row, A), flows.port(row, B)];
      assert.deepEqual(
        flows.having([2, 5]),
        rows.filter((row) => portsOf(row).some((port) => port === 2 || port === 5)),
      );
      const pairOf = (row: number) =>
        [A, B]
          .map((end) => String(flows.address(row, end as typeof A)))
          .sort()
          .join();
      for (const row of rows) {
        const same = rows.filter((other) => pairOf(other) === pairOf(row));
        assert.ok(same.every((other) => flows.between(other) === flows.between(row)));
        assert.deepEqual(
          flows.amongPairs([flows.between(row)]).filter((other) => pairOf(other) === pairOf(row)),
          same,
        );
        for (const end of [A, B] as const) {
          const address = flows.address(row, end);
          for (const other of rows) {
            assert.equal(flows.hasAddress(other, end, address), flows.address(other, end).equals(address));
          }
        }
      }
      assert.equal(flows.end(), Math.max(0, (all.length - 1) / 4));
    }),
  );
});
