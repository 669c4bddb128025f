/** What the engine decides and opens, as the events that the socket path logs, and counted by the same names. */
import type { ConnectionEntry } from "../../../core/balancer.ts";
import type { FlowObserver } from "../../../core/engine/flows.ts";
import type { GoneReason, RelatedEntry } from "../../../core/flow/related.ts";
import type { Handle } from "../../../core/flow/slots.ts";
import type { Decision } from "../../../core/inspect/control.ts";
import { Counters } from "../../../core/metrics.ts";
import { endpointText } from "../../../core/units.ts";
import type { Fields, Level, Log } from "../../log.ts";
import { DecisionLog } from "../decisions.ts";

/** A connection that the log knows. */
interface Known {
  readonly id: number;
  readonly decisions: DecisionLog | null;
}

export class EngineLog implements FlowObserver {
  readonly counters = new Counters();
  readonly #log: Log;
  readonly #isHeard: (level: Level) => boolean;
  readonly #known = new Map<Handle, Known>();
  #ids = 0;

  /** `isHeard`: whether what is logged so is read by anybody. */
  constructor(log: Log, isHeard: (level: Level) => boolean) {
    this.#log = log;
    this.#isHeard = isHeard;
  }

  /** Control connections, and those that they announced; others are counted only: there may be thousands a second. */
  opened(entry: ConnectionEntry, related: RelatedEntry | null): void {
    const { handle, role, transport, service, master } = entry;
    const id = ++this.#ids;
    const of = transport === "tcp" ? "stream" : "datagrams";
    this.#known.set(handle, { id, decisions: role === "control" ? new DecisionLog(id, of, this.#log) : null });
    const control = master === null ? undefined : this.#known.get(master)?.id;
    const { name } = service.spec;
    this.#log("info", "connection", { id, service: name, control, related: related?.id, role, ...ends(entry) });
    this.counters.count(related === null ? `connections.${role}` : `related.${related.kind}`);
  }

  closed(entry: ConnectionEntry, original: number, reply: number): void {
    const known = this.#known.get(entry.handle);
    if (known === undefined) return;
    this.#known.delete(entry.handle);
    this.#log("info", "closed", { id: known.id, role: entry.role, original, reply });
  }

  /** Whether `explain` has to hear of decisions that come out so. Lines of the others are counted, whoever reads them. */
  hears(outcome: Decision["outcome"]): boolean {
    return outcome !== "expected" || this.#isHeard("info");
  }

  explain(decision: Decision, { handle }: ConnectionEntry): void {
    this.#known.get(handle)?.decisions?.tell(decision);
  }

  /** The kernel translates its connection. */
  handedOver({ id }: RelatedEntry): void {
    this.counters.count("offload.entries");
    this.#log("debug", "handed-over", { related: id });
  }

  /** The kernel had `connections` of it: they may still run. */
  offloaded({ id, kind, master, target }: RelatedEntry, connections: number): void {
    this.counters.count("offload.connections", connections);
    this.counters.count(`related.${kind}`);
    const control = this.#known.get(master)?.id;
    this.#log("info", "offloaded", { control, related: id, kind, real: endpointText(target), connections });
  }

  gone({ id, kind }: RelatedEntry, reason: GoneReason): void {
    this.counters.countOf("related", reason);
    this.#log("debug", "related-gone", { related: id, kind, reason });
  }

  /** The same of one that nobody has read about: nor would anybody know what it was. */
  passed(reason: GoneReason): void {
    this.counters.countOf("related", reason);
  }
}

const ends = ({ client, virtual, real }: ConnectionEntry): Fields => ({
  client: endpointText(client),
  virtual: endpointText(virtual),
  real: endpointText(real),
});
