/**
 * What the host needs so that packets come by, as changes that can be printed, made and taken back:
 *
 *   client -> VIP             routed into the device; the VIP is an address of nobody here. Proxy ARP (NDP) answers for it
 *   realserver -> client      a policy rule routes what realservers send into the same device
 *   device -> realserver      the kernel routes it on; for direct routing a device of the realserver's own, whose table has
 *                             one way: via the realserver
 */
import type { Address } from "../../../core/wire/address.ts";
import type { Config, RealserverConfig } from "../../config.ts";
import type { Change } from "./change.ts";
import { PathError } from "./error.ts";
import { offloadRules, offloadUndo, ours, translated, untranslated } from "./offload.ts";
import { sourcesAsked, sourcesCheck } from "./own-sources.ts";
import type { Surroundings, Way } from "./surroundings.ts";

export interface Setup {
  readonly changes: readonly Change[];
  /** For direct routing: the devices, by the realserver's address. */
  readonly direct: ReadonlyMap<string, string>;
  /** Where tunnels begin, and what fits through the network to the realservers. */
  readonly tunnels: { readonly from: readonly string[]; readonly mtu: number };
}

/** The device that everything comes from. */
export const DEVICE = "kin0";
/** Of the policy rules: before the main table. */
const PREFERENCE = 7700;
/** Of the one that is behind them and does nothing. */
const BEHIND = PREFERENCE + 2;
/** What the kernel translates goes around more rules than this: to pass by one takes 3 ns, to go around all 50. */
const MANY = 16;
/** Of the first routing table; each realserver with direct routing has one more. */
const TABLE = 7700;
/** Packets that wait to be read. */
const QUEUE = 10_000;
const LEAST_MTU = 1280;

type Family = Address["family"];

/**
 * Throws a PathError where the configuration does not fit the host. `direct`: devices that there are already, by the
 * realserver's address; each keeps its own.
 */
export function planSetup(config: Config, host: Surroundings, direct: Setup["direct"] = new Map()): Setup {
  return new Planning(config, host, direct).setup();
}

class Planning {
  readonly #host: Surroundings;
  readonly #vips: readonly Address[];
  readonly #realservers: readonly (RealserverConfig & { readonly way: Way })[];
  readonly #families: readonly Family[];
  readonly #mtu: number;
  readonly #offload: boolean;
  readonly #changes: Change[] = [];
  /** Those of before, too. */
  readonly #direct: Map<string, string>;

  constructor({ services, groups, offload }: Config, host: Surroundings, direct: Setup["direct"]) {
    this.#direct = new Map(direct);
    this.#offload = offload === "nftables";
    const all = [...services, ...groups];
    this.#host = host;
    this.#vips = unique(all.map(({ vip }) => vip));
    this.#families = [...new Set(this.#vips.map(({ family }) => family))].sort();
    for (const vip of this.#vips) this.#mustBeNowhere(vip);
    const realservers = all.flatMap(({ realservers }) => realservers);
    this.#realservers = realservers.map((realserver) => ({ ...realserver, way: this.#wayTo(realserver) }));
    const devices = new Set([
      ...this.#realservers.map(({ way }) => way.device),
      ...this.#vips.flatMap((vip) => this.#fronts(vip)),
    ]);
    this.#mtu = Math.max(LEAST_MTU, Math.min(...[...devices].map((device) => host.mtus.get(device) ?? 1500)));
  }

  setup(): Setup {
    for (const family of this.#families) this.#forward(family);
    this.#device(DEVICE, this.#families);
    for (const vip of this.#vips) this.#routeVip(vip);
    for (const family of this.#families) this.#replyTable(family);
    if (this.#offload) this.#translate();
    this.#replies();
    this.#directs();
    if (this.#offload) this.#askNoSources();
    const tunnelled = this.#realservers.filter(({ method }) => method === "tunnel");
    const from = [...new Set(tunnelled.flatMap(({ way }) => way.source ?? []))];
    return { changes: this.#changes, direct: this.#direct, tunnels: { from, mtu: this.#mtu } };
  }

  #mustBeNowhere(vip: Address): void {
    const own = this.#host.addresses.find(({ address }) => address.equals(vip));
    if (own === undefined) return;
    const remedy = `\`ip address del ${vip}/${own.prefix} dev ${own.device}\`: the packet path answers for it by itself`;
    throw new PathError(`the VIP ${vip} is an address of this host (${own.device})`, remedy);
  }

  #wayTo({ address, method }: RealserverConfig): Way {
    const way = this.#host.wayTo(address);
    if (way === null) throw new PathError(`no route to the realserver ${address}`, "add one, or correct the address");
    if (way.local) {
      throw new PathError(`the realserver ${address} is this host itself`, 'run on the socket path ("--path socket")');
    }
    if (method === "dr" && way.gateway !== null) {
      const remedy = 'connect it to a network of this host, or write "method: tunnel"';
      throw new PathError(`direct routing to ${address}: it is behind the router ${way.gateway}`, remedy);
    }
    return way;
  }

  /** The devices whose networks the VIP belongs to: there, somebody must answer for it. */
  #fronts(vip: Address): string[] {
    const near = this.#host.addresses.filter(
      ({ address, prefix }) =>
        address.family === vip.family && address.network(prefix).equals(vip.network(prefix)) && prefix < bits(vip),
    );
    return [...new Set(near.map(({ device }) => device))];
  }

  #forward(family: Family): void {
    this.#set(family === 4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding", "1");
  }

  #device(name: string, families: readonly Family[]): void {
    this.#ip(["link", "set", name, "addrgenmode", "none"], null);
    this.#ip(["link", "set", name, "mtu", String(this.#mtu), "txqueuelen", String(QUEUE), "up"], null);
    if (families.includes(4)) this.#trust(name, true);
  }

  /** What comes from there has a source that another way leads to; `own`: the host's own even, of tunnels. */
  #trust(device: string, own: boolean): void {
    const all = this.#host.setting("net/ipv4/conf/all/rp_filter") ?? "0";
    // The stricter of the device's and everybody's counts, but for 2, "by any way" (ip-sysctl.rst).
    this.#set(`net/ipv4/conf/${device}/rp_filter`, all === "0" ? "0" : "2");
    if (own) this.#set(`net/ipv4/conf/${device}/accept_local`, "1");
  }

