/** Units and names used everywhere. A brand costs nothing at run time and stops a port from being passed as a length. */
import type { Address } from "./wire/address.ts";

declare const unit: unique symbol;
type Unit<T, Name extends string> = T & { readonly [unit]: Name };

/** Transport port, host byte order, 1..65535. */
export type Port = Unit<number, "Port">;
/** Milliseconds: a duration, or a reading of the monotonic clock that the caller passes in. */
export type Ms = Unit<number, "Ms">;

export type Transport = "tcp" | "udp";

/** As in conntrack: `original` is the way of the first packet (client to server), `reply` the other. */
export type Direction = "original" | "reply";

export interface Endpoint {
  readonly address: Address;
  readonly port: Port;
}

/** An endpoint of which either half may still be unknown (`null` = any). */
export interface PartialEndpoint {
  readonly address: Address | null;
  readonly port: Port | null;
}

/** `first` to `last`, both included. */
export interface PortRange {
  readonly transport: Transport;
  readonly first: Port;
  readonly last: Port;
}

/** Bytes `[start, end)` of what was shown. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export const isPort = (n: number): n is Port => Number.isInteger(n) && n >= 1 && n <= 0xffff;

/** Throws on a caller's mistake only; numbers from the wire are checked with `isPort`. */
export const port = (n: number): Port => {
  if (!isPort(n)) throw new RangeError(`not a port: ${n}`);
  return n;
};

export const ms = (n: number): Ms => n as Ms;
export const seconds = (n: number): Ms => (n * 1000) as Ms;

/** Later by `after`. */
export const later = (now: Ms, after: Ms): Ms => (now + after) as Ms;

export const opposite = (direction: Direction): Direction => (direction === "original" ? "reply" : "original");

export const inRange = (range: PortRange, transport: Transport, n: number): boolean =>
  range.transport === transport && n >= range.first && n <= range.last;

/** As configured and reported: `tcp/21`, `udp/6970-7170`. */
export const rangeText = ({ transport, first, last }: PortRange): string =>
  first === last ? `${transport}/${first}` : `${transport}/${first}-${last}`;

/** `192.0.2.1:21`, `[2001:db8::1]:21`. */
export const endpointText = ({ address, port }: { address: Address; port: number }): string =>
  address.family === 6 ? `[${address}]:${port}` : `${address}:${port}`;
