/** From the configuration and a wish to the steps of every host. Pure: it looks at no host. */
import type { Config } from "../config/types.ts";
import { attract, forwarding } from "./director.ts";
import { type Farm, farmOf } from "./farm.ts";
import { lvcDr, lvcNat, lvcProblems, lvcSnat } from "./lvc.ts";
import { foreign, isQueues, missing } from "./missing.ts";
import { bandwidth, queueProblems, urgency } from "./queues.ts";
import { realserverSteps } from "./realserver.ts";
import type { Step } from "./step.ts";
import type { Accept, Topology, Wish } from "./wish.ts";

export interface Plan {
  /** null: each realserver by its own method. */
  readonly topology: Topology | null;
  /** In the order in which each host runs them. */
  readonly steps: readonly Step[];
  /** What commands cannot do, a sentence each. */
  readonly notes: readonly string[];
}

/** The plan, or what stands against it, a sentence with its remedy each. */
export function planFor(config: Config, wish: Wish): Plan | string[] {
  const farm = farmOf(config, wish);
  const problems = [...missing(farm), ...foreign(farm), ...lvcProblems(farm), ...queueProblems(farm)];
  if (problems.length > 0) return [...new Set(problems)];
  return { topology: wish.topology, steps: once(stepsOf(farm)), notes: notesOf(farm) };
}

function stepsOf(farm: Farm): Step[] {
  switch (farm.wish.topology) {
    case "lvc-rr":
    case "lvc-gateway":
      return lvcNat(farm);
    case "lvc-snat":
      return lvcSnat(farm);
    case "lvc-dr":
      return lvcDr(farm);
    case "lvc-bandwidth":
      return bandwidth(farm);
    case "lvc-tos":
      return urgency(farm);
    default:
      return throughKindred(farm);
  }
}

/** With `kindred run` between: the packet path, or the socket path where the VIP is the director's own address. */
function throughKindred(farm: Farm): Step[] {
  if (farm.wish.vip === "director") return attract(farm, "director");
  return [
    ...forwarding(farm),
    ...attract(farm, "nowhere"),
    ...farm.reals.flatMap((real) => realserverSteps(real, farm)),
  ];
}

/** A setting that several services need is made once. */
function once(steps: readonly Step[]): Step[] {
  const seen = new Set<string>();
  return steps.filter(({ host, run }) => {
    const key = JSON.stringify([host, run]);
    return !seen.has(key) && seen.add(key);
  });
}

function notesOf(farm: Farm): string[] {
  const { reals, wish } = farm;
  const notes = helperNotes(farm);
  if (wish.topology?.startsWith("lvc-") !== true) {
    const path = wish.vip === "director" ? "socket" : "tun, which routes the VIP to itself";
    notes.push(`then: kindred run --path ${path}`);
  }
  if (hasVip(wish.accept) && directDatagrams(farm)) {
    notes.push("UDP servers must listen on the VIP itself: on any address they answer from the realserver's own");
  }
  if (wish.accept === "tproxy") notes.push("servers must set IP_TRANSPARENT on their listening sockets");
  if (reals.some(({ method }) => method === "tunnel")) notes.push("realservers need the kernel's ipip or ip6_tunnel");
  return notes;
}

const hasVip = (accept: Accept): boolean => accept === "lo" || accept === "route";

const directDatagrams = ({ services, reals }: Farm): boolean =>
  services.some(
    ({ vip, ports }) =>
      ports.some(({ transport }) => transport === "udp") &&
      reals.some(({ method, vips }) => method !== "nat" && vips.some((one) => one.equals(vip))),
  );

/** Where helpers cannot do their work. */
function helperNotes({ services, reals, wish }: Farm): string[] {
  if (isQueues(wish.topology)) return [];
  const kernelOnly = wish.topology?.startsWith("lvc-") === true;
  const unseen = wish.replies === "direct" && reals.some(({ method }) => method !== "nat");
  if (!kernelOnly && !unseen) return [];
  return services.flatMap(({ name, helper }) => {
    if (helper === null) return [];
    return kernelOnly
      ? `${name}: nobody reads ${helper.name} here: let the service have its data ports too, and clients stay (persistence)`
      : `${name}: ${helper.name} sees no reply that leaves directly: use --replies director, or a group of ports`;
  });
}
