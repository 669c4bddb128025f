import t from "tap";
import { ConfigError, formatConfigError } from "../../../director/config.ts";
import { readDump } from "../../../director/ipvs/dump.ts";
import { applyRules } from "../../../director/ipvs/import.ts";

function wrong(text: string): string[] {
  try {
    applyRules({}, readDump(text, "rules"), "rules");
  } catch (error) {
    if (error instanceof ConfigError) return formatConfigError(error).split("\n");
    throw error;
  }
  return [];
}

const document = (text: string): unknown => applyRules({}, readDump(text, "rules"), "rules");

t.test("options may be bundled, long, with their value attached, and in any order", async (t) => {
  const plain = document("-A -t 192.0.2.1:80 -s wrr -p 60\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 3");
  t.same(document("-s wrr -p60 -At 192.0.2.1:80\n-mat192.0.2.1:80 -w3 -r 10.0.0.1:80"), plain);
  const long = [
    "ipvsadm --add-service --tcp-service=192.0.2.1:80 --scheduler wrr --persistent 60",
    "/sbin/ipvsadm --add-server --tcp-service 192.0.2.1:80 --real-server 10.0.0.1:80 --masquerading --weight=3",
  ];
  t.same(document(long.join("\n")), plain);
});

t.test("what is left out is as in ipvsadm: wlc, direct routing, weight 1, 360 s", async (t) => {
  t.match(document("# a farm\n\n-A -t 192.0.2.1:80 -p\n-a -t 192.0.2.1:80 -r 10.0.0.1:81"), {
    services: [{ scheduler: "wlc", persistence: "360s", realservers: [{ weight: 1, method: "dr", port: undefined }] }],
  });
});

t.test("services and realservers are edited and taken away", async (t) => {
  const farm = "-A -t 192.0.2.1:80 -s rr -p 60 -M 255.255.0.0\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 5\n";
  const service = (changes: string): unknown => (document(farm + changes) as { services: unknown[] }).services[0];
  const before = { name: "tcp-192.0.2.1-80", vip: "192.0.2.1", ports: ["tcp/80"] };
  t.same(service("-E -t 192.0.2.1:80 -s sh\n-e -t 192.0.2.1:80 -r 10.0.0.1 -m -w 0"), {
    ...before,
    scheduler: "sh",
    realservers: [{ address: "10.0.0.1", weight: 0 }],
  });
  t.match(service("-d -t 192.0.2.1:80 -r 10.0.0.1:80"), { ...before, realservers: [] });
  t.equal(service("-D -t 192.0.2.1:80"), undefined);
  t.equal(service("-C"), undefined);
});

const cases: readonly (readonly [line: string, message: string])[] = [
  ["-A -t 192.0.2.1:80 -s lblc", "1:23: lblc chooses by the packet's destination"],
  ["-A -t 192.0.2.1:80 -s maglev", '1:23: "maglev" is no scheduler that there is here; write one of rr, wrr'],
  ["-A -t 192.0.2.1:80 -s rr -b sh-port", "1:26: schedulers take no flags here"],
  ["-A -u 192.0.2.1:53 -s rr -o", "1:26: there is no scheduling packet by packet here"],
  ["-A -u 192.0.2.1:5060 -p 60 --pe sip", '1:28: no persistence engine "sip"'],
  ["-A --sctp-service 192.0.2.1:80", "1:4: SCTP is not forwarded here"],
  ["-A -t 192.0.2.1:0", "1:1: every port of the VIP, without persistence"],
  ["-A -t 192.0.2.1:80 -M 255.255.255.0", "1:20: a netmask without persistence means nothing"],
  ["-A -t 192.0.2.1:80 -p 60 -M 255.0.255.0", '1:29: "255.0.255.0" is no netmask'],
  ["-A -t 192.0.2.1:80 -p 0", '1:23: "0" is no number of seconds'],
  ["-A -t www.example.net:80", '1:7: "www.example.net" is no IP address; write the address itself'],
  ["-A -t 192.0.2.1:http", '1:17: "http" is no port'],
  ["-A -t 192.0.2.1:70000", '1:17: "70000" is no port'],
  ["-A -f 0", '1:7: "0" is no firewall mark'],
  ["-A -f 7 -s rr", "1:1: firewall mark 7 names neither a VIP nor ports; say which packets carry it: --mark 7="],
  ["-A", "1:1: names no virtual service"],
  ["-A -t 192.0.2.1:80 -u 192.0.2.1:80", "1:1: names two virtual services"],
  ["-A -D -t 192.0.2.1:80", "1:4: two things at once"],
  ["-A -t 192.0.2.1:80 -w 5", "1:20: --weight does not go with --add-service"],
  ["-A -t 192.0.2.1:80 -t 192.0.2.1:81", "1:20: --tcp-service is there twice"],
  ["-A -t", "1:4: --tcp-service has no value"],
  ["-A -t -s rr", "1:4: --tcp-service has no value"],
  ["-A -t 192.0.2.1:80 -q", '1:20: "-q" is no option of ipvsadm'],
  ["-A -t 192.0.2.1:80 --sheduler rr", '1:20: "--sheduler" is no option of ipvsadm'],
  ["-A -t 192.0.2.1:80 rr", '1:20: "rr" belongs to no option'],
  ["-t 192.0.2.1:80", "1:1: says nothing to do"],
  ["-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m", "1:1: -t 192.0.2.1:80 is no service; write its -A before"],
  ["-A -t 192.0.2.1:80\n-A -t 192.0.2.1:80", "2:1: -t 192.0.2.1:80 is there already; write -E"],
  ["-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -m", "2:1: --real-server is missing"],
  ["-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1 -m -g", "2:35: two forwarding methods"],
  [
    "-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1 -i --tun-type gue --tun-port 6080",
    "2:35: tunnels are IPIP here",
  ],
  ["-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1 -m --tun-type ipip", "2:35: --tun-type is of tunnels only"],
  ["-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1 -w 65536", '2:35: "65536" is no weight'],
  ["-A -t 192.0.2.1:80\n-e -t 192.0.2.1:80 -r 10.0.0.1", "2:1: 10.0.0.1:80 is no realserver of -t 192.0.2.1:80"],
];

for (const [line, message] of cases) {
  t.test(`${JSON.stringify(line)} is refused at its place`, async (t) => {
    const [first, ...others] = wrong(line);
    t.ok(first?.startsWith(`rules:${message}`), first ?? "nothing was wrong");
    t.same(others, []);
  });
}

t.test("what only follows from a wrong line is not told beside it", async (t) => {
  const lines = wrong("-A -t 192.0.2.1:80 -s dh\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m\n-A -t 192.0.2.1:x");
  t.equal(lines.length, 2);
  t.match(lines[1], /^rules:3:17: /);
});

t.test("thresholds are told to be left out", async (t) => {
  const { warnings, problems } = readDump("-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -x 100 -y 0", "rules");
  t.same(problems, []);
  t.match(warnings, [{ line: 1, column: 38, message: "a realserver's connections are not limited here" }]);
  t.equal(warnings.length, 1);
});
