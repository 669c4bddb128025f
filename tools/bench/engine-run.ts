/**
 * The packet engine under measurement, a process of its own: `node engine-run.js CASE NUMBER` prints numbers as JSON.
 *
 *   packets FLOWS         60-byte segments of established flows, both directions, flows in random order
 *   connections WAITING   set up, torn down and expired: six segments each, so many in TIME_WAIT
 *   memory FLOWS          what the process grew by for so many flows
 */
import { PerformanceObserver } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Balancer } from "../../core/balancer.ts";
import { type Batch, createBatch, createOutput } from "../../core/engine/batch.ts";
import { v8Flags } from "../../core/engine/flags.ts";
import { Engine } from "../../core/engine.ts";
import { ms, port, seconds } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { putU16, putU32 } from "../../core/wire/bytes.ts";
import { pseudoHeaderSum, sumOf } from "../../core/wire/checksum.ts";

for (const flag of v8Flags) setFlagsFromString(flag);

const VIP = 0xcb00710a;
const REALSERVERS = [11, 12, 13, 14].map((n) => 0xc6120100 + n);
const CLIENTS = 0x0a000000;
const LENGTH = 60;
/** A cache line each, so that a packet is copied with one. */
const STRIDE = 64;
const BATCH = 256;
const FIN = 0x01;
const SYN = 0x02;
const ACK = 0x10;

function engineFor(capacity: number): Engine {
  const balancer = new Balancer(
    [
      {
        name: "web",
        address: Address.ipv4(VIP),
        ports: [{ transport: "tcp", first: port(80), last: port(80) }],
        helper: null,
        controlPorts: [],
        scheduler: "rr",
        persistence: seconds(0),
        persistencePrefix: null,
        realservers: REALSERVERS.map((word) => ({
          address: Address.ipv4(word),
          port: null,
          weight: 1,
          announces: [],
          passivePorts: null,
        })),
      },
    ],
    { limits: { perClient: 100, total: 1000 }, seed: 1, gone: () => {} },
  );
  return new Engine(balancer, { capacity, seed: [0x1234567, 0x7654321] });
}

/** A segment of connection `n`, which round robin gave to the realserver `n` modulo their number. */
function build(bytes: Uint8Array, at: number, n: number, reply: boolean, flags: number): void {
  const client = CLIENTS + (n >>> 4);
  const clientPort = 1024 + (n & 15) * 1009;
  bytes.fill(0, at, at + LENGTH);
  bytes[at] = 0x45;
  putU16(bytes, at + 2, LENGTH);
  bytes[at + 8] = 64;
  bytes[at + 9] = 6;
  putU32(bytes, at + 12, reply ? REALSERVERS[n % REALSERVERS.length]! : client);
  putU32(bytes, at + 16, reply ? client : VIP);
  putU16(bytes, at + 10, ~sumOf(bytes, at, at + 20));
  putU16(bytes, at + 20, reply ? 80 : clientPort);
  putU16(bytes, at + 22, reply ? clientPort : 80);
  bytes[at + 32] = 5 << 4;
  bytes[at + 33] = flags;
  const pseudo = pseudoHeaderSum(bytes, at + 12, at + 20, 6, LENGTH - 20);
  putU16(bytes, at + 36, ~sumOf(bytes, at + 20, at + LENGTH, pseudo));
}

/** A batch whose packets are copied from an image behind it, as a read from a device would copy them. */
class Feed {
  readonly batch: Batch;
  readonly #image: number;
  #packets: number;
  #next = 0;

  constructor(packets: number) {
    this.#packets = packets;
    this.#image = BATCH * STRIDE;
    this.batch = createBatch(BATCH, new Uint8Array((BATCH + packets) * STRIDE));
    for (let i = 0; i < BATCH; i++) {
      this.batch.offset[i] = i * STRIDE;
      this.batch.length[i] = LENGTH;
    }
  }

  get packets(): number {
    return this.#packets;
  }

  /** From the start, and only so many. */
  rewind(packets: number): void {
    this.#packets = packets;
    this.#next = 0;
  }

