/**
 * The packet path beside the kernel's own NAT (nftables, with nf_conntrack_ftp), each with a farm of its own of the same
 * shape: client, director and realserver in namespaces. They take turns; who has none is idle.
 */
import { readFileSync } from "node:fs";
import { startDirector } from "../lab/director.ts";
import { locate, type Running } from "../lab/process.ts";
import { makeRoutedFarm } from "../lab/routed.ts";
import { inSandbox, type Sandbox } from "../lab/sandbox.ts";
import { type Farm, type Host, makeFarm } from "../lab/topology.ts";
import { compile } from "./native.ts";
import { LOAD, MEASURED, pinned } from "./place.ts";
import { compared, type Result } from "./report.ts";
import { type Contestant, type Settings, takeTurns } from "./rounds.ts";

const FTP = 21;
const BULK = 5001;
const ANSWER = 5002;
const SINK = 5003;
const PORTS = [FTP, BULK, ANSWER];
const CONCURRENCY = 64;
/** The client's addresses: from one, ports would run out. */
const SOURCES = 32;
const FIRST_SOURCE = 128;
const STREAMS = 1;
/** The first cases are of plain services: bulk, and new connections. */
const OFFLOADABLE = 4;

interface Programs {
  readonly bulk: string;
  readonly load: string;
  readonly ftpLoad: string;
  readonly ftpServer: string;
}

/** Who forwards, and a way from a client to a realserver through it. */
interface Contender {
  readonly name: string;
  readonly farm: Farm;
}

export const packet = (settings: Settings): Promise<Result[]> =>
  inSandbox(async (sandbox) => {
    const programs = {
      bulk: await compile(sandbox, "bulk"),
      load: await compile(sandbox, "packet-load"),
      ftpLoad: await compile(sandbox, "ftp-load"),
      ftpServer: await compile(sandbox, "ftp-server"),
    };
    const contenders = [await startKindred(sandbox, KINDRED), await startKindred(sandbox, BESIDE)];
    if (locate("nft") !== null) contenders.push(await startKindred(sandbox, OFFLOADED), await startKernel(sandbox));
    for (const { farm } of contenders) await startServers(farm, programs);
    const results: Result[] = [];
    const cases = CASES.filter(({ name }) => name.includes(settings.only));
    for (const test of cases) {
      const these = contenders.filter(({ name }) => name === test.subject || name === KERNEL);
      if (these[0]?.name === test.subject) results.push(...(await compete(test, these, programs, settings)));
    }
    return results;
  });

interface Case {
  readonly name: string;
  /** Who is beside the kernel's own NAT. */
  readonly subject: Subject;
  readonly unit: string;
  measure(contender: Contender, programs: Programs, seconds: number): Promise<number>;
}

const json = async <T>(host: Host, command: readonly string[]): Promise<T> =>
  JSON.parse(await host.must(command, pinned(LOAD))) as T;
const clientOf = ({ clients }: Farm): Host => clients[0]!;
const firstSource = ({ vip }: Farm): string => vip.replace(/\d+$/, String(FIRST_SOURCE));

async function bulk({ farm }: Contender, { bulk }: Programs, verb: string, seconds: number): Promise<number> {
  const command = [bulk, verb, farm.vip, String(BULK), String(seconds), String(STREAMS)];
  return (await json<{ gigabits: number }>(clientOf(farm), command)).gigabits;
}

async function latency(
  { farm }: Contender,
  { load }: Programs,
  seconds: number,
): Promise<{ median: number; p99: number }> {
  return json(clientOf(farm), [load, "noop", farm.vip, String(FTP), String(seconds)]);
}

const KINDRED = "kindred";
/** With its plain services in the kernel. */
const OFFLOADED = "kindred, offload";
/** On the CPU of the load, as the kernel is, who forwards on the CPU that the sender runs on. */
const BESIDE = "kindred, one CPU";
type Subject = typeof KINDRED | typeof OFFLOADED | typeof BESIDE;
const KERNEL = "nft DNAT, nf_conntrack_ftp";

const MICROSECONDS = "µs";

