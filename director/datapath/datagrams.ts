/**
 * UDP services on the socket path: each client endpoint has a socket of its own towards its realserver, so that answers
 * find their way back.
 *
 *   client:C -> VIP:port => director:any -> realserver        and back
 */
import type { Socket } from "node:dgram";
import type { ConnectionEntry } from "../../core/balancer.ts";
import type { Affinity, Helper } from "../../core/helper/api.ts";
import { askHelper } from "../../core/helper/run.ts";
import type { Endpoint, Ms } from "../../core/units.ts";
import { endpointText, seconds } from "../../core/units.ts";
import { now } from "../clock.ts";
import { type Carrier, type CarrierOwner, ConnectedCarrier } from "./carrier.ts";
import { ControlCarrier } from "./datagram-control.ts";
import type { DatagramOwner } from "./datagram-owner.ts";
import type { Reason } from "./transport.ts";
import { hear, type Sender } from "./udp.ts";
import { isLocalFailure } from "./upstream.ts";

/** As IPVS keeps them (`ipvsadm --set`, third number). */
const IDLE = seconds(300);
/** Client endpoints of one port at once; of those that nothing announced uses, the one that came first gives way. */
const MOST_FLOWS = 10_000;

interface Flow {
  readonly entry: ConnectionEntry;
  carrier: Carrier;
}

export class DatagramListener {
  readonly at: Endpoint;
  readonly #helper: () => Helper | null;
  readonly #owner: DatagramOwner;
  readonly #most: number;
  readonly #socket: Socket;
  readonly #flows = new Map<string, Flow>();
  #draining = false;
  readonly #hearNothing: () => void;

  /** On `socket`, which is bound to `at`. `helper`: of control ports, reads what is announced, or what belongs together. */
  constructor(at: Endpoint, helper: () => Helper | null, owner: DatagramOwner, socket: Socket, most = MOST_FLOWS) {
    this.at = at;
    this.#helper = helper;
    this.#owner = owner;
    this.#most = most;
    this.#socket = socket;
    this.#hearNothing = hear(socket, (message, from) => this.#fromClient(message, from));
  }

  /** Ends the flows that were idle too long. One whose windows are open (XDMCP) is not: they say nothing by UDP. */
  sweep(at: Ms): void {
    for (const [key, { carrier, entry }] of this.#flows) {
      carrier.advance(at, this.#draining);
      if (this.#owner.busy(entry)) carrier.lastActive = at;
      else if (this.#draining || at - carrier.lastActive >= IDLE) this.#end(key);
    }
  }

  /** Hears nobody any more, and keeps the flows that something announced still uses. */
  drain(): void {
    this.#draining = true;
    this.#hearNothing();
    for (const [key, { entry }] of this.#flows) if (!this.#owner.busy(entry)) this.#end(key);
  }

  /** Ends the flows whose entry `matches`; how many. */
  cut(matches: (entry: ConnectionEntry) => boolean): number {
    const those = [...this.#flows].filter(([, { entry }]) => matches(entry));
    for (const [key] of those) this.#end(key);
    return those.length;
  }

  /** Ends all flows, and hears nothing any more; the socket is another's. */
  end(): void {
    this.#hearNothing();
    for (const key of this.#flows.keys()) this.#end(key);
  }

  #fromClient(message: Buffer, from: Sender): void {
    const key = `${from.host} ${from.port}`;
    if (this.#flows.get(key)?.carrier.silent === true) this.#move(key, from, "silent");
    const flow = this.#flows.get(key) ?? this.#admit(key, from, message);
    flow?.carrier.send(message);
  }

  /** What the first datagram of a client's socket belongs to decides for all of them. */
  #affinity(message: Buffer, client: Endpoint): Affinity | null {
    const helper = this.#helper();
    const affinity = helper?.affinity === undefined ? null : askHelper(() => helper.affinity!(message, client));
    return typeof affinity === "string" ? null : affinity;
  }

  #admit(key: string, client: Sender, message: Buffer): Flow | null {
    const { balancer, count } = this.#owner;
    const entry = balancer.admit("udp", client, this.at, now(), this.#affinity(message, client));
    if (typeof entry === "string") {
      this.#refuse(entry, client);
      return null;
    }
    if (this.#flows.size >= this.#most) this.#makeRoom();
    const role = this.#helper() === null ? "datagram" : "control";
    count(`connections.${role}`);
    const flow: Flow = { entry, carrier: this.#carry(key, entry, client) };
    this.#flows.set(key, flow);
    return flow;
  }

  /** Those that may stay go to the back of the line, so that they are not asked for again with each newcomer. */
  #makeRoom(): void {
    for (let left = this.#flows.size; left > 0; left--) {
      const [key, flow] = this.#flows.entries().next().value!;
      if (!this.#owner.busy(flow.entry)) return this.#end(key);
      this.#flows.delete(key);
      this.#flows.set(key, flow);
    }
    this.#end(this.#flows.keys().next().value!);
  }

  #carry(key: string, entry: ConnectionEntry, client: Sender): Carrier {
    const { log, service } = this.#owner;
    const helper = this.#helper();
    const id = this.#owner.id();
    const ends: CarrierOwner = {
      reply: (message) => this.#socket.send(message, client.port, client.host),
      lost: (reason) => {
        if (this.#flows.get(key)?.carrier === carrier) this.#move(key, client, reason);
      },
    };
    const [from, real] = [endpointText(entry.client), endpointText(entry.real)];
    const role = helper === null ? "datagram" : "control";
    log("debug", "connection", { id, service, role, client: from, real });
    const carrier: Carrier =
      helper === null
        ? new ConnectedCarrier(entry.real, ends)
        : new ControlCarrier(id, entry, helper, this.#owner, ends);
    return carrier;
  }

  /** To another realserver, if there is one; or else the client's next datagram is the first of a new flow. */
  #move(key: string, client: Sender, reason: Reason): void {
    const { balancer, log, service, count } = this.#owner;
    const flow = this.#flows.get(key)!;
    const { entry } = flow;
    if (isLocalFailure(reason)) {
      this.#refuse("director-exhausted", entry.client);
      return this.#end(key);
    }
    count("realserver-refused");
    log("warn", "realserver-refused", { service, realserver: endpointText(entry.real), reason });
    flow.carrier.close();
    balancer.related.removeMaster(entry.handle);
    if (balancer.reschedule(entry, now()) === null) this.#end(key);
    else flow.carrier = this.#carry(key, entry, client);
  }

  #refuse(reason: string, from: Endpoint): void {
    const { log, service, count } = this.#owner;
    count(`refused.${reason}`);
    log("debug", "refusal", { service, reason, from: endpointText(from) });
  }

  #end(key: string): void {
    const { carrier, entry } = this.#flows.get(key)!;
    this.#flows.delete(key);
    carrier.close();
    this.#owner.balancer.close(entry, now());
  }
}
