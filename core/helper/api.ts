/**
 * The helper API: all that a protocol module implements, and all that the live director, the fuzzer and the replay
 * know about it.
 *
 * A helper is a function of (payload, connection, its own state) and nothing else: no I/O, no clock, no randomness, no
 * allocation of ports. It *describes* what was said; core applies it, or refuses. Ends that a helper names are in the
 * *speaker's* terms; core knows the NAT and computes what the other side must be told.
 */
import type { Direction, Endpoint, Ms, Port, Transport } from "../units.ts";
import type { Address } from "../wire/address.ts";
import type { Actions, PortPair } from "./actions.ts";
import type { Brief, Rest } from "./brief.ts";

export type { Direction, Transport } from "../units.ts";
export type { Actions, Announcement, PortPair, Ref, Render, Replacement } from "./actions.ts";
export {
  type BriefForm,
  type FaultForm,
  MOST_WRITTEN,
  type Offer,
  type OfferForm,
  type RefusalForm,
  STATE_WORDS,
  UNFINISHED,
} from "./brief.ts";

/**
 * - `pass`   forward what was consumed; show me the rest again, with what follows it.
 * - `detach` forward everything, now and later; never show me this connection again, so the datapath may offload it.
 * - `drop`   discard what was consumed; only for bytes that would open a hole if forwarded. Core closes the gap in a
 *            TCP stream as it does for any other change of length.
 */
export type Verdict = "pass" | "detach" | "drop";

export interface Inspection {
  readonly verdict: Verdict;
  /** Bytes, from the start of what was shown, that need not be shown again. 0 = the message is incomplete, hold it. */
  readonly consumed: number;
}

/** Enforced by core for each control connection, never by the helper. */
export interface Limits {
  /** Announced connections not yet seen. The oldest gives way. */
  readonly pending: number;
  /** How long an announced connection is waited for. */
  readonly ttl: Ms;
  /** Unconsumed bytes held back, each direction. 0 for datagram protocols. More than this detaches the helper. */
  readonly hold: number;
  /** How long an incomplete message is held before it is let go unread. */
  readonly patience: Ms;
}

export interface Helper extends Brief {
  /** Registry key: lower case, the IANA service name where there is one. */
  readonly name: string;
  /** What its control connections run over; `Connection.transport` says which one it is. */
  readonly transport: Transport | "both";
  /** Server ports it is bound to unless the configuration says otherwise. */
  readonly ports: readonly Port[];
  /**
   * The other ports of its services. `plain`: of the same port group, open to everybody (SMB beside NetBIOS). Absent: data
   * ports, closed to a client until `group` opens them (FTPS).
   */
  readonly others?: "plain";
  /**
   * Its servers take it for a proof that a client comes from a reserved port (rcmd(3): 512 to 1023): who does is relayed
   * from one, and nobody else is.
   */
  readonly reserved?: true;
  /** The documents it implements, e.g. `RFC 959 §4.1.2`. */
  readonly sources: readonly string[];
  readonly limits: Limits;
  /** What its codes mean, in words for operators; without an entry the code is shown. */
  readonly reasons?: Readonly<Record<string, string>>;
  /**
   * Its faults and notes that datagrams of another protocol have, rather than broken ones of its own: a flow of those is
   * none of its own, whatever the port (observation).
   */
  readonly foreign?: readonly string[];
  /** Called once for each control connection, before its first payload. All state lives in what it returns. */
  open(connection: Connection, settings: Settings): Inspector;
  /** Who should serve this request, asked before it is scheduled. Absent: the scheduler and persistence decide. */
  affinity?(payload: Uint8Array, client: Endpoint): Affinity | null;
  /**
   * Whether a TCP connection that opens so, or a flow whose first datagram this is, is one of this protocol, on whatever
   * port (observation); null: not clear yet.
   * False for what the protocol would not say first. Absent: only bound ports are looked at.
   */
  detect?(opening: Opening): boolean | null;
  /** What `detect` looks for begins with one of these characters; it need not be asked of anything else. Absent: any. */
  readonly initials?: string;
  /**
   * Of a protocol by which realservers ask about their clients' connections (ident): the one that these first bytes ask
   * about; a text: why they ask about none; null: more of them are needed. Who is asked depends on it.
   */
  asksAbout?(bytes: Uint8Array): PortPair | string | null;
  /** Of a protocol whose datagrams are scheduled one by one, whatever socket they come from (RADIUS, DNS). */
  readonly requests?: Requests;
  /** What can be configured for it beyond what holds for all. */
  readonly options?: {
    /** The names that `Settings.key` may have. */
    readonly key?: readonly string[];
    /** It reads `Settings.primary`. */
    readonly primary?: true;
  };
}

