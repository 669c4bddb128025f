/**
 * Which announcements are let in. Helpers report every well-formed announcement; this decides, for every protocol alike:
 *
 *   an endpoint must belong to the peer that offers it     RFC 2577 §3, the FTP bounce attack
 *   its port must not be a reserved one                    RFC 2577 §3; but for protocols that use no other (rsh)
 *   its address must be of the family of the connection    RFC 2428 §2
 */
import type { Direction, PartialEndpoint } from "../units.ts";
import { isPort, opposite } from "../units.ts";
import type { Address } from "../wire/address.ts";
import type { Announcement, Connection, Offer, OfferForm } from "./api.ts";

const FIRST_UNRESERVED_PORT = 1024;

/** Why `announcement`, made by `speaker`, is refused; or null. `declared`: addresses the realserver may name. */
export function judge(
  announcement: Announcement,
  speaker: Direction,
  connection: Connection,
  declared: readonly Address[],
): string | null {
  const { objection, opener, from, to, lowest = FIRST_UNRESERVED_PORT } = announcement;
  if (objection !== undefined) return objection;
  if (to.port === 0) return "port-zero";
  if (!isPort(to.port)) return "bad-port";
  if (to.port < lowest) return "port-reserved";
  const listener = opposite(opener);
  const wrong =
    wrongAddress(to.address, listener, speaker, connection, declared) ??
    wrongAddress(from.address, opener, speaker, connection, declared);
  return wrong ?? null;
}

/** As `judge`, of what the realserver offers. */
export function judgeOffer(
  { address, port }: Offer,
  { objection }: OfferForm,
  { real }: Connection,
  declared: readonly Address[],
): string | null {
  if (objection !== undefined) return objection;
  if (!isPort(port)) return port === 0 ? "port-zero" : "bad-port";
  if (port < FIRST_UNRESERVED_PORT) return "port-reserved";
  if (address <= 0 || isIpv4(real.address, address)) return null;
  for (const other of declared) if (isIpv4(other, address)) return null;
  return strange(4, real.address);
}

const isIpv4 = ({ family, low }: Address, word: number): boolean => family === 4 && low === (word | 0);

/** `side`: whose address this is said to be. */
function wrongAddress(
  address: Address | null,
  side: Direction,
  speaker: Direction,
  connection: Connection,
  declared: readonly Address[],
): string | null {
  if (address === null) return null;
  const own = ownAddress(side, speaker, connection);
  if (address.equals(own)) return null;
  // Who listens on all of its addresses may name them so (lftp from ::1; a 227 of vsftpd's over IPv6). The entry leads to its own.
  if (side === speaker && address.unspecified && (side === "reply" || address.family === own.family)) return null;
  if (side === "reply" && speaker === "reply" && declared.some((other) => other.equals(address))) return null;
  return strange(address.family, own);
}

/** What speaks against an address of this family that is not its end's `own`. */
const strange = (family: number, own: Address): string => (family === own.family ? "bounce" : "family-mismatch");

/** How the speaker knows the end of the control connection on `side`. */
function ownAddress(side: Direction, speaker: Direction, { client, virtual, real }: Connection): Address {
  if (side === "original") return client.address;
  return speaker === "original" ? virtual.address : real.address;
}

/** A refusal in a sentence, for logs and reports. `words`: what the reason means. */
export function explainRefusal(
  reason: string,
  words: string,
  { said, to, opener }: Pick<Announcement, "said" | "to" | "opener">,
  speaker: Direction,
  connection: Connection,
): string {
  const listener = opposite(opener);
  switch (reason) {
    case "bounce":
    case "family-mismatch":
      return `${said} names ${to.address}, the ${sideName(listener)} is ${ownAddress(listener, speaker, connection)}`;
    case "port-zero":
      return `${said} names port 0`;
    case "port-reserved":
      return `${said} names the reserved port ${to.port}`;
    case "unsolicited":
      return `${said} names ${partialText(to)}, and no command asked for it`;
    default:
      return `${said}: ${words}`;
  }
}

const sideName = (side: Direction): string => (side === "original" ? "client" : "realserver");

const partialText = ({ address, port }: PartialEndpoint | Announcement["to"]): string =>
  address === null ? `port ${port}` : `${address} port ${port}`;
