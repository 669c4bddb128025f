/** With offload the kernel does not look whether a packet claims to be from the director itself: nftables must. */
import { writeFileSync } from "node:fs";
import { stringify } from "yaml";
import { directorPid, startDirector, untilReady } from "../director.ts";
import { prove } from "../prove.ts";
import { makeRoutedFarm } from "../routed.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import type { Host } from "../topology.ts";

const PORT = 7005;

const GROUP = "224.0.0.251";

/** Prints each datagram that it gets, those to a group on the device of an address (ip(7)) as well. */
const HEARD = `
import socket, sys
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.bind(("", ${PORT}))
for at in sys.argv[1:]:
    heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("${GROUP}") + socket.inet_aton(at))
print("ready", flush=True)
while True: print(heard.recv(100).decode(), flush=True)
`;

/** SOURCE TEXT TO...: a datagram from SOURCE, whoever that is, to each (raw(7): the kernel fills in what is 0). */
const SAID = `
import socket, struct, sys
source, text, *targets = sys.argv[1:]
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for target in targets:
    datagram = struct.pack("!HHHH", ${PORT}, ${PORT}, 8 + len(text), 0) + text.encode()
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    raw.sendto(struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, 17, 0) + ends + datagram, (target, 0))
`;

/** ADDRESS TEXT: a datagram of the host's own to the group, by the device of its address. */
const SHOUTED = `
import socket, sys
shouting = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
shouting.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
shouting.sendto(sys.argv[2].encode(), ("${GROUP}", ${PORT}))
`;

async function spoofed(sandbox: Sandbox): Promise<string> {
  const farm = await makeRoutedFarm(sandbox, 4, 1, 1);
  const { vip, director: host } = farm;
  const [client] = farm.clients as [Host];
  const [real] = farm.realservers as [Host];
  const own = { front: vip.replace(/\d+$/, "1"), back: host.address };
  const services = [
    {
      name: "heard",
      vip,
      ports: [`udp/${PORT}`],
      scheduler: "rr",
      realservers: farm.targets.map((one) => ({ ...one })),
    },
  ];
  const config = { services, offload: "nftables", log: { level: "info", format: "json" } };
  const director = startDirector(sandbox, config, host.start, { path: "tun" });
  await untilReady(director);
  const accepted = (): Promise<string> =>
    host.must(["sysctl", "-n", "net.ipv4.conf.front.accept_local", "net.ipv4.conf.back.accept_local"]);
  prove((await accepted()) === "1\n1\n", "the kernel itself looks at sources: then this shows nothing");

  const listeners = [host.start(["python3", "-c", HEARD, ...Object.values(own)]), real.start(["python3", "-c", HEARD])];
  for (const one of listeners) await one.until(() => one.stdout.includes("ready"), "listening");
  const say = ({ must }: Host, source: string, text: string, ...to: readonly string[]): Promise<string> =>
    must(["python3", "-c", SAID, source, text, ...to]);
  for (const source of Object.values(own)) {
    await say(client, source, "as the director", vip, own.front);
    await say(real, source, "as the director", own.back);
  }
  await say(client, vip.replace(/\d+$/, "77"), "as somebody", vip, own.front);
  for (const one of listeners) {
    await one.until(() => one.stdout.includes("somebody"), "told");
    prove(!one.stdout.includes("director"), `who claimed to be the director was heard: ${one.stdout}`);
  }
  for (const [device, at] of Object.entries(own)) {
    await host.must(["python3", "-c", SHOUTED, at, `shouted by ${device}`]);
    await listeners[0]!.until(() => listeners[0]!.stdout.includes(`shouted by ${device}`), "heard by the host itself");
  }

  await host.must(["nft", "flush", "ruleset"]);
  const changed = services.map((service) => ({ ...service, scheduler: "wrr" }));
  writeFileSync(sandbox.path("director.yaml"), stringify({ ...config, services: changed }));
  process.kill(directorPid(director), "SIGHUP");
  await director.until(() => director.stdout.includes('"rules-gone"'), "the director sees that its rules are gone");
  prove((await accepted()) === "0\n0\n", "nobody looks at sources");
  await director.end();
  prove((await accepted()) === "0\n0\n", "what the kernel was told not to look at stayed so");
  return "packets with the director's own addresses as source got neither to a realserver nor to the director, without its rules too; its own multicast did";
}

export const packetSpoofed: readonly Scenario[] = [
  {
    name: "packet-offload-spoofed",
    about: "with offload, too, nobody on the wire passes for the director itself",
    needs: ["nft", "python3"],
    run: spoofed,
  },
];
