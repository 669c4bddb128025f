/** What the doctor says is wrong. The README beside this file is the same table for readers. */

/**
 * - `error`    connections fail, or go where they should not
 * - `warning`  it works for some, or not for long
 */
export type Severity = "error" | "warning";

export interface Finding {
  readonly code: Code;
  readonly severity: Severity;
  /** A device, a setting, a table, a service, a frame. */
  readonly where: string;
  readonly what: string;
  readonly remedy: string;
}

/** Each code's remedy in a sentence. */
const REMEDIES = {
  "arp-announced": "Set net.ipv4.conf.all.arp_announce=2 (kindred plan --topology dr --apply).",
  /** Each has its own. */
  "capture-finding": "",
  "conntrack-translates-vip":
    "Take the rule away that made these entries, then remove them: conntrack -D -d and the VIP.",
  "direct-through-router":
    "Direct routing needs realserver and director on one network; use method: tunnel for this realserver.",
  "forward-dropped": "Accept what is for the VIP and from the realservers in that chain.",
  "forwarding-off": "Set net.ipv4.ip_forward=1, net.ipv6.conf.all.forwarding=1 (kindred plan --apply).",
  "ftps-without-group":
    "Give each realserver passivePorts, the service these ports too and a persistence; or switch TLS off on the control connection (CCC).",
  "gateway-missing": "Make the director the default gateway (kindred plan --topology nat --apply).",
  "gateway-wrong": "Make the director the default gateway (kindred plan --topology nat --apply).",
  "helper-bypassed":
    "Let replies pass the director (kindred plan --replies director), or list the data ports in the service with a persistence.",
  "mtu-too-small":
    "Raise the MTU between the two, or clamp segments at the realserver (kindred plan --topology tunnel).",
  "nft-drops": "Remove the rule, or let it accept what is for the VIP.",
  "nft-hides-clients":
    "Exclude what comes from the director's own forwarding: match the source network, or the outer device.",
  "nft-translates": "Remove the rule: whoever translates first wins, and the director never sees the connection.",
  "nft-untracked": "Remove the rule where nftables balances; kindred's own paths do not need it.",
  "passive-ranges-overlap":
    "Give each realserver a range of its own, or the service a persistence, so that the client says whose port it is.",
  "privilege-missing": "Run as root, or give the capability: AmbientCapabilities= in the unit, or setcap on node.",
  "realserver-unreachable": "Give the director an address in the realserver's network, or a route to it.",
  "rp-filter-strict": "Set rp_filter to 2 on that device and on all (kindred plan --apply).",
  "vip-answers-arp":
    "Set net.ipv4.conf.all.arp_ignore=1 and arp_announce=2 before the VIP is there (kindred plan --topology dr --apply).",
  "vip-missing": "Add it, or redirect what comes for it (kindred plan --apply).",
  "vip-on-director": "Remove it: ip address del; the packet path routes the VIP to itself.",
  "vip-on-realserver": "Remove it: a realserver behind NAT is connected to by its own address.",
  "vip-on-wire": "Move it to lo: an address of a device is answered for there, whatever arp_ignore says.",
  "vip-taken":
    "Only the director may answer: silence the realserver (kindred plan --topology dr --apply), or find who else has it.",
} as const;

export type Code = keyof typeof REMEDIES;
export const CODES = Object.keys(REMEDIES) as readonly Code[];

export const finding = (code: Code, severity: Severity, where: string, what: string): Finding => ({
  code,
  severity,
  where,
  what,
  remedy: REMEDIES[code],
});
