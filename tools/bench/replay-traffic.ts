/**
 * Captures to measure with, the same for the same seed: TCP and UDP flows, a tenth of them IPv6, in bursts, frames of
 * the lengths of "IMIX" (7 of 64 bytes, 4 of 570, 1 of 1518), and among them FTP sessions that each announce a transfer.
 * However many packets there are, the flows are the same.
 */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { putU16, putU32 } from "../../core/wire/bytes.ts";

export interface Traffic {
  readonly packets: number;
  readonly flows: number;
  readonly sessions: number;
  readonly seed: number;
}

/** A whole number below `n`. */
type Random = (n: number) => number;

/** mulberry32, by Tommy Ettinger. */
function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * n);
  };
}

const ETHERNET = 14;
const TCP = 6;
const UDP = 17;
const SYN = 2;
const PUSH_ACK = 0x18;
const ACK = 0x10;
const FIN_ACK = 0x11;
const HANDSHAKE = [SYN, SYN | ACK, ACK];

interface Flow {
  readonly protocol: typeof TCP | typeof UDP;
  readonly ipv6: boolean;
  /** The last 32 bits of each address; the client's first. */
  readonly address: readonly [number, number];
  readonly port: readonly [number, number];
  /** Sequence number of each side. */
  readonly next: [number, number];
}

const SERVICES: readonly (readonly [protocol: typeof TCP | typeof UDP, port: number])[] = [
  [TCP, 443],
  [TCP, 80],
  [TCP, 22],
  [TCP, 8443],
  [UDP, 443],
  [UDP, 4500],
];

const IMIX = [64, 64, 64, 64, 64, 64, 64, 570, 570, 570, 570, 1518];

const FLUSH = 1 << 20;

/** Appends frames to a pcap file. */
class Writer {
  written = 0;
  readonly #file: number;
  readonly #buffer = new Uint8Array(FLUSH + 4096);
  #at = 0;

  constructor(path: string) {
    this.#file = openSync(path, "w");
    // Microseconds, version 2.4, snap length 262144, Ethernet, all little-endian.
    for (const word of [0xa1b2c3d4, 0x00040002, 0, 0, 262_144, 1]) this.#word(word);
  }

