/** Farms of one shape, each with another who forwards: client, director and realserver in namespaces of their own. */
import { readFileSync } from "node:fs";
import { startDirector } from "../lab/director.ts";
import type { Running } from "../lab/process.ts";
import { makeRoutedFarm } from "../lab/routed.ts";
import type { Sandbox } from "../lab/sandbox.ts";
import { type Farm, type Host, makeFarm } from "../lab/topology.ts";
import { LOAD, MEASURED, pinned } from "./place.ts";

export const FTP = 21;
export const BULK = 5001;
export const ANSWER = 5002;
export const SINK = 5003;
/** The client's addresses: from one, ports would run out. */
export const SOURCES = 32;
export const FIRST_SOURCE = 128;

/** Who forwards, and a way from a client to a realserver through it. */
export interface Contender {
  readonly name: string;
  readonly farm: Farm;
}

export const KINDRED = "kindred";
/** With its plain services in the kernel. */
export const OFFLOADED = "kindred, offload";
/** On the CPU of the load, as the kernel is, who forwards on the CPU that the sender runs on. */
export const BESIDE = "kindred, one CPU";
export type Subject = typeof KINDRED | typeof OFFLOADED | typeof BESIDE;
export const KERNEL = "nft DNAT, nf_conntrack_ftp";
/** A poll, a read and a write a packet, and nothing else: what TUN itself costs. */
export const LOOP = "bare TUN loop in C";
export const LOOP_BESIDE = "bare TUN loop in C, one CPU";

export async function startKindred(sandbox: Sandbox, name: Subject): Promise<Farm> {
  const offloaded = name === OFFLOADED;
  const farm = await makeRoutedFarm(sandbox, 4, 1, 1);
  await addSources(farm);
  const service = (name: string, ports: readonly string[], more: object) => ({
    name,
    vip: farm.vip,
    ports,
    scheduler: offloaded ? "rr" : "wlc",
    realservers: farm.targets.map((target) => ({ ...target })),
    ...more,
  });
  const config = {
    services: [
      service("ftp", [`tcp/${FTP}`], { helper: "ftp" }),
      ...[`tcp/${BULK}`, `tcp/${ANSWER}`, `udp/${SINK}`].map((port) => service(port.replace("/", "-"), [port], {})),
    ],
    offload: offloaded ? "nftables" : "none",
    log: { level: "warn", format: "json" },
  };
  const place = pinned(name === BESIDE ? LOAD : MEASURED);
  const director: Running = startDirector(sandbox, config, farm.director.start, { path: "tun", ...place });
  await director.until(() => hasDevice(director.pid), "forwarding");
  await forgetSoon(farm);
  return farm;
}

/** For two minutes, as it is by default, the connections of many turns would fill the kernel's table (262,144): then it drops. */
async function forgetSoon({ director }: Farm): Promise<void> {
  await director.must(["sysctl", "-e", "-q", "-w", "net.netfilter.nf_conntrack_tcp_timeout_time_wait=5"]);
}

/** At log level `warn` it does not say that it is ready. */
const hasDevice = (pid: number): boolean => readFileSync(`/proc/${pid}/net/fib_trie`, "latin1").includes("10.77.1.100");

export async function startKernel(sandbox: Sandbox): Promise<Farm> {
  const farm = await makeFarm(sandbox, 4, 1, 1);
  await addSources(farm);
  const [real] = farm.realservers as [Host];
  await farm.director.must(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"]);
  await real.must(["ip", "route", "add", "default", "via", farm.director.address]);
  await farm.director.must(["nft", rules(farm.vip, real.address)]);
  await forgetSoon(farm);
  return farm;
}

const rules = (vip: string, real: string): string => `
table ip farm {
  ct helper ftp {
    type "ftp" protocol tcp
  }
  chain helpers {
    type filter hook prerouting priority filter
    tcp dport ${FTP} ct helper set "ftp"
  }
  chain translate {
    type nat hook prerouting priority dstnat
    ip daddr ${vip} dnat to ${real}
  }
}
`;

/** The host as `kindred run` sets it up; the device is the loop's. */
export async function startLoop(
  sandbox: Sandbox,
  name: typeof LOOP | typeof LOOP_BESIDE,
  program: string,
): Promise<Farm> {
  const farm = await makeRoutedFarm(sandbox, 4, 1, 1);
  const { director, vip, realservers } = farm;
  const [real] = realservers as [Host];
  await addSources(farm);
  const loop = director.start([program, TUN, vip, real.address], pinned(name === LOOP ? MEASURED : LOAD));
  await loop.until(() => loop.stdout.includes("ready"), "forwarding");
  const trusted = ["all", TUN, "back"].map((device) => `net.ipv4.conf.${device}.rp_filter=0`);
  const settings = ["net.ipv4.ip_forward=1", "net.ipv4.neigh.front.proxy_delay=0", ...trusted];
  await director.must(["sysctl", "-q", "-w", ...settings]);
  await director.must(["ip", "link", "set", TUN, "txqueuelen", "10000", "up"]);
  await director.must(["ip", "route", "add", vip, "dev", TUN]);
  await director.must(["ip", "neigh", "add", "proxy", vip, "dev", "front"]);
  await director.must(["ip", "route", "add", "default", "dev", TUN, "table", TABLE]);
  await director.must(["ip", "rule", "add", "from", real.address, "iif", "back", "lookup", TABLE]);
  return farm;
}

const TUN = "bare0";
const TABLE = "7700";

async function addSources({ clients, vip }: Farm): Promise<void> {
  const network = vip.replace(/\d+$/, "");
  for (let i = 0; i < SOURCES; i++) {
    await clients[0]!.must(["ip", "address", "add", `${network}${FIRST_SOURCE + i}/24`, "dev", "eth0"]);
  }
}
