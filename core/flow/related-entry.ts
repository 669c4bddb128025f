import type { Direction, Endpoint, Ms, PartialEndpoint, Port, Transport } from "../units.ts";
import type { Handle } from "./slots.ts";

/** A connection that a control connection announced and that has not come yet. */
export interface RelatedEntry {
  readonly id: number;
  /** Its row in the table, which alone writes it; 0: it is in none. */
  row: number;
  /** The control connection that announced it; stale once that is closed. */
  readonly master: Handle;
  readonly kind: string;
  readonly transport: Transport;
  readonly opener: Direction;
  /** Who may open it, as the director sees them. `null` port: any. */
  readonly from: PartialEndpoint;
  /** Where it leads: the end that announced it, as the director reaches it. */
  readonly target: Endpoint;
  /** What the opener was told to connect to; null until it is in place. */
  seen: Endpoint | null;
  readonly uses: 1 | "many";
  /** Opened by the realserver: the port of the VIP that it leaves from where that is free; null: its own. */
  readonly leaves: Port | null;
  /** The realserver's end of the same flow, announced for itself (RTSP: server_port, SIP: the other description), if it was. */
  other: RelatedEntry | null;
  readonly expires: Ms;
  readonly ttl: Ms;
  /** `reserved` → `pending` (in place) → `claimed`; or `gone`. */
  state: "reserved" | "pending" | "claimed" | "gone";
}

/**
 * What an entry that was offered is (`Offer` in core/helper/api.ts), but for its port: `OfferForm`, and the control
 * connection whose realserver offers it to its client.
 */
export interface Offering {
  readonly kind: string;
  readonly transport: Transport;
}

export interface Offerer {
  readonly handle: Handle;
  readonly client: Endpoint;
  readonly virtual: Endpoint;
  readonly real: Endpoint;
}
