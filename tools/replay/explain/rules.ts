/** The rule behind each announcement and each refusal, with where it stands. */

const KINDS: Readonly<Record<string, string>> = {
  "ftp-passive": "RFC 959 §4.1.2, RFC 1123 §4.1.2.6: 227 tells where the server listens; the client opens",
  "ftp-epsv": "RFC 2428 §3: 229 tells the port alone; the address is that of the control connection",
  "ftp-active": "RFC 959 §4.1.2: PORT tells where the client listens; the server opens",
  "ftp-eprt": "RFC 2428 §2: EPRT tells family, address and port where the client listens; the server opens",
  "rtsp-rtp": "RFC 2326 §12.39: Transport tells the ports of both sides",
  "rtsp-rtcp": "RFC 2326 §12.39: Transport tells the ports of both sides; RTCP is the odd one",
  "pnm-udp": "PNM: the hello tells the player's UDP port",
  "mms-udp": "MS-MMSP §2.2.4.18: the funnel name tells the client's address and port",
  x11: "XDMCP 1.1: Request tells the display; the manager opens tcp 6000 + display",
  "dns-tcp-retry": "RFC 7766 §5: a truncated answer is asked for again over TCP",
  tftp: "RFC 1350 §4: the server answers from a fresh port to the port that asked",
  "rsh-stderr": "rshd(8): the first bytes tell the client's port for stderr; the server opens from a reserved port",
  ident: "RFC 1413: the server asks the client who owns the connection",
  "sip-rtp": "RFC 3264, RFC 4566 §5.14: m= and c= tell where media is received",
  "sip-rtcp": "RFC 3550 §11: RTCP is received one port above RTP",
  "sip-udptl": "RFC 4566 §5.14: m= and c= tell where media is received",
};

/** Of FTP. */
const REFUSALS: Readonly<Record<string, string>> = {
  bounce: "RFC 2577 §3: an endpoint must be its speaker's own",
  "family-mismatch": "RFC 2428 §2: the address must be of the family of the control connection",
  "port-reserved": "RFC 2577 §3: no port below 1024",
  "port-zero": "RFC 2577 §3: no port below 1024",
  "bad-port": "a port is a number from 1 to 65535",
  "bad-octet": "RFC 959 §5.3.2: each number is an octet, 0 to 255",
  "bad-argument": "RFC 959 §5.3.2, RFC 2428 §2: six numbers, or three fields between delimiters",
  "bad-address": "RFC 2428 §2: the address is written as RFC 4291 §2.2 or dotted-decimal",
  "bad-family": "RFC 2428 §2: 1 is IPv4, 2 is IPv6",
  unsolicited: "RFC 959 §5.4: a reply answers a command; an address that nobody asked for is none of ours to open",
  ambiguous: "RFC 1123 §4.1.2.6: peers search the text for the numbers, and would find different ones",
  "epsv-all": "RFC 2428 §4: after EPSV ALL the server refuses all other data connections",
  "not-supported": "RFC 1639: obsolete, and refused",
  "address-in-continuation": "RFC 959 §4.2: only the last line of a reply counts, and not all clients know",
  hidden: "RFC 959 §2.2, RFC 854: both peers must read the same line",
};

/** Of protocols that have no rule of their own for it. */
const OTHER_REFUSALS: Readonly<Record<string, string>> = {
  bounce: "an endpoint must be its speaker's own, as RFC 2577 §3 has it for FTP",
  "family-mismatch": "the address must be of the family of the control connection",
  "port-reserved": "no port below 1024, as RFC 2577 §3 has it for FTP",
  "port-zero": "no port below 1024, as RFC 2577 §3 has it for FTP",
  "bad-port": "a port is a number from 1 to 65535",
  unsolicited: "an answer belongs to a request; an address that nobody asked for is none of ours to open",
};

const GROUPS: Readonly<Record<string, string>> = {
  tls: "RFC 4217 §4: from here on nothing that is announced can be read; a port group leads the client's connections to the same realserver",
  protected:
    "RFC 2228 §3: from here on nothing that is announced can be read; a port group leads the client's connections to the same realserver",
  "mms-udp": "MS-MMSP §2.2.4.18: what the client sends to the server's port belongs to its control connection",
};

/** `sources`: the helper's documents, for what has no entry. */
export const ruleOf = (kind: string, sources: readonly string[]): string => KINDS[kind] ?? sources.join(", ");
export const refusalRule = (helper: string, code: string, message: string): string =>
  (helper === "ftp" ? REFUSALS : OTHER_REFUSALS)[code] ?? message;
export const groupRule = (reason: string): string => GROUPS[reason] ?? reason;
