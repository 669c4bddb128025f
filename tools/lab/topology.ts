/**
 * A small farm in network namespaces:
 *
 *   client 1 ──┐                        ┌── realserver 1
 *   client 2 ──┴─ front ─ director ─ back ─┴── realserver 2
 *
 * `front` and `back` are bridges inside the director's namespace, which does not forward: a client has no route to a
 * realserver, nor a realserver to a client, but through the director's process.
 */
import { endProcess, must, type Running, run, type StartOptions } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";

export type Family = 4 | 6;

export interface Host {
  readonly name: string;
  readonly address: string;
  start(command: readonly string[], options?: StartOptions): Running;
  must(command: readonly string[], options?: StartOptions): Promise<string>;
}

export interface Farm {
  readonly family: Family;
  readonly vip: string;
  readonly clients: readonly Host[];
  readonly realservers: readonly Host[];
  readonly director: Host;
  /** The way that the director is to be started on. */
  readonly path: "socket" | "tun";
  /** The realservers, as its configuration names them. */
  readonly targets: readonly Target[];
  /** The address that realservers see in a client's place. */
  readonly seenAs: (client: Host) => string;
  /** The address at which a realserver serves: its own, or the VIP where it has that. */
  readonly servesAt: (realserver: Host) => string;
  /** How every address on the realservers' side begins: none of it is a client's business. */
  readonly hidden: string;
}

export interface Target {
  readonly address: string;
  readonly method?: "nat" | "dr" | "tunnel";
}

/** What is there whatever the path. */
export type Ground = Omit<Farm, "path" | "targets" | "seenAs" | "servesAt">;

/** Makes one, for one path or the other. */
export type FarmMaker = (sandbox: Sandbox, family: Family, clients: number, realservers: number) => Promise<Farm>;

interface Network {
  readonly front: string;
  readonly back: string;
  readonly prefix: number;
}

const NETWORKS: Record<Family, Network> = {
  4: { front: "10.77.1.", back: "10.77.2.", prefix: 24 },
  6: { front: "fd77:1::", back: "fd77:2::", prefix: 64 },
};
const DIRECTOR = 1;
const FIRST_HOST = 2;
const VIP = 100;

let farms = 0;

export const makeFarm: FarmMaker = async (sandbox, family, clients, realservers) => {
  const parts = await layOut(sandbox, family, clients, realservers, true);
  const { director } = parts;
  const targets = parts.realservers.map(({ address }) => ({ address }));
  const servesAt = ({ address }: Host): string => address;
  return { ...parts, path: "socket", targets, seenAs: () => director.address, servesAt };
};

/** `ownVip`: the VIP is an address of the director's. */
export async function layOut(
  sandbox: Sandbox,
  family: Family,
  clients: number,
  realservers: number,
  ownVip: boolean,
): Promise<Ground> {
  const { front, back } = NETWORKS[family];
  const prefix = `kindred-${process.pid}-${++farms}`;
  const director = await makeNamespace(sandbox, `${prefix}-director`);
  await forbidForwarding(director);
  const vips = ownVip ? [`${front}${VIP}`] : [];
  await addBridge(director, "front", [`${front}${DIRECTOR}`, ...vips], family);
  await addBridge(director, "back", [`${back}${DIRECTOR}`], family);

  const farm = {
    family,
    vip: `${front}${VIP}`,
    hidden: back,
    director: hostIn(sandbox, director, `${back}${DIRECTOR}`),
    clients: [] as Host[],
    realservers: [] as Host[],
  };
  for (let i = 0; i < clients; i++) {
    const name = await makeNamespace(sandbox, `${prefix}-client${i + 1}`);
    farm.clients.push(await plug(sandbox, name, director, "front", `${front}${FIRST_HOST + i}`, family));
  }
  for (let i = 0; i < realservers; i++) {
    const name = await makeNamespace(sandbox, `${prefix}-real${i + 1}`);
    farm.realservers.push(await plug(sandbox, name, director, "back", `${back}${FIRST_HOST + i}`, family));
  }
  return farm;
}

/** A namespace with nothing but bridges in it: what hosts are plugged into that no director stands between. */
export async function makeSwitch(sandbox: Sandbox, bridges: readonly string[]): Promise<string> {
  const name = await makeNamespace(sandbox, `kindred-${process.pid}-${++farms}`);
  await forbidForwarding(name);
  for (const bridge of bridges) await addBridge(name, bridge, [], 4);
  return name;
}

export async function makeNamespace(sandbox: Sandbox, name: string): Promise<string> {
  await must(["ip", "netns", "add", name]);
  sandbox.defer(async () => {
    await endAllIn(name);
    await must(["ip", "netns", "del", name]);
  });
  await must(["ip", "-n", name, "link", "set", "lo", "up"]);
  return name;
}

/** A daemon may have left the group that it was started in; but not its network namespace. */
async function endAllIn(namespace: string): Promise<void> {
  const pids = (await must(["ip", "netns", "pids", namespace])).split("\n").filter((pid) => pid !== "");
  for (const pid of pids) endProcess(Number(pid));
}

/** A new namespace may inherit the machine's forwarding; here it would be a way around the director. */
async function forbidForwarding(namespace: string): Promise<void> {
  await must(["sysctl", "-q", "-w", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0"], { namespace });
}

async function addBridge(namespace: string, name: string, addresses: string[], family: Family): Promise<void> {
  await must([
    "ip",
    "-n",
    namespace,
    "link",
    "add",
    name,
    "type",
    "bridge",
    "forward_delay",
    "0",
    "mcast_snooping",
    "0",
  ]);
  for (const address of addresses) await addAddress(namespace, name, address, family);
  await must(["ip", "-n", namespace, "link", "set", name, "up"]);
}

/** `nodad`: nobody else is there, and duplicate address detection would cost a second. */
export async function addAddress(namespace: string, device: string, address: string, family: Family): Promise<void> {
  const cidr = `${address}/${NETWORKS[family].prefix}`;
  const options = family === 6 ? ["nodad"] : [];
  await must(["ip", "-n", namespace, "address", "add", cidr, "dev", device, ...options]);
}

/** Device names are local to a namespace, so only the namespaces' names need to be unique. */
export async function plug(
  sandbox: Sandbox,
  name: string,
  director: string,
  bridge: string,
  address: string,
  family: Family,
): Promise<Host> {
  const port = `to-${name.split("-").at(-1)}`;
  await must(["ip", "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", director]);
  await must(["ip", "-n", director, "link", "set", port, "master", bridge, "up"]);
  await addAddress(name, "eth0", address, family);
  await must(["ip", "-n", name, "link", "set", "eth0", "up"]);
  return hostIn(sandbox, name, address);
}

const hostIn = (sandbox: Sandbox, namespace: string, address: string): Host => ({
  name: namespace,
  address,
  start: (command, options) => sandbox.start(command, { ...options, namespace }),
  must: (command, options) => sandbox.must(command, { ...options, namespace }),
});

/** The ground that the scenarios stand on: there is no way to the realserver but the director. */
export async function proveIsolation(farm: Farm, port: number): Promise<void> {
  for (const client of farm.clients) {
    for (const real of farm.realservers) {
      const url = farm.family === 6 ? `http://[${real.address}]:${port}/` : `http://${real.address}:${port}/`;
      const { status } = await run(["curl", "--silent", "--connect-timeout", "2", url], { namespace: client.name });
      const COULD_NOT_CONNECT = 7;
      if (status !== COULD_NOT_CONNECT) throw new Error(`${client.name} reaches ${real.address} without the director`);
    }
  }
}
