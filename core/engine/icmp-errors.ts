/**
 * ICMP errors follow the flow of the packet they are about, with its translation undone in what they quote; see
 * nat/translate.ts for the picture. Path-MTU messages are such errors, and reach whoever sent too large a packet. Of what is
 * scheduled request by request there is no flow, but it is known who asked whom.
 *
 * Anybody can send one about a flow whose ends he guesses. Of a control connection that is read it must quote what is in
 * flight (RFC 5927 §4.1, §7). Of others the engine keeps no sequence numbers: errors about them go on to who sent what they
 * quote, who knows his own.
 */
import { KEY, PORTS, reverseKey } from "../flow/key.ts";
import * as rows from "../flow/rows.ts";
import type { FlowTable } from "../flow/table.ts";
import {
  DESTINATION,
  mayTravel,
  readdressIpv4,
  readdressIpv6,
  renumberEmbedded,
  SOURCE,
  settleIcmp,
  translateEmbedded,
} from "../nat/translate.ts";
import type { Direction } from "../units.ts";
import { u32 } from "../wire/bytes.ts";
import { Headers } from "../wire/headers.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";
import { type Batch, fits, type Output, Verdict, verdictOf } from "./batch.ts";
import type { Controls } from "./controls.ts";
import { destination, source } from "./ends.ts";
import type { Forwarding } from "./forwarding.ts";
import { isIntactIcmp } from "./intact.ts";
import { Reason } from "./reason.ts";
import type { RequestPath } from "./requests.ts";
import { readKey } from "./stage.ts";

export class IcmpErrors {
  readonly #table: FlowTable;
  readonly #controls: Controls;
  readonly #requests: RequestPath;
  readonly #forwarding: Forwarding;
  readonly #inner = new Headers();
  /** Of the embedded packet, and of one that goes the error's way. */
  readonly #keys = new Int32Array(KEY * 2);

  constructor(table: FlowTable, controls: Controls, requests: RequestPath, forwarding: Forwarding) {
    this.#table = table;
    this.#controls = controls;
    this.#requests = requests;
    this.#forwarding = forwarding;
  }

  /** Packet `i`, whose ICMP header is at `header`; returns the reason. */
  judge(batch: Batch, i: number, family: 4 | 6, header: number, end: number, out: Output): number {
    const { bytes, view } = batch;
    const at = batch.offset[i]!;
    if (!icmp.check(bytes, header, end)) return Reason.MALFORMED;
    if (!icmp.isError(family, icmp.type(bytes, header))) return Reason.ICMP_QUERY;
    const refused = this.#readEmbedded(bytes, at, family, header + icmp.EMBEDDED, end);
    if (refused !== 0) return refused;
    const found = this.#table.find(this.#keys, KEY, this.#table.hash(this.#keys, KEY));
    if (found === 0) return this.#aboutRequest(batch, i, family, header, out);
    if (!fits(batch.side[i]!, found & 1)) return Reason.WRONG_SIDE;
    if (!mayTravel(view, at, family)) return Reason.TTL_EXCEEDED;
    if (!this.#isInFlight(view, found)) return Reason.ICMP_SEQUENCE;
    this.#limit(bytes, at, family, header, end, found);
    this.#translate(view, at, family, header, found);
    const reason = this.#forwarding.send(batch, i, found, end - at, out);
    return out.verdict[i] === Verdict.DROP ? reason : Reason.ICMP_ERROR;
  }

  /** An error about a request comes from where its sender sent it to. Those about answers reach nobody. */
  #aboutRequest({ view, offset, side }: Batch, i: number, family: 4 | 6, header: number, out: Output): number {
    if (!this.#requests.any || this.#inner.protocol !== udp.PROTOCOL) return Reason.ICMP_NO_FLOW;
    const asked = this.#requests.askedAt(destination(this.#keys, KEY), source(this.#keys, KEY));
    if (asked === null) return Reason.ICMP_NO_FLOW;
    if (!fits(side[i]!, rows.REPLY)) return Reason.WRONG_SIDE;
    const at = offset[i]!;
    if (!mayTravel(view, at, family)) return Reason.TTL_EXCEEDED;
    const words = Int32Array.from(asked.address.words);
    this.#readdress(view, at, family, header, DESTINATION, words, 0, words[3]!, asked.port, 0);
    out.verdict[i] = verdictOf(rows.REPLY);
    return Reason.ICMP_ERROR;
  }

  /** 0, or why the error is about nothing that is known here. */
  #readEmbedded(bytes: Uint8Array, at: number, family: 4 | 6, start: number, end: number): number {
    const inner = this.#inner;
    if (!inner.read(bytes, start, end, false) || inner.family !== family) return Reason.MALFORMED;
    const { protocol, transport } = inner;
    if (protocol !== tcp.PROTOCOL && protocol !== udp.PROTOCOL) return Reason.ICMP_NO_FLOW;
    // About a fragment that is not the first: nobody can tell whose it was.
    if (inner.fragment && inner.fragmentOffset > 0) return Reason.ICMP_NO_FLOW;
    if (transport + icmp.EMBEDDED_TRANSPORT > inner.end) return Reason.MALFORMED;
    // Errors go to who sent the packet; another who gets one would be lied to.
    if (!sameAddress(bytes, at, start, family)) return Reason.ICMP_MISMATCH;
    readKey(bytes, start, family, protocol, this.#keys, 0);
    this.#keys[PORTS] = u32(bytes, transport);
    reverseKey(this.#keys, 0, this.#keys, KEY);
    return 0;
  }

  #isInFlight(view: DataView, found: number): boolean {
    const { protocol, transport } = this.#inner;
    if (protocol !== tcp.PROTOCOL) return true;
    return this.#controls.mayBeInFlight(found >>> 1, quotedWay(found), view.getUint32(transport + tcp.SEQUENCE));
  }

  /** What is too big may be what a control connection's reader has sent, who is as careful as a host: damaged, it says nothing. */
  #limit(bytes: Uint8Array, at: number, family: 4 | 6, header: number, end: number, found: number): void {
    const mtu = icmp.nextHopMtu(family, bytes, header);
    if (mtu === 0 || !isIntactIcmp(bytes, at, header, end)) return;
    this.#controls.limit(found >>> 1, quotedWay(found), mtu);
  }

