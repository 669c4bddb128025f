/** RADIUS packets: the header and attributes (RFC 2865 §3, §5). Nothing is ever written: authenticators cover it all. */
import { u16 } from "../../core/wire/bytes.ts";
import { latin1 } from "../../core/wire/text.ts";

/**
 *   |  Code  |   Id   |     Length      |
 *   |     Authenticator, 16 bytes       |
 *   |  Attributes ...
 */
const LENGTH = 2;
const AUTHENTICATOR = 4;
const HEADER = 20;
const LONGEST = 4096;

/** IANA's packet type codes; accounting is RFC 2866, Status-Server RFC 5997, the others of a request RFC 5176. */
export const Code = {
  AccessRequest: 1,
  AccessAccept: 2,
  AccessReject: 3,
  AccountingRequest: 4,
  AccountingResponse: 5,
  AccessChallenge: 11,
  StatusServer: 12,
  DisconnectRequest: 40,
  DisconnectAck: 41,
  DisconnectNak: 42,
  CoaRequest: 43,
  CoaAck: 44,
  CoaNak: 45,
} as const;

/** RFC 2865 §5, RFC 2866 §5, RFC 3162 §2.1. */
export const Attribute = { UserName: 1, NasIpAddress: 4, State: 24, NasIpv6Address: 95 } as const;

/** Attributes that tell a session or a user, by their names in the dictionaries. */
export const KEYS: Readonly<Record<string, number>> = {
  "User-Name": 1,
  "NAS-IP-Address": 4,
  "NAS-Port": 5,
  "Framed-IP-Address": 8,
  "Called-Station-Id": 30,
  "Calling-Station-Id": 31,
  "NAS-Identifier": 32,
  "Acct-Session-Id": 44,
  "Acct-Multi-Session-Id": 50,
  "NAS-Port-Id": 87,
  "NAS-IPv6-Address": 95,
};

export interface Packet {
  readonly code: number;
  readonly id: number;
  /** Where its attributes end; what stands behind is padding (RFC 2865 §3). */
  readonly end: number;
}

/** RFC 2865 §3: a packet shorter than its length, or of a length that there is not, is silently discarded. */
export type PacketProblem = "short-packet" | "bad-length" | "cut";

export function readPacket(bytes: Uint8Array): Packet | PacketProblem {
  if (bytes.length < HEADER) return "short-packet";
  const length = u16(bytes, LENGTH);
  if (length < HEADER || length > LONGEST) return "bad-length";
  if (length > bytes.length) return "cut";
  return { code: bytes[0]!, id: bytes[1]!, end: length };
}

/** The authenticator, one character a byte. */
export const authenticator = (bytes: Uint8Array): string => latin1(bytes, AUTHENTICATOR, HEADER);

/** The value of the first attribute of `type`, one character a byte; null: there is none before a malformed one. */
export function attribute(bytes: Uint8Array, { end }: Packet, type: number): string | null {
  for (let at = HEADER; at < end; ) {
    const next = at + lengthAt(bytes, at, end);
    if (next === at) return null;
    if (bytes[at] === type) return latin1(bytes, at + 2, next);
    at = next;
  }
  return null;
}

/** Whether its attributes end where the packet does. A receiver rejects or discards one where they do not (§5). */
export function attributesFit(bytes: Uint8Array, { end }: Packet): boolean {
  let at = HEADER;
  for (let length = 0; at < end; at += length) {
    length = lengthAt(bytes, at, end);
    if (length === 0) return false;
  }
  return true;
}

/** 0: it is none, or goes beyond the packet. At least 2 otherwise, so that who walks on gets to the end. */
function lengthAt(bytes: Uint8Array, at: number, end: number): number {
  const length = at + 1 < end ? bytes[at + 1]! : 0;
  return length < 2 || at + length > end ? 0 : length;
}
