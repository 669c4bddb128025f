/**
 * Where a packet of a new flow cannot have come from. Packets of flows that there are need not be asked: their ends are
 * those of the first one.
 */
import { DESTINATION, DESTINATION_PREFIX, IPV6, KIND, SOURCE, SOURCE_PREFIX } from "../flow/key.ts";

/** Both ends of the packet with the key at `at` are on loopback, where a host speaks with itself: captures tell of it. */
export function isWithinHost(keys: Int32Array, at: number): boolean {
  const source = keys[at + SOURCE]!;
  const destination = keys[at + DESTINATION]!;
  return (keys[at + KIND]! & IPV6) === 0
    ? isLoopback(source) && isLoopback(destination)
    : isLoopbackIpv6(keys, at + SOURCE_PREFIX, source) && isLoopbackIpv6(keys, at + DESTINATION_PREFIX, destination);
}

/** The packet with the key at `at` goes to where it says that it comes from ("land"): its receiver would answer itself. */
export function isLand(keys: Int32Array, at: number): boolean {
  if (keys[at + SOURCE] !== keys[at + DESTINATION]) return false;
  if ((keys[at + KIND]! & IPV6) === 0) return true;
  for (let i = 0; i < 3; i++) if (keys[at + SOURCE_PREFIX + i] !== keys[at + DESTINATION_PREFIX + i]) return false;
  return true;
}

/** Its source is no host's, but nobody's, the sender's own, or several hosts' (RFC 1812 §5.3.7, RFC 6890 §2.2). */
export function isMartian(keys: Int32Array, at: number): boolean {
  const source = keys[at + SOURCE]!;
  return (keys[at + KIND]! & IPV6) === 0 ? isMartianIpv4(source) : isMartianIpv6(keys, at + SOURCE_PREFIX, source);
}

const isLoopback = (address: number): boolean => address >>> 24 === 127;

/** `::1` */
const isLoopbackIpv6 = (keys: Int32Array, prefix: number, low: number): boolean =>
  low === 1 && keys[prefix] === 0 && keys[prefix + 1] === 0 && keys[prefix + 2] === 0;

/** 0/8, 127/8, multicast, broadcast. The rest of 240/4 is reserved, and in use as a network's own: Linux forwards it, too. */
const isMartianIpv4 = (address: number): boolean =>
  address >>> 24 === 0 || isLoopback(address) || address >>> 28 === 0b1110 || address === BROADCAST;

const BROADCAST = -1;

/** Multicast, `::`, `::1`, and IPv4 as IPv6, which is never on a wire. */
function isMartianIpv6(keys: Int32Array, prefix: number, low: number): boolean {
  if (keys[prefix]! >>> 24 === 0xff) return true;
  if (keys[prefix] !== 0 || keys[prefix + 1] !== 0) return false;
  const third = keys[prefix + 2];
  return third === 0xffff || (third === 0 && (low === 0 || low === 1));
}
