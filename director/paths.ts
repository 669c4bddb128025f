/** The paths by name. */
import { endpointText, rangeText } from "../core/units.ts";
import { planServices } from "./config/services.ts";
import type { Config, ConfigOptions } from "./config.ts";
import type { Datapath } from "./datapath/path.ts";
import { planSockets } from "./datapath/socket-plan.ts";
import { SocketPath } from "./datapath/sockets.ts";
import { PacketPath } from "./datapath/tun/path.ts";
import type { Log } from "./log.ts";

export type PathName = NonNullable<ConfigOptions["path"]>;

interface PathKind {
  /** Not started yet. Throws what it misses: a BackendError, a HelperError. */
  open(config: Config, log: Log): Promise<Datapath>;
  /** What it would do, a sentence a line. */
  describe(config: Config): Promise<readonly string[]>;
}

const paths: Readonly<Partial<Record<PathName, PathKind>>> = {
  socket: {
    open: async (config, log) => new SocketPath(await planSockets(config), log),
    describe: async (config) => {
      await planSockets(config);
      return describeServices(config);
    },
  },
  tun: {
    open: async (config, log) => new PacketPath(config, log),
    describe: async (config) => [...(await describeServices(config)), ...PacketPath.describe(config)],
  },
};

/** null: there is none of that name. */
export const findPath = (name: string): PathKind | null => paths[name as PathName] ?? null;
export const pathNames: readonly string[] = Object.keys(paths);

async function describeServices(config: Config): Promise<string[]> {
  const services = await planServices(config);
  return services.flatMap(({ name, address, ports, helper, controlPorts, scheduler, realservers }) => [
    `service ${name}: listen on ${address} ${ports.map(rangeText).join(", ")}; scheduler ${scheduler}` +
      (helper === null ? "" : `; helper ${helper.name} on ${controlPorts.join(", ")}`),
    ...realservers.map(
      ({ address, port, weight, sorry }) =>
        `  ${sorry ? "sorry server" : "realserver"} ${port === null ? address : endpointText({ address, port })} weight ${weight}`,
    ),
  ]);
}
