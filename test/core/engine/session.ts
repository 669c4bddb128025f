/** One TCP connection through a packet engine, both ends played by the test; nothing is lost, and all is checked. */
import { joined, route, tcp, wrong } from "../../packets.ts";
import type { Director, Sides } from "../director.ts";

interface End {
  readonly name: string;
  readonly peer: string;
  readonly side: Sides;
  /** What it sends next, and what it has heard up to. */
  sequence: number;
  heard: number;
  /** What it says of its room. */
  window: number;
  received: Uint8Array[];
  flags: number[];
}

const ACK = 0x10;
const latin1 = new TextDecoder("latin1");

export class Session {
  readonly #d: Director;
  readonly client: End;
  readonly server: End;

  /** `client` connects to `virtual`; its realserver answers from `real`. */
  constructor(d: Director, client: string, virtual: string, real: string) {
    this.#d = d;
    this.client = {
      name: client,
      peer: virtual,
      side: "CLIENT",
      sequence: 4_294_967_290,
      heard: 0,
      window: 65535,
      received: [],
      flags: [],
    };
    const begun = { sequence: 7_000, heard: 0, window: 65535, received: [], flags: [] };
    this.server = { name: real, peer: client, side: "REAL", ...begun };
  }

  open(): this {
    this.#send(this.client, "S");
    this.#send(this.server, "SA");
    this.#send(this.client, "A");
    return this;
  }

  /** The client says it, in segments of the given sizes. Returns what the realserver has heard of it. */
  say(text: string, ...sizes: number[]): string {
    return this.#say(this.client, this.server, text, sizes);
  }

  reply(text: string, ...sizes: number[]): string {
    return this.#say(this.server, this.client, text, sizes);
  }

  /** A segment without payload. */
  send(who: "client" | "server", flags: string): void {
    this.#send(this[who], flags);
  }

  /** Packets that the engine sends by itself reach their ends. */
  hear(): void {
    for (const { verdict, packet } of this.#d.sent)
      this.#arrive(verdict === "to-real" ? this.server : this.client, packet);
  }

  #say(from: End, to: End, text: string, sizes: number[]): string {
    const before = to.received.length;
    const bytes = new TextEncoder().encode(text);
    let at = 0;
    for (const size of [...sizes, bytes.length]) {
      const piece = bytes.subarray(at, at + size);
      if (piece.length > 0) this.#send(from, "AP", piece);
      at += piece.length;
      if (to.received.length > before) this.#send(to, "A");
    }
    return latin1.decode(joined(...to.received.slice(before)));
  }

  #send(from: End, flags: string, payload = new Uint8Array(0)): void {
    const packet = tcp({
      from: from.name,
      to: from.peer,
      flags,
      payload,
      sequence: from.sequence,
      acknowledgment: flags === "S" ? 0 : from.heard,
      window: from.window,
    });
    const counts = payload.length + (/[SF]/.test(flags) ? 1 : 0);
    from.sequence = (from.sequence + counts) >>> 0;
    const judged = this.#d.one(packet, from.side);
    if (judged.verdict === "taken") return this.hear();
    if (!judged.verdict.startsWith("to")) throw new Error(`${flags} of ${from.name}: ${judged.reason}`);
    this.#arrive(from === this.client ? this.server : this.client, judged.packet);
  }

  #arrive(at: End, packet: Uint8Array): void {
    const bad = wrong(packet);
    if (bad !== null) throw new Error(bad);
    const expected = route(tcp({ from: at.peer, to: at.name }));
    if (route(packet) !== expected) throw new Error(`${route(packet)} instead of ${expected}`);
    const header = packet[0]! >> 4 === 4 ? (packet[0]! & 15) * 4 : 40;
    const view = new DataView(packet.buffer, packet.byteOffset + header);
    const flags = view.getUint8(13);
    const payload = packet.slice(header + (view.getUint8(12) >> 4) * 4);
    const counts = payload.length + ((flags & 2) >> 1) + (flags & 1);
    if ((flags & 2) !== 0) at.heard = view.getUint32(4);
    else if (counts > 0 && view.getUint32(4) !== at.heard) throw new Error("not the next byte");
    if ((flags & ACK) !== 0 && ((view.getUint32(8) - at.sequence) | 0) > 0)
      throw new Error("acknowledges what was not sent");
    at.heard = (at.heard + counts) >>> 0;
    at.flags.push(flags);
    if (payload.length > 0) at.received.push(payload);
  }
}
