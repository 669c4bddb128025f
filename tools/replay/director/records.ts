/** What a director made of a capture, as the records that are printed. */
import type { Decision } from "../../../core/inspect/control.ts";
import { type Endpoint, endpointText, type Port } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import { u16 } from "../../../core/wire/bytes.ts";
import { Headers } from "../../../core/wire/headers.ts";
import * as tcp from "../../../core/wire/tcp.ts";
import { CLIENTS, type Passing } from "./captured.ts";

export interface DirectorReport {
  /** IP packets that came, that it sent, and of those the ones it made itself. */
  readonly came: number;
  readonly sent: number;
  readonly own: number;
  /** Frames without a packet that a director could forward. */
  readonly unread: number;
  /** Packets by why they went where they went, or nowhere. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Packets with payload of which nothing went on at once: the beginning of a message, or out of order. */
  readonly held: readonly number[];
  readonly connections: readonly DirectorConnection[];
  readonly decisions: readonly DirectorDecision[];
}

/** A connection, from the packet that opened it. */
export interface DirectorConnection {
  readonly frame: number;
  readonly client: Endpoint;
  readonly virtual: Endpoint;
  readonly real: Endpoint;
  /** Who opened it. */
  readonly opener: "client" | "realserver";
}

export interface DirectorDecision {
  readonly frame: number;
  readonly outcome: Decision["outcome"];
  readonly reason: string;
  readonly message: string;
}

const MOST_LISTED = 10_000;

export class DirectorRecords {
  unread = 0;
  readonly #headers = new Headers();
  readonly #reasons = new Map<string, number>();
  readonly #held: number[] = [];
  readonly #connections: DirectorConnection[] = [];
  readonly #decisions: DirectorDecision[] = [];
  #came = 0;
  #sent = 0;
  #own = 0;
  /** The packet that came last, and nothing yet of what followed. */
  #last: Passing | null = null;
  #followed = true;

  add(passing: Passing): void {
    if (passing.came) this.#arrived(passing);
    else this.#left(passing);
  }

  /** No more packets come. */
  settle(): void {
    const last = this.#last;
    this.#last = null;
    if (last === null || this.#followed || last.reason !== "control" || this.#held.length >= MOST_LISTED) return;
    if (this.#hasPayload(last.packet)) this.#held.push(last.frame);
  }

  report(): DirectorReport {
    return {
      came: this.#came,
      sent: this.#sent,
      own: this.#own,
      unread: this.unread,
      reasons: Object.fromEntries([...this.#reasons].sort(([, a], [, b]) => b - a)),
      held: this.#held,
      connections: this.#connections,
      decisions: this.#decisions,
    };
  }

  #arrived(passing: Passing): void {
    this.settle();
    const { reason, frame, decisions } = passing;
    this.#came++;
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    for (const { outcome, reason, message } of decisions) {
      if (this.#decisions.length < MOST_LISTED) this.#decisions.push({ frame, outcome, reason, message });
    }
    this.#last = passing;
    this.#followed = false;
  }

  #left(passing: Passing): void {
    this.#sent++;
    const last = this.#last;
    if (last === null || last.reason === "control" || last.reason === "tunnelled") this.#own++;
    if (last === null || this.#followed || passing.side === last.side || passing.frame !== last.frame) return;
    if (last.opens && this.#connections.at(-1)?.frame !== last.frame) this.#open(last, passing);
    this.#followed ||= last.reason !== "control" || this.#hasPayload(passing.packet);
  }

  #hasPayload(packet: Uint8Array): boolean {
    const headers = this.#headers;
    if (!headers.read(packet, 0, packet.length, true)) return false;
    const { transport, end, protocol } = headers;
    return protocol !== tcp.PROTOCOL || transport + tcp.headerLength(packet, transport) < end;
  }

  #open(came: Passing, sent: Passing): void {
    const before = this.#ends(came.packet);
    const after = this.#ends(sent.packet);
    if (before === null || after === null || this.#connections.length >= MOST_LISTED) return;
    const { frame } = came;
    const ends =
      came.side === CLIENTS
        ? { client: before.source, virtual: before.destination, real: after.destination, opener: "client" as const }
        : { client: before.destination, virtual: after.source, real: before.source, opener: "realserver" as const };
    this.#connections.push({ frame, ...ends });
  }

  #ends(packet: Uint8Array): { source: Endpoint; destination: Endpoint } | null {
    const headers = this.#headers;
    if (!headers.read(packet, 0, packet.length, true) || headers.transport + 4 > packet.length) return null;
    const { family, transport } = headers;
    const [source, destination] = family === 4 ? [12, 16] : [8, 24];
    return {
      source: { address: Address.fromBytes(packet, source, family), port: u16(packet, transport) as Port },
      destination: {
        address: Address.fromBytes(packet, destination, family),
        port: u16(packet, transport + 2) as Port,
      },
    };
  }
}

const LISTED = 20;

/** For a terminal: what was scheduled where, what was decided, what went nowhere. */
export function directorText(report: DirectorReport): string {
  const { came, sent, own, reasons, held, connections, decisions, unread } = report;
  const lines = [`as director: ${came} packets in, ${sent} out, ${own} of them its own`];
  lines.push(
    `  ${
      Object.entries(reasons)
        .map(([reason, count]) => `${reason} ${count}`)
        .join(", ") || "no packets"
    }`,
  );
  if (unread > 0) lines.push(`  ${unread} frames carry nothing that it could forward`);
  if (held.length > 0)
    lines.push(
      `  held: ${listed(
        held.map((frame) => `frame ${frame}`),
        ", ",
      )}`,
    );
  for (const { frame, client, virtual, real, opener } of connections.slice(0, LISTED)) {
    const by = opener === "client" ? "" : "  opened by the realserver";
    lines.push(`  frame ${frame}: ${endpointText(client)} -> ${endpointText(virtual)} => ${endpointText(real)}${by}`);
  }
  if (connections.length > LISTED) lines.push(`  and ${connections.length - LISTED} connections more`);
  for (const { frame, outcome, message } of decisions.slice(0, LISTED)) {
    lines.push(`  frame ${frame}: ${outcome}: ${message}`);
  }
  if (decisions.length > LISTED) lines.push(`  and ${decisions.length - LISTED} decisions more`);
  return `${lines.join("\n")}\n`;
}

const listed = (items: readonly string[], by: string): string =>
  items.slice(0, LISTED).join(by) + (items.length > LISTED ? ` and ${items.length - LISTED} more` : "");
