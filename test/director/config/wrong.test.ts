/** Wrong configurations: each is a good one with one thing changed, and what is said of it, to the letter. */
import t from "tap";
import { ConfigError, formatConfigError, parseConfig } from "../../../director/config.ts";
import { helpers as builtIn } from "../../../helpers/index.ts";

const GOOD = `services:
  - name: ftp
    vip: 203.0.113.10
    ports: [tcp/21, tcp/40000-40100]
    helper: ftp
    scheduler: wlc
    persistence: 300s
    realservers:
      - address: 192.168.0.2
        port: 21
        weight: 1
        method: nat
      - address: 192.168.0.3
        port: 21
groups:
  - name: web
    vip: 203.0.113.10
    ports: [tcp/80, tcp/443]
    realservers:
      - address: 192.168.0.2
helpers:
  ftp: { ports: [21, 2121], strict: false, limits: { pending: 10, ttl: 30s } }
related:
  ports: 50000-50999
  standing: 256
timeouts: { connect: 3s }
log: { level: info }
`;

t.test("what the wrong ones are made from is good", async (t) => {
  t.same(parseConfig(GOOD, "kindred.yaml").warnings, []);
});

const helpers = builtIn.filter(({ name }) => name === "ftp" || name === "radius");

function errorOf(text: string): ConfigError {
  try {
    parseConfig(text, "kindred.yaml", { helpers });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("accepted");
}

/** With `from` replaced by `to`, the one problem reads `kindred.yaml:` and `problem`. */
const wrong: [what: string, from: string, to: string, problem: string][] = [
  // Not YAML, or more of YAML than is taken.
  [
    "a tab",
    "    vip: 203.0.113.10\n    ports: [tcp/21",
    "\tvip: 203.0.113.10\n    ports: [tcp/21",
    "3:1: not YAML: a tab as indentation; indent with spaces",
  ],
  [
    "the same key twice",
    "    helper: ftp",
    "    helper: ftp\n    helper: ftp",
    "6:5: not YAML: the same key a second time; keep one of the two",
  ],
  [
    "two documents",
    "groups:",
    "---\ngroups:",
    '15:1: not YAML: a second document; remove the "---" or "..." and what follows it',
  ],
  [
    "an alias",
    "vip: 203.0.113.10\n    ports: [tcp/80",
    "vip: *v\n    ports: [tcp/80",
    "17:10: groups[0].vip: *v is an alias; write out what it stands for",
  ],
  [
    "a tag",
    "helper: ftp",
    "helper: !!js/function ftp",
    "5:27: services[0].helper: !!js/function is a tag; remove it: values need none",
  ],
  [
    "a __proto__ key",
    "    helper: ftp",
    "    helper: ftp\n    __proto__: { helper: ftp }",
    '6:5: services[0]: "__proto__" is no key; remove it: keys are words, and are not merged',
  ],
  [
    "a merge key",
    "    helper: ftp",
    "    helper: ftp\n    <<: { scheduler: rr }",
    '6:5: services[0]: "<<" is no key; remove it: keys are words, and are not merged',
  ],
  [
    "a key that is a number",
    "related:",
    "21: ftp\nrelated:",
    "23:1: 21 is no key; remove it: keys are words, and are not merged",
  ],
  [
    "a key that is a list",
    "related:",
    "? [a, b]\n: ftp\nrelated:",
    "23:3: this is no key; remove it: keys are words, and are not merged",
  ],
  [
    "a bracket that is not closed",
    "[tcp/80, tcp/443]",
    "[tcp/80, tcp/443",
    "18:12: not YAML: opened here, and never closed; add the closing bracket or quote",
  ],
  [
    "a quote that is not closed",
    "name: web",
    'name: "web',
    "16:11: not YAML: opened here, and never closed; add the closing bracket or quote",
  ],
  [
    "a column that is off",
    "    helper: ftp",
    "   helper: ftp",
    "5:1: not YAML: Sequence item without - indicator; add the missing dash, comma, or the space after a colon",
  ],
  [
    "no space after a colon",
    "    helper: ftp",
    "    helper:ftp",
    '5:5: not YAML: a key without a value; write "key: value", with a space after the colon',
  ],
  [
    "an address that ends in a colon",
    "vip: 203.0.113.10\n    ports: [tcp/80",
    "vip: 2001:db8::\n    ports: [tcp/80",
    '17:10: not YAML: a colon within a value; put a value that has ": " in it, or ends in a colon, in quotes',
  ],
  [
    "a directive",
    "services:",
    "%YAML 1.1\n---\nservices:",
    "1:1: a %YAML directive; remove it: the configuration is YAML 1.2",
  ],
  // Keys.
  [
    "an unknown key at the top",
    "timeouts:",
    "timeout:",
    '26:1: timeout: "timeout" is no key here; did you mean "timeouts"?',
  ],
  [
    "an unknown key in a service",
    "scheduler: wlc",
    "schedular: wlc",
    '6:5: services[0].schedular: "schedular" is no key here; did you mean "scheduler"?',
  ],
  [
    "a required key misspelt",
    "    realservers:\n      - address: 192.168.0.2\nhelpers",
    "    realserver:\n      - address: 192.168.0.2\nhelpers",
    '19:5: groups[0].realserver: "realserver" is no key here; did you mean "realservers"?',
  ],
  [
    "an unknown key in a realserver",
    "weight: 1",
    "wieght: 1",
    '11:9: services[0].realservers[0].wieght: "wieght" is no key here; did you mean "weight"?',
  ],
  [
    "an unknown key like no other",
    "weight: 1",
    "colour: blue",
    '11:9: services[0].realservers[0].colour: "colour" is no key here; known here: address, port, weight, method, sorry, announces, passivePorts',
  ],
  [
    "an unknown limit",
    "pending: 10",
    "pendings: 10",
    '22:54: helpers.ftp.limits.pendings: "pendings" is no key here; did you mean "pending"?',
  ],
  [
    "a helper for a group",
    "  - name: web",
    "  - name: web\n    helper: ftp",
    '17:5: groups[0].helper: "helper" is no key here; known here: name, vip, ports, scheduler, originates, persistenceNetmask, mark, check, realservers, persistence',
  ],
  [
    "no vip",
    "    vip: 203.0.113.10\n    ports: [tcp/80",
    "    ports: [tcp/80",
    '16:5: groups[0].vip: missing; add "vip: 203.0.113.10"',
  ],
  ["no name", "  - name: ftp\n    vip", "  - vip", '2:5: services[0].name: missing; add "name: ftp"'],
  [
    "no realservers",
    "    realservers:\n      - address: 192.168.0.2\nhelpers",
    "helpers",
    '16:5: groups[0].realservers: missing; add "realservers: [{ address: 192.168.0.2 }]"',
  ],
  [
    "a key without a value",
    "    helper: ftp",
    "    helper:",
    '5:5: services[0].helper: has no value; give it one, as in "helper: ftp", or remove the line',
  ],
  [
    "a section without a value",
    "related:\n  ports: 50000-50999\n  standing: 256",
    "related:",
    "23:1: related: has no value; give it one, or remove the line",
  ],
  [
    "a list where a mapping belongs",
    "log: { level: info }",
    "log: [info]",
    '27:6: log: a list where a mapping belongs; write "key: value" lines, indented below it',
  ],
  [
    "a mapping where a list belongs",
    "ports: [tcp/80, tcp/443]",
    "ports: { tcp: 80 }",
    "18:12: groups[0].ports: a mapping where a list belongs; write [ … ], or one item on each line behind a dash",
  ],
  [
    "text where a list belongs",
    "ports: [tcp/80, tcp/443]",
    "ports: tcp/80",
    '18:12: groups[0].ports: the value "tcp/80" where a list belongs; write [ … ], or one item on each line behind a dash',
  ],
  [
    "text where a service belongs",
    "groups:",
    "  - web\ngroups:",
    '15:5: services[1]: the value "web" where a mapping belongs; write "key: value" lines, indented below it',
  ],
  // Values.
  [
    "a misspelt scheduler",
    "scheduler: wlc",
    "scheduler: wlcc",
    '6:16: services[0].scheduler: "wlcc" is no scheduler; did you mean "wlc"?',
  ],
  [
    "an unknown scheduler",
    "scheduler: wlc",
    "scheduler: random",
    '6:16: services[0].scheduler: "random" is no scheduler; write one of rr, wrr, lc, wlc, sed, nq, fo, ovf, sh, maglev',
  ],
  [
    "an unknown method",
    "method: nat",
    "method: masq",
    '12:17: services[0].realservers[0].method: "masq" is no forwarding method; write one of nat, dr, tunnel',
  ],
  [
    "an unknown backend",
    "log: { level: info }",
    "backend: epol",
    '27:10: backend: "epol" is no backend; did you mean "epoll"?',
  ],
  [
    "an unknown log level",
    "level: info",
    "level: inof",
    '27:15: log.level: "inof" is no log level; did you mean "info"?',
  ],
  [
    "a name with a blank",
    "name: web",
    "name: my web",
    '16:11: groups[0].name: "my web" is no name; write letters, digits, dots, dashes and underscores, at most 63, a letter or digit first',
  ],
  [
    "a name that would turn a terminal's text round",
    "name: web",
    'name: "web\\u202e\\u009b"',
    '16:11: groups[0].name: "web\\u202e\\u009b" is no name; write letters, digits, dots, dashes and underscores, at most 63, a letter or digit first',
  ],
  ["a name that is a number", "name: web", "name: 80", '16:11: groups[0].name: 80 is no name; put it in quotes: "80"'],
  [
    "an octal address",
    "address: 192.168.0.3",
    "address: 010.0.0.1",
    '13:18: services[0].realservers[1].address: "010.0.0.1" is no IP address; leave out leading zeros: some read them as octal (010 is 8)',
  ],
  [
    "three numbers",
    "address: 192.168.0.3",
    "address: 1.2.3",
    '13:18: services[0].realservers[1].address: "1.2.3" is no IP address; write all four numbers, as in 192.0.2.1',
  ],
  [
    "a number for an address",
    "address: 192.168.0.3",
    "address: 1.2",
    "13:18: services[0].realservers[1].address: 1.2 is no IP address; write an IPv4 or IPv6 address such as 192.0.2.1",
  ],
  [
    "a zone",
    "address: 192.168.0.3",
    'address: "fe80::1%eth0"',
    '13:18: services[0].realservers[1].address: "fe80::1%eth0" is no IP address; leave out the zone: a director needs an address that means the same on every link',
  ],
  [
    "a host name",
    "address: 192.168.0.3",
    "address: ftp2.example.net",
    '13:18: services[0].realservers[1].address: "ftp2.example.net" is no IP address; write the address itself: names are not looked up',
  ],
  [
    "a prefix length",
    "address: 192.168.0.3",
    "address: 192.168.0.3/24",
    '13:18: services[0].realservers[1].address: "192.168.0.3/24" is no IP address; leave out the prefix length: one address is meant',
  ],
  [
    "an address with its port",
    "address: 192.168.0.3",
    "address: 192.168.0.3:21",
    '13:18: services[0].realservers[1].address: "192.168.0.3:21" is no IP address; leave out the port: it has a key of its own ("port" or "ports")',
  ],
  [
    "brackets",
    "address: 192.168.0.3",
    'address: "[2001:db8::3]"',
    '13:18: services[0].realservers[1].address: "[2001:db8::3]" is no IP address; leave out the brackets',
  ],
  [
    "a number above 255",
    "address: 192.168.0.3",
    "address: 192.168.0.300",
    '13:18: services[0].realservers[1].address: "192.168.0.300" is no IP address; each of the four numbers is at most 255',
  ],
  [
    "a bad IPv6 address",
    "address: 192.168.0.3",
    "address: 2001:db8:::3",
    '13:18: services[0].realservers[1].address: "2001:db8:::3" is no IP address; write an IPv6 address such as 2001:db8::1',
  ],
  [
    "port 0",
    "port: 21\n        weight",
    "port: 0\n        weight",
    "10:15: services[0].realservers[0].port: 0 is no port; write a number from 1 to 65535",
  ],
  [
    "port 65536",
    "port: 21\n        weight",
    "port: 65536\n        weight",
    "10:15: services[0].realservers[0].port: 65536 is no port; write a number from 1 to 65535",
  ],
  [
    "a quoted port",
    "port: 21\n        weight",
    'port: "21"\n        weight',
    '10:15: services[0].realservers[0].port: "21" is text; remove the quotes',
  ],
  [
    "a port without transport",
    "[tcp/80, tcp/443]",
    "[tcp/80, 443]",
    "18:21: groups[0].ports[1]: 443 names no transport; write tcp/443 or udp/443",
  ],
  [
    "another transport",
    "[tcp/80, tcp/443]",
    "[tcp/80, sctp/443]",
    '18:21: groups[0].ports[1]: "sctp" is no transport; write tcp or udp',
  ],
  [
    "a misspelt transport",
    "[tcp/80, tcp/443]",
    "[tcp/80, tpc/443]",
    '18:21: groups[0].ports[1]: "tpc" is no transport; did you mean "tcp"?',
  ],
  [
    "a reversed range",
    "tcp/40000-40100",
    "tcp/40100-40000",
    '4:21: services[0].ports[1]: "40100-40000" ends before it begins; write 40000-40100',
  ],
  [
    "a range beyond 65535",
    "tcp/40000-40100",
    "tcp/65000-70000",
    "4:21: services[0].ports[1]: 70000 is no port; write a number from 1 to 65535",
  ],
  [
    "a range from 0",
    "tcp/40000-40100",
    "tcp/0-40100",
    "4:21: services[0].ports[1]: 0 is no port; write a number from 1 to 65535",
  ],
  [
    "a range in words",
    "tcp/40000-40100",
    "tcp/ftp",
    '4:21: services[0].ports[1]: "ftp" is no port range; write first-last, as in 40000-40100',
  ],
  [
    "a weight of 65536",
    "weight: 1",
    "weight: 65536",
    "11:17: services[0].realservers[0].weight: 65536 is out of range; write a whole number from 0 to 65535",
  ],
  [
    "a weight below 0",
    "weight: 1",
    "weight: -1",
    "11:17: services[0].realservers[0].weight: -1 is out of range; write a whole number from 0 to 65535",
  ],
  [
    "half a weight",
    "weight: 1",
    "weight: 0.5",
    "11:17: services[0].realservers[0].weight: 0.5 is out of range; write a whole number from 0 to 65535",
  ],
  [
    "a weight in words",
    "weight: 1",
    "weight: heavy",
    '11:17: services[0].realservers[0].weight: "heavy" is no number; write a whole number from 0 to 65535',
  ],
  [
    "a quoted weight",
    "weight: 1",
    'weight: "1"',
    '11:17: services[0].realservers[0].weight: "1" is text; remove the quotes',
  ],
  [
    "a duration without unit",
    "persistence: 300s",
    "persistence: 300",
    "7:18: services[0].persistence: 300 has no unit; write 300s or 300ms",
  ],
  [
    "a duration in words",
    "persistence: 300s",
    "persistence: five minutes",
    '7:18: services[0].persistence: "five minutes" is no duration; write a whole number and ms, s, m or h, as in 500ms, 30s, 5m, 1h',
  ],
  [
    "a duration in days",
    "persistence: 300s",
    "persistence: 1d",
    '7:18: services[0].persistence: "1d" is no duration; write a whole number and ms, s, m or h, as in 500ms, 30s, 5m, 1h',
  ],
  [
    "no time at all",
    "connect: 3s",
    "connect: 0s",
    '26:22: timeouts.connect: "0s" is no time at all; write at least 1ms, or leave the key out',
  ],
  [
    "too long a time",
    "connect: 3s",
    "connect: 10000h",
    '26:22: timeouts.connect: "10000h" is too long; write at most 596h',
  ],
  [
    "yes for true",
    "strict: false",
    "strict: no",
    '22:37: helpers.ftp.strict: "no" is neither true nor false; write true or false',
  ],
  [
    "a module path without its beginning",
    "helpers:",
    "helpers:\n  acme: { module: acme-helper, ports: [9000] }",
    '22:19: helpers.acme.module: "acme-helper" is no module path; write the file\'s path, beginning with ./ or /, as in ./acme-helper.js',
  ],
  // What does not go together in a service, or between services.
  [
    "a VIP of zeros",
    "vip: 203.0.113.10\n    ports: [tcp/80",
    "vip: 0.0.0.0\n    ports: [tcp/80",
    "17:10: groups[0].vip: 0.0.0.0 is no address of anybody; write the address that clients connect to",
  ],
  [
    "an IPv6 VIP of zeros",
    "vip: 203.0.113.10\n    ports: [tcp/80",
    'vip: "::"\n    ports: [tcp/80',
    "17:10: groups[0].vip: :: is no address of anybody; write the address that clients connect to",
  ],
  [
    "a multicast VIP",
    "vip: 203.0.113.10\n    ports: [tcp/80",
    "vip: 239.1.2.3\n    ports: [tcp/80",
    "17:10: groups[0].vip: 239.1.2.3 is a multicast group; write the address that clients connect to",
  ],
  [
    "a realserver of zeros",
    "address: 192.168.0.3",
    "address: 0.0.0.0",
    "13:18: services[0].realservers[1].address: 0.0.0.0 is no address of anybody; write the realserver's own address",
  ],
  [
    "an announced address of zeros",
    "weight: 1",
    "announces: [203.0.113.7, 0.0.0.0]",
    "11:34: services[0].realservers[0].announces[1]: 0.0.0.0 is no address of anybody; write the address that it announces",
  ],
  ["no port", "[tcp/80, tcp/443]", "[]", "18:12: groups[0].ports: lists no port; list one, as in [tcp/21]"],
  [
    "the same name twice",
    "name: web",
    "name: ftp",
    '16:11: groups[0].name: "ftp" is the name of another, on line 2; rename one of the two',
  ],
  [
    "a port that another service has",
    "[tcp/80, tcp/443]",
    "[tcp/80, tcp/21]",
    '18:21: groups[0].ports[1]: tcp/21 of 203.0.113.10 is served by "ftp" (line 4); remove it from one of the two, or give it another VIP',
  ],
  [
    "a range that overlaps another service's",
    "[tcp/80, tcp/443]",
    "[tcp/80, tcp/40050-40150]",
    '18:21: groups[0].ports[1]: tcp/40050-40100 of 203.0.113.10 is served by "ftp" (line 4); remove it from one of the two, or give it another VIP',
  ],
  [
    "a range that overlaps within the service",
    "tcp/40000-40100]",
    "tcp/40000-40100, tcp/40100-40200]",
    "4:38: services[0].ports[2]: tcp/40100 is listed before, in tcp/40000-40100; remove one of the two",
  ],
  [
    "an unknown helper",
    "helper: ftp",
    "helper: rtps",
    '5:13: services[0].helper: "rtps" is no helper; known: ftp, radius; one of your own goes under "helpers" with its module',
  ],
  [
    "a misspelt helper",
    "helper: ftp",
    "helper: fpt",
    '5:13: services[0].helper: "fpt" is no helper; did you mean "ftp"?',
  ],
  [
    "a helper over the other transport",
    "[tcp/21, tcp/40000-40100]",
    "[udp/21, tcp/40000-40100]",
    "5:13: services[0].helper: ftp is spoken over tcp, not udp/21; write tcp/21 in ports",
  ],
  [
    "a helper without its control port",
    "[tcp/21, tcp/40000-40100]",
    "[tcp/2100, tcp/40000-40100]",
    "5:13: services[0].helper: no control port of ftp (21, 2121) is among ports; add tcp/21 to ports, or this service's control port to helpers.ftp.ports",
  ],
  [
    "a netmask without persistence",
    "persistence: 300s",
    "persistenceNetmask: 24",
    '7:5: services[0].persistenceNetmask: without persistence it means nothing; add "persistence: 300s", or remove it',
  ],
  [
    "a netmask of 33 bits",
    "persistence: 300s",
    "persistence: 300s\n    persistenceNetmask: 33",
    "8:25: services[0].persistenceNetmask: 33 bits, of 32 that an IPv4 address has; write a number from 1 to 32",
  ],
  [
    "a netmask of 0 bits",
    "persistence: 300s",
    "persistence: 300s\n    persistenceNetmask: 0",
    "8:25: services[0].persistenceNetmask: 0 is out of range; write a whole number from 1 to 128",
  ],
  [
    "the same realserver twice",
    "address: 192.168.0.3",
    "address: 192.168.0.2",
    "13:9: services[0].realservers[1]: the same realserver as on line 9; remove one of the two, or give it another port",
  ],
  [
    "a realserver that is the service itself",
    "address: 192.168.0.3",
    "address: 203.0.113.10",
    "13:18: services[0].realservers[1].address: tcp/21 of 203.0.113.10 is this service itself: a loop; write the address, or another port, of the server behind it",
  ],
  [
    "a group's realserver that is the group itself",
    "      - address: 192.168.0.2\nhelpers",
    "      - address: 203.0.113.10\nhelpers",
    "20:18: groups[0].realservers[0].address: tcp/80 of 203.0.113.10 is this service itself: a loop; write the address, or another port, of the server behind it",
  ],
  [
    "direct routing on the socket path",
    "method: nat",
    "method: dr",
    '12:17: services[0].realservers[0].method: dr needs the packet path; run on the packet path ("--path tun"), or write "method: nat"',
  ],
  [
    "tunnelling on the socket path",
    "method: nat",
    "method: tunnel",
    '12:17: services[0].realservers[0].method: tunnel needs the packet path; run on the packet path ("--path tun"), or write "method: nat"',
  ],
  [
    "one port for a group of ports",
    "      - address: 192.168.0.2\nhelpers",
    "      - address: 192.168.0.2\n        port: 8080\nhelpers",
    "21:9: groups[0].realservers[0].port: one port for a group of ports; remove it: connections keep the port that the client used",
  ],
  [
    "passive ports without a helper",
    "      - address: 192.168.0.2\nhelpers",
    "      - address: 192.168.0.2\n        passivePorts: 40000-40100\nhelpers",
    '21:9: groups[0].realservers[0].passivePorts: without a helper nobody groups them; add "helper: ftp", or remove them',
  ],
  // Helpers and the pool of listeners.
  [
    "an unknown helper configured",
    "  ftp: {",
    "  rtps: {",
    '22:3: helpers.rtps: "rtps" is no helper; known: ftp, radius; or add "module: ./rtps-helper.js"',
  ],
  [
    "a misspelt helper configured",
    "helpers:",
    "helpers:\n  ftps: { strict: true }",
    '22:3: helpers.ftps: "ftps" is no helper; did you mean "ftp"?',
  ],
  [
    "a module for a built-in helper",
    "strict: false,",
    "module: ./ftp.js,",
    '22:37: helpers.ftp.module: "ftp" is built in; remove "module", or give the helper of ./ftp.js another name',
  ],
  [
    "a module without ports",
    "helpers:",
    "helpers:\n  acme: { module: ./acme-helper.js }",
    '22:9: helpers.acme.ports: missing for a helper from a module; add "ports: [9000]"',
  ],
  [
    "no helper port",
    "ports: [21, 2121]",
    "ports: []",
    "22:17: helpers.ftp.ports: lists no port; list one, or remove the key",
  ],
  [
    "a helper port twice",
    "ports: [21, 2121]",
    "ports: [21, 21]",
    "22:22: helpers.ftp.ports[1]: 21 is listed twice; remove one of the two",
  ],
  [
    "a limit of 0",
    "pending: 10",
    "pending: 0",
    "22:63: helpers.ftp.limits.pending: 0 is out of range; write a whole number from 1 to 1000",
  ],
  [
    "a key for a helper that schedules by none",
    "strict: false,",
    "key: [User-Name],",
    "22:29: helpers.ftp.key: ftp schedules by no key; remove it",
  ],
  [
    "a misspelt key",
    "helpers:",
    "helpers:\n  radius: { key: [Calling-Station-Id, User-Nam] }",
    '22:39: helpers.radius.key[1]: "User-Nam" is nothing that radius can be scheduled by; did you mean "User-Name"?',
  ],
  [
    "no key",
    "helpers:",
    "helpers:\n  radius: { key: [] }",
    "22:18: helpers.radius.key: lists no name; list one, or remove the key",
  ],
  [
    "a primary for a helper that has none",
    "strict: false,",
    "primary: 192.168.0.2,",
    "22:29: helpers.ftp.primary: ftp has no requests for a primary; remove it",
  ],
  [
    "a privileged pool",
    "ports: 50000-50999",
    "ports: 900-1999",
    "24:10: related.ports: 900 is a privileged port; begin at 1024 or above",
  ],
  [
    "a pool smaller than its listeners",
    "standing: 256",
    "standing: 2000",
    '25:13: related.standing: 2000 listeners on 1000 ports; write at most 1000, or widen "ports"',
  ],
  [
    "a pool on a service's ports",
    "ports: 50000-50999",
    "ports: 40100-40999",
    '24:10: related.ports: tcp/40100 of 203.0.113.10 is served by "ftp" (line 4); give the pool ports that no service has',
  ],
  [
    "more for one client than in all",
    "standing: 256",
    "perClient: 100\n  total: 50",
    '25:14: related.perClient: 100 for one client, of 50 in all; write at most 50, or raise "total"',
  ],
];

for (const [what, from, to, problem] of wrong) {
  t.test(`refused: ${what}`, async (t) => {
    t.equal(GOOD.split(from).length, 2, "changed in one place");
    const error = errorOf(GOOD.replace(from, () => to));
    t.equal(formatConfigError(error), `kindred.yaml:${problem}`);
    const [line, column] = problem.split(":").map(Number);
    t.match(error.problems[0], { file: "kindred.yaml", line, column, remedy: /./ });
  });
}
