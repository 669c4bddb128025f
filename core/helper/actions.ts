/** What a helper tells of a message: announcements, what is written in their place, faults. See api.ts. */
import type { ByteRange, Direction, Endpoint, Ms, PartialEndpoint, Port, PortRange, Transport } from "../units.ts";
import type { Address } from "../wire/address.ts";

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
