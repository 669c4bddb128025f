/** A packet engine as a director, and packets through it, for tests. */
import { Balancer, type BalancerOptions } from "../../core/balancer.ts";
import { createBatch, createOutput, NEEDS_CSUM, type Output, SEGMENTED, Side } from "../../core/engine/batch.ts";
import { reasons } from "../../core/engine/reason.ts";
import { Engine, type EngineOptions } from "../../core/engine.ts";
import type { RelatedLimits } from "../../core/flow/related.ts";
import type { RealserverSpec, ServiceSpec } from "../../core/service.ts";
import { ms, port, type Transport } from "../../core/units.ts";
import { address } from "../addresses.ts";
import { route } from "../packets.ts";

export const realserver = (text: string, realPort: number | null): RealserverSpec => ({
  address: address(text),
  port: realPort === null ? null : port(realPort),
  weight: 1,
  announces: [],
  passivePorts: null,
});

export const service = (
  vip: string,
  ports: readonly [Transport, number, number][],
  realservers: readonly RealserverSpec[],
  rest: Partial<ServiceSpec> = {},
): ServiceSpec => ({
  name: `${vip}-${ports[0]![1]}`,
  address: address(vip),
  ports: ports.map(([transport, first, last]) => ({ transport, first: port(first), last: port(last) })),
  helper: null,
  controlPorts: [],
  scheduler: "rr",
  persistence: ms(0),
  persistencePrefix: null,
  realservers,
  ...rest,
});

export type Sides = keyof typeof Side;

export interface Judged {
  /** `drop`, `to-real`, `to-client`, `direct` or `taken`. */
  readonly verdict: string;
  readonly reason: string;
  readonly packet: Uint8Array;
  /** For `direct`: the realserver's address. */
  readonly destination: string;
}

const VERDICTS = ["drop", "to-real", "to-client", "direct", "taken"];

const sentBy = ({ sent: { bytes, offset, length, verdict, destination, count } }: Output) =>
  Array.from({ length: count }, (_, i) => ({
    verdict: VERDICTS[verdict[i]!]!,
    number: destination[i]!,
    packet: bytes.slice(offset[i]!, offset[i]! + length[i]!),
  }));

const MOST = 256;

export class Director {
  readonly balancer: Balancer;
  readonly engine: Engine;
  now = 0;
  /** For up to so many packets: made anew for each, it would take longer than all they are about. */
  readonly out = createOutput(MOST);
  /** Packets of the engine's own, of the last batch: `to-real`, `to-client`, or `direct` to realserver `number`. */
  sent: { readonly verdict: string; readonly number: number; readonly packet: Uint8Array }[] = [];

  constructor(
    services: readonly ServiceSpec[],
    options: Partial<EngineOptions> = {},
    limits: RelatedLimits = { perClient: 100, total: 1000 },
    gone: BalancerOptions["gone"] | null = () => {},
    passed?: BalancerOptions["passed"],
  ) {
    this.balancer = new Balancer(services, {
      limits,
      seed: 1,
      ...(gone !== null && { gone }),
      ...(passed !== undefined && { passed }),
    });
    this.engine = new Engine(this.balancer, { capacity: 1000, seed: [1, 2], ...options });
  }

  /** All of `packets` as one batch, at odd places of an arena. */
  all(packets: readonly Uint8Array[], side: Sides = "ANYWHERE", partial = false, segmented = false): Judged[] {
    const arena = new Uint8Array(packets.reduce((sum, { length }) => sum + length + 3, 3));
    const batch = createBatch(packets.length, arena);
    const out = packets.length > MOST ? createOutput(packets.length) : this.out;
    let at = 3;
    for (const [i, packet] of packets.entries()) {
      arena.set(packet, at);
      batch.offset[i] = at;
      batch.length[i] = packet.length;
      batch.side[i] = Side[side];
      batch.offload[i] = (partial ? NEEDS_CSUM : 0) | (segmented ? SEGMENTED : 0);
      at += packet.length + 3;
    }
    batch.count = packets.length;
    this.engine.process(batch, ms(this.now), out);
    this.sent = sentBy(out);
    return packets.map(({ length }, i) => ({
      verdict: VERDICTS[out.verdict[i]!]!,
      reason: reasons[out.reason[i]!]!,
      packet: arena.slice(batch.offset[i]!, batch.offset[i]! + length),
      destination:
        VERDICTS[out.verdict[i]!] === "direct"
          ? this.engine.flows.destination(out.destination[i]!).address.toString()
          : "",
    }));
  }

  one(packet: Uint8Array, side: Sides = "ANYWHERE", partial = false): Judged {
    return this.all([packet], side, partial)[0]!;
  }

  /** `to-real: 192.0.2.7:40000 -> 10.0.0.3:8080`, or `drop: reason`. */
  say(packet: Uint8Array, side: Sides = "ANYWHERE"): string {
    const { verdict, reason, packet: translated } = this.one(packet, side);
    return verdict.startsWith("to") ? `${verdict}: ${route(translated)}` : `${verdict}: ${reason}`;
  }

  wait(milliseconds: number): void {
    this.now += milliseconds;
    const out = this.out;
    const sent: typeof this.sent = [];
    for (let more = true; more; sent.push(...sentBy(out))) more = this.engine.advance(ms(this.now), out);
    this.sent = sent;
  }
}
