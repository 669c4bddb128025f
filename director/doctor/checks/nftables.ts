/** Rules and entries of the kernel that fight the director. */
import { Address } from "../../../core/wire/address.ts";
import type { ServiceConfig } from "../../config/types.ts";
import { type Finding, finding } from "../finding.ts";
import type { NftChain, NftRule } from "../nft.ts";
import { type Scene, vipsOf } from "../scene.ts";

/** Made by `kindred plan` or `kindred run`. */
const OURS = "kindred";

export function* nftFindings(scene: Scene): Generator<Finding> {
  const { facts, services, role } = scene;
  if (role === "client") return;
  for (const chain of facts.chains) {
    if (chain.table.startsWith(OURS)) continue;
    const where = `${chain.family} ${chain.table} ${chain.name}`;
    yield* rulesOf(chain, where, services, scene);
    if (role === "director" && scene.path === "tun" && chain.hook === "forward" && chain.policy === "drop") {
      yield finding("forward-dropped", "warning", where, "what is forwarded is dropped unless a rule there accepts it");
    }
  }
  for (const vip of vipsOf(services)) {
    const count = facts.translated.get(String(vip)) ?? 0;
    if (count === 0 || role !== "director" || balancedByNft(scene)) continue;
    const what = `${count} connections to ${vip} are translated by the kernel, whatever the director decides`;
    yield finding("conntrack-translates-vip", "warning", String(vip), what);
  }
}

/** Then translation is what was meant. */
const balancedByNft = ({ facts }: Scene): boolean => facts.chains.some(({ table }) => table.startsWith(OURS));

function* rulesOf(
  chain: NftChain,
  where: string,
  services: readonly ServiceConfig[],
  scene: Scene,
): Generator<Finding> {
  const said = new Set<string>();
  for (const service of services) {
    for (const rule of chain.rules) {
      if (!meets(rule, service.vip, service)) continue;
      const one = judged(rule, where, service, scene);
      if (one === null || said.has(one.what)) continue;
      said.add(one.what);
      yield one;
    }
  }
}

function judged(
  { verdict, narrowed, addresses }: NftRule,
  where: string,
  service: ServiceConfig,
  scene: Scene,
): Finding | null {
  const { name, vip } = service;
  const perhaps = narrowed ? ", where its other conditions hold" : "";
  switch (verdict) {
    case "translates":
      // A realserver that is a transparent proxy does just this.
      if (scene.role === "realserver") return null;
      return finding(
        "nft-translates",
        narrowed ? "warning" : "error",
        where,
        `${name}: packets for ${vip} are translated there${perhaps}`,
      );
    case "drops":
      return finding(
        "nft-drops",
        narrowed ? "warning" : "error",
        where,
        `${name}: packets for ${vip} are dropped there${perhaps}`,
      );
    case "untracks":
      return addresses.length === 0
        ? null
        : finding("nft-untracked", "warning", where, `${name}: packets for ${vip} are not tracked${perhaps}`);
    case "masquerades":
      if (scene.role !== "director" || scene.path !== "tun" || addresses.length > 0) return null;
      return finding(
        "nft-hides-clients",
        "warning",
        where,
        `${name}: what is forwarded to realservers gets another source${perhaps}`,
      );
  }
}

/**
 * Whether the rule may meet packets for the VIP; with `service`, for its ports. A rule without an address must name one
 * of the ports.
 */
export function meets({ addresses, ports, verdict }: NftRule, vip: Address, service: ServiceConfig | null): boolean {
  if (addresses.length > 0 && !addresses.some((text) => covers(text, vip))) return false;
  if (ports !== null && service !== null) {
    const hit = service.ports.some((range) =>
      ports.some(({ first, last }) => first <= range.last && last >= range.first),
    );
    if (!hit) return false;
  }
  // `ct state invalid drop`, or what ends a chain, concerns nobody.
  return addresses.length > 0 || ports !== null || verdict === "masquerades";
}

/** `192.0.2.1`, `192.0.2.0/24`; a range of addresses is not looked at. */
export function covers(text: string, vip: Address): boolean {
  const [base, bits] = text.split("/") as [string, string?];
  const address = Address.parse(base);
  if (address === null || address.family !== vip.family) return false;
  const prefix = bits === undefined ? (vip.family === 4 ? 32 : 128) : Number(bits);
  return vip.network(prefix).equals(address.network(prefix));
}
