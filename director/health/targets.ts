/** Whom a configuration has asked. */
import { realserverKey } from "../../core/service.ts";
import type { Config, RealserverConfig, ServiceConfig } from "../config.ts";
import type { Target } from "./check.ts";

export const targetsOf = ({ services, groups }: Config): Target[] =>
  [...services, ...groups].flatMap((service) => service.realservers.flatMap((one) => targetOf(service, one) ?? []));

/** Asked where its clients go, unless the check says otherwise. A sorry server need not be of the service's protocol. */
function targetOf(
  { name, vip, check, controlPorts, ports }: ServiceConfig,
  realserver: RealserverConfig,
): Target | null {
  if (check === null || realserver.sorry) return null;
  const virtual = { address: vip, port: controlPorts[0] ?? ports[0]!.first };
  const port = check.port ?? realserver.port ?? virtual.port;
  return { service: name, realserver: realserverKey(realserver), address: realserver.address, port, virtual, check };
}
