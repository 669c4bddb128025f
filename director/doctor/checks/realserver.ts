/** What may be wrong with a realserver's own host. */
import type { Address } from "../../../core/wire/address.ts";
import { effective, type Facts, isLocal, onWire, ownerOf } from "../facts.ts";
import { type Finding, finding } from "../finding.ts";
import { ANY_CLIENT, type Scene } from "../scene.ts";
import { meets } from "./nftables.ts";

export function* realserverFindings(scene: Scene): Generator<Finding> {
  if (scene.role !== "realserver") return;
  const seen = new Set<string>();
  for (const { realserver, service } of scene.own) {
    const { address, method } = realserver;
    const key = `${address} ${service.vip} ${method}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (method === "nat") yield* behindNat(scene, address, service.vip);
    else yield* withVip(scene, service.vip);
  }
  yield* tunnels(scene);
}

function* behindNat({ facts, gateways, path }: Scene, own: Address, vip: Address): Generator<Finding> {
  const owner = ownerOf(facts, String(vip));
  if (owner !== null) {
    const what = `${vip} is an address of this host too, so it may answer for the director`;
    yield finding("vip-on-realserver", "error", owner.name, what);
    yield* silence(facts, vip);
  }
  if (path === "socket" && gateways.length === 0) return; // It is the director's own address that it answers.
  const { family } = own;
  const way = facts.ways.get(ANY_CLIENT[family]);
  if (way === undefined) return;
  if (way === null || (way.via === null && gateways.length === 0)) {
    const what = way === null ? "there is no way to clients" : `clients are looked for on ${way.device} itself`;
    yield finding("gateway-missing", "error", String(own), `${what}, so replies do not pass the director`);
    return;
  }
  const gateway = gateways.find((one) => one.family === family);
  if (gateway === undefined || way.via === String(gateway)) return;
  const what = `replies to clients go by ${way.via ?? way.device}, not by the director (${gateway}), who must translate them`;
  yield finding("gateway-wrong", "error", String(own), what);
}

function* withVip({ facts }: Scene, vip: Address): Generator<Finding> {
  const redirected = facts.chains.some(
    ({ hook, rules }) =>
      hook === "prerouting" && rules.some((rule) => rule.verdict === "translates" && meets(rule, vip, null)),
  );
  if (!isLocal(facts, String(vip)) && !redirected) {
    const what = "it is neither an address of this host nor redirected to it, so its packets are not taken";
    yield finding("vip-missing", "error", String(vip), what);
  }
  yield* silence(facts, vip);
}

/** Whether neighbours learn from this host that it has the VIP. IPv6 answers only for addresses of the device asked. */
function* silence(facts: Facts, vip: Address): Generator<Finding> {
  if (!isLocal(facts, String(vip))) return;
  const wire = onWire(facts);
  const owner = ownerOf(facts, String(vip));
  if (owner !== null && wire.includes(owner)) {
    yield finding("vip-on-wire", "error", owner.name, `${vip} is an address of a device that neighbours ask`);
    return;
  }
  if (vip.family === 6) return;
  const answering = wire.filter(({ name }) => effective(facts, name, "arp_ignore") === 0);
  if (answering.length > 0) {
    const where = answering.map(({ name }) => name).join(", ");
    yield finding("vip-answers-arp", "error", where, `who asks there for ${vip} is answered by this host`);
  }
  const telling = wire.filter(({ name }) => effective(facts, name, "arp_announce") < 2);
  if (telling.length > 0) {
    const where = telling.map(({ name }) => name).join(", ");
    yield finding(
      "arp-announced",
      "warning",
      where,
      `this host's own ARP requests may name ${vip}, and neighbours learn it`,
    );
  }
}

function* tunnels({ facts, own }: Scene): Generator<Finding> {
  if (!own.some(({ realserver }) => realserver.method === "tunnel")) return;
  for (const { name, type, up } of facts.devices) {
    if (!up || type !== "ipip" || effective(facts, name, "rp_filter") !== 1) continue;
    const what = "clients come in here and are answered elsewhere: their packets are taken for forged";
    yield finding("rp-filter-strict", "error", name, what);
  }
}
