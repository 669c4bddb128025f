/** What may be wrong with the director's own host. */
import { overhead } from "../../../core/nat/tunnel.ts";
import { rangeText } from "../../../core/units.ts";
import { effective, type Facts, isLocal, onWire, ownerOf } from "../facts.ts";
import { type Finding, finding } from "../finding.ts";
import { type Scene, servedBy, vipsOf } from "../scene.ts";

export function* directorFindings(scene: Scene): Generator<Finding> {
  if (scene.role !== "director") return;
  yield* scene.path === "tun" ? packetPath(scene) : socketPath(scene);
  yield* realservers(scene);
  yield* privileges(scene);
}

function* packetPath(scene: Scene): Generator<Finding> {
  const { facts, services } = scene;
  const vips = vipsOf(services);
  const keys = { 4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding" } as const;
  for (const family of [4, 6] as const) {
    const served = vips.some((vip) => vip.family === family);
    if (served && facts.settings.get(keys[family]) === 0) {
      yield finding("forwarding-off", "error", keys[family], `IPv${family} packets of others are dropped`);
    }
  }
  for (const vip of vips) {
    const owner = ownerOf(facts, String(vip));
    if (owner !== null) {
      const what = `${vip} is an address of ${owner.name}: the kernel takes its packets before the packet path`;
      yield finding("vip-on-director", "error", owner.name, what);
    }
  }
  if (!vips.some(({ family }) => family === 4)) return;
  for (const { name } of onWire(facts)) {
    if (effective(facts, name, "rp_filter") !== 1) continue;
    const what = "a packet is dropped where its reply would leave by another device, as clients' do that come in here";
    yield finding("rp-filter-strict", "warning", name, what);
  }
}

function* socketPath({ facts, services }: Scene): Generator<Finding> {
  for (const vip of vipsOf(services)) {
    const anyhow = facts.settings.get(`net.ipv${vip.family}.ip_nonlocal_bind`) === 1;
    if (anyhow || isLocal(facts, String(vip))) continue;
    yield finding("vip-missing", "error", String(vip), "it is no address of this host, so nobody can listen on it");
  }
}

function* realservers({ facts, services, path }: Scene): Generator<Finding> {
  const seen = new Set<string>();
  for (const { realserver, service } of servedBy(services)) {
    const { address, method } = realserver;
    const way = facts.ways.get(String(address));
    if (way === undefined || seen.has(`${address} ${method}`)) continue;
    seen.add(`${address} ${method}`);
    if (way === null) {
      yield finding("realserver-unreachable", "error", service.name, `there is no route to ${address}`);
      continue;
    }
    if (method === "dr" && way.via !== null) {
      const what = `${address} is behind ${way.via}, which would send what is for ${service.vip} back to the director`;
      yield finding("direct-through-router", "error", service.name, what);
    }
    const mtu = way.mtu ?? facts.devices.find(({ name }) => name === way.device)?.mtu ?? ETHERNET;
    const needed = widest(facts) + (method === "tunnel" ? overhead(address) : 0);
    if (path === "tun" && mtu < needed) {
      const what = `${mtu} bytes to ${address}; a client's packet of ${widest(facts)} needs ${needed}`;
      yield finding("mtu-too-small", "warning", way.device, what);
    }
  }
}

const ETHERNET = 1500;

/** What a client's packet may be: it came in here, and by the Internet. */
const widest = (facts: Facts): number =>
  Math.min(ETHERNET, Math.max(0, ...onWire(facts).map(({ mtu }) => mtu)) || ETHERNET);

/** Below it a port is reserved: rshd trusts whoever comes from one. */
const RESERVED = 1024;

function* privileges({ facts: { privileges: has }, services, path }: Scene): Generator<Finding> {
  if (path === "tun") {
    if (!has.netAdmin)
      yield finding("privilege-missing", "error", "CAP_NET_ADMIN", "devices, routes and rules need it");
    else if (!has.tun) yield finding("privilege-missing", "error", "/dev/net/tun", "it cannot be opened");
    return;
  }
  if (has.bindService) return;
  for (const { name, ports, helper } of services) {
    const low = ports.find(({ first }) => first < has.firstFreePort);
    if (low !== undefined) {
      const what = `${rangeText(low)} is below ${has.firstFreePort}; listening there needs CAP_NET_BIND_SERVICE`;
      yield finding("privilege-missing", "error", name, what);
    }
    if (helper?.name === "rsh" && has.firstFreePort >= RESERVED) {
      const what = "rshd takes connections from reserved ports only; those need CAP_NET_BIND_SERVICE";
      yield finding("privilege-missing", "error", name, what);
    }
  }
}
