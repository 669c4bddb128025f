/**
 * The helper API: all that a protocol module implements, and all that the live director, the fuzzer and the replay
 * know about it.
 *
 * A helper is a function of (payload, connection, its own state) and nothing else: no I/O, no clock, no randomness, no
 * allocation of ports. It *describes* what was said; core applies it, or refuses. Ends that a helper names are in the
 * *speaker's* terms; core knows the NAT and computes what the other side must be told.
 */
import type { ByteRange, Direction, Endpoint, Ms, PartialEndpoint, Port, PortRange, Transport } from "../units.ts";
import type { Address } from "../wire/address.ts";

export type { Direction, Transport } from "../units.ts";

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

export interface Helper {
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

export interface Inspector {
  /**
   * Looks at one payload: a whole datagram, which is consumed whole, or the next in-order bytes of a TCP stream.
   * `payload` is valid during the call only and must not be changed. Must not throw: malformed bytes are
   * `actions.fault()` or `actions.refuse()`. At most one message that announces or is refused is consumed in a call.
   */
  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection;
  /**
   * For speed alone, and only where it says exactly what `inspect` would: looks at bytes `[at, end)` of a TCP stream, and
   * returns where the first message of them ends, if there is nothing to be said about it, or nothing but `offer`. Most
   * messages are so. Otherwise it returns `at`, has changed nothing, and `inspect` is asked. It may fail as that may.
   */
  brief?(payload: Uint8Array, at: number, end: number, direction: Direction, offer: Offer): number;
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

/** A connection that the peers will open because of what was just said. */
export interface Announcement {
  /** As in reports: `ftp-passive`, `rtsp-rtp`. */
  readonly kind: string;
  /** The message that says it, in the protocol's own word: `PORT`, `227`. For explanations. */
  readonly said: string;
  readonly transport: Transport;
  /** Whose side opens it (or sends its first datagram): `original` = the client's, `reply` = the realserver's. */
  readonly opener: Direction;
  /** Who opens. `null` address: the end of the control connection on the opener's side; `null` port: any. */
  readonly from: PartialEndpoint;
  /** The message leaves open who that will be (SDP). Observation says so; a director lets in the control's peer only. */
  readonly anyone?: boolean;
  /** Who is connected to. `null` address: the end of the control connection on the listener's side. */
  readonly to: { readonly address: Address | null; readonly port: number };
  /**
   * One of several names for the same end (XDMCP's connection addresses): the first that is let in stands for the whole
   * bundle. Observation lists all.
   */
  readonly either?: true;
  /** 1: used up by the first connection. `many`: until it expires or its control connection closes (X11). */
  readonly uses: 1 | "many";
  /** If other than the helper's `limits.ttl`. */
  readonly ttl?: Ms;
  /**
   * The flows of this earlier announcement, offered by their other end (RTSP: the reply's server_port). Observation
   * lists them once; `settle` adds what the answer says.
   */
  readonly answers?: Ref;
  /** As `answers`, where each end is announced for itself (SIP): observation lists both. */
  readonly pairs?: Ref;
  /** Which flow of its bundle, counted from 0; absent: the one of the same kind. */
  readonly answersIndex?: number;
  /** Opened by the realserver: the port of the VIP that the client expects it from (FTP's control port - 1). */
  readonly leaves?: Port;
  /** The lowest port that the protocol names, where that is a reserved one (rsh: 512); otherwise 1024. */
  readonly lowest?: Port;
  /** False: the protocol has no answer to it, so that nothing will `settle` it (TFTP, rsh). */
  readonly answered?: false;
  /**
   * Names what this belongs to (SIP: the Call-ID). The same end announced under it again, on whatever control connection,
   * is not another one to whoever observes.
   */
  readonly identity?: string;
  /** The same message was said before (a datagram sent again): not another one, to whoever counts them. */
  readonly repeats?: Ref;
  /** What will be said on it first (a DNS question); a connection about something else is another one. */
  readonly about?: string;
  /** The bytes it was read from. */
  readonly bytes: ByteRange;
  /** The protocol itself forbids this one (kebab-case): core refuses it, observation lists it with this fault. */
  readonly objection?: string;
  /** What the receiver gets when it is refused, or cannot be put in place. */
  readonly instead: Replacement;
}

/**
 * What most announcements are, in numbers: the realserver offers its client one of its own ports, for one connection from
 * whatever port; once, in this message, and nothing will be said of it later. One object serves all of them.
 */
export interface Offer {
  /** null, as it is before each call of `brief`: nothing is offered. */
  form: OfferForm | null;
  /** The IPv4 address that it names, as a number; -1: none, which is the realserver's own. */
  address: number;
  /** A port, 1 to 65535. */
  port: number;
  /** The bytes that say it, counted from the beginning of the message, and the length of the message. */
  start: number;
  end: number;
  length: number;
  /** The helper's own. */
  detail: number;
}

/** What all offers of a kind have in common. */
export interface OfferForm {
  /** As of an `Announcement`. */
  readonly kind: string;
  readonly said: string;
  readonly transport: Transport;
  /**
   * Writes the end that the client must see, at most `MOST_WRITTEN` bytes, into `out` from `at` on, and returns where it
   * ends. The address is IPv4 where the offer named one.
   */
  write(offer: Offer, address: Address, port: number, out: Uint8Array, at: number): number;
  /** The same offer as an announcement, as `inspect` would make it. */
  tell(offer: Offer, actions: Actions): void;
}

/** Of `OfferForm.write`. */
export const MOST_WRITTEN = 64;

/** Bytes to put in the place of `[start, end)`. */
export interface Replacement extends ByteRange {
  /** `reason`: why, in kebab-case, for protocols whose failure has room for a text. */
  readonly text: (reason: string) => string;
}

/** A connection between two known hosts: its port at the client, and at the virtual service or the realserver. */
export interface PortPair {
  readonly client: Port;
  readonly server: Port;
}

declare const ref: unique symbol;
/** Names one announcing message within its control connection. */
export type Ref = number & { readonly [ref]: "Ref" };

/**
 * Renders the announced end as the receiver must see it, or null where the message cannot carry it (an IPv6 address in
 * a PORT): then the announcement is refused as `family-mismatch`. `bundle`: all ends of the announcement, for a length
 * that depends on them.
 */
export type Render = (seen: Endpoint, bundle: readonly Endpoint[]) => string | null;

export interface Actions {
  /** Announces one connection, or several that stand or fall together on adjacent ports (RTP and RTCP). */
  expect(...bundle: readonly Announcement[]): Ref;
  /**
   * Replaces payload bytes `[start, end)` by the rendered end of `ref`. Ranges ascend and do not overlap. Checksums and
   * sequence numbers are core's job. `index`: which of the bundle.
   */
  rewrite(start: number, end: number, ref: Ref, render: Render, index?: number): void;
  /**
   * Replaces payload bytes `[start, end)` by a text that depends on no announcement (the virtual service's address in the
   * place of the realserver's). These ranges and those of `rewrite` do not overlap.
   */
  write(start: number, end: number, text: string): void;
  /**
   * Bytes `[start, end)` name another connection between the hosts of this one, as the speaker knows it: written as the
   * receiver does. One that the host does not know stays as it is. The same ranges as of `write`.
   */
  translate(start: number, end: number, pair: PortPair, render: (seen: PortPair) => string): void;
  /**
   * The other side's answer to an announcement. A rejected one is withdrawn. `completed`: it took the answer to complete
   * it, which says who will open each of the bundle; null: that one is not taken up. Within the message that announces:
   * it is an answer itself (227), and this was the last that is said of it.
   */
  settle(ref: Ref, outcome: "accepted" | "rejected", completed?: readonly (PartialEndpoint | null)[]): void;
  /** Withdraws an announcement that was accepted (TEARDOWN, Refuse). */
  revoke(ref: Ref): void;
  /** A message that would announce, but is malformed or forbidden: counted, and not forwarded as it is. */
  refuse(code: string, at: ByteRange, instead: Replacement): void;
  /** Sends this client's connections to `ports` (absent: those declared for the realserver) to this realserver. */
  group(reason: string, ports?: readonly PortRange[]): void;
  /** Counts bytes that do not follow `sources`, and are forwarded. `code` is kebab-case and becomes a metric label. */
  fault(code: string, at?: ByteRange): void;
  /** What is said on this connection, in the terms of `Announcement.about`. */
  about(subject: string): void;
  /** Explains a decision that is no fault: why the helper is blind from here, why a line was ignored. */
  note(code: string, at?: ByteRange): void;
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