  #routeVip(vip: Address): void {
    this.#ip([...flag(vip.family), "route", "add", `${vip}/${bits(vip)}`, "dev", DEVICE], null);
    for (const front of this.#fronts(vip)) {
      const entry = ["proxy", vip.toString(), "dev", front];
      const version = vip.family === 4 ? "ipv4" : "ipv6";
      if (vip.family === 6) this.#set(`net/ipv6/conf/${front}/proxy_ndp`, "1");
      // Nobody else answers: why wait?
      this.#set(`net/${version}/neigh/${front}/proxy_delay`, "0");
      this.#ip([...flag(vip.family), "neigh", "add", ...entry], [...flag(vip.family), "neigh", "del", ...entry]);
    }
  }

  #replyTable(family: Family): void {
    this.#ip([...flag(family), "route", "add", "default", "dev", DEVICE, "table", String(TABLE)], null);
  }

  /** From which addresses replies come, and by which device. */
  #replies(): void {
    const done = new Set<string>();
    const rules = { 4: 0, 6: 0 };
    for (const { vip, address, way, method } of this.#pairs()) {
      const from = method === "nat" ? address : vip;
      const key = `${from} ${way.device}`;
      if (done.has(key)) continue;
      done.add(key);
      rules[from.family]++;
      if (from.family === 4) this.#trust(way.device, false);
      const which = ["from", from.toString(), "iif", way.device, ...(this.#offload ? untranslated : [])];
      this.#rule(from.family, PREFERENCE, which, ["lookup", String(TABLE)]);
    }
    for (const family of this.#families) if (this.#offload && rules[family] > MANY) this.#goAround(family);
  }

  /** Realservers with each VIP of their family. */
  #pairs(): { vip: Address; address: Address; way: Way; method: RealserverConfig["method"] }[] {
    return this.#realservers.flatMap(({ address, way, method }) =>
      this.#vips.filter(({ family }) => family === address.family).map((vip) => ({ vip, address, way, method })),
    );
  }

  #directs(): void {
    const done = new Set<string>();
    for (const { address, way, method } of this.#realservers) {
      const real = address.toString();
      if (method !== "dr" || done.has(real)) continue;
      done.add(real);
      const device = this.#direct.get(real) ?? `kin${this.#direct.size + 1}`;
      const number = Number(device.slice("kin".length));
      const table = TABLE + number;
      const route = ["default", "via", real, "dev", way.device, "table", String(table)];
      this.#direct.set(real, device);
      this.#device(device, [address.family]);
      this.#ip(
        [...flag(address.family), "route", "add", ...route],
        [...flag(address.family), "route", "del", ...route],
      );
      this.#rule(address.family, PREFERENCE + 1, ["iif", device], ["lookup", String(table)]);
    }
  }

  /**
   * What the kernel translates itself is marked, and none of the rules for replies is for it. A packet's source, too, where
   * it is looked up: as if it were answered, and a client's would be found here, were it not for its mark (src_valid_mark).
   */
  #translate(): void {
    this.#changes.push({ nft: offloadRules, undo: offloadUndo }, ...this.#vips.map(ours));
    this.#set("net/netfilter/nf_conntrack_acct", "1");
    for (const device of this.#anyRouted() ? ["all"] : this.#entrances()) {
      this.#set(`net/ipv4/conf/${device}/src_valid_mark`, "1");
    }
  }

  /** However many rules there are. */
  #goAround(family: Family): void {
    this.#rule(family, BEHIND, [], ["nop"]);
    this.#rule(family, PREFERENCE - 1, translated, ["goto", String(BEHIND)]);
  }

  /** Devices by which clients' and realservers' IPv4 packets come; by which one those of a routed VIP do, nobody knows. */
  #entrances(): string[] {
    return [...new Set([...this.#clientSides(), ...this.#realSides()])];
  }

  #clientSides(): string[] {
    return this.#vips.filter(({ family }) => family === 4).flatMap((vip) => this.#fronts(vip));
  }

  #realSides(): string[] {
    const backs = this.#realservers.filter(({ address, method }) => address.family === 4 && method === "nat");
    return backs.map(({ way }) => way.device);
  }

  /**
   * Since there are rules, the kernel looks up every source, twice where it finds another way there, if only to see that it
   * is none of its own addresses. Where it looks for nothing else, nftables does that (own-sources.ts), which costs the packets
   * that it translates nothing. By `lo` the host's own addresses do come.
   */
  #askNoSources(): void {
    const devices = this.#entrances().filter(
      (device) => device !== "lo" && this.#isOff(device, "rp_filter") && this.#isOff(device, "accept_local"),
    );
    if (devices.length === 0 || !this.#host.nftTakes(sourcesCheck)) return;
    this.#tellNoShorterWay(devices);
    this.#changes.push(...devices.flatMap(sourcesAsked));
  }

  /**
   * Where packets may leave by the device they came by, the kernel looks up their sources all the same, to tell their senders
   * of the shorter way, and then does not tell: not of what it translates (nf_nat_icmp_reply_translation).
   */
  #tellNoShorterWay(devices: readonly string[]): void {
    const [fronts, backs] = [this.#clientSides(), this.#realSides()];
    const both = devices.filter((device) => backs.includes(device) && (fronts.includes(device) || this.#anyRouted()));
    // Of both, one is enough for it to be sent.
    for (const device of both.length > 0 ? ["all", ...both] : []) {
      this.#set(`net/ipv4/conf/${device}/send_redirects`, "0");
    }
  }

  /** Whether there is a VIP whose clients may come by any device. */
  #anyRouted(): boolean {
    return this.#vips.some((vip) => vip.family === 4 && this.#fronts(vip).length === 0);
  }

  /** When all is set up; everybody's counts as well. */
  #isOff(device: string, name: string): boolean {
    return ["all", device].every((one) => {
      const path = `net/ipv4/conf/${one}/${name}`;
      const planned = this.#changes.flatMap((change) =>
        "setting" in change && change.setting === path ? [change.value] : [],
      );
      return (planned.at(-1) ?? this.#host.setting(path)) === "0";
    });
  }

  #rule(family: Family, preference: number, selector: readonly string[], action: readonly string[]): void {
    const rule = ["pref", String(preference), ...selector, ...action];
    this.#ip([...flag(family), "rule", "add", ...rule], [...flag(family), "rule", "del", ...rule]);
  }

  #ip(command: readonly string[], undo: readonly string[] | null): void {
    this.#changes.push({ ip: command, undo });
  }

  #set(setting: string, value: string): void {
    const known = this.#changes.some((change) => "setting" in change && change.setting === setting);
    if (!known && this.#host.setting(setting) !== value) this.#changes.push({ setting, value });
  }
}

const flag = (family: Family): readonly string[] => (family === 6 ? ["-6"] : []);
const bits = ({ family }: Address): number => (family === 4 ? 32 : 128);

const unique = (addresses: readonly Address[]): Address[] =>
  addresses.filter((address, i) => addresses.findIndex((other) => other.equals(address)) === i);
