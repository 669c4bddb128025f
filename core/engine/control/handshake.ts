import * as tcp from "../../wire/tcp.ts";
import type { TcpOptions } from "../../wire/tcp-options.ts";
import type { Way } from "./way.ts";

/**
 * Takes in a SYN, whose header is at `at`, of a connection that is not established. Handshakes go end to end: who does not
 * hear repeats, and a client may begin anew until it was answered. False: this one does not belong there.
 */
export function synchronize(way: Way, back: Way, bytes: Uint8Array, at: number, options: TcpOptions): boolean {
  const answer = (tcp.flags(bytes, at) & tcp.ACK) !== 0;
  const fromClient = way.direction === "original";
  const answers = answer && back.opened && tcp.acknowledgment(bytes, at) === back.first;
  if (fromClient ? answer : !answers) return false;
  way.open(tcp.sequence(bytes, at), options);
  back.outbound.edge = tcp.window(bytes, at);
  back.edge = back.outbound.edge;
  back.toldEdge = back.outbound.edge;
  if (fromClient) back.opened = false;
  else {
    back.agree(way);
    way.agree(back);
  }
  return true;
}
