/**
 * Direct routing and tunnelling (ip_vs_dr_xmit, ip_vs_tunnel_xmit): the realserver has the VIP itself, and gets its
 * packets as they are, with one hop less to live. Its replies, should they come this way, are the VIP's already.
 */
import * as rows from "../flow/rows.ts";
import { isTooBig, MOST, portUnreachable, tooBig } from "../nat/icmp-message.ts";
import { encapsulate, overhead } from "../nat/tunnel.ts";
import type { Ms } from "../units.ts";
import type { Address } from "../wire/address.ts";
import { type Batch, type Output, SEGMENTED, Verdict, verdictOf } from "./batch.ts";
import { DIRECT, type Flows, TUNNEL } from "./flows.ts";
import { Reason } from "./reason.ts";

export interface TunnelOptions {
  /** The director's own addresses, of either family or both: where tunnels begin. */
  readonly from: readonly Address[];
  /** Of the way to the realservers, in bytes. */
  readonly mtu: number;
}

const TUNNEL_MARK = TUNNEL << rows.MARKS_SHIFT;
const DIRECT_MARK = DIRECT << rows.MARKS_SHIFT;
const NO_TUNNELS: TunnelOptions = { from: [], mtu: 1500 };

/** Messages in a second that nobody serves, as Linux's icmp_msgs_per_sec: who is flooded must not flood others. */
const MOST_REFUSALS = 1000;
const SECOND = 1000;

export class Forwarding {
  readonly #flows: Flows;
  readonly #tunnels: TunnelOptions;
  /** In the second that began then. */
  #refusals = 0;
  #since = Number.NEGATIVE_INFINITY;

  constructor(flows: Flows, tunnels = NO_TUNNELS) {
    this.#flows = flows;
    this.#tunnels = tunnels;
  }

  /** Packet `i` of the flow `found`, ready to go and `length` long, goes by that one's method. Returns the reason. */
  send(batch: Batch, i: number, found: number, length: number, out: Output): number {
    const id = found >>> 1;
    const kind = this.#flows.table.rows[(id << rows.ROW_SHIFT) + rows.KIND]!;
    if ((found & 1) === rows.ORIGINAL) {
      const number = this.numberOf(id);
      if ((kind & TUNNEL_MARK) !== 0) return this.tunnel(batch, i, number, length, out);
      if ((kind & DIRECT_MARK) !== 0) return this.direct(i, number, out);
    }
    out.verdict[i] = verdictOf(found & 1);
    return Reason.ESTABLISHED;
  }

  /** The number of flow `id`'s realserver, as the methods below want it. */
  numberOf(id: number): number {
    return this.#flows.table.rows[(id << rows.ROW_SHIFT) + rows.INNER_PORT]! & 0xffff;
  }

  /** Packet `i`, ready to go, is left to the host to send to realserver `number`. */
  direct(i: number, number: number, out: Output): number {
    out.destination[i] = number;
    out.verdict[i] = Verdict.DIRECT;
    return Reason.ESTABLISHED;
  }

  /** Before anything is changed: what stands against tunnelling packet `i`, which is `length` long; 0: nothing. */
  objection(batch: Batch, i: number, number: number, length: number, out: Output): number {
    const { address } = this.#flows.destination(number);
    if (this.#source(address) === undefined) return Reason.NO_TUNNEL_SOURCE;
    const room = this.#tunnels.mtu - overhead(address);
    const at = batch.offset[i]!;
    if ((batch.offload[i]! & SEGMENTED) !== 0 || !isTooBig(batch.bytes, at, length, room)) return 0;
    const { sent } = out;
    const place = sent.room(MOST);
    if (place >= 0) sent.add(tooBig(batch.bytes, at, length, room, sent.bytes, place), Verdict.TO_CLIENT);
    return Reason.TOO_BIG;
  }

  /** The sender of packet `i`, a host, is told that nobody serves it; `length`: of the packet. */
  refuse(batch: Batch, i: number, length: number, now: Ms, { sent }: Output): void {
    if (now - this.#since >= SECOND) {
      this.#since = now;
      this.#refusals = 0;
    }
    if (this.#refusals >= MOST_REFUSALS) return;
    this.#refusals++;
    const place = sent.room(MOST);
    if (place < 0) return;
    sent.add(portUnreachable(batch.bytes, batch.offset[i]!, length, sent.bytes, place), Verdict.TO_CLIENT);
  }

  tunnel(batch: Batch, i: number, number: number, length: number, out: Output): number {
    const { address } = this.#flows.destination(number);
    const source = this.#source(address);
    if (source === undefined) return Reason.NO_TUNNEL_SOURCE;
    const { sent } = out;
    const place = sent.room(length + overhead(address));
    if (place < 0) return Reason.TABLE_FULL;
    const whole = encapsulate(batch.bytes, batch.offset[i]!, length, source, address, sent.bytes, place);
    sent.add(whole, Verdict.TO_REAL);
    out.verdict[i] = Verdict.TAKEN;
    return Reason.TUNNELLED;
  }

  #source({ family }: Address): Address | undefined {
    return this.#tunnels.from.find((address) => address.family === family);
  }
}
