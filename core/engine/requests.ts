/**
 * Datagrams that are scheduled one by one (RADIUS, DNS), whatever socket they come from. They have no rows: each is
 * translated by itself, with its client's address and port, and its identifier, as they are.
 *
 *   client:C -> VIP:port        becomes   client:C -> real:port     any realserver; see request-port.ts
 *   real:port -> client:C       becomes   VIP:port -> client:C      only in answer to what that realserver was asked
 *   real:any -> client:port     becomes   VIP:any -> client:port    a realserver asks (RADIUS CoA): a flow like others
 *
 * By direct routing or in a tunnel requests go as they are, and replies are the VIP's own, should they come this way. Who
 * of several realservers asks a client something cannot be seen there, so nobody may.
 */
import type { Balancer } from "../balancer.ts";
import * as rows from "../flow/rows.ts";
import { State } from "../flow/tcp-state.ts";
import type { Settings } from "../helper/api.ts";
import { Counters } from "../metrics.ts";
import { DESTINATION, readdressIpv4, readdressIpv6, retarget, SOURCE } from "../nat/translate.ts";
import { hasVip, type Realserver, roleOf, type Service, servesPort } from "../service.ts";
import { type Endpoint, endpointText, type Ms } from "../units.ts";
import * as udp from "../wire/udp.ts";
import { type Batch, fits, NEEDS_CSUM, type Output, Verdict } from "./batch.ts";
import { destination, source } from "./ends.ts";
import type { Forwarding } from "./forwarding.ts";
import { isIntact } from "./intact.ts";
import { Reason } from "./reason.ts";
import type { RelatedFlows } from "./related.ts";
import { RequestPort } from "./request-port.ts";
import { AT, END, Kind, type Stage, TRANSPORT, WHAT } from "./stage.ts";
import { VirtualServices } from "./virtual.ts";

/** From `judge`: it has nothing to do with requests. */
export const NONE = -1;

export class RequestPath {
  /** What was asked and answered, and what was dropped, by name. */
  readonly counters = new Counters();
  readonly #balancer: Balancer;
  readonly #related: RelatedFlows;
  readonly #forwarding: Forwarding;
  readonly #settings: (service: Service) => Settings;
  #virtual = new VirtualServices([]);
  /** By virtual service's endpoint, and by realserver's address. */
  #ports = new Map<string, RequestPort>();
  readonly #byReal = new Map<string, RequestPort[]>();

  constructor(
    balancer: Balancer,
    related: RelatedFlows,
    forwarding: Forwarding,
    settings: (service: Service) => Settings,
  ) {
    this.#balancer = balancer;
    this.#related = related;
    this.#forwarding = forwarding;
    this.#settings = settings;
    this.update();
  }

  /** The balancer's services have changed. Who was asked may still answer. */
  update(): void {
    const services = this.#balancer.services.filter(isAsked);
    const before = this.#ports;
    this.#virtual = new VirtualServices(services);
    this.#ports = new Map();
    this.#byReal.clear();
    for (const service of services) {
      const clients = [...before.values()].find((port) => port.isOf(service))?.clients ?? new Set<string>();
      for (const port of service.spec.controlPorts.filter((one) => servesPort(service.spec, "udp", one))) {
        const at = { address: service.spec.address, port };
        const known = before.get(endpointText(at));
        this.#add(known?.isOf(service) ? known : this.#open(service, at, clients));
      }
    }
    for (const [at, port] of before) if (this.#ports.get(at) !== port) port.close();
  }

  #open(service: Service, at: Endpoint, clients: Set<string>): RequestPort {
    const { counters } = this;
    return new RequestPort({
      service,
      at,
      balancer: this.#balancer,
      settings: this.#settings(service),
      counters,
      clients,
    });
  }

  /** Whether there is any service of the kind. */
  get any(): boolean {
    return this.#ports.size > 0;
  }

  /**
   * Packet `i`, a datagram without a flow, or its first fragment. Returns the reason, `NONE`, or `-found` when a
   * realserver asks: `found` is the flow that was opened for it.
   */
  judge(batch: Batch, i: number, stage: Stage, place: number, now: Ms, out: Output): number {
    const { places } = stage;
    const side = batch.side[i]!;
    const asked = fits(side, rows.ORIGINAL) ? this.#asked(stage, place) : undefined;
    if (asked !== undefined) return this.#fromClient(asked, batch, i, stage, place, now, out);
    if (!fits(side, rows.REPLY)) return NONE;
    const from = source(places, place);
    const ports = this.#byReal.get(from.address.toString());
    if (ports === undefined) return NONE;
    return this.#fromReal(ports, from, batch, i, stage, place, now, out);
  }

  /** Where `client` sent the request to that `real` got: what an error about it is told to come from; null: to nowhere. */
  askedAt(client: Endpoint, real: Endpoint): Endpoint | null {
    const ports = this.#byReal.get(real.address.toString()) ?? [];
    return ports.find((port) => port.asks(real) && port.hasAsked(client, real))?.at ?? null;
  }

