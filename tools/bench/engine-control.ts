/**
 * FTP replies read, announced and rewritten on packets: `node engine-control.js PENDING [heard]` prints numbers as JSON.
 *
 * Each turn of a control connection is two segments, `PASV` and the 227 that answers it, each acknowledging the other; a
 * batch is of as many connections as it has packets. A connection may have ten entries pending, so with each reply the oldest
 * gives way, and PENDING of them there always are. `rate`: turns a second in the engine, in millions. `replies`: the 227s
 * alone, as peers' figures count them. `heard`: the director's own log listens, at `warn`: its forwarder does so. The clock is read around each batch, so what making the segments costs is not in it.
 */
import { performance } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { Balancer, type BalancerOptions } from "../../core/balancer.ts";
import { type Batch, createBatch, createOutput, Side } from "../../core/engine/batch.ts";
import { v8Flags } from "../../core/engine/flags.ts";
import { Engine, type EngineOptions } from "../../core/engine.ts";
import { ms, port } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { putU16, putU32 } from "../../core/wire/bytes.ts";
import { pseudoHeaderSum, sumOf } from "../../core/wire/checksum.ts";
import { bytesOf } from "../../core/wire/text.ts";
import { EngineLog } from "../../director/datapath/tun/engine-log.ts";
import { ftp } from "../../helpers/ftp/helper.ts";

for (const flag of v8Flags) setFlagsFromString(flag);

/** A VIP has only so many ports. */
const SERVICES = 8;
const VIP = 0xcb00710a;
const REAL = 0xc612010b;
const CLIENTS = 0x0a000000;
const PER_CONTROL = 10;
const CLIENT_PORT = 40_000;
const STRIDE = 128;
const FLAGS = { SYN: 2, ACK: 16, DATA: 24 };
const SECONDS = 5;
/** Before anything is measured: until then V8 compiles. */
const WARMING = 2;
/** Packets that come at once; a live host takes up to 64. */
const BATCH = 32;

const PASV = bytesOf("PASV\r\n");
const NOTHING = new Uint8Array(0);

/** One control connection. */
interface Talk {
  readonly index: number;
  readonly service: number;
  readonly client: number;
  /** What the client sends next, and what the realserver does. */
  sent: number;
  replied: number;
  /** By how much the client has read more than the realserver sent. */
  stretched: number;
  turn: number;
}

const pending = Number(process.argv[2] ?? 20_000);
const controls = Math.max(1, Math.round(pending / PER_CONTROL));
const log = new EngineLog(
  () => {},
  (level) => level === "warn" || level === "error",
);
const [listensToBalancer, listensToEngine] = process.argv[3] === "heard" ? listening() : [{}, {}];
const balancer = new Balancer(
  Array.from({ length: SERVICES }, (_, i) => ({
    name: `ftp-${i}`,
    address: Address.ipv4(VIP + i),
    ports: [{ transport: "tcp" as const, first: port(21), last: port(21) }],
    helper: ftp,
    controlPorts: [port(21)],
    scheduler: "rr" as const,
    persistence: ms(0),
    persistencePrefix: null,
    realservers: [{ address: Address.ipv4(REAL + i), port: null, weight: 1, announces: [], passivePorts: null }],
  })),
  { limits: { perClient: 1000, total: 1_000_000 }, seed: 1, ...listensToBalancer },
);
const engine = new Engine(balancer, { capacity: controls + 16, seed: [0x1234567, 0x7654321], ...listensToEngine });
const batch: Batch = createBatch(BATCH, new Uint8Array(BATCH * STRIDE));
const out = createOutput(BATCH);

/** As director/datapath/tun/forwarder.ts does where nothing is offloaded. */
function listening(): readonly [Partial<BalancerOptions>, Partial<EngineOptions>] {
  return [
    { gone: (entry, reason) => log.gone(entry, reason), passed: (reason) => log.passed(reason) },
    {
      explain: (decision, control) => log.explain(decision, control),
      hears: (outcome) => log.hears(outcome),
      observer: log,
    },
  ];
}

function segment(i: number, talk: Talk, reply: boolean, flags: number, payload: Uint8Array): void {
  const { bytes } = batch;
  const at = i * STRIDE;
  const end = at + 40 + payload.length;
  batch.offset[i] = at;
  batch.length[i] = end - at;
  batch.side[i] = reply ? Side.REAL : Side.CLIENT;
  bytes.fill(0, at, at + 40);
  bytes[at] = 0x45;
  putU16(bytes, at + 2, end - at);
  bytes[at + 8] = 64;
  bytes[at + 9] = 6;
  putU32(bytes, at + 12, reply ? REAL + talk.service : talk.client);
  putU32(bytes, at + 16, reply ? talk.client : VIP + talk.service);
  putU16(bytes, at + 10, ~sumOf(bytes, at, at + 20));
  putU16(bytes, at + 20, reply ? 21 : CLIENT_PORT);
  putU16(bytes, at + 22, reply ? CLIENT_PORT : 21);
  putU32(bytes, at + 24, reply ? talk.replied : talk.sent);
  putU32(bytes, at + 28, flags === FLAGS.SYN ? 0 : reply ? talk.sent : talk.replied + talk.stretched);
  bytes[at + 32] = 5 << 4;
  bytes[at + 33] = flags;
  putU16(bytes, at + 34, 0xffff);
  bytes.set(payload, at + 40);
  putU16(bytes, at + 36, ~sumOf(bytes, at + 20, end, pseudoHeaderSum(bytes, at + 12, at + 20, 6, end - at - 20)));
}

