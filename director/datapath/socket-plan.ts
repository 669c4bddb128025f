/** From the configuration to what the socket path runs. */
import { randomInt } from "node:crypto";
import { planServices } from "../config/services.ts";
import type { Config } from "../config.ts";
import { chooseBackend } from "./backend.ts";
import type { SocketPlan } from "./sockets.ts";
import { ROOM } from "./waiting-room.ts";

/** Loads the backend (BackendError) and the helpers (a module that holds none is a HelperError), and puts each service together. */
export async function planSockets(config: Config): Promise<SocketPlan> {
  return {
    services: await planServices(config),
    related: config.related,
    timeouts: config.timeouts,
    backend: await chooseBackend(config.backend),
    room: ROOM,
    seed: randomInt(2 ** 32),
    keys: [randomInt(2 ** 32), randomInt(2 ** 32)],
  };
}