  advance(now: Ms): void {
    for (const port of this.#ports.values()) port.advance(now);
  }

  #add(port: RequestPort): void {
    this.#ports.set(endpointText(port.at), port);
    const from = new Set(
      port
        .update(this.#settings(port.service))
        .map((realserver) => (hasVip(realserver) ? port.at : realserver).address.toString()),
    );
    for (const address of from) {
      const known = this.#byReal.get(address);
      if (known === undefined) this.#byReal.set(address, [port]);
      else known.push(port);
    }
  }

  #asked(stage: Stage, place: number): RequestPort | undefined {
    if (this.#virtual.find(stage.places, place) < 0) return undefined;
    return this.#ports.get(endpointText(destination(stage.places, place)));
  }

  #fromClient(port: RequestPort, batch: Batch, i: number, stage: Stage, place: number, now: Ms, out: Output): number {
    const payload = this.#payload(batch, i, stage, place, out);
    if (typeof payload === "number") return payload;
    const asked = port.ask(source(stage.places, place), payload, now);
    if (typeof asked === "string")
      return this.#drop(asked, asked === "no-realserver" ? Reason.NO_REALSERVER : Reason.REQUEST_REFUSED);
    const { realserver, to } = asked;
    if (hasVip(realserver)) return this.#asIs(realserver, to, batch, i, stage, place, out);
    translate(batch, i, stage, place, DESTINATION, to);
    out.verdict[i] = Verdict.TO_REAL;
    return Reason.REQUEST;
  }

  /** To one that has the VIP. */
  #asIs(
    realserver: Realserver,
    to: Endpoint,
    batch: Batch,
    i: number,
    stage: Stage,
    place: number,
    out: Output,
  ): number {
    const { number } = realserver;
    const length = stage.places[place + END]! - stage.places[place + AT]!;
    const tunnelled = realserver.method === "tunnel";
    const objection = tunnelled ? this.#forwarding.objection(batch, i, number, length, out) : 0;
    if (objection !== 0) return objection;
    // Its destination stays, and it has one hop less to live.
    translate(batch, i, stage, place, DESTINATION, to);
    if (tunnelled) return this.#forwarding.tunnel(batch, i, number, length, out);
    this.#forwarding.direct(i, number, out);
    return Reason.REQUEST;
  }

  #fromReal(
    ports: readonly RequestPort[],
    from: Endpoint,
    batch: Batch,
    i: number,
    stage: Stage,
    place: number,
    now: Ms,
    out: Output,
  ): number {
    const client = destination(stage.places, place);
    const payload = this.#payload(batch, i, stage, place, out);
    if (typeof payload === "number") return payload;
    const asking = ports.find(({ at }) => at.address.equals(from.address))
      ? undefined
      : ports.find((port) => port.isReverse(from, client, payload));
    if (asking !== undefined) return this.#reverse(asking, stage, place, now);
    let refused: string | null = null;
    for (const port of ports.filter((one) => one.asks(from))) {
      refused = port.answer(from, client, payload, now);
      if (refused !== null) continue;
      this.counters.count("replies");
      translate(batch, i, stage, place, SOURCE, port.at);
      out.verdict[i] = Verdict.TO_CLIENT;
      return Reason.REPLY;
    }
    return refused === null ? NONE : this.#drop(refused, Reason.REPLY_UNASKED);
  }

  #reverse({ service }: RequestPort, stage: Stage, place: number, now: Ms): number {
    const id = this.#related.originate(service, stage.places, place, State.UDP_UNANSWERED, now);
    if (id < 0) return ~id;
    this.counters.count("requests.reverse");
    return -((id << 1) | rows.REPLY);
  }

  /** What the datagram carries; or the reason, when it cannot be read as it is. */
  #payload({ bytes, view, offload }: Batch, i: number, stage: Stage, place: number, out: Output): Uint8Array | number {
    const { places } = stage;
    const transport = places[place + TRANSPORT]!;
    if (places[place + WHAT] === Kind.FRAGMENT) {
      out.verdict[i] = Verdict.TAKEN;
      return Reason.FRAGMENT_HELD;
    }
    const end = transport + udp.length(bytes, transport);
    const partial = (offload[i]! & NEEDS_CSUM) !== 0;
    if (partial || isIntact(view, places[place + AT]!, transport, end, udp.PROTOCOL)) {
      return bytes.subarray(transport + udp.HEADER, end);
    }
    return this.#drop("checksum", Reason.REQUEST_REFUSED);
  }

  #drop(why: string, reason: number): number {
    this.counters.count(`dropped.${why}`);
    return reason;
  }
}

const isAsked = ({ spec }: Service): boolean =>
  spec.helper?.requests !== undefined && spec.controlPorts.some((port) => roleOf(spec, port) === "control");

function translate(
  { view, offload }: Batch,
  i: number,
  stage: Stage,
  place: number,
  end: number,
  { address, port }: Endpoint,
): void {
  const { places } = stage;
  const at = places[place + AT]!;
  const words = Int32Array.from(address.words);
  const difference =
    stage.family(place) === 4
      ? readdressIpv4(view, at, end, words[3]!)
      : readdressIpv6(view, at, end, words, 0, words[3]!);
  const partial = (offload[i]! & NEEDS_CSUM) !== 0;
  retarget(view, places[place + TRANSPORT]!, udp.PROTOCOL, end, port, difference, partial);
}
