/**
 * The farm of the packet path. The VIP is an address of nobody but of realservers that are routed to directly or tunnelled
 * to; the realservers' default gateway is the director, so that they can be shown their clients' own addresses:
 *
 *   client ── front ─ director ─ back ── realserver     default via director
 *
 * A client still has no route to a realserver. Those that have the VIP may have a wire of their own to the clients, by
 * which their answers go past the director:
 *
 *   client ── front ─ director ─ back ── realserver
 *                └──────────────────────────┘
 */
import { readFileSync } from "node:fs";
import { addAddress, type Family, type FarmMaker, type Host, layOut, type Target } from "./topology.ts";

type Method = NonNullable<Target["method"]>;

/**
 * `methods`: how each realserver is reached, again from the first for those behind the last. `replies`: how what they
 * answer reaches clients.
 */
export const routed =
  (methods: readonly Method[], replies: "by the director" | "past the director" = "by the director"): FarmMaker =>
  async (sandbox, family, clients, realservers) => {
    const parts = await layOut(sandbox, family, clients, realservers, false);
    const targets: Target[] = [];
    for (const [i, host] of parts.realservers.entries()) {
      const method = methods[i % methods.length]!;
      targets.push({ address: host.address, method });
      const way = ["default", "via", parts.director.address];
      if (method !== "nat") await takeVip(host, parts.vip, family);
      // What it opens itself, it opens as the one that clients know.
      const as = method === "nat" ? [] : ["src", parts.vip];
      await host.must(["ip", flag(family), "route", "add", ...way, ...as]);
      await forbidNames(host);
      if (replies === "past the director") await wireToClients(host, parts.director, parts.vip, i);
      if (method === "tunnel") await startDecapsulation(host, family);
    }
    const owners = new Set(targets.filter(({ method }) => method === "nat").map(({ address }) => address));
    const servesAt = ({ address }: Host): string => (owners.has(address) ? address : parts.vip);
    return { ...parts, path: "tun", targets, seenAs: ({ address }) => address, servesAt };
  };

export const makeRoutedFarm = routed(["nat"]);

const flag = (family: Family): string => (family === 6 ? "-6" : "-4");

/** Nobody answers there for names: without this, servers that look up their clients' wait long for it. */
async function forbidNames({ must }: Host): Promise<void> {
  const servers = readFileSync("/etc/resolv.conf", "utf8").matchAll(/^nameserver\s+([\d.]+)$/gm);
  for (const [, server] of servers) await must(["ip", "route", "replace", "unreachable", server!]);
}

/** The realserver has the VIP, and neither answers nor asks for it on the wire. */
async function takeVip({ must }: Host, vip: string, family: Family): Promise<void> {
  const address = family === 6 ? [`${vip}/128`, "dev", "lo", "nodad"] : [`${vip}/32`, "dev", "lo"];
  await must(["ip", "address", "add", ...address]);
  if (family === 4)
    await must(["sysctl", "-q", "-w", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"]);
}

/** IPv4. Its addresses on that network come after all clients'. */
async function wireToClients({ name, must }: Host, director: Host, vip: string, index: number): Promise<void> {
  const port = `past${index}`;
  const address = vip.replace(/\d+$/, String(200 + index));
  await must(["ip", "link", "add", "eth1", "type", "veth", "peer", "name", port, "netns", director.name]);
  await director.must(["ip", "link", "set", port, "master", "front", "up"]);
  await addAddress(name, "eth1", address, 4);
  await must(["ip", "link", "set", "eth1", "up"]);
  await must(["ip", "route", "replace", vip.replace(/\d+$/, "0/24"), "dev", "eth1", "src", vip]);
  // What comes by the director would not be answered there.
  const settings = ["all", "eth0"].map((device) => `net.ipv4.conf.${device}.rp_filter=0`);
  await must(["sysctl", "-q", "-w", ...settings]);
}

/** Protocol numbers of an IPv4 packet in one (RFC 2003), an IPv6 packet in one (RFC 2473); the outer header's length. */
const TUNNELS = { 4: { protocol: 4, family: "AF_INET" }, 6: { protocol: 41, family: "AF_INET6" } } as const;

/**
 * The end of a tunnel, where the kernel has no such device: what comes in one is unwrapped into a TUN device. A raw IPv6
 * socket leaves the outer header out.
 */
const DECAPSULATE = `
import fcntl, os, socket, struct, sys
family, protocol = sys.argv[1], int(sys.argv[2])
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"decap0", 0x1001))
os.system("ip link set decap0 up")
tunnel = socket.socket(getattr(socket, family), socket.SOCK_RAW, protocol)
print("ready", flush=True)
while True:
    packet = tunnel.recv(65536)
    os.write(tun, packet[(packet[0] & 15) * 4:] if family == "AF_INET" else packet)
`;

async function startDecapsulation(host: Host, family: Family): Promise<void> {
  const { protocol, family: sockets } = TUNNELS[family];
  const end = host.start(["python3", "-c", DECAPSULATE, sockets, String(protocol)]);
  await end.until(() => end.stdout.includes("ready"), "unwrapping");
  if (family === 4) {
    const settings = ["all", "decap0"].map((device) => `net.ipv4.conf.${device}.rp_filter=0`);
    await host.must(["sysctl", "-q", "-w", ...settings]);
  }
}