/** The first bytes of each direction, in order; at least `DETECTABLE` of them where as many were said. */
export interface Opening {
  readonly original: Uint8Array;
  readonly reply: Uint8Array;
}

/** A protocol that does not show itself in as many bytes is not found by what it says. */
export const DETECTABLE = 512;

export interface Inspector extends Rest {
  /**
   * Looks at one payload: a whole datagram, which is consumed whole, or the next in-order bytes of a TCP stream.
   * `payload` is valid during the call only and must not be changed. Must not throw: malformed bytes are
   * `actions.fault()` or `actions.refuse()`. At most one message that announces or is refused is consumed in a call.
   */
  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection;
  /**
   * These bytes cannot be held any longer: the stream ended (`last`), or the message took longer than `Limits.patience`.
   * All of them are consumed; what follows, if anything does, is the rest of the message. The only action that counts now is
   * `refuse`. A helper without `end` is detached when a message takes too long.
   */
  end?(payload: Uint8Array, direction: Direction, actions: Actions, last: boolean): void;
  /**
   * Bytes of this direction are missing (observation of a capture): the next payload may begin anywhere, and what it
   * answers may never be shown. A stream whose beginning was not captured has a gap there, told before anything else.
   */
  gap?(direction: Direction): void;
}

/** The control connection. Its ends carry the names of ip_vs: client, virtual service, realserver. */
export interface Connection {
  readonly transport: Transport;
  readonly client: Endpoint;
  readonly virtual: Endpoint;
  readonly real: Endpoint;
  /** The client as the realserver sees it, where that is another end than the client's own (the socket path). */
  readonly source?: Endpoint;
}

export interface Settings {
  /** Take the strictest reading of the protocol where peers differ (each helper's README says what that means). */
  readonly strict: boolean;
  /** `Limits.hold` as configured: a longer message cannot be waited for. */
  readonly hold: number;
  /** What of a request chooses its realserver, by the helper's own names for it (RADIUS attributes). */
  readonly key?: readonly string[];
  /** The realserver for requests that only one may serve (DNS UPDATE). */
  readonly primary?: Address;
}

/** Which realserver should get a request. Keys are bytes as text (latin1), compared whole. */
export interface Affinity {
  /** Same realserver as whoever is remembered under the first of these keys that is known. */
  readonly recall: readonly string[];
  /** Else: chosen by this key rather than by the client's address. */
  readonly hash?: string;
  /** Remember the choice under these keys, for `ttl`. */
  readonly remember?: readonly string[];
  readonly ttl?: Ms;
  /** This realserver and no other, whatever is remembered. */
  readonly only?: Address;
}

/**
 * Requests and replies, one a datagram. All of it is pure: the host keeps the table of open requests
 * (`core/flow/transaction.ts`). A text in the place of a value says in kebab-case why the datagram is none; it goes
 * nowhere.
 */
export interface Requests {
  /** What `client` asks. */
  request(payload: Uint8Array, client: Address, settings: Settings): Request | string;
  /** What the realserver replies to it. */
  reply(payload: Uint8Array, client: Address): Reply | string;
  /** As `request`, of the first bytes of a TCP connection; null: more of them are needed. */
  opening?(bytes: Uint8Array, client: Address, settings: Settings): Request | string | null;
  /** How long a reply is waited for. */
  readonly patience: Ms;
  /** How long after its reply a request is still known when it is sent again. 0: it is a new one. */
  readonly linger: Ms;
}

export interface Request {
  /** What it asks for, as the protocol numbers it: RADIUS code, DNS opcode. For reports. */
  readonly code: number;
  /** A retransmission has the same, and no other request of this client's socket. */
  readonly same: string;
  /** Its reply has one of these. */
  readonly ids: readonly string[];
  readonly affinity: Affinity | null;
  /**
   * The conversation it belongs to, as far as the client itself says it: for where replies are not seen, and so not what
   * they gave it to say again (a RADIUS State). One that `continues` goes where the last one of its `key` went.
   */
  readonly conversation?: { readonly key: string; readonly continues: boolean };
  /**
   * It is a realserver that asks, and this client is asked, at the port that the service has (RADIUS CoA to a NAS); null:
   * it does not say whom.
   */
  readonly to?: Address | null;
}

export interface Reply {
  readonly code: number;
  readonly id: string;
  /** What follows from it goes to the realserver that gave it: the keys that later requests will recall. */
  readonly remember?: readonly string[];
  readonly ttl?: Ms;
}

/** The whole payload was looked at. */
export const passed = (payload: Uint8Array): Inspection => ({ verdict: "pass", consumed: payload.length });
