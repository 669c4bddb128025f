/**
 * Connections that the kernel translates by itself (offload.ts), as its connection tracking knows them: listed, counted
 * when they end, and removed, over netlink (linux/netlink.h, linux/netfilter/nfnetlink_conntrack.h).
 */
import { closeSync } from "node:fs";
import type { Traffic } from "../../../core/engine/account.ts";
import type { Endpoint, Port, Transport } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import * as tcp from "../../../core/wire/tcp.ts";
import type { Calls } from "./calls.ts";

export interface KernelFlow {
  /** The kernel's own number for it. */
  readonly id: number;
  readonly transport: Transport;
  readonly client: Endpoint;
  readonly virtual: Endpoint;
  readonly real: Endpoint;
  /** Nothing of it can come any more but a segment that was on its way. */
  readonly over: boolean;
  readonly traffic: Traffic;
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_NETFILTER = 12;

const HEADER = 16;
/** The header, and struct nfgenmsg. */
const BODY = HEADER + 4;
const CONNTRACK = 1 << 8;
const [NEW, GET, DELETE] = [CONNTRACK, CONNTRACK | 1, CONNTRACK | 2];
const [FAILED, DONE] = [2, 3];
const REQUEST = 1;
const DUMP = 0x300;
/** NFNLGRP_CONNTRACK_DESTROY, as a bit. */
const ENDED = 1 << 2;

const [ORIGINAL, REPLY, STATUS, PROTOCOL_STATE, SENT, RECEIVED, ID, STATUS_MASK] = [1, 2, 3, 4, 9, 10, 12, 26];
/** IPS_DST_NAT */
const TRANSLATED = 1 << 5;
const [TIME_WAIT, CLOSE] = [7, 8];

const KIND = 0x3fff;
const NESTED = 0x8000;

function attribute(kind: number, value: Buffer): Buffer {
  const whole = Buffer.alloc(4 + ((value.length + 3) & ~3));
  whole.writeUInt16LE(4 + value.length, 0);
  whole.writeUInt16LE(kind, 2);
  value.copy(whole, 4);
  return whole;
}

function number(value: number, size: 1 | 2 | 4): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
}

interface Head {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly family: number;
}

function message({ type, flags, sequence, family }: Head, attributes: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from([family, 0, 0, 0]), ...attributes]);
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(HEADER + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(REQUEST | flags, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, body]);
}

/** For all that are translated. What answers it is of the same `sequence`. */
export const listRequest = (sequence: number): Buffer =>
  message({ type: GET, flags: DUMP, sequence, family: 0 }, [
    attribute(STATUS, number(TRANSLATED, 4)),
    attribute(STATUS_MASK, number(TRANSLATED, 4)),
  ]);

/** For the end of `flow`: none of its packets is translated any more. It is answered only where there is no such flow. */
export function removal({ transport, client, virtual }: KernelFlow, sequence: number): Buffer {
  const { family } = client.address;
  const [source, destination] = family === 4 ? [1, 2] : [3, 4];
  const ip = Buffer.concat([
    attribute(source!, bytesOf(client.address)),
    attribute(destination!, bytesOf(virtual.address)),
  ]);
  const ends = Buffer.concat([
    attribute(1, number(transport === "tcp" ? tcp.PROTOCOL : UDP, 1)),
    attribute(2, number(client.port, 2)),
    attribute(3, number(virtual.port, 2)),
  ]);
  const tuple = Buffer.concat([attribute(1 | NESTED, ip), attribute(2 | NESTED, ends)]);
  const head = { type: DELETE, flags: 0, sequence, family: family === 4 ? AF_INET : AF_INET6 };
  return message(head, [attribute(ORIGINAL | NESTED, tuple)]);
}

const UDP = 17;
const [AF_INET, AF_INET6] = [2, 10];

const bytesOf = ({ family, words }: Address): Buffer =>
  Buffer.concat((family === 4 ? words.slice(3) : words).map((word) => number(word, 4)));

/** What was read of one: the flows, and whether the list is over. */
export interface Heard {
  readonly flows: readonly KernelFlow[];
  readonly over: boolean;
}

/** `sequence`: of the request whose answer is read, others' are passed over; null: of all. */
export function read(bytes: Buffer, sequence: number | null = null): Heard {
  const flows: KernelFlow[] = [];
  for (const one of messagesIn(bytes)) {
    if (sequence !== null && one.sequence !== sequence) continue;
    if (one.type === DONE || one.type === FAILED) return { flows, over: true };
    const flow = one.type === NEW || one.type === DELETE ? flowOf(one.body) : null;
    if (flow !== null) flows.push(flow);
  }
  return { flows, over: false };
}

function* messagesIn(bytes: Buffer): Generator<{ type: number; sequence: number; body: Buffer }> {
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    if (length < HEADER || at + length > bytes.length) return;
    const body = bytes.subarray(at + BODY, at + length);
    yield { type: bytes.readUInt16LE(at + 4), sequence: bytes.readUInt32LE(at + 8), body };
    at += (length + 3) & ~3;
  }
}

type Attributes = ReadonlyMap<number, Buffer>;

