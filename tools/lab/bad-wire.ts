/**
 * A wire that loses, repeats and reorders, between a client and the rest of its farm:
 *
 *   client ── eth0 │ near ── relay ── far │ to-client1 ── front
 *
 * The relay copies frames from one packet socket to the other. What network cards do for TCP (cutting up, checksums) is
 * turned off at both ends, or frames would not be as they are on a wire.
 */
import { must, type Running } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Farm } from "./topology.ts";

/** Of 1000 frames. */
export interface Faults {
  readonly lost: number;
  readonly repeated: number;
  /** Three others pass them, or 10 ms. */
  readonly late: number;
}

const RELAY = `
import random, select, socket, sys, time
lost, repeated, late = map(int, sys.argv[1:4])
random.seed(1)
def opened(name):
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    end.bind((name, 0))
    return end
ends = [opened("near"), opened("far")]
held = []
count = {"passed": 0, "lost": 0, "repeated": 0, "late": 0}
def relay(frame, other):
    dice = random.randrange(1000)
    if dice < lost:
        count["lost"] += 1
    elif dice < lost + late:
        count["late"] += 1
        held.append([other, frame, 3, time.monotonic() + 0.01])
    else:
        count["passed"] += 1
        other.send(frame)
        if dice < lost + late + repeated:
            count["repeated"] += 1
            other.send(frame)
        for item in held:
            item[2] -= 1
print("ready", flush=True)
while True:
    for end in select.select(ends, [], [], 0.005)[0]:
        frame, address = end.recvfrom(65536)
        if address[2] != socket.PACKET_OUTGOING:
            relay(frame, ends[1 - ends.index(end)])
    now = time.monotonic()
    for item in [item for item in held if item[2] <= 0 or item[3] <= now]:
        held.remove(item)
        item[0].send(item[1])
    if sum(count.values()) % 50 < 5:
        print(*(f"{n} {what}" for what, n in count.items()), sep=", ", flush=True)
`;

export class BadWire {
  readonly #relay: Running;

  private constructor(relay: Running) {
    this.#relay = relay;
  }

  /** In place of the first client's wire. */
  static async lay(sandbox: Sandbox, farm: Farm, { lost, repeated, late }: Faults): Promise<BadWire> {
    const [client] = farm.clients;
    const wire = client!.name.replace("client1", "wire");
    const { name: director } = farm.director;
    await must(["ip", "netns", "add", wire]);
    sandbox.defer(async () => {
      await must(["ip", "netns", "del", wire]);
    });
    // The veth pair of the client stays: its far end moves, and another pair leads on from there.
    await must(["ip", "-n", director, "link", "set", "to-client1", "nomaster", "netns", wire, "name", "near"]);
    await must(["ip", "-n", wire, "link", "add", "far", "type", "veth", "peer", "name", "wire1", "netns", director]);
    await must(["ip", "-n", director, "link", "set", "wire1", "master", "front", "up"]);
    for (const device of ["near", "far"]) await must(["ip", "-n", wire, "link", "set", device, "up"]);
    await plain(client!.name, "eth0");
    await plain(director, "wire1");
    const command = ["python3", "-c", RELAY, String(lost), String(repeated), String(late)];
    const relay = sandbox.start(command, { namespace: wire });
    await relay.until(() => relay.stdout.includes("ready"), "relaying");
    return new BadWire(relay);
  }

  /** What became of frames, as of the last time that it was told. */
  get told(): string {
    return this.#relay.stdout.trimEnd().split("\n").at(-1)!;
  }
}

async function plain(namespace: string, device: string): Promise<void> {
  await must(["ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off", "tx", "off"], { namespace });
}
