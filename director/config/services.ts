/** From the configuration to the services that the balancer knows, with the helpers that read them. */
import type { Helper, Settings } from "../../core/helper/api.ts";
import type { OnFailure } from "../../core/helper/run.ts";
import type { Service, ServiceSpec } from "../../core/service.ts";
import { helpers as builtIn } from "../../helpers/index.ts";
import { loadHelper } from "../helpers.ts";
import type { Config, HelperConfig, ServiceConfig } from "./types.ts";

export interface ServicePlan extends ServiceSpec {
  readonly settings: Settings;
  readonly onRefuse: "refuse" | "forward";
  readonly onFailure: OnFailure;
}

/** Loads the helpers (a module that holds none is a HelperError) and puts each service together. */
export async function planServices({
  helpers,
  services,
  groups,
}: Pick<Config, "helpers" | "services" | "groups">): Promise<ServicePlan[]> {
  const loaded = new Map<string, Helper>();
  for (const helper of helpers) loaded.set(helper.name, await findHelper(helper));
  return [...services, ...groups].map((service) => planService(service, loaded));
}

/** How `service` is read: its plan, one of `plans`, which are what the balancer was given last. */
export const readingOf = (plans: readonly ServicePlan[], { spec }: Service): ServicePlan =>
  plans.find((plan) => plan === spec)!;

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
    ...(service.mark === null ? {} : { mark: service.mark }),
    originates: service.originates,
    realservers,
    settings: settingsOf(configured, helper),
    onRefuse: configured?.onRefuse ?? "refuse",
    onFailure: configured?.onFailure ?? "open",
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
