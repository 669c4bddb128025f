import type { Socket } from "node:net";
import type { Endpoint, Port } from "../../../../core/units.ts";
import { Address } from "../../../../core/wire/address.ts";

/** The socket's own end; null once it is gone. */
export const localEnd = ({ localAddress, localPort }: Socket): Endpoint | null => endpoint(localAddress, localPort);

/** The other end; null when it was gone before it could be asked. */
export const remoteEnd = ({ remoteAddress, remotePort }: Socket): Endpoint | null =>
  endpoint(remoteAddress, remotePort);

function endpoint(text: string | undefined, port: number | undefined): Endpoint | null {
  if (text === undefined || port === undefined) return null;
  // A link-local peer comes with its zone, which is the director's own business.
  const zone = text.indexOf("%");
  const address = Address.parse(zone < 0 ? text : text.slice(0, zone));
  return address === null ? null : { address, port: port as Port };
}
