import type { Socket } from "node:net";
import type { Endpoint, Port } from "../../../../core/units.ts";
import { peerAddress } from "../../peer.ts";

/** The socket's own end; null once it is gone. */
export const localEnd = ({ localAddress, localPort }: Socket): Endpoint | null => endpoint(localAddress, localPort);

/** The other end; null when it was gone before it could be asked. */
export const remoteEnd = ({ remoteAddress, remotePort }: Socket): Endpoint | null =>
  endpoint(remoteAddress, remotePort);

function endpoint(text: string | undefined, port: number | undefined): Endpoint | null {
  if (text === undefined || port === undefined) return null;
  const address = peerAddress(text);
  return address === null ? null : { address, port: port as Port };
}
