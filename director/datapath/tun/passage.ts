/**
 * How packets pass between the host, the engine and tunnelled realservers. Flows hang on it for as long as they last, so
 * what they began with does until none of them is left, whatever is configured since.
 */
import type { Config } from "../../config.ts";
import type { Offload } from "./device.ts";
import type { Tunnels } from "./messages.ts";

export interface Passage {
  readonly tunnels: Tunnels;
  /** What the device's kernel may leave to the engine. */
  readonly offload: Offload;
}

const LESS: Readonly<Record<Offload, number>> = { none: 0, tcp: 1, all: 2 };

/** That of `config`, whose tunnels are `tunnels`. */
export const passageOf = (config: Config, tunnels: Tunnels): Passage => ({ tunnels, offload: offloadFor(config) });

/** What does for flows that began with either; new ones get what there is `now`. */
export function passageFor(now: Passage, before: Passage): Passage {
  return {
    tunnels: tunnelsFor(now.tunnels, before.tunnels),
    offload: LESS[before.offload] < LESS[now.offload] ? before.offload : now.offload,
  };
}

/** The first of its family is where a tunnel begins. */
function tunnelsFor(now: Tunnels, before: Tunnels): Tunnels {
  if (before.from.length === 0) return now;
  return { from: [...new Set([...now.from, ...before.from])], mtu: Math.min(now.mtu, before.mtu) };
}

/**
 * A tunnel wraps whole packets, not what is to be cut up later; and a helper that reads datagrams must see each by
 * itself.
 */
function offloadFor({ services, groups }: Config): Offload {
  const all = [...services, ...groups];
  if (all.some(({ realservers }) => realservers.some(({ method }) => method === "tunnel"))) return "none";
  return all.some(({ ports, helper }) => helper !== null && ports.some(({ transport }) => transport === "udp"))
    ? "tcp"
    : "all";
}
