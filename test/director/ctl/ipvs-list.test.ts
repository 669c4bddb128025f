/** `kindred ctl -L`: in the columns that programs read ipvsadm's in. */
import t from "tap";
import type {
  ConnectionState,
  RealserverState,
  ServiceState,
  TrafficCounts,
} from "../../../director/control/operated.ts";
import { type Client, Refused } from "../../../director/ctl/client.ts";
import { listIpvs } from "../../../director/ctl/ipvs-list.ts";

const traffic = (connections: number, ...counts: [number, number, number, number]): TrafficCounts => ({
  connections,
  packets: { original: counts[0], reply: counts[1] },
  bytes: { original: counts[2], reply: counts[3] },
});

const realserver = (address: string, counted?: TrafficCounts): RealserverState => ({
  realserver: address,
  condition: "up",
  sorry: false,
  weight: 2,
  method: "nat",
  active: 3,
  inactive: 4,
  flows: { control: 0, related: 0, data: 0, plain: 3 },
  ...(counted === undefined ? {} : { traffic: counted }),
});

const service = (name: string, vip: string, ports: string[], ...realservers: RealserverState[]): ServiceState => ({
  ...{ name, vip, ports, realservers },
  ...{ helper: null, scheduler: "wlc", persistence: 90_000, removed: false },
});

const WEB = service(
  "web",
  "203.0.113.10",
  ["tcp/80"],
  realserver("192.168.0.2:8080", traffic(7, 70, 60, 7000, 123_456_789)),
  realserver("192.168.0.3", traffic(3, 30, 40, 3000, 99_999_999)),
);
const FTP = service(
  "ftp",
  "2001:db8::10",
  ["tcp/21", "tcp/40000-40100"],
  realserver("fd00::2", traffic(1, 2, 3, 4, 5)),
);

const connection = (role: ConnectionState["role"], name: string, ends: readonly [string, string, string]) => ({
  ...{ handle: 1, service: name, transport: "tcp" as const, role, realserver: "", control: null },
  ...{ client: ends[0], virtual: ends[1], real: ends[2] },
});
const CONNECTIONS = [
  connection("plain", "web", ["192.0.2.7:1025", "203.0.113.10:80", "192.168.0.2:8080"]),
  connection("related", "ftp", ["[2001:db8::7]:1026", "[2001:db8::10]:40001", "[fd00::2]:40001"]),
];

/** `samples`: the services, as they are asked for; the last for ever. */
function listing(...samples: (readonly ServiceState[])[]): (words: string) => Promise<string[]> {
  const client = {
    send: async ({ path, query }: { path: string; query?: { service?: string } }) =>
      path === "/v1/services"
        ? { items: samples.length > 1 ? samples.shift() : samples[0] }
        : { items: CONNECTIONS.filter((one) => (query?.service ?? one.service) === one.service), next: null },
  };
  return async (words) => (await listIpvs(client as unknown as Client, words.split(" "))).split("\n");
}
const list = listing([WEB, FTP]);

t.test("rules, with how many connections each realserver has", async (t) => {
  t.same(await list("-L -n"), [
    "IP Virtual Server (kindred)",
    "Prot LocalAddress:Port Scheduler Flags",
    "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn",
    "TCP  203.0.113.10:80 wlc persistent 90",
    "  -> 192.168.0.2:8080             Masq    2      3          4         ",
    "  -> 192.168.0.3:80               Masq    2      3          4         ",
    "TCP  ftp 2001:db8::10 tcp/21,tcp/40000-40100 wlc persistent 90",
    "  -> [fd00::2]:0                  Masq    2      3          4         ",
    "",
  ]);
  t.same(await list("-ln --sort"), await list("--list"));
});