  build(i: number, n: number, reply: boolean, flags: number): void {
    build(this.batch.bytes, this.#image + i * STRIDE, n, reply, flags);
  }

  /** The next packets, from the start again after the last. */
  next(): Batch {
    const count = Math.min(BATCH, this.#packets - this.#next);
    const from = this.#image + this.#next * STRIDE;
    this.batch.bytes.copyWithin(0, from, from + count * STRIDE);
    this.batch.count = count;
    this.#next = (this.#next + count) % this.#packets;
    return this.batch;
  }
}

const out = createOutput(BATCH);

/** Runs all of `feed` once. */
function run(engine: Engine, feed: Feed, now: number): void {
  for (let done = 0; done < feed.packets; done += feed.batch.count) engine.process(feed.next(), ms(now), out);
}

/** Flows that are set up at a time. */
const PART = 4096;

/** Flows 0 to `flows` - 1, established. */
function established(engine: Engine, flows: number): void {
  // One feed for all: its arena must not count as the flows' memory.
  const feed = new Feed(PART * 2);
  for (let from = 0; from < flows; from += PART) {
    const count = Math.min(PART, flows - from);
    for (let i = 0; i < count; i++) {
      feed.build(i, from + i, false, SYN);
      feed.build(count + i, from + i, false, ACK);
    }
    feed.rewind(count * 2);
    run(engine, feed, 0);
  }
  if (engine.table.size !== flows) throw new Error(`${engine.table.size} flows, not ${flows}`);
}

/** The same on every run: xorshift32 (Marsaglia 2003). */
function random(): () => number {
  let state = 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const cpu = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

const IMAGE = 1 << 19;
/** Before anything is measured: until then V8 compiles, on threads whose time is the process's, too. */
const WARMING = 5_000_000;
const COUNTED = 10_000_000;

async function packets(flows: number): Promise<object> {
  const engine = engineFor(flows);
  established(engine, flows);
  const feed = new Feed(IMAGE);
  const next = random();
  for (let i = 0; i < IMAGE; i++) feed.build(i, next() % flows, i % 2 === 1, ACK);
  for (let done = 0; done < WARMING; done += feed.packets) run(engine, feed, 1000);
  // Of the garbage until here nothing is the packets'.
  collector()();
  run(engine, feed, 1000);
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  });
  observer.observe({ entryTypes: ["gc"] });
  const heap = getHeapStatistics().used_heap_size;
  const before = cpu();
  let done = 0;
  for (; done < COUNTED; done += feed.batch.count) {
    // Whole milliseconds, as a host reads them for each batch: a fraction would be an object on the heap.
    engine.process(feed.next(), ms(1000 + Math.floor(done / 10_000)), out);
  }
  const seconds = cpu() - before;
  const grown = getHeapStatistics().used_heap_size - heap;
  await setTimeout(20);
  observer.disconnect();
  const { established: passed } = engine.counters.all();
  if (passed === undefined || passed < done) throw new Error(`${done - (passed ?? 0)} packets did not pass`);
  return { rate: done / seconds / 1e6, grown, collections };
}

/** Connections whose segments follow one another. */
const GROUP = 16;
const DIALOGUE: readonly (readonly [reply: boolean, flags: number])[] = [
  [false, SYN],
  [true, SYN | ACK],
  [false, ACK],
  [false, FIN | ACK],
  [true, FIN | ACK],
  [false, ACK],
];
const TIME_WAIT = 120_000;
const SETTLED = 1 << 19;
const CONNECTIONS = 1 << 20;

function connections(waiting: number): object {
  const kinds = waiting * 2;
  const engine = engineFor(kinds);
  const feed = new Feed(kinds * DIALOGUE.length);
  for (let i = 0; i < feed.packets; i++) {
    const group = Math.floor(i / (GROUP * DIALOGUE.length));
    const [reply, flags] = DIALOGUE[Math.floor(i / GROUP) % DIALOGUE.length]!;
    feed.build(i, group * GROUP + (i % GROUP), reply, flags);
  }
  const perPacket = TIME_WAIT / waiting / DIALOGUE.length;
  let now = 0;
  const turn = () => {
    for (let done = 0; done < feed.packets; done += feed.batch.count) {
      engine.process(feed.next(), ms(now), out);
      now += feed.batch.count * perPacket;
      while (engine.advance(ms(now), out));
    }
  };
  // So many times that the code is compiled, and so many wait as shall.
  for (let done = 0; done <= SETTLED; done += kinds) turn();
  const begun = engine.flows.ended.get("expired");
  const before = cpu();
  for (let i = 0; i < CONNECTIONS / kinds; i++) turn();
  const seconds = cpu() - before;
  const ended = engine.flows.ended.get("expired") - begun;
  const { established, opened } = engine.counters.all();
  if (established !== opened! * 5) throw new Error(JSON.stringify(engine.counters.all()));
  return { rate: ended / seconds / 1e6 };
}

function collector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

/** Milliseconds. */
const GIVEN_BACK = 500;

async function memory(flows: number): Promise<object> {
  established(engineFor(20_000), 20_000);
  const gc = collector();
  // What is garbage by now (smaller indexes, feeds) is neither's. Its memory is given back on another thread, for which
  // one CPU must have time.
  const collect = async () => {
    gc();
    await setTimeout(GIVEN_BACK);
  };
  await collect();
  const before = process.memoryUsage().rss;
  const engine = engineFor(flows);
  established(engine, flows);
  await collect();
  const grown = process.memoryUsage().rss - before;
  return { perEntry: grown / engine.table.size };
}

const cases: Readonly<Record<string, (number: number) => object | Promise<object>>> = { packets, connections, memory };
const [which, number] = process.argv.slice(2);
console.log(JSON.stringify(await cases[which!]!(Number(number))));
