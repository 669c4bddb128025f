/** Addresses and ends from text, for tests. */
import { type Endpoint, port } from "../core/units.ts";
import { Address } from "../core/wire/address.ts";

export function address(text: string): Address {
  const parsed = Address.parse(text);
  if (parsed === null) throw new Error(`not an address: ${text}`);
  return parsed;
}

export const endpoint = (text: string, n: number): Endpoint => ({ address: address(text), port: port(n) });
