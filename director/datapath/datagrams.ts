/**
 * UDP services on the socket path: each client endpoint has a socket of its own towards its realserver, so that answers
 * find their way back.
 *
 *   client:C -> VIP:port => director:any -> realserver        and back
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import type { Balancer, ConnectionEntry } from "../../core/balancer.ts";
import type { Affinity, Helper, Settings } from "../../core/helper/api.ts";
import { askHelper } from "../../core/helper/run.ts";
import type { Endpoint, Ms, Port } from "../../core/units.ts";
import { endpointText, seconds } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { now } from "../clock.ts";
import type { Log } from "../log.ts";

/** As IPVS keeps them (`ipvsadm --set`, third number). */
const IDLE = seconds(300);
/** Client endpoints of one port at once; the one that came first gives way. */
const MOST_FLOWS = 10_000;
/** Datagrams that may wait for the socket to their realserver. */
const MOST_WAITING = 16;

interface Flow {
  readonly entry: ConnectionEntry;
  upstream: Socket;
  lastActive: Ms;
  /** What came before the upstream socket was ready; null: it is. */
  waiting: Buffer[] | null;
}

export interface DatagramOwner {
  readonly balancer: Balancer;
  readonly log: Log;
  readonly service: string;
  /** Of control ports: knows what belongs together. */
  readonly helper: Helper | null;
  readonly settings: Settings;
  count(name: string): void;
}

export class DatagramListener {
  readonly at: Endpoint;
  readonly #owner: DatagramOwner;
  readonly #socket: Socket;
  readonly #flows = new Map<string, Flow>();

  constructor(at: Endpoint, owner: DatagramOwner) {
    this.at = at;
    this.#owner = owner;
    this.#socket = socketFor(at.address);
    this.#socket.on("message", (message, from) => this.#fromClient(message, from));
  }

  listen(): Promise<void> {
    const { address, port } = this.at;
    return new Promise((resolve, reject) => {
      this.#socket.once("error", reject);
      this.#socket.bind({ address: address.toString(), port, exclusive: true }, () => {
        this.#socket.removeListener("error", reject);
        this.#socket.on("error", (error) => this.#owner.log("error", "listener", { error: error.message }));
        resolve();
      });
    });
  }

  /** Ends the flows that were idle too long. */
  sweep(at: Ms): void {
    for (const [key, flow] of this.#flows) if (at - flow.lastActive >= IDLE) this.#end(key, flow);
  }

  close(): void {
    for (const [key, flow] of this.#flows) this.#end(key, flow);
    this.#socket.close();
  }

  #fromClient(message: Buffer, from: RemoteInfo): void {
    const key = `${from.address} ${from.port}`;
    const flow = this.#flows.get(key) ?? this.#admit(key, from, message);
    if (flow === null) return;
    flow.lastActive = now();
    if (flow.waiting === null) flow.upstream.send(message);
    else if (flow.waiting.length < MOST_WAITING) flow.waiting.push(message);
  }

  /** What the first datagram of a client's socket belongs to decides for all of them. */
  #affinity(message: Buffer, client: Endpoint): Affinity | null {
    const { helper } = this.#owner;
    const affinity = helper?.affinity === undefined ? null : askHelper(() => helper.affinity!(message, client));
    return typeof affinity === "string" ? null : affinity;
  }

  #admit(key: string, from: RemoteInfo, message: Buffer): Flow | null {
    const { balancer, log, service, count } = this.#owner;
    const client = { address: Address.parse(from.address)!, port: from.port as Port };
    const entry = balancer.admit("udp", client, this.at, now(), this.#affinity(message, client));
    if (typeof entry === "string") {
      count(`refused.${entry}`);
      log("debug", "refusal", { service, reason: entry, from: endpointText(client) });
      return null;
    }
    const oldest = this.#flows.entries().next().value;
    if (this.#flows.size >= MOST_FLOWS && oldest !== undefined) this.#end(...oldest);
    const flow: Flow = { entry, upstream: socketFor(entry.real.address), lastActive: now(), waiting: [] };
    this.#flows.set(key, flow);
    count("connections.datagram");
    log("debug", "connection", {
      service,
      role: "datagram",
      client: endpointText(client),
      real: endpointText(entry.real),
    });
    this.#connect(key, flow, from);
    return flow;
  }

  #connect(key: string, flow: Flow, client: RemoteInfo): void {
    const { upstream } = flow;
    const { address, port } = flow.entry.real;
    upstream.on("message", (message) => {
      flow.lastActive = now();
      this.#socket.send(message, client.port, client.address);
    });
    // Nobody listens there any more (ICMP port unreachable): the client moves at once.
    upstream.on("error", () => this.#move(key, flow, client));
    upstream.connect(port, address.toString(), () => {
      for (const message of flow.waiting ?? []) upstream.send(message);
      flow.waiting = null;
    });
  }

  #move(key: string, flow: Flow, client: RemoteInfo): void {
    const { balancer, log, service, count } = this.#owner;
    count("realserver-refused");
    log("warn", "realserver-refused", { service, realserver: endpointText(flow.entry.real) });
    if (this.#flows.get(key) !== flow) return;
    if (balancer.reschedule(flow.entry, now()) === null) return this.#end(key, flow);
    flow.upstream.close();
    flow.upstream = socketFor(flow.entry.real.address);
    flow.waiting = [];
    this.#connect(key, flow, client);
  }

  #end(key: string, flow: Flow): void {
    this.#flows.delete(key);
    flow.upstream.close();
    this.#owner.balancer.close(flow.entry, now());
  }
}

const socketFor = ({ family }: Address): Socket =>
  createSocket(family === 4 ? { type: "udp4" } : { type: "udp6", ipv6Only: true });
