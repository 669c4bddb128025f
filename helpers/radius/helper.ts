import type { Actions, Direction, Helper, Inspection } from "../../core/helper/api.ts";
import { passed } from "../../core/helper/api.ts";
import { port, seconds } from "../../core/units.ts";
import { reasons } from "./reasons.ts";
import { isReply, isRequest, requests } from "./requests.ts";
import { attributesFit, KEYS, readPacket } from "./wire.ts";

/**
 * A RADIUS client (a NAS, a proxy) sends all it has from one socket, 256 requests at once. Each goes to a realserver of
 * its own; what belongs together stays together:
 *
 *   client:C -> virtual:1812    Access-Request, id 7         any realserver; sent again: the same
 *   real     -> client:C        Access-Challenge, State S    remembered here
 *   client:C -> virtual:1812    Access-Request, State S      the realserver that gave S
 *   client:C -> virtual:1813    Accounting-Request           the realserver of the same session, if it is told by `key`
 *   real     -> NAS:3799        CoA-Request                  leaves as the virtual service
 *
 * Authenticators and Message-Authenticator cover the whole packet: it is never changed.
 */
export const radius: Helper = {
  name: "radius",
  transport: "udp",
  // 1645 and 1646 are those of before RFC 2865; 1700 is Cisco's for CoA.
  ports: [port(1812), port(1813), port(1645), port(1646), port(3799), port(1700)],
  sources: ["RFC 2865", "RFC 2866", "RFC 3162", "RFC 3579", "RFC 5080", "RFC 5176", "RFC 5997"],
  limits: { pending: 1, ttl: seconds(30), hold: 0, patience: seconds(30) },
  reasons,
  foreign: ["unknown-code", "short-packet"],
  options: { key: Object.keys(KEYS) },
  requests,
  open: () => ({ inspect }),
};

/** Nothing is announced; what is malformed is told. */
function inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
  const packet = readPacket(payload);
  const code = payload[0];
  if (packet !== "short-packet" && !isRequest(code!) && !isReply(code!)) actions.fault("unknown-code");
  else if (typeof packet === "string") actions.fault(packet);
  else if (isRequest(packet.code) !== (direction === "original")) {
    actions.fault(direction === "original" ? "not-a-request" : "not-a-reply");
  } else if (!attributesFit(payload, packet)) actions.fault("bad-attribute");
  return passed(payload);
}
