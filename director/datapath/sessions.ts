/** The control connections on the socket path: what they announce gets its listener, and none outlasts its time. */
import type { Balancer, ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import type { Handle } from "../../core/flow/slots.ts";
import type { PortPair } from "../../core/helper/api.ts";
import type { Decision } from "../../core/inspect/control.ts";
import type { Direction, Endpoint, Ms } from "../../core/units.ts";
import { seconds } from "../../core/units.ts";
import type { ServicePlan } from "../config/services.ts";
import { Durations } from "../durations.ts";
import type { Fields, Level, Log } from "../log.ts";
import { type ControlOwner, ControlSession } from "./control.ts";
import type { MediaRelays } from "./media.ts";
import { translated } from "./originated.ts";
import type { RelatedListeners } from "./related.ts";
import type { Transfers } from "./transfers.ts";
import type { Stream } from "./transport.ts";

/** A connection may be quiet for long; whoever it is with must be there all the same. */
export const KEEP_ALIVE = seconds(60);
/** Stopping: a control connection without a transfer is ended once it was quiet for this long, */
const QUIET = 1000;
/** or for this long, when the realserver has yet to reply to a command or to say that a transfer is complete. */
const PATIENCE = 3000;
/** What a half-closed control connection announced and nobody opened is waited for so long; its datagrams end then. */
const HALF_CLOSED = 500;
/** And the other side of it is given so long to end as well, once it has nothing more to say. */
const LINGER = 5000;

/** Who reads a connection, and how. */
export type Reader = Pick<ServicePlan, "helper" | "settings" | "onRefuse" | "onFailure">;

export interface SessionsOwner {
  readonly balancer: Balancer;
  readonly transfers: Transfers;
  readonly media: MediaRelays;
  readonly related: RelatedListeners;
  readonly log: Log;
  count(name: string): void;
  closed(entry: ConnectionEntry): void;
}

export class Sessions implements ControlOwner {
  readonly #owner: SessionsOwner;
  readonly #sessions = new Map<Handle, ControlSession>();

  constructor(owner: SessionsOwner) {
    this.#owner = owner;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** How long it took to decide on what was read of them. */
  readonly deciding = new Durations();

  get heldBytes(): number {
    let bytes = 0;
    for (const { held } of this.#sessions.values()) bytes += held;
    return bytes;
  }

  get(handle: Handle): ControlSession | undefined {
    return this.#sessions.get(handle);
  }

  open(id: number, plan: Reader, client: Stream, real: Stream, entry: ConnectionEntry): void {
    for (const stream of [client, real]) stream.keepAlive(KEEP_ALIVE);
    const { helper, settings, onRefuse, onFailure } = plan;
    const options = { helper: helper!, settings, onRefuse, onFailure, balancer: this.#owner.balancer };
    this.#sessions.set(entry.handle, new ControlSession(id, entry, { client, real }, this, options));
  }

  /** Cuts those whose entry `matches`; how many. */
  cut(reason: string, matches: (entry: ConnectionEntry) => boolean = () => true): number {
    const those = [...this.#sessions.values()].filter(({ entry }) => matches(entry));
    for (const session of those) session.destroy(reason);
    return those.length;
  }

  /** What time brings. `stopping`: those without a transfer are ended. */
  sweep(at: Ms, idle: Ms, stopping: boolean): void {
    for (const session of this.#sessions.values()) this.#look(session, at, idle, stopping);
  }

  #look(session: ControlSession, at: Ms, idle: Ms, stopping: boolean): void {
    const { balancer, media, transfers } = this.#owner;
    const { entry, endedAt } = session;
    if (at >= session.deadline) session.advance(at);
    if (endedAt !== null && at - endedAt >= HALF_CLOSED) {
      balancer.related.removeMaster(entry.handle);
      media.controlClosed(entry.handle);
    }
    if (transfers.busy(entry)) {
      session.lastActive = at;
      session.owesReply = true;
      return;
    }
    const quiet = at - session.lastActive;
    if (quiet >= idle) session.finish("idle", at);
    else if (endedAt !== null && quiet >= LINGER) session.finish("half-closed", at);
    else if (stopping && quiet >= (session.owesReply ? PATIENCE : QUIET)) session.finish("draining", at);
  }

  // --- ControlOwner -----------------------------------------------------------------------------------------------

  prepare(
    { client: { local: client }, real: { local: real } }: ControlSession,
    entry: RelatedEntry,
    answered: RelatedEntry | null,
    answer: (seen: Endpoint | null) => void,
  ): void {
    if (client === null || real === null) return answer(null);
    const at = { original: client.address, reply: real.address };
    if (entry.transport === "udp") this.#owner.media.prepare(at, entry, answered, answer);
    else this.#owner.related.prepare(entry, at[entry.opener], answer);
  }

  release(entry: RelatedEntry, seen: Endpoint): void {
    if (entry.transport === "tcp") this.#owner.related.release(entry, seen);
    else this.#owner.media.gone(entry, false);
  }

  withdrawn(entries: readonly RelatedEntry[]): void {
    this.#owner.media.withdrawn(entries);
  }

  translate({ entry }: ControlSession, direction: Direction, pair: PortPair): PortPair | null {
    return translated(this.#owner.balancer, entry, direction, pair);
  }

  explained(_session: ControlSession, { outcome, reason }: Decision): void {
    this.#owner.count(`${outcome}.${reason}`);
  }

  decided(took: Ms): void {
    this.deciding.took(took);
  }

  log(level: Level, event: string, fields: Fields): void {
    this.#owner.log(level, event, fields);
  }

  closed(session: ControlSession): void {
    const { id, entry, error, client, real } = session;
    this.#sessions.delete(entry.handle);
    this.#owner.media.controlClosed(entry.handle);
    this.#owner.closed(entry);
    this.log("info", "closed", { id, role: "control", original: client.bytesRead, reply: real.bytesRead, error });
  }
}