/** Whole milliseconds, as a host reads them for each batch: a fraction would be an object on the heap. */
let now = 1000;
const judge = (count: number): void => {
  batch.count = count;
  engine.process(batch, ms(now), out);
};

function open(index: number): Talk {
  const talk = {
    index,
    service: index % SERVICES,
    client: CLIENTS + index,
    sent: 1,
    replied: 1,
    stretched: 0,
    turn: 0,
  };
  for (const [reply, flags] of [
    [false, FLAGS.SYN],
    [true, FLAGS.SYN | FLAGS.ACK],
    [false, FLAGS.ACK],
  ] as const) {
    segment(0, talk, reply, flags, NOTHING);
    judge(1);
    if ((flags & FLAGS.SYN) === 0) continue;
    if (reply) talk.replied++;
    else talk.sent++;
  }
  const greeting = bytesOf("220 ready\r\n");
  segment(0, talk, true, FLAGS.DATA, greeting);
  judge(1);
  talk.replied += greeting.length;
  return talk;
}

/** The 227s of each turn: a connection's ports come again when their entries are gone. */
const texts = new Map<number, Uint8Array>();
function replyOf({ index, service, turn }: Talk): Uint8Array {
  const place = Math.floor(index / SERVICES) * (PER_CONTROL + 1) + (turn % (PER_CONTROL + 1));
  const key = place * SERVICES + service;
  const known = texts.get(key);
  if (known !== undefined) return known;
  const dataPort = 1024 + place;
  const address = Address.ipv4(REAL + service)
    .toString()
    .replaceAll(".", ",");
  const text = bytesOf(`227 Entering Passive Mode (${address},${dataPort >> 8},${dataPort & 255}).\r\n`);
  texts.set(key, text);
  return text;
}

/** By how much a service's 227s grow. */
const stretches = Array.from({ length: SERVICES }, (_, service) => {
  const lengthOf = (word: number): number => Address.ipv4(word).toString().length;
  return lengthOf(VIP + service) - lengthOf(REAL + service);
});

/** Milliseconds that the engine has worked. */
const spent = { commands: 0, replies: 0 };

function timed(count: number, what: keyof typeof spent): void {
  const begun = performance.now();
  judge(count);
  spent[what] += performance.now() - begun;
}

function ask(talk: Talk, i: number): void {
  segment(i, talk, false, FLAGS.DATA, PASV);
  talk.sent += PASV.length;
}

function answer(talk: Talk, i: number): void {
  const reply = replyOf(talk);
  segment(i, talk, true, FLAGS.DATA, reply);
  talk.replied += reply.length;
  talk.stretched += stretches[talk.service]!;
  talk.turn++;
}

/** A turn of so many connections. */
function turn(talks: readonly Talk[]): void {
  for (const [i, talk] of talks.entries()) ask(talk, i);
  timed(talks.length, "commands");
  for (const [i, talk] of talks.entries()) answer(talk, i);
  timed(talks.length, "replies");
}

/** Turns of all connections, for so many seconds of the engine's: how many. */
function run(batches: readonly (readonly Talk[])[], seconds: number): number {
  let done = 0;
  spent.commands = spent.replies = 0;
  while (spent.commands + spent.replies < seconds * 1000) {
    for (const talks of batches) turn(talks);
    done += controls;
    now++;
  }
  return done;
}

const talks = Array.from({ length: controls }, (_, index) => open(index));
const batches = Array.from({ length: Math.ceil(controls / BATCH) }, (_, i) => talks.slice(i * BATCH, (i + 1) * BATCH));
run(batches, WARMING);
const done = run(batches, SECONDS);
const { related } = balancer;
if (related.size !== controls * PER_CONTROL) throw new Error(`${related.size} entries are pending`);
if (engine.controls.counters.get("control.acknowledges-unsent") > 0) throw new Error("numbers are wrong");
const millions = (milliseconds: number): number => done / milliseconds / 1000;
console.log(
  JSON.stringify({
    rate: millions(spent.commands + spent.replies),
    replies: millions(spent.replies),
    pending: related.size,
  }),
);