  /** A segment of a control connection, which went `direction`: its sender may know it by another number. */
  #renumber(view: DataView, id: number, direction: Direction): number {
    const { protocol, transport } = this.#inner;
    if (protocol !== tcp.PROTOCOL) return 0;
    const sequence = view.getUint32(transport + tcp.SEQUENCE);
    const known = this.#controls.quoted(id, direction, sequence);
    return known === sequence ? 0 : renumberEmbedded(view, this.#inner, known);
  }

  #translate(view: DataView, at: number, family: 4 | 6, header: number, found: number): void {
    const { rows: table, prefixes } = this.#table;
    const id = found >>> 1;
    const row = id << rows.ROW_SHIFT;
    const toReal = (found & 1) === rows.ORIGINAL;
    const low = table[row + (toReal ? rows.REAL : rows.VIRTUAL)]!;
    const prefix = id * rows.PREFIXES + (toReal ? rows.REAL_PREFIX : rows.VIRTUAL_PREFIX);
    const port = toReal ? table[row + rows.INNER_PORT]! >>> 16 : table[row + rows.OUTER_PORTS]! & 0xffff;
    const renumbered = this.#renumber(view, id, quotedWay(found));
    this.#readdress(view, at, family, header, toReal ? SOURCE : DESTINATION, prefixes, prefix, low, port, renumbered);
  }

  /** `inner`: the end of the packet that it is about; its own is the other. `renumbered`: the change before this one. */
  #readdress(
    view: DataView,
    at: number,
    family: 4 | 6,
    header: number,
    inner: number,
    prefixes: Int32Array,
    prefix: number,
    low: number,
    port: number,
    renumbered: number,
  ): void {
    const embedded = header + icmp.EMBEDDED;
    const seen = renumbered + translateEmbedded(view, embedded, this.#inner, inner, prefixes, prefix, low, port);
    const end = inner === SOURCE ? DESTINATION : SOURCE;
    if (family === 4) {
      readdressIpv4(view, at, end, low);
      settleIcmp(view, header, seen);
    } else settleIcmp(view, header, seen + readdressIpv6(view, at, end, prefixes, prefix, low));
  }
}

/** Which way the packet went that an error of `found` quotes. */
const quotedWay = (found: number): Direction => ((found & 1) === rows.ORIGINAL ? "reply" : "original");

/** Is the destination of the header at `outer` the source of the one at `inner`? */
function sameAddress(bytes: Uint8Array, outer: number, inner: number, family: 4 | 6): boolean {
  const length = family === 4 ? 4 : 16;
  const destination = outer + (family === 4 ? ipv4.DESTINATION : ipv6.DESTINATION);
  const source = inner + (family === 4 ? ipv4.SOURCE : ipv6.SOURCE);
  for (let i = 0; i < length; i++) if (bytes[destination + i] !== bytes[source + i]) return false;
  return true;
}
