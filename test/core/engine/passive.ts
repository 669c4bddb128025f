/** Clients and realservers that talk FTP by passive mode through one packet engine, as packets. */

import type { Passed } from "../../../core/flow/related.ts";
import type { Helper } from "../../../core/helper/api.ts";
import { port } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { oneIn, type Random } from "../../../tools/fuzz/generate/choices.ts";
import { describe } from "../../conversation.ts";
import { route, tcp } from "../../packets.ts";
import { Director, type Judged, realserver, service } from "../director.ts";
import { Session } from "./session.ts";

export const VIP = "203.0.113.10";
export const REALS = ["10.0.0.3", "10.0.0.4"];
const CLIENTS = 6;

export const clientOf = (i: number): string => `192.0.2.${7 + i}:40000`;
/**
 * Ports that are offered: so few that one is often somebody else's, or offered again; or so many that none is. Others than in
 * the conversation may have a port first when its packets come in another order: then texts are of other lengths, and much of
 * what follows belongs to nothing.
 */
export const FEW = 30;
export const MANY = 20_000;

/** Remembers what went in. */
export class Recorded extends Director {
  readonly packets: Uint8Array[] = [];

  override one(packet: Uint8Array, ...rest: []): Judged {
    this.packets.push(packet);
    return super.one(packet, ...rest);
  }
}

type Options = ConstructorParameters<typeof Director>[1];
/** As the balancer's; null: nobody wants to hear of it, and entries take turns in their rows. */
type Gone = ConstructorParameters<typeof Director>[3];

export interface Made {
  readonly gone?: Gone;
  readonly passed?: Passed;
  readonly helper?: Helper;
  readonly options?: Options;
}

/** A `Director` of FTP. */
export const directed = <D extends Director>(
  Kind: new (...given: ConstructorParameters<typeof Director>) => D,
  { gone, passed, helper = ftp, options }: Made = {},
): D => {
  const reals = REALS.map((real) => realserver(real, 2121));
  const farm = service(VIP, [["tcp", 21, 21]], reals, { helper, controlPorts: [port(21)] });
  return new Kind([farm], options, undefined, gone, passed);
};

/** All that can be told apart from outside; `batches`: how many packets each has. */
export function outcome(packets: readonly Uint8Array[], batches: (left: number) => number, made?: Made): unknown {
  const d = directed(Director, made);
  const sent = new Map<string, string[]>();
  const judged: string[] = [];
  for (let at = 0; at < packets.length; ) {
    const some = packets.slice(at, at + batches(packets.length - at));
    for (const { verdict, reason } of d.all(some)) judged.push(`${verdict} ${reason}`);
    for (const { packet } of d.sent) {
      // Of different connections nobody can tell which was first.
      const known = sent.get(route(packet)) ?? [];
      sent.set(route(packet), [...known, Buffer.from(packet).toString("latin1")]);
    }
    at += some.length;
  }
  const { table, controls, flows } = d.engine;
  return [sent, judged, [...d.balancer.related].map(describe), table.size, controls.counters.all(), flows.ended.all()];
}

export const offering = (address: string, offered: number): string =>
  `227 Entering Passive Mode (${address.replaceAll(".", ",")},${offered >> 8},${offered & 255}).\r\n`;

/** What the realserver of client `i` answers. Some name what is not theirs. */
function answer(choices: Random, i: number, offered: number): string {
  const real = oneIn(choices, 20) ? "10.9.9.9" : REALS[i % REALS.length]!;
  return offering(real, offered);
}

export function begun(d: Director, i: number): Session {
  const session = new Session(d, clientOf(i), `${VIP}:21`, `${REALS[i % REALS.length]}:2121`).open();
  session.reply("220 ready\r\n");
  session.say("USER a\r\n");
  session.reply("230 in\r\n");
  return session;
}

/** Client `i` opens what it was told of; or its control connection, again. */
function aside(choices: Random, i: number, offered: number): readonly Uint8Array[] {
  if (oneIn(choices, 2)) return [tcp({ from: `192.0.2.${7 + i}:50000`, to: `${VIP}:${offered}`, flags: "S" })];
  return oneIn(choices, 10) ? [tcp({ from: clientOf(i), to: `${VIP}:21`, flags: "S", sequence: 5 })] : [];
}

/** What clients and realservers say, one after the other; `ports`: how many are offered. */
export function conversation(choices: Random, ports: number): readonly Uint8Array[] {
  const d = directed(Recorded);
  const sessions = Array.from({ length: CLIENTS }, (_, i) => begun(d, i));
  for (let turn = 0; turn < 60; turn++) {
    const i = choices.below(CLIENTS);
    // One of them twice now and then: what was asked twice is answered twice.
    const some = [sessions[i]!, ...sessions.filter(() => oneIn(choices, 2))];
    const offered = 5000 + choices.below(ports);
    for (const one of some) one.say(oneIn(choices, 20) ? "EPSV\r\n" : "PASV\r\n");
    for (const [k, one] of some.entries()) one.reply(answer(choices, sessions.indexOf(one), offered + k));
    for (const one of aside(choices, i, offered)) d.one(one);
    if (oneIn(choices, 5)) sessions[i]!.say("NOOP\r\n");
  }
  return d.packets;
}

/** Without some acknowledgments, with some twice, and each client's in their order, but among one another in any. */
export function onTheWay(choices: Random, packets: readonly Uint8Array[]): readonly Uint8Array[] {
  const left = new Map<string, Uint8Array[]>();
  for (const packet of packets) {
    const client = clientIn(packet);
    const its = left.get(client) ?? [];
    left.set(client, its);
    // Who misses the end of a handshake, or what was said first, hears nothing of what follows.
    if (its.length < OPENING || packet.length > HEADERS || !oneIn(choices, 10)) its.push(packet);
    if (oneIn(choices, 20)) its.push(packet);
  }
  // Realservers take turns by who comes first.
  const all = [...left.values()].map((its) => its.shift()!);
  for (let of = [...left.values()]; of.length > 0; of = of.filter(({ length }) => length > 0)) {
    all.push(of[choices.below(of.length)]!.shift()!);
  }
  return all;
}

const HEADERS = 40;
const OPENING = 4;

/** As it is told apart from the other end: `192.0.2.7`. */
const clientIn = (packet: Uint8Array): string =>
  route(packet)
    .split(" -> ")
    .map((end) => end.split(":")[0]!)
    .find((address) => address.startsWith("192.0.2."))!;

/** On the way, and not heard yet. */
export const said = (from: Session["client"], text: string): Uint8Array =>
  tcp({
    from: from.name,
    to: from.peer,
    flags: "AP",
    payload: new TextEncoder().encode(text),
    sequence: from.sequence,
    acknowledgment: from.heard,
  });

/** Of the realserver of client `i`. */
export const passive = (i: number, port: number): string => offering(REALS[i % REALS.length]!, port);
