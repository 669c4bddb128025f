/** The socket path, operated: its rooms are asked, and told to end what they have. */
import type { Balancer } from "../../core/balancer.ts";
import type { Counters } from "../../core/metrics.ts";
import { now } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Measured, Operated, Page, Query, Scope } from "../control/operated.ts";
import type { Clients } from "./clients.ts";
import type { ServiceListeners } from "./listeners.ts";
import type { MediaRelays } from "./media.ts";
import type { Sessions } from "./sessions.ts";
import * as state from "./state.ts";
import type { Transfers } from "./transfers.ts";
import type { WaitingRoom } from "./waiting-room.ts";

export interface OperationOwner {
  readonly balancer: Balancer;
  readonly counters: Counters;
  readonly room: WaitingRoom;
  readonly clients: Clients;
  readonly sessions: Sessions;
  readonly transfers: Transfers;
  readonly media: MediaRelays;
  readonly services: ServiceListeners;
  apply(config: Config): Promise<void>;
}

export class SocketOperation implements Operated {
  readonly #owner: OperationOwner;

  constructor(owner: OperationOwner) {
    this.#owner = owner;
  }

  apply(config: Config): Promise<void> {
    return this.#owner.apply(config);
  }

  async services(): ReturnType<Operated["services"]> {
    return state.services(this.#owner.balancer);
  }

  async connections(query: Query): ReturnType<Operated["connections"]> {
    return state.pageOf(state.connections(this.#owner.balancer, query), query.limit);
  }

  async related(query: Query): ReturnType<Operated["related"]> {
    return state.pageOf(state.related(this.#owner.balancer, query, now()), query.limit);
  }

  async groups(query: Query): Promise<Page<state.TemplateState>> {
    return state.pageOf(state.templates(this.#owner.balancer, "pins", query, now()), query.limit);
  }

  async persistence(query: Query): Promise<Page<state.TemplateState>> {
    return state.pageOf(state.templates(this.#owner.balancer, "templates", query, now()), query.limit);
  }

  async counts(): Promise<Readonly<Record<string, number>>> {
    return this.#owner.counters.all();
  }

  async measured(): Promise<Measured> {
    const { room, clients, sessions } = this.#owner;
    return {
      heldBytes: sessions.heldBytes,
      waiting: room.size,
      entering: room.entering.histogram,
      connecting: clients.connecting.histogram,
      deciding: sessions.deciding.histogram,
    };
  }

  async mark(name: string, key: string, up: boolean): Promise<boolean> {
    const { balancer } = this.#owner;
    const service = balancer.services.find(({ spec }) => spec.name === name);
    const realserver = service?.realservers.find((one) => one.key === key);
    if (service === undefined || realserver === undefined) return false;
    balancer.mark(service, realserver, up);
    return true;
  }

  async drop(scope: Scope): Promise<number> {
    const { sessions, transfers, media, services } = this.#owner;
    const matches = state.inScope(scope);
    let dropped = sessions.cut("dropped", matches) + transfers.cut("dropped", matches) + media.cut("dropped", matches);
    for (const listener of services.datagrams()) dropped += listener.cut(matches);
    return dropped;
  }

  async forget(scope: Scope): Promise<number> {
    return state.forget(this.#owner.balancer, scope);
  }
}
