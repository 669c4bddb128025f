/**
 * Where clients wait when more come than can be served. In a turn of the event loop everybody who is served already may
 * move, and so many of those who wait are let in. A turn grows with what is under way, and fewer come in a second then: it
 * settles where as many come as go, whatever this machine can do, and what was begun is finished in time. Who would have
 * to wait too long is turned away at once, before anything is begun.
 *
 *   accepted -> room for him in this turn: served
 *               else waits, first come first served; turned away where he would wait for longer than `longest`, as the one
 *               who was let in last did for each before him
 */
import type { Endpoint, Ms } from "../../core/units.ts";
import { endpointText, ms } from "../../core/units.ts";
import { now } from "../clock.ts";
import type { ServicePlan } from "../config/services.ts";
import { Durations } from "../durations.ts";
import type { Fields, Log } from "../log.ts";
import type { Reason, Stream } from "./transport.ts";

export interface RoomLimits {
  /** Let in, in a turn of the event loop. */
  readonly perTurn: number;
  /** Milliseconds that another may expect to wait, or the first have waited, for him to be taken in behind. */
  readonly longest: Ms;
  /** Clients that may wait. */
  readonly most: number;
}

/** As many as a listener's backlog would have kept waiting, and what their own patience bears. */
export const ROOM: RoomLimits = { perTurn: 16, longest: ms(1000), most: 4096 };

export interface RoomOwner {
  readonly log: Log;
  serve(plan: ServicePlan, client: Stream, virtual: Endpoint): void;
  turnAway(client: Stream, reason: Reason, fields: Fields): void;
}

interface Waiting {
  readonly plan: ServicePlan;
  readonly client: Stream;
  readonly virtual: Endpoint;
  readonly since: Ms;
  /** Who waited already when he came. */
  readonly before: number;
}

export class WaitingRoom {
  readonly #limits: RoomLimits;
  readonly #owner: RoomOwner;
  readonly #waiting: Waiting[] = [];
  /** How long clients waited. */
  readonly entering = new Durations();
  /** That may still be let in, in this turn. */
  #left: number;
  #scheduled = false;
  /** Milliseconds that the one who was let in last waited for each who was before him. */
  #each = 0;
  /** Since when clients are turned away, and how many were; null: none is. */
  #overload: { readonly since: Ms; turnedAway: number } | null = null;

  constructor(limits: RoomLimits, owner: RoomOwner) {
    this.#limits = limits;
    this.#owner = owner;
    this.#left = limits.perTurn;
  }

  /** Clients that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  enter(plan: ServicePlan, client: Stream, virtual: Endpoint): void {
    const since = now();
    const one = { plan, client, virtual, since, before: this.#waiting.length };
    if (this.#left > 0 && this.#waiting.length === 0) this.#letIn(one, since);
    else if (this.#isFull(since)) this.#turnAway(one);
    else this.#waiting.push(one);
  }

  /** Nobody who waits is served any more. */
  close(): void {
    for (const { client } of this.#waiting.splice(0)) client.reset();
  }

  #letIn({ plan, client, virtual, since, before }: Waiting, at: Ms): void {
    this.#left--;
    this.#each = (at - since) / (before + 1);
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#turn);
    }
    this.entering.took(ms(at - since));
    this.#owner.serve(plan, client, virtual);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#left = this.#limits.perTurn;
    const at = now();
    while (this.#left > 0 && this.#waiting.length > 0) {
      const first = this.#waiting.shift()!;
      if (!first.client.gone) this.#letIn(first, at);
    }
    if (this.#waiting.length === 0 && this.#overload !== null) this.#relieved(at);
  };

  #isFull(at: Ms): boolean {
    const { longest, most } = this.#limits;
    const { length, 0: first } = this.#waiting;
    return length >= most || (first !== undefined && (at - first.since >= longest || length * this.#each >= longest));
  }

  #turnAway({ plan: { name: service }, client, since }: Waiting): void {
    if (this.#overload === null) {
      this.#overload = { since, turnedAway: 0 };
      this.#owner.log("warn", "overloaded", { service, waiting: this.#waiting.length });
    }
    this.#overload.turnedAway++;
    const { remote } = client;
    const from = remote === null ? {} : { from: endpointText(remote) };
    this.#owner.turnAway(client, "overloaded", { service, ...from });
  }

  #relieved(at: Ms): void {
    const { since, turnedAway } = this.#overload!;
    this.#overload = null;
    this.#owner.log("info", "overload-over", { turnedAway, seconds: Math.round((at - since) / 1000) });
  }
}
