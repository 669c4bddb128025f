/** Words of nft(8). */
import type { PortRange, Transport } from "../../core/units.ts";

/** Ports of one transport, as one match. */
export interface Ports {
  readonly transport: Transport;
  readonly ranges: readonly Pick<PortRange, "first" | "last">[];
}

export const portsByTransport = (ranges: readonly PortRange[]): Ports[] =>
  (["tcp", "udp"] as const)
    .map((transport) => ({ transport, ranges: ranges.filter((range) => range.transport === transport) }))
    .filter(({ ranges }) => ranges.length > 0);

/** `21`, `40000-40100`, `{ 21, 40000-40100 }`. */
export function portsText({ ranges }: Ports): string {
  const texts = ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
  return texts.length === 1 ? texts[0]! : `{ ${texts.join(", ")} }`;
}

/** The protocol as a match: `ip saddr`. */
export const keyword = ({ family }: { family: 4 | 6 }): "ip" | "ip6" => (family === 4 ? "ip" : "ip6");

/** Where the source address begins in the header, in bits. */
const SOURCE = { 4: 96, 6: 64 } as const;

/** The client's network, in whole octets: jhash takes no masked address. A wider network keeps the clients of each together. */
export const sourceNetwork = (family: 4 | 6, bits: number): string =>
  `@nh,${SOURCE[family]},${Math.max(8, bits - (bits % 8))}`;
