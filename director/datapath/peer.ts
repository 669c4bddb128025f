import { Address } from "../../core/wire/address.ts";

/** A peer's address as Node tells it: a link-local one comes with its zone, which is this host's own business. */
export function peerAddress(text: string): Address | null {
  const zone = text.indexOf("%");
  return Address.parse(zone < 0 ? text : text.slice(0, zone));
}
