/** From the configuration to what the socket path runs. */
import { randomInt } from "node:crypto";
import type { Helper, Settings } from "../core/helper/api.ts";
import { helpers as builtIn } from "../helpers/index.ts";
import type { Config, HelperConfig, ServiceConfig } from "./config.ts";
import { chooseBackend } from "./datapath/backend.ts";
import type { ServicePlan, SocketPlan } from "./datapath/sockets.ts";
import { loadHelper } from "./helpers.ts";

/** Loads the backend (BackendError) and the helpers (a module that holds none is a HelperError), and puts each service together. */
export async function planSockets(config: Config): Promise<SocketPlan> {
  const loaded = new Map<string, Helper>();
  for (const helper of config.helpers) loaded.set(helper.name, await findHelper(helper));
  return {
    services: [...config.services, ...config.groups].map((service) => planService(service, loaded)),
    related: config.related,
    timeouts: config.timeouts,
    backend: await chooseBackend(config.backend),
    seed: randomInt(2 ** 32),
  };
}

async function findHelper({ name, module, limits, ports }: HelperConfig): Promise<Helper> {
  const helper = module === null ? builtIn.find((known) => known.name === name)! : await loadHelper(name, module);
  return { ...helper, ports, limits: { ...helper.limits, ...limits } };
}

function planService(service: ServiceConfig, loaded: ReadonlyMap<string, Helper>): ServicePlan {
  const { name, vip, ports, helper: configured, controlPorts, scheduler, persistence, realservers } = service;
  const helper = configured === null ? null : loaded.get(configured.name)!;
  return {
    name,
    address: vip,
    ports,
    helper,
    controlPorts,
    scheduler,
    persistence,
    persistencePrefix: service.persistenceNetmask,
    realservers,
    settings: settingsOf(configured, helper),
    onRefuse: configured?.onRefuse ?? "refuse",
    onFailure: "open",
  };
}

function settingsOf(configured: HelperConfig | null, helper: Helper | null): Settings {
  const { strict = false, key = null, primary = null } = configured ?? {};
  return {
    strict,
    hold: helper?.limits.hold ?? 0,
    ...(key === null ? {} : { key }),
    ...(primary === null ? {} : { primary }),
  };
}
