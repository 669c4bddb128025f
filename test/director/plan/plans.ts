/** The plans of fixtures/plan, by the options that make them. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseConfig } from "../../../director/config.ts";
import { type Plan, planFor } from "../../../director/plan/plan.ts";
import { readWish, type WishTexts } from "../../../director/plan/wish.ts";
import { ROOT } from "../../root.ts";

export const fixture = (name: string): string => readFileSync(resolve(ROOT, `fixtures/plan/${name}`), "utf8");

const GATEWAYS = ["192.168.0.1", "fd00::1"];
const front = "eth0";
const gateway = GATEWAYS;

/** By the name of the golden text. */
export const PLANS: Readonly<Record<string, { config: string; texts: WishTexts }>> = {
  nat: { config: "kindred.yaml", texts: { topology: "nat", front, gateway } },
  "nat-one-network": { config: "kindred.yaml", texts: { topology: "nat", front, gateway, oneNetwork: true } },
  "nat-socket": { config: "kindred.yaml", texts: { topology: "nat", vip: "director", front } },
  methods: { config: "direct.yaml", texts: { front, gateway } },
  dr: { config: "direct.yaml", texts: { topology: "dr", front } },
  "dr-replies": { config: "direct.yaml", texts: { topology: "dr", front, gateway, replies: "director" } },
  "dr-redirect": { config: "direct.yaml", texts: { topology: "dr", front, accept: "redirect" } },
  "dr-tproxy": { config: "direct.yaml", texts: { topology: "dr", front, accept: "tproxy" } },
  "dr-route": { config: "direct.yaml", texts: { topology: "dr", front, accept: "route" } },
  tunnel: { config: "direct.yaml", texts: { topology: "tunnel", front } },
  "lvc-rr": { config: "kindred.yaml", texts: { topology: "lvc-rr", front } },
  "lvc-gateway": { config: "kindred.yaml", texts: { topology: "lvc-gateway", front, gateway } },
  "lvc-snat": { config: "kindred.yaml", texts: { topology: "lvc-snat", front, gateway } },
  "lvc-dr": { config: "direct.yaml", texts: { topology: "lvc-dr", front } },
  "lvc-bandwidth": {
    config: "kindred.yaml",
    texts: { topology: "lvc-bandwidth", front, rate: "10mbit", share: ["web=60", "ftp=30"] },
  },
  "lvc-tos": {
    config: "kindred.yaml",
    texts: { topology: "lvc-tos", front, rate: "10mbit", mark: ["dns=low-delay", "web=bulk"] },
  },
};

/** The plan of a configuration's text, or what stands against it. */
export function planned(yaml: string, texts: WishTexts): Plan | string[] {
  const wish = readWish(texts);
  if (Array.isArray(wish)) return wish;
  const path = wish.vip === "director" ? "socket" : "tun";
  return planFor(parseConfig(yaml, "kindred.yaml", { path }), wish);
}

export function goldenPlan(name: string): Plan {
  const { config, texts } = PLANS[name]!;
  const plan = planned(fixture(config), texts);
  if (Array.isArray(plan)) throw new Error(plan.join("\n"));
  return plan;
}