const ENGINE_CASES: readonly Omit<Case, "subject">[] = [
  {
    name: "bulk get",
    unit: "Gb/s",
    measure: (contender, programs, seconds) => bulk(contender, programs, "get", seconds),
  },
  {
    name: "bulk put",
    unit: "Gb/s",
    measure: (contender, programs, seconds) => bulk(contender, programs, "put", seconds),
  },
  {
    name: "CPU, bulk get",
    unit: "CPU s/Gb",
    // Of the whole machine: the kernel's work is nobody's process.
    measure: async (contender, programs, seconds) => {
      const before = busySeconds();
      const gigabits = await bulk(contender, programs, "get", seconds);
      return (busySeconds() - before) / (gigabits * seconds);
    },
  },
  {
    name: `new connections, ${CONCURRENCY} at once`,
    unit: "1/s",
    measure: async ({ farm }, { load }, seconds) => {
      const sources = [firstSource(farm), String(SOURCES)];
      const command = [load, "connect", farm.vip, String(ANSWER), String(seconds), String(CONCURRENCY), ...sources];
      return (await json<{ perSecond: number }>(clientOf(farm), command)).perSecond;
    },
  },
  {
    name: `FTP sessions, ${CONCURRENCY} at once`,
    unit: "1/s",
    measure: async ({ farm }, { ftpLoad }, seconds) => {
      const sources = [String(SOURCES), firstSource(farm)];
      const command = [ftpLoad, farm.vip, String(FTP), String(seconds), String(CONCURRENCY), ...sources];
      return (await json<{ perSecond: number }>(clientOf(farm), command)).perSecond;
    },
  },
  {
    name: "UDP frames of 64 bytes",
    unit: "1/s",
    measure: async ({ farm }, { load }, seconds) => {
      const before = await framesInto(farm.realservers[0]!);
      await json(clientOf(farm), [load, "flood", farm.vip, String(SINK), String(seconds)]);
      return ((await framesInto(farm.realservers[0]!)) - before) / seconds;
    },
  },
  {
    name: "FTP command and reply, median",
    unit: MICROSECONDS,
    measure: async (contender, programs, seconds) => (await latency(contender, programs, seconds)).median,
  },
  {
    name: "FTP command and reply, 99 %",
    unit: MICROSECONDS,
    measure: async (contender, programs, seconds) => (await latency(contender, programs, seconds)).p99,
  },
];

const CASES: readonly Case[] = [
  ...ENGINE_CASES.map((one): Case => ({ ...one, subject: KINDRED })),
  ...ENGINE_CASES.slice(0, OFFLOADABLE).map(
    (one): Case => ({ ...one, name: `${one.name}, offload`, subject: OFFLOADED }),
  ),
  ...ENGINE_CASES.filter(({ unit }) => unit === MICROSECONDS).map(
    (one): Case => ({ ...one, name: `${one.name}, one CPU`, subject: BESIDE }),
  ),
];

async function compete(
  { name, unit, subject, measure }: Case,
  contenders: readonly Contender[],
  programs: Programs,
  { rounds, seconds }: Settings,
): Promise<Result[]> {
  const contestants = contenders.map(
    (contender): Contestant => ({ name: contender.name, measure: () => measure(contender, programs, seconds) }),
  );
  const runs = await takeTurns(contestants, rounds);
  const absent = contenders.length < 2 ? "nft is not installed" : undefined;
  return [
    compared({ case: name, unit, runs: runs.get(subject)! }, { name: KERNEL, runs: runs.get(KERNEL) ?? [], absent }),
  ];
}

async function startKindred(sandbox: Sandbox, name: Subject): Promise<Contender> {
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
  return { name, farm };
}

/** At log level `warn` it does not say that it is ready. */
const hasDevice = (pid: number): boolean => readFileSync(`/proc/${pid}/net/fib_trie`, "latin1").includes("10.77.1.100");

async function startKernel(sandbox: Sandbox): Promise<Contender> {
  const farm = await makeFarm(sandbox, 4, 1, 1);
  await addSources(farm);
  const [real] = farm.realservers as [Host];
  await farm.director.must(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"]);
  await real.must(["ip", "route", "add", "default", "via", farm.director.address]);
  await farm.director.must(["nft", rules(farm.vip, real.address)]);
  return { name: KERNEL, farm };
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

async function addSources({ clients, vip }: Farm): Promise<void> {
  const network = vip.replace(/\d+$/, "");
  for (let i = 0; i < SOURCES; i++) {
    await clients[0]!.must(["ip", "address", "add", `${network}${FIRST_SOURCE + i}/24`, "dev", "eth0"]);
  }
}

async function startServers({ realservers }: Farm, { bulk, load, ftpServer }: Programs): Promise<void> {
  const [real] = realservers as [Host];
  const commands = [
    [ftpServer, real.address, String(FTP)],
    [bulk, "serve", real.address, String(BULK)],
    [load, "answer", String(ANSWER)],
  ];
  for (const [i, command] of commands.entries()) await real.start(command, pinned(LOAD)).listening(PORTS[i]!);
  await real.start([load, "sink", String(SINK)], pinned(LOAD)).listening(SINK, "udp");
}

async function framesInto({ must }: Host): Promise<number> {
  return Number(await must(["cat", "/sys/class/net/eth0/statistics/rx_packets"]));
}

/** proc_stat(5): all CPUs' user, nice, system, irq and softirq time, in hundredths of a second. */
function busySeconds(): number {
  const [, user, nice, system, , , irq, softirq] = readFileSync("/proc/stat", "latin1")
    .split("\n")[0]!
    .split(/\s+/)
    .map(Number);
  return (user! + nice! + system! + irq! + softirq!) / 100;
}
