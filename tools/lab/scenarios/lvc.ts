/**
 * A virtual cluster of the kernel's own means, set up by `kindred plan` and taken back: each way to balance, over both
 * transports and both families; then one server for each service.
 */
import { type Answers, answers, Planned, startLines } from "../plan.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import type { Family } from "../topology.ts";
import { makeTwoWays, type TwoWays } from "../two-ways.ts";

const PORT = 2300;
/** So many that no hash leaves one realserver out. */
const COUNT = 24;

interface Way {
  readonly topology: string;
  /** What its name has more. */
  readonly variant?: string;
  /** Default: both. */
  readonly families?: readonly Family[];
  /** Default: any address. */
  listensOn?(farm: TwoWays): string;
  readonly about: string;
  /** Whom the realservers see. */
  readonly sees: "client" | "director";
  /** The director keeps connections in mind: realservers take turns, and replies pass it. Else neither. */
  readonly remembers: boolean;
  options(farm: TwoWays): readonly string[];
}

const WAYS: readonly Way[] = [
  {
    topology: "lvc-rr",
    about: "the realservers need nothing, and see the director",
    sees: "director",
    remembers: true,
    options: ({ front }) => ["--front", front],
  },
  {
    topology: "lvc-gateway",
    about: "replies go through the director, the realservers see the client",
    sees: "client",
    remembers: true,
    options: ({ front, director }) => ["--front", front, "--gateway", director.address],
  },
  {
    topology: "lvc-snat",
    about: "the realservers put the VIP into replies that pass no director",
    sees: "client",
    remembers: false,
    options: ({ front, director }) => ["--front", front, "--gateway", director.address],
  },
  {
    topology: "lvc-dr",
    about: "transparent proxies, a VIP that nobody has, replies that pass no director",
    sees: "client",
    remembers: false,
    options: ({ front }) => ["--front", front, "--accept", "redirect"],
  },
];

const DIRECT: readonly Way[] = ["lo", "route"].map((accept) => ({
  topology: "lvc-dr",
  variant: `-${accept}`,
  families: [4],
  about: `--accept ${accept}: the realservers have the VIP, and answer no ARP for it`,
  sees: "client",
  remembers: false,
  // On any address a UDP server would answer from its own.
  listensOn: ({ vip }) => vip,
  options: ({ front }) => ["--front", front, "--accept", accept],
}));

const service = (
  name: string,
  { vip }: TwoWays,
  port: number,
  realservers: readonly { address: string }[],
): object => ({
  name,
  vip,
  ports: [`tcp/${port}`, `udp/${port}`],
  scheduler: "rr",
  realservers: realservers.map(({ address }) => ({ address })),
});

/** Of those that need no realserver's help, the plan has nothing to be done there. */
const hostsOf = (farm: TwoWays, topology: string) =>
  topology === "lvc-rr" ? [farm.director] : [farm.director, ...farm.realservers];

async function balance(sandbox: Sandbox, family: Family, way: Way): Promise<string> {
  const farm = await makeTwoWays(sandbox, family, 2);
  const [client] = farm.clients;
  if (!way.remembers) await forbidReplies(farm);
  const config = { services: [service("lines", farm, PORT, farm.realservers)] };
  const words = ["--topology", way.topology, ...way.options(farm)];
  const plan = new Planned(sandbox, config, hostsOf(farm, way.topology), words);
  await plan.apply();
  await startLines(farm.realservers, [PORT], way.listensOn?.(farm));
  const { tcp, udp } = await answers(client!, farm.vip, PORT, COUNT);
  const expected = way.sees === "client" ? client!.address : farm.director.address;
  for (const { counts, seen } of [tcp, udp]) {
    if (seen.join() !== expected) throw new Error(`the realservers see ${seen.join(", ")}, not ${expected}`);
    const fair = way.remembers ? counts.every((count) => count === COUNT / 2) : counts.every((count) => count > 0);
    if (counts.length !== 2 || !fair)
      throw new Error(`of ${COUNT} connections the realservers had ${counts.join(", ")}`);
  }
  await plan.undo();
  const counted = ({ counts }: Answers) => counts.join(" and ");
  return `TCP ${counted(tcp)}, UDP ${counted(udp)}; the realservers see the ${way.sees}; all taken back`;
}

/** What comes from the realservers' side goes no further: replies must take the other way. (Both devices: bridged
 * frames may come by here, too.) */
const forbidReplies = ({ director, back, front }: TwoWays) =>
  director.must([
    "nft",
    `table inet lab { chain forward { type filter hook forward priority 0; iifname "${back}" oifname "${front}" drop; }; }`,
  ]);

/** Two services behind one address, each with a server of its own. */
async function serviceToServer(sandbox: Sandbox): Promise<string> {
  const farm = await makeTwoWays(sandbox, 4, 2);
  const [first, second] = farm.realservers;
  await startLines(farm.realservers, [PORT, PORT + 1]);
  const services = [service("one", farm, PORT, [first!]), service("two", farm, PORT + 1, [second!])];
  const words = ["--topology", "lvc-gateway", "--gateway", farm.director.address];
  const plan = new Planned(sandbox, { services }, [farm.director, ...farm.realservers], words);
  await plan.apply();
  for (const [port, name] of [
    [PORT, "r1"],
    [PORT + 1, "r2"],
  ] as const) {
    const { tcp, udp } = await answers(farm.clients[0]!, farm.vip, port, 4);
    for (const { names } of [tcp, udp]) {
      if (names.join() !== name) throw new Error(`port ${port} is served by ${names.join(", ")}`);
    }
  }
  await plan.undo();
  return "each of two services by its own server, TCP and UDP";
}

export const lvc: readonly Scenario[] = [
  ...[...WAYS, ...DIRECT].flatMap((way) =>
    (way.families ?? [4, 6]).map((family) => ({
      name: `${way.topology}${way.variant ?? ""}${family === 6 ? "-ipv6" : ""}`,
      about: `plan --topology ${way.topology} on IPv${family}: ${way.about}`,
      needs: ["nft", "tc"],
      run: (sandbox: Sandbox) => balance(sandbox, family, way),
    })),
  ),
  {
    name: "lvc-service-to-server",
    about: "plan --topology lvc-gateway: one server for each service",
    needs: ["nft", "tc"],
    run: serviceToServer,
  },
];
