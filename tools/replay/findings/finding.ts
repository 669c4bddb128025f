/** What a finding is, and what each code means. The README beside this file is the same table for readers. */
import type { Control } from "../control.ts";
import type { Flows } from "../flows.ts";
import type { Related } from "../match.ts";
import type { Neighbours } from "../neighbours.ts";
import type { Stalls } from "../stalls.ts";
import type { Stranger } from "../strangers.ts";
import type { Unreachables } from "../unreachables.ts";

/**
 * - `error`    it explains a transfer that failed or hung
 * - `warning`  it works here and will not everywhere, or not for long
 * - `info`     worth to know when reading the rest
 */
export type Severity = "error" | "warning" | "info";

export interface Finding {
  readonly code: Code;
  readonly severity: Severity;
  /** The control connection it is about; null: about the capture. */
  readonly control: number | null;
  /** Where to look, ascending. */
  readonly frames: readonly number[];
  readonly message: string;
  readonly remedy: string;
}

/** A control connection with the number that the report gives it. */
export interface NumberedControl {
  readonly id: number;
  readonly control: Control;
  readonly related: readonly Related[];
}

/** What findings are made from: all that was read of one capture. */
export interface Scene {
  readonly flows: Flows;
  readonly neighbours: Neighbours;
  readonly unreachables: Unreachables;
  readonly stalls: Stalls;
  readonly strangers: readonly Stranger[];
  readonly controls: readonly NumberedControl[];
}

/** Each code's remedy in a sentence, where there is none that fits better. */
export const REMEDIES = {
  "announced-not-opened":
    "Look for a firewall or a director without a helper between the two; capture on its other side to see where the connection ends.",
  "opened-not-answered":
    "The listener is not reached, or does not listen: check the entry that the director made for it, and the firewall in front of it.",
  "opened-and-silent":
    'Capture at the server: if it sends, its large segments are lost on the way (let ICMP\'s "fragmentation needed" through, or clamp the MSS); if not, the connection reached another host than the command.',
  "opened-from-another-address":
    "Let both connections leave by one address (one NAT, one uplink), or have the server take data from others (vsftpd: pasv_promiscuous=YES).",
  "transfer-failed":
    "Look into the server's log: one that refuses a connection wants it from the client's own address, or with the TLS session of the control connection; else look who ended it.",
  "path-mtu-black-hole":
    'Let ICMP\'s "fragmentation needed" (IPv6: Packet Too Big) pass to the sender, through the director too, or clamp the MSS at the narrow link (a tunnel, PPPoE).',
  "data-not-acknowledged":
    "The way broke, or its state was lost: look for a firewall or director that forgot the connection, and for replies that take another way.",
  "window-closed":
    "Its program does not read: see what that waits for (a full disk, a user, another connection); the network is not at fault.",
  "opened-not-announced":
    "Check whether the announcement was rewritten or encrypted on the way; a director without an entry for this connection drops it.",
  "reply-names-another-address":
    "Have a helper rewrite the reply, or let the server announce the address that its clients connect to (vsftpd: pasv_address).",
  "command-names-another-address":
    "Have a helper on the client's side rewrite the command, or use passive mode; servers and directors refuse other addresses (RFC 2577).",
  "active-data-not-from-port-20":
    "Let firewalls and helpers accept any source port of the server, or have the server use its data port (vsftpd: connect_from_port_20=YES).",
  "control-encrypted":
    "Give the realserver a fixed range of passive ports and declare it (passivePorts), so that a port group takes the helper's place.",
  "announcement-split-over-segments":
    "Use a helper that reads the stream, not packets; ip_vs_ftp passes such an announcement as it is, nf_conntrack_ftp misses or drops it.",
  "control-idle-during-transfer":
    "Raise the idle timeout of what stands between (ipvsadm --set, nf_conntrack_tcp_timeout_established), or have both ends send TCP keep-alives.",
  "vip-two-macs":
    "Only the director may answer for the VIP: set arp_ignore=1 and arp_announce=2 on the realservers, or find the address given twice.",
  "realserver-leaked":
    "Route the realserver's replies and its own connections through the director, and have a helper rewrite what it announces.",
  "ident-untranslated":
    "Let the realserver's ident queries leave as the VIP, switch them off on the server, or have firewalls reject port 113 instead of dropping it.",
  "udp-clients-stuck":
    "Schedule each datagram by itself (ipvsadm --ops, or a helper that schedules requests), and expire entries of dead servers at once.",
  "port-of-another-protocol":
    "Nothing is wrong where another program has the port; it is worth a look where this protocol should be spoken on it.",
} as const;

export type Code = keyof typeof REMEDIES;
export const CODES = Object.keys(REMEDIES) as readonly Code[];

/** Frames that are named in one finding. */
const FRAMES = 8;

export function finding(
  code: Code,
  severity: Severity,
  control: number | null,
  frames: readonly (number | null)[],
  message: string,
  remedy: string = REMEDIES[code],
): Finding {
  const named = [...new Set(frames.filter((frame) => frame !== null && frame > 0))] as number[];
  named.sort((one, another) => one - another);
  return { code, severity, control, frames: named.slice(0, FRAMES), message, remedy };
}

/** Those that were found. */
export const those = (...all: readonly (Finding | null)[]): readonly Finding[] => all.filter((one) => one !== null);