t.test("--stats: what each has carried, and a service all of it; large numbers in ipvsadm's units", async (t) => {
  t.same((await list("-L -n --stats")).slice(1, 6), [
    "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes",
    "  -> RemoteAddress:Port",
    "TCP  203.0.113.10:80                    10      100      100    10000  223456K",
    "  -> 192.168.0.2:8080                    7       70       60     7000  123456K",
    "  -> 192.168.0.3:80                      3       30       40     3000 99999999",
  ]);
  t.match((await list("-L --stats --exact"))[3], / 223456788$/);
  const large = (bytes: number) =>
    service("web", "203.0.113.10", ["tcp/80"], realserver("192.168.0.2", traffic(1, 1, 1, 1, bytes)));
  for (const [bytes, shown] of [
    [1e9, "1000M"],
    [1e11, "100G"],
    [1e14, "100T"],
  ] as const) {
    t.ok((await listing([large(bytes)])("-L --stats"))[3]?.endsWith(` ${shown}`), shown);
  }
});

t.test("what a path does not count is no number", async (t) => {
  const uncounted = listing([service("web", "203.0.113.10", ["tcp/80"], realserver("192.168.0.2"))]);
  const [, , , total, one] = await uncounted("-L --stats");
  t.match(total, /^TCP {2}203\.0\.113\.10:80( +-){5}$/);
  t.match(one, /^ {2}-> 192\.168\.0\.2:80( +-){5}$/);
  t.match((await uncounted("-L --rate"))[4], /( +-){5}$/);
});

t.test("--rate: of a second; who came meanwhile, or counts anew, is no burst", async (t) => {
  const now = (counts: TrafficCounts) => service("web", "203.0.113.10", ["tcp/80"], realserver("192.168.0.2", counts));
  const lines = await listing(
    [now(traffic(10, 100, 200, 1000, 2_000_000))],
    [now(traffic(20, 100, 190, 3000, 2_000_000)), FTP],
  )("-L -n --rate");
  t.match(lines[1], /^Prot LocalAddress:Port +CPS +InPPS +OutPPS +InBPS +OutBPS$/);
  const [connections, packetsIn, packetsOut, bytesIn, bytesOut] = lines[4]!.trim().split(/ +/).slice(2).map(Number);
  t.same([packetsIn, packetsOut, bytesOut], [0, 0, 0]);
  t.ok(connections! > 0 && connections! <= 10, "10 in a second or a little more");
  t.ok(bytesIn! > 0 && bytesIn! <= 2000);
  t.match(lines[6], /( +0){5}$/);
});

t.test("-c: connections, with what they are in the place of their state", async (t) => {
  const all = [
    "IPVS connection entries",
    "pro expire role        source             virtual            destination",
    "TCP -      plain       192.0.2.7:1025     203.0.113.10:80    192.168.0.2:8080",
    "TCP -      related     [2001:db8::7]:1026 [2001:db8::10]:40001 [fd00::2]:40001",
    "",
  ];
  t.same(await list("-Lnc"), all);
  t.same(await list("-L -n -c -t 203.0.113.10:80"), all.toSpliced(3, 1));
});

t.test("one service, by its address and any of its ports", async (t) => {
  const named = async (words: string): Promise<string[]> =>
    (await list(words)).filter((line) => line.startsWith("TCP")).map((line) => line.split(" ")[2]!);
  t.same(await named("-L -t 203.0.113.10:80"), ["203.0.113.10:80"]);
  t.same(await named("-L --stats --tcp-service [2001:DB8::10]:40050"), ["ftp"]);
  for (const words of ["-L -u 203.0.113.10:80", "-L -t 203.0.113.10:81"]) {
    t.match(await list(words).catch((error: unknown) => error), { status: 404 }, words);
  }
});

t.test("what it does not list, or cannot list at once, is refused, not left out", async (t) => {
  for (const [words, said] of [
    ["-L --thresholds", /--thresholds lists nothing here/],
    ["-L -n --statistics", /"--statistics" is no option of ipvsadm/],
    ["-L 80", /"80" belongs to no option/],
    // fail(2, "options conflicts in the list command"), in its ipvsadm.c
    ["-L -c --stats", /-c and --stats exclude one another; ask for one after the other/],
    ["-L --rate -n -c", /-c and --rate exclude one another/],
    ["-L -t 203.0.113.10:99999", /"99999" is no port; write a whole number from 0 to 65535/],
    ["-L -u nonsense", /"nonsense" is no IP address/],
  ] as const) {
    const refused = await list(words).catch((error: unknown) => error);
    t.ok(refused instanceof Refused && refused.status === 400, words);
    t.match(String(refused), said);
  }
});
