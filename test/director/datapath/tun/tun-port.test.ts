/** The port on pipes that keep packets apart, in a device's place: the calls are the real ones. */
import { readSync, writeSync } from "node:fs";
import t from "tap";
import { createOutput, NEEDS_CSUM, SEGMENTED, Side, Verdict } from "../../../../core/engine/batch.ts";
import { Address } from "../../../../core/wire/address.ts";
import { type Calls, EFD_NONBLOCK, loadTunCalls } from "../../../../director/datapath/tun/calls.ts";
import { Sides } from "../../../../director/datapath/tun/sides.ts";
import { TunPort } from "../../../../director/datapath/tun/tun-port.ts";
import { tcp, udp } from "../../../packets.ts";

const CLIENT = "192.0.2.7:40000";
const VIP = "203.0.113.10:80";
const REAL = "10.0.0.3:80";
/** pipe(7): each write is a packet, and each read takes one. */
const O_DIRECT = process.arch === "arm64" ? 0o200000 : 0o40000;
const O_NONBLOCK = 0o4000;

const [PLAIN, PARTIAL, TSO] = [Buffer.alloc(10), Buffer.of(1, 0, 0, 0, 0, 0, 20, 0, 16, 0), Buffer.alloc(10)];
TSO[0] = 1;
TSO[1] = 1;

function pipe(calls: Calls): { in: number; out: number } {
  const ends = calls.memory(8);
  if (calls.pipe2(ends.at, O_DIRECT | O_NONBLOCK) < 0) throw new Error("pipe");
  return { out: ends.bytes.readInt32LE(0), in: ends.bytes.readInt32LE(4) };
}

/** All packets that were written to a pipe. */
function packetsIn(fd: number): Buffer[] {
  const packets: Buffer[] = [];
  const buffer = Buffer.alloc(1 << 16);
  for (;;) {
    try {
      packets.push(Buffer.from(buffer.subarray(0, readSync(fd, buffer))));
    } catch {
      return packets;
    }
  }
}

function setUp(calls: Calls) {
  const [from, to, direct] = [pipe(calls), pipe(calls), pipe(calls)];
  const wake = calls.eventfd(0, EFD_NONBLOCK);
  // A device is read and written by one descriptor, a pipe by two.
  const way = (fd: number): number => (fd === from.out ? to.in : fd);
  const port = new TunPort(
    {
      ...calls,
      write: (fd, at, length) => calls.write(way(fd), at, length),
      writev: (fd, at, count) => calls.writev(way(fd), at, count),
    },
    {
      fd: from.out,
      wake,
      direct: Int32Array.of(-1, direct.in),
      sides: new Sides([Address.parse("203.0.113.10")!]),
    },
  );
  const arrive = (header: Buffer, packet: Uint8Array): void => {
    writeSync(from.in, Buffer.concat([header, packet]));
  };
  const packetAt = (i: number): Uint8Array => {
    const { bytes, offset, length } = port.batch;
    return Uint8Array.from(bytes.subarray(offset[i]!, offset[i]! + length[i]!));
  };
  return { port, arrive, packetAt, out: to.out, direct: direct.out, wake };
}

const loaded = await loadTunCalls();
const skip = typeof loaded === "string" ? loaded : false;
const calls = loaded as Calls;

const syn = tcp({ from: CLIENT, to: VIP, flags: "S" });
const reply = tcp({ from: REAL, to: CLIENT, flags: "SA" });
const datagram = udp({ from: CLIENT, to: VIP, payload: Uint8Array.of(1, 2, 3) });

t.test("packets come as they are, with their side and what is left to do for them", { skip }, async (t) => {
  const { port, arrive, packetAt } = setUp(calls);
  t.equal(port.receive(), 0);
  arrive(PLAIN, syn);
  arrive(PARTIAL, reply);
  arrive(TSO, datagram);
  t.equal(port.receive(), 1, "the first after a pause is not kept waiting");
  t.same(packetAt(0), syn);
  t.same([port.batch.side[0], port.batch.offload[0]], [Side.CLIENT, 0]);
  t.equal(port.receive(), 2);
  t.same([packetAt(0), packetAt(1)], [reply, datagram]);
  t.same([...port.batch.side.subarray(0, 2)], [Side.REAL, Side.CLIENT]);
  t.same([...port.batch.offload.subarray(0, 2)], [NEEDS_CSUM, NEEDS_CSUM | SEGMENTED]);
  t.equal(port.receive(), 0);
});

t.test("what may go on leaves with its own header, by the device that its verdict says", { skip }, async (t) => {
  const { port, arrive, out, direct } = setUp(calls);
  port.receive();
  arrive(PLAIN, syn);
  port.receive();
  for (let i = 0; i < 4; i++) arrive(i === 1 ? PARTIAL : PLAIN, i === 1 ? reply : datagram);
  t.equal(port.receive(), 4);
  const output = createOutput(4);
  output.verdict.set([Verdict.DROP, Verdict.TO_CLIENT, Verdict.DIRECT, Verdict.TAKEN]);
  output.destination[2] = 1;
  port.forward(output);
  t.same(packetsIn(out), [Buffer.concat([PARTIAL, reply])]);
  t.same(packetsIn(direct), [Buffer.concat([PLAIN, datagram])]);
});

t.test("packets of the engine's own leave with nothing left to do", { skip }, async (t) => {
  const { port, out, direct } = setUp(calls);
  const output = createOutput(1);
  output.sent.copy(syn, Verdict.TO_REAL);
  output.sent.copy(reply, Verdict.TO_CLIENT);
  output.sent.copy(datagram, Verdict.DIRECT, 1);
  port.sendOwn(output);
  t.same(packetsIn(out), [Buffer.concat([PLAIN, syn]), Buffer.concat([PLAIN, reply])]);
  t.same(packetsIn(direct), [Buffer.concat([PLAIN, datagram])]);
});

t.test("what the kernel does not take is counted by its reason, and the rest goes on", { skip }, async (t) => {
  const { port, arrive, out } = setUp(calls);
  arrive(PLAIN, syn);
  port.receive();
  arrive(PLAIN, reply);
  arrive(PLAIN, syn);
  port.receive();
  const output = createOutput(2);
  output.verdict.set([Verdict.DIRECT, Verdict.TO_REAL]);
  port.forward(output);
  t.same(Object.fromEntries(port.refused), { EBADF: 1 });
  t.equal(packetsIn(out).length, 1);
});

t.test(
  "a wait ends by a packet, by the time, or because it was woken, and only then it says so",
  { skip },
  async (t) => {
    const { port, arrive, wake } = setUp(calls);
    t.equal(port.wait(1), false);
    arrive(PLAIN, syn);
    t.equal(port.wait(10_000), false);
    port.receive();
    const one = calls.memory(8);
    one.bytes.writeBigUInt64LE(1n);
    calls.write(wake, one.at, 8);
    t.equal(port.wait(10_000), true);
  },
);

t.test("a device that is gone is a failure", { skip }, async (t) => {
  const { port } = setUp({ ...calls, read: () => -1, errno: () => 5 });
  t.throws(() => port.receive(), { message: "reading packets: EIO" });
});