function attributesOf(bytes: Buffer | undefined): Attributes {
  const found = new Map<number, Buffer>();
  for (let at = 0; bytes !== undefined && at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & KIND, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

/** null: it is not translated, or of another protocol. */
function flowOf(bytes: Buffer): KernelFlow | null {
  const all = attributesOf(bytes);
  if (((all.get(STATUS)?.readUInt32BE(0) ?? 0) & TRANSLATED) === 0) return null;
  const [original, reply] = [tupleOf(all.get(ORIGINAL)), tupleOf(all.get(REPLY))];
  if (original === null || reply === null) return null;
  const state = attributesOf(attributesOf(all.get(PROTOCOL_STATE)).get(1)).get(1)?.[0] ?? 0;
  const [sent, received] = [countsOf(all.get(SENT)), countsOf(all.get(RECEIVED))];
  return {
    id: all.get(ID)?.readUInt32BE(0) ?? 0,
    transport: original.transport,
    client: original.from,
    virtual: original.to,
    real: reply.from,
    over: original.transport === "tcp" && (state === TIME_WAIT || state === CLOSE),
    traffic: {
      packets: { original: sent.packets, reply: received.packets },
      bytes: { original: sent.bytes, reply: received.bytes },
    },
  };
}

interface Tuple {
  readonly transport: Transport;
  readonly from: Endpoint;
  readonly to: Endpoint;
}

function tupleOf(bytes: Buffer | undefined): Tuple | null {
  const parts = attributesOf(bytes);
  const [ip, ends] = [attributesOf(parts.get(1)), attributesOf(parts.get(2))];
  const family = ip.has(1) ? 4 : 6;
  const [source, destination] = family === 4 ? [ip.get(1), ip.get(2)] : [ip.get(3), ip.get(4)];
  const [protocol, from, to] = [ends.get(1)?.[0], ends.get(2), ends.get(3)];
  if (protocol !== tcp.PROTOCOL && protocol !== UDP) return null;
  if (source === undefined || destination === undefined || from === undefined || to === undefined) return null;
  return {
    transport: protocol === UDP ? "udp" : "tcp",
    from: { address: Address.fromBytes(source, 0, family), port: from.readUInt16BE(0) as Port },
    to: { address: Address.fromBytes(destination, 0, family), port: to.readUInt16BE(0) as Port },
  };
}

/** None where net.netfilter.nf_conntrack_acct is 0. */
function countsOf(bytes: Buffer | undefined): { readonly packets: number; readonly bytes: number } {
  const counts = attributesOf(bytes);
  const of = (kind: number): number => Number(counts.get(kind)?.readBigUInt64BE(0) ?? 0n);
  return { packets: of(1), bytes: of(2) };
}

const ROOM = 1 << 18;
/** A list that does not end is not waited for. */
const PATIENCE = 1000;

/** Needs CAP_NET_ADMIN in the thread that calls it. */
export class Conntrack {
  readonly #calls: Calls;
  readonly #room;
  /** For questions; and where ends are told. */
  #asked: number;
  readonly #told: number;
  /** Of the last request. */
  #sequence = 0;

  constructor(calls: Calls) {
    this.#calls = calls;
    this.#room = calls.memory(ROOM);
    this.#asked = this.#open(0);
    this.#told = this.#open(ENDED);
  }

  list(): KernelFlow[] {
    const sequence = this.#next();
    this.#send(listRequest(sequence));
    const flows: KernelFlow[] = [];
    const since = Date.now();
    while (Date.now() - since < PATIENCE) {
      const heard = this.#hear(this.#asked, sequence);
      if (heard === null) break;
      for (const flow of heard.flows) flows.push(flow);
      if (heard.over) return flows;
    }
    this.#renew();
    return flows;
  }

  /** The kernel begins no list on a socket that has not been told the whole of another. */
  #renew(): void {
    this.#calls.close(this.#asked);
    this.#asked = this.#open(0);
  }

  /** Those that have ended since it was last asked. */
  ended(): KernelFlow[] {
    const flows: KernelFlow[] = [];
    for (let heard = this.#hear(this.#told); heard !== null; heard = this.#hear(this.#told)) flows.push(...heard.flows);
    return flows;
  }

  /** One that has ended meanwhile is refused: refusals that nobody reads would fill the socket. */
  remove(flow: KernelFlow): void {
    this.#send(removal(flow, this.#next()));
    while (this.#hear(this.#asked) !== null);
  }

  #next(): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    return this.#sequence;
  }

  close(): void {
    for (const fd of [this.#asked, this.#told]) closeSync(fd);
  }

  #open(groups: number): number {
    const fd = this.#calls.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_NETFILTER);
    const address = this.#calls.memory(12);
    address.bytes.fill(0);
    address.bytes.writeUInt16LE(AF_NETLINK, 0);
    address.bytes.writeUInt32LE(groups, 8);
    this.#calls.bind(fd, address.at, address.bytes.length);
    return fd;
  }

  #send(bytes: Buffer): void {
    bytes.copy(this.#room.bytes);
    this.#calls.write(this.#asked, this.#room.at, bytes.length);
  }

  /** null: nothing is there to be read. */
  #hear(fd: number, sequence: number | null = null): Heard | null {
    const length = this.#calls.read(fd, this.#room.at, ROOM);
    return length <= 0 ? null : read(Buffer.from(this.#room.bytes.subarray(0, length)), sequence);
  }
}