  /** A packet of `flow` from `side`; `text` is latin1, and what is not text is zeros. */
  packet(flow: Flow, side: 0 | 1, flags: number, length: number, text = ""): void {
    const ip = flow.ipv6 ? 40 : 20;
    const transport = flow.protocol === TCP ? 20 : 8;
    const total = ETHERNET + ip + transport + length;
    this.#word(1_700_000_000 + Math.floor(this.written / 100_000));
    this.#word((this.written % 100_000) * 10);
    this.#word(total);
    this.#word(total);
    const bytes = this.#buffer;
    const at = this.#at;
    bytes.fill(0, at, at + total);
    bytes[at + 5] = bytes[at + 11] = 1 + side;
    putU16(bytes, at + 12, flow.ipv6 ? 0x86dd : 0x0800);
    if (flow.ipv6) putIpv6(bytes, at + ETHERNET, flow, side, transport + length);
    else putIpv4(bytes, at + ETHERNET, flow, side, transport + length);
    putTransport(bytes, at + ETHERNET + ip, flow, side, flags, length);
    for (let i = 0; i < text.length; i++) bytes[at + total - length + i] = text.charCodeAt(i);
    this.#at += total;
    this.written++;
    if (this.#at >= FLUSH) this.#flush();
  }

  close(): void {
    this.#flush();
    // What is written to the disk while somebody reads the file takes that one's time.
    fsyncSync(this.#file);
    closeSync(this.#file);
  }

  #word(word: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.#buffer[this.#at++] = word >>> shift;
  }

  #flush(): void {
    for (let from = 0; from < this.#at; ) from += writeSync(this.#file, this.#buffer, from, this.#at - from);
    this.#at = 0;
  }
}

function putIpv4(bytes: Uint8Array, at: number, { protocol, address }: Flow, side: 0 | 1, length: number): void {
  bytes[at] = 0x45;
  putU16(bytes, at + 2, 20 + length);
  bytes[at + 8] = 64;
  bytes[at + 9] = protocol;
  putU32(bytes, at + 12, address[side]);
  putU32(bytes, at + 16, address[1 - side]!);
}

function putIpv6(bytes: Uint8Array, at: number, { protocol, address }: Flow, side: 0 | 1, length: number): void {
  bytes[at] = 0x60;
  putU16(bytes, at + 4, length);
  bytes[at + 6] = protocol;
  bytes[at + 7] = 64;
  for (const [i, end] of [side, 1 - side].entries()) {
    putU32(bytes, at + 8 + 16 * i, 0xfd000000);
    putU32(bytes, at + 20 + 16 * i, address[end]!);
  }
}

function putTransport(bytes: Uint8Array, at: number, flow: Flow, side: 0 | 1, flags: number, length: number): void {
  const { protocol, port, next } = flow;
  putU16(bytes, at, port[side]);
  putU16(bytes, at + 2, port[1 - side]!);
  if (protocol === UDP) {
    putU16(bytes, at + 4, 8 + length);
    return;
  }
  putU32(bytes, at + 4, next[side]);
  putU32(bytes, at + 8, flags & ACK ? next[1 - side]! : 0);
  bytes[at + 12] = 0x50;
  bytes[at + 13] = flags;
  putU16(bytes, at + 14, 0xffff);
  next[side] = (next[side] + length + (flags & 3 ? 1 : 0)) >>> 0;
}

const isReply = (flags: number): 0 | 1 => (flags === (SYN | ACK) ? 1 : 0);

const LOGIN = ["220 ready", "USER joe", "331 password", "PASS x", "230 in", "TYPE I", "200 binary", "PASV"];

/** One packet after the other of an FTP session with a passive transfer, of client `number`. */
function* session(writer: Writer, number: number, random: Random): Generator<void> {
  const flow = (port: number): Flow => ({
    protocol: TCP,
    ipv6: false,
    address: [0x0ac80000 + number, 0xc0000201],
    port: [40_000 + random(20_000), port],
    next: [random(2 ** 32), random(2 ** 32)],
  });
  const control = flow(21);
  const data = flow(20_000 + (number % 40_000));
  const say = (side: 0 | 1, text: string) => writer.packet(control, side, PUSH_ACK, text.length + 2, `${text}\r\n`);
  for (const flags of HANDSHAKE) yield writer.packet(control, isReply(flags), flags, 0);
  for (const line of LOGIN) yield say(line[0]! <= "9" ? 1 : 0, line);
  yield say(1, `227 Entering Passive Mode (192,0,2,1,${data.port[1] >>> 8},${data.port[1] & 255}).`);
  for (const flags of HANDSHAKE) yield writer.packet(data, isReply(flags), flags, 0);
  yield say(0, "RETR file");
  yield say(1, "150 here it comes");
  for (let n = 0; n < 10; n++) {
    yield writer.packet(data, 1, ACK, 1448);
    yield writer.packet(data, 0, ACK, 0);
  }
  for (const side of [1, 0] as const) yield writer.packet(data, side, FIN_ACK, 0);
  yield say(1, "226 done");
}

const SESSION_PACKETS = 40;

/** All sessions, one packet at a time, spread evenly over what is written. */
function* sessionsOf(writer: Writer, { packets, sessions }: Traffic, random: Random): Generator<void> {
  const every = (packets - writer.written) / (sessions * SESSION_PACKETS + 1);
  let next = writer.written + every;
  for (let number = 0; number < sessions; number++) {
    for (const _ of session(writer, number, random)) {
      next += every;
      while (writer.written < next) yield;
    }
  }
}

function flowOf(random: Random): Flow {
  const [protocol, port] = SERVICES[random(SERVICES.length)]!;
  const address = [0x0a000000 + random(1 << 20), 0xc6336400 + random(256)] as const;
  const next: [number, number] = [random(2 ** 32), random(2 ** 32)];
  return { protocol, ipv6: random(10) === 0, address, port: [1024 + random(64_000), port], next };
}

/** A frame of one of the lengths of the mixture, either way. */
function anyPacket(writer: Writer, flow: Flow, random: Random): void {
  const headers = ETHERNET + (flow.ipv6 ? 40 : 20) + (flow.protocol === TCP ? 20 : 8);
  const length = Math.max(0, IMIX[random(IMIX.length)]! - headers);
  writer.packet(flow, random(2) as 0 | 1, length > 50 ? PUSH_ACK : ACK, length);
}

/** Writes a pcap file to `path`. */
export function writeTraffic(path: string, traffic: Traffic): void {
  const { packets, flows, seed } = traffic;
  const random = randomOf(seed);
  const writer = new Writer(path);
  const all = Array.from({ length: flows }, () => flowOf(random));
  for (const flow of all) {
    if (flow.protocol === TCP) for (const flags of HANDSHAKE) writer.packet(flow, isReply(flags), flags, 0);
  }
  const sessions = sessionsOf(writer, traffic, random);
  while (writer.written < packets) {
    const flow = all[random(flows)]!;
    for (let burst = 1 + random(8); burst > 0 && writer.written < packets; burst--) {
      anyPacket(writer, flow, random);
      if (writer.written < packets) sessions.next();
    }
  }
  writer.close();
}
