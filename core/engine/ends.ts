/** Ends of a key as values, and values as a key: for the few flows that something is decided about by hand. */
import * as key from "../flow/key.ts";
import type { Endpoint, Port, Transport } from "../units.ts";
import { Address } from "../wire/address.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";

export const transportOf = (keys: Int32Array, at: number): Transport =>
  (keys[at + key.KIND]! & 0xff) === tcp.PROTOCOL ? "tcp" : "udp";

export const sourceAddress = (keys: Int32Array, at: number): Address =>
  address(keys, at, key.SOURCE_PREFIX, key.SOURCE);

const destinationAddress = (keys: Int32Array, at: number): Address =>
  address(keys, at, key.DESTINATION_PREFIX, key.DESTINATION);

function address(keys: Int32Array, at: number, prefix: number, low: number): Address {
  if ((keys[at + key.KIND]! & key.IPV6) === 0) return Address.ipv4(keys[at + low]!);
  return Address.ipv6(keys[at + prefix]!, keys[at + prefix + 1]!, keys[at + prefix + 2]!, keys[at + low]!);
}

export const source = (keys: Int32Array, at: number): Endpoint => ({
  address: sourceAddress(keys, at),
  port: (keys[at + key.PORTS]! >>> 16) as Port,
});

export const destination = (keys: Int32Array, at: number): Endpoint => ({
  address: destinationAddress(keys, at),
  port: (keys[at + key.PORTS]! & 0xffff) as Port,
});

/** The key of packets that go from `from` to `to`, which are of one family. */
export function putKey(transport: Transport, from: Endpoint, to: Endpoint, keys: Int32Array, at: number): void {
  for (let i = 0; i < 3; i++) {
    keys[at + key.SOURCE_PREFIX + i] = from.address.words[i]!;
    keys[at + key.DESTINATION_PREFIX + i] = to.address.words[i]!;
  }
  keys[at + key.SOURCE] = from.address.words[3];
  keys[at + key.DESTINATION] = to.address.words[3];
  keys[at + key.PORTS] = (from.port << 16) | to.port;
  const family = from.address.family === 6 ? key.IPV6 : 0;
  keys[at + key.KIND] = (transport === "tcp" ? tcp.PROTOCOL : udp.PROTOCOL) | family;
}
