import { chmod, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import fc from "fast-check";
import t from "tap";
import { parse as parseYaml } from "yaml";
import { port, seconds } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import {
  type Config,
  ConfigError,
  type ConfigOptions,
  formatConfigError,
  loadConfig,
  parseConfig,
} from "../../director/config.ts";

const EXAMPLE = "fixtures/config/kindred.yaml";
const SMALL = `services:
  - name: ftp
    vip: 203.0.113.10
    ports: [tcp/21]
    helper: ftp
    realservers:
      - address: 192.168.0.2
`;

const parse = (text: string, options?: ConfigOptions): Config => parseConfig(text, "kindred.yaml", options);

/** What is said of a wrong configuration, line by line. */
function problemsOf(text: string, options?: ConfigOptions): string[] {
  try {
    parse(text, options);
  } catch (error) {
    if (error instanceof ConfigError) return formatConfigError(error).split("\n");
    throw error;
  }
  return [];
}

const ftpOf = ({ helpers }: Config) => helpers.find(({ name }) => name === "ftp");

const textOf = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

t.test("the example says all that can be said", async (t) => {
  const config = parseConfig(await readFile(EXAMPLE, "utf8"), EXAMPLE);
  const helpers = config.helpers.filter(({ name }) => ["dns", "ftp", "radius", "acme"].includes(name));
  t.same(textOf({ ...config, helpers }), {
    file: EXAMPLE,
    services: [
      {
        name: "ftp",
        vip: "203.0.113.10",
        ports: [
          { transport: "tcp", first: 21, last: 21 },
          { transport: "tcp", first: 40000, last: 40100 },
        ],
        helper: textOf(ftpOf(config)),
        controlPorts: [21],
        scheduler: "wlc",
        persistence: 300_000,
        persistenceNetmask: 24,
        mark: "files",
        originates: [{ transport: "tcp", first: 113, last: 113 }],
        check: {
          kind: "ftp",
          interval: 5000,
          timeout: 3000,
          rise: 2,
          fall: 3,
          port: 21,
          source: "203.0.113.1",
          initially: "up",
          onFailure: "quiesce",
          login: "anonymous",
          secretFile: resolve("fixtures/config/check.secret"),
          path: "/",
          host: null,
          status: 200,
          zone: null,
          authority: null,
          command: null,
        },
        realservers: [
          {
            address: "192.168.0.2",
            port: 21,
            weight: 1,
            sorry: false,
            method: "nat",
            announces: ["203.0.113.7"],
            passivePorts: { transport: "tcp", first: 40000, last: 40100 },
          },
          {
            address: "192.168.0.3",
            port: 21,
            weight: 2,
            sorry: false,
            method: "nat",
            announces: [],
            passivePorts: { transport: "tcp", first: 40000, last: 40100 },
          },
        ],
      },
    ],
    groups: [
      {
        name: "web",
        vip: "203.0.113.10",
        ports: [
          { transport: "tcp", first: 80, last: 80 },
          { transport: "tcp", first: 443, last: 443 },
        ],
        helper: null,
        controlPorts: [],
        scheduler: "wlc",
        persistence: 300_000,
        persistenceNetmask: null,
        mark: "files",
        originates: [],
        check: null,
        realservers: ["192.168.0.2", "192.168.0.3"].map((address) => ({
          address,
          port: null,
          weight: 1,
          sorry: false,
          method: "nat",
          announces: [],
          passivePorts: null,
        })),
      },
    ],
    helpers: [
      {
        name: "dns",
        module: null,
        ports: [53],
        strict: false,
        onRefuse: "refuse",
        onFailure: "open",
        limits: {},
        key: null,
        primary: "192.168.0.2",
      },
      {
        name: "ftp",
        module: null,
        ports: [21, 2121, 8021],
        strict: false,
        onRefuse: "refuse",
        onFailure: "open",
        limits: { pending: 10, ttl: 30_000, hold: 4096, patience: 60_000 },
        key: null,
        primary: null,
      },
      {
        name: "radius",
        module: null,
        ports: [1812, 1813, 1645, 1646, 3799, 1700],
        strict: false,
        onRefuse: "refuse",
        onFailure: "open",
        limits: {},
        key: ["Calling-Station-Id", "User-Name"],
        primary: null,
      },
      {
        name: "acme",
        module: resolve("fixtures/config/acme-helper.js"),
        ports: [9000],
        strict: false,
        onRefuse: "refuse",
        onFailure: "open",
        limits: {},
        key: null,
        primary: null,
      },
    ],
    related: { ports: { first: 50000, last: 50999 }, standing: 256, perClient: 100, total: 10_000 },
    timeouts: { connect: 3000, idle: 900_000, drain: 30_000 },
    backend: "auto",
    log: { level: "info", format: "json" },
    control: {
      socket: "/run/kindred/kindred.sock",
      mode: 0o600,
      tcp: { address: "127.0.0.1", port: 9421 },
      tokenFile: resolve("fixtures/config/kindred.token"),
      tls: {
        cert: resolve("fixtures/config/director.pem"),
        key: resolve("fixtures/config/director.key"),
        clientCa: resolve("fixtures/config/operators.pem"),
      },
      hosts: ["director.example.net"],
      anonymous: "none",
    },
    watch: false,
    offload: "none",
    document: parseYaml(await readFile(EXAMPLE, "utf8")),
    warnings: [],
  });
});

t.test("what is left out has its default", async (t) => {
  const config = parse(SMALL);
  const [service] = config.services;
  t.match(service, { scheduler: "wlc", persistence: 0, persistenceNetmask: null, controlPorts: [21] });
  t.match(service!.realservers[0], { port: null, weight: 1, method: "nat", announces: [], passivePorts: null });
  t.equal(service!.helper, ftpOf(config), "a service holds the very helper of the list");
  t.same(ftpOf(config), {
    name: "ftp",
    module: null,
    ports: [21],
    strict: false,
    onRefuse: "refuse",
    onFailure: "open",
    limits: {},
    key: null,
    primary: null,
  });
  t.same(config.groups, []);
  t.same(config.related, { ports: null, standing: 256, perClient: 100, total: 10_000 });
  t.same(config.timeouts, { connect: 3000, idle: 900_000, drain: 30_000 });
  t.same(config.log, { level: "info", format: "json" });
});

t.test("addresses are addresses, of either family", async (t) => {
  const config = parse(SMALL.replace("203.0.113.10", "2001:db8:0::10").replace("192.168.0.2", "fd00::2"));
  const [service] = config.services;
  t.ok(service!.vip.equals(Address.parse("2001:db8::10")!));
  t.equal(service!.realservers[0]!.address.family, 6);
  t.same(service!.ports, [{ transport: "tcp", first: port(21), last: port(21) }]);
});

t.test("durations come in four units", async (t) => {
  const connect = (text: string) => parse(`${SMALL}timeouts: { connect: ${text} }`).timeouts.connect;
  t.same(["500ms", "30s", "5m", "1h"].map(connect), [500, 30_000, 300_000, 3_600_000]);
  t.equal(connect("3s"), seconds(3));
});

t.test("a pool smaller than the usual number of listeners is filled with listeners", async (t) => {
  t.equal(parse(`${SMALL}related: { ports: 50000-50099 }`).related.standing, 100);
});

t.test("the configuration cannot be changed", async (t) => {
  const config = parse(SMALL);
  const everything = [config, config.services, config.services[0], config.services[0]!.realservers[0]];
  for (const part of [...everything, ftpOf(config)!.limits, config.related, config.services[0]!.ports[0]]) {
    t.ok(Object.isFrozen(part));
  }
});

t.test("a realserver may announce the VIP itself", async (t) => {
  const config = parse(`${SMALL}        announces: [203.0.113.10]\n`);
  t.equal(config.services[0]!.realservers[0]!.announces.join(), "203.0.113.10");
});

t.test("the same port of another VIP, or over the other transport, is free", async (t) => {
  const more = (vip: string, ports: string) =>
    `${SMALL}  - { name: b, vip: ${vip}, ports: [${ports}], realservers: [{ address: 192.168.0.9 }] }\n`;
  t.same(problemsOf(more("203.0.113.11", "tcp/21")), []);
  t.same(problemsOf(more("203.0.113.10", "udp/21")), []);
  t.match(problemsOf(more("203.0.113.10", "tcp/21")), [/is served by "ftp"/]);
});

t.test("a realserver may have the VIP's address on another port, or the same address twice on two", async (t) => {
  const two = `${SMALL}        port: 2121
      - address: 192.168.0.2
        port: 2122
`;
  t.same(problemsOf(two), []);
  t.same(problemsOf(two.replaceAll("192.168.0.2", "203.0.113.10")), []);
});

t.test("a helper of one's own is found by its name, and its module from the file's folder", async (t) => {
  const text = `${SMALL.replace("helper: ftp", "helper: acme").replace("tcp/21", "udp/9000")}helpers:
  acme: { module: ../lib/acme-helper.js, ports: [9000, 9001], strict: true, onRefuse: forward, onFailure: closed, limits: { hold: 0 } }
`;
  const config = parseConfig(text, "/etc/kindred/kindred.yaml");
  t.same(textOf(config.services[0]!.helper), {
    name: "acme",
    module: "/etc/lib/acme-helper.js",
    ports: [9000, 9001],
    strict: true,
    onRefuse: "forward",
    onFailure: "closed",
    limits: { hold: 0 },
    key: null,
    primary: null,
  });
  t.same(config.services[0]!.controlPorts, [9000]);
});

t.test("the known helpers are given by the caller", async (t) => {
  const helpers = [{ name: "tftp", transport: "udp" as const, ports: [port(69)] }];
  t.same(problemsOf(SMALL, { helpers }), [
    'kindred.yaml:5:13: services[0].helper: "ftp" is no helper; did you mean "tftp"?',
  ]);
  const tftp = SMALL.replace("helper: ftp", "helper: tftp").replace("tcp/21", "udp/69");
  t.same(parse(tftp, { helpers }).services[0]!.controlPorts, [69]);
});

t.test("on the packet path direct routing and tunnelling are allowed, other ports and families are not", async (t) => {
  const direct = `${SMALL}        method: dr\n`;
  t.equal(parse(direct, { path: "tun" }).services[0]!.realservers[0]!.method, "dr");
  t.same(problemsOf(`${direct}        port: 21\n`, { path: "tun" }), []);
  t.same(problemsOf(`${direct}        port: 2121\n`, { path: "tun" }), [
    "kindred.yaml:9:15: services[0].realservers[0].port: dr cannot change the port; remove it",
  ]);
  t.match(problemsOf(SMALL.replace("192.168.0.2", "fd00::2"), { path: "tun" }), [
    /^kindred.yaml:7:18: .*--path socket/,
  ]);
  t.same(problemsOf(SMALL.replace("192.168.0.2", "fd00::2")), [], "the socket path connects to either family");
});

t.test("what is odd but can run is a warning with its place", async (t) => {
  const drained = parse(`${SMALL}        weight: 0\n`).warnings;
  t.match(drained, [{ line: 7, path: "services[0].realservers", message: /^all weights are 0/, remedy: /above 0/ }]);
  const sorry = parse(`${SMALL}        sorry: true\n`).warnings;
  t.match(sorry, [{ line: 7, message: "there are only sorry servers: they will serve" }]);
  const empty = parse(SMALL.replace(/realservers:.*/s, "realservers: []\n")).warnings;
  t.match(empty, [{ path: "services[0].realservers", message: "lists no realserver: nobody will be served" }]);
  const unserved = parse(`${SMALL}        passivePorts: 40000-40100\n`).warnings;
  t.match(unserved, [{ line: 8, message: /does not serve tcp\/40000-40100/, remedy: "add tcp/40000-40100 to ports" }]);
});

t.test(
  "a method with which a helper cannot do its work is a warning, and its place the first such realserver",
  async (t) => {
    const direct = (yaml: string) => parse(`${yaml}        method: dr\n`, { path: "tun" }).warnings;
    const [one] = direct(`${SMALL}      - address: 192.168.0.3\n`);
    t.match(one, { line: 9, path: "services[0].realservers[1].method", message: /passive ones reach no realserver/ });
    t.match(one!.remedy, /passivePorts/);
    t.same(direct(SMALL.replace("tcp/21", "tcp/21, tcp/40000-40100")), [], "there are data ports");
    t.match(direct(SMALL.replace("tcp/21", "tcp/514").replace("helper: ftp", "helper: rsh")), [{ message: /stderr/ }]);
    t.same(direct(SMALL.replace("tcp/21", "udp/69").replace("helper: ftp", "helper: tftp")), []);
    t.same(parse(SMALL, { path: "tun" }).warnings, []);
  },
);

t.test("a mark that keeps nobody together is a warning: of one service alone, or of other realservers", async (t) => {
  const alone = SMALL.replace("    realservers:", "    mark: files\n    realservers:");
  t.match(parse(alone).warnings, [{ path: "services[0].mark", message: '"files" is no other service\'s mark' }]);
  const other =
    "  - { name: other, vip: 203.0.113.10, ports: [tcp/80], mark: files, realservers: [{ address: 192.168.0.9 }] }\n";
  t.match(parse(alone + other).warnings, [
    { path: "services[0].mark", message: /^192\.168\.0\.9 of "other" is no realserver here/ },
    { path: "services[1].mark", message: /^192\.168\.0\.2 of "ftp" is no realserver here/ },
  ]);
  t.same(parse(alone + other.replace("0.9", "0.2")).warnings, []);
});

t.test("all problems are told at once, in the order of the file", async (t) => {
  const text = `services:
  - name: ftp
    vip: 203.0.113.10
    vip: 203.0.113.11
    ports: [tcp/0, tcp/21]
    helper: *h
    schedular: rr
    realservers: []
  - name: web
    vip: 0.0.0.0
    ports: [tcp/80, tcp/80]
    realservers: [{ address: 192.168.0.2 }]
log: { level: loud, farmat: text }
`;
  t.same(
    problemsOf(text).map((line) => line.replace(/^kindred.yaml:(\d+):\d+: ([^ ]*).*/, "$1 $2")),
    [
      "4 not",
      "5 services[0].ports[0]:",
      "6 services[0].helper:",
      "7 services[0].schedular:",
      "10 services[1].vip:",
      "11 services[1].ports[1]:",
      "13 log.level:",
      "13 log.farmat:",
    ],
  );
});

t.test("a document that is none is refused with the reason", async (t) => {
  const reasons: [text: string, problem: RegExp][] = [
    ["", /^kindred.yaml:1:1: is empty; begin with "services:"/],
    ["# nothing yet\n\n", /is empty/],
    ["---\n", /is empty/],
    ["null", /is empty/],
    ["services", /1:1: the value "services" where a mapping belongs/],
    ["- name: ftp", /1:1: a list where a mapping belongs/],
    ["{}", /1:1: serves nothing; add "services:"/],
    ["services: []\nlog: { format: text }", /serves nothing/],
    ["services:\n", /1:1: services: has no value/],
  ];
  for (const [text, problem] of reasons) {
    const problems = problemsOf(text);
    t.equal(problems.length, 1);
    t.match(problems[0], problem, JSON.stringify(text));
  }
});

// Each took the process down, or would have, had it been parsed: the parser recurses.
const bombs: [what: string, text: string][] = [
  ["brackets", `a: ${"[".repeat(100_000)}`],
  ["braces", "{a: ".repeat(100_000)],
  ["dashes", "- ".repeat(100_000)],
  ["question marks", "? ".repeat(100_000)],
  ["indentation", Array.from({ length: 1000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")],
  ["indented dashes", Array.from({ length: 200 }, (_, i) => `${" ".repeat(16 * i)}${"- ".repeat(8)}`).join("\n")],
  ["length", "a".repeat(2 ** 20 + 1)],
];
for (const [what, text] of bombs) {
  t.test(`a bomb of ${what} is refused in one line`, async (t) => {
    const problems = problemsOf(text);
    t.equal(problems.length, 1);
    t.match(problems[0], /^kindred.yaml:\d+:\d+: (more than 50 levels deep|longer than 1 MiB); /);
  });
}

t.test("a bomb of aliases is refused", async (t) => {
  const lists = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}]`);
  const problems = problemsOf(`a0: &a0 [x]\n${lists.join("\n")}\n`);
  t.equal(problems.filter((line) => line.includes("is an alias; write out what it stands for")).length, 81);
});

t.test("values from the file cannot break the line they are quoted in", async (t) => {
  const [problem, ...others] = problemsOf(SMALL.replace("name: ftp", `name: "a\\nb\\e[31m${"x".repeat(500)}"`));
  t.same(others, []);
  t.match(problem, /"a\\nb\\u001b\[31mx+…" is no name/);
});

t.test("any text is either taken or refused by a ConfigError whose problems have a place", async (t) => {
  const junk = fc.oneof(
    fc.string(),
    fc.constantFrom("\t", "\n", ": ", "- ", "[", "}", "&a ", "*a", "|\n", "'", "0", "!!x "),
  );
  const bent = fc
    .tuple(fc.nat(SMALL.length), fc.nat(5), junk)
    .map(([at, length, put]) => SMALL.slice(0, at) + put + SMALL.slice(at + length));
  const property = fc.property(fc.oneof(bent, fc.string()), (text) => {
    try {
      parse(text);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const lines = text.split(/\r\n|\n/).length;
      return (
        error.problems.length > 0 &&
        error.problems.every(
          ({ line, column, remedy }) => line >= 1 && line <= lines && column >= 1 && remedy !== "",
        ) &&
        !/[\n\r]/.test(error.problems.map(({ message, remedy }) => message + remedy).join())
      );
    }
    return true;
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }));
});

const toldOf = (file: string): Promise<string> =>
  loadConfig(file).then(
    () => "",
    (error: unknown) => {
      if (error instanceof ConfigError) return formatConfigError(error);
      throw error;
    },
  );

t.test("a file is read, and its modules are looked for", async (t) => {
  const module = "helpers:\n  acme: { module: ./acme-helper.js, ports: [9000] }\n";
  const folder = t.testdir({
    "a.yaml": SMALL,
    "b.yaml": SMALL + module,
    "c.yaml": `\ufeff${SMALL.replaceAll("\n", "\r\n")}`,
  });
  t.equal((await loadConfig(join(folder, "a.yaml"))).services[0]!.name, "ftp");
  t.equal((await loadConfig(join(folder, "c.yaml"))).services[0]!.name, "ftp", "with a byte order mark and CR LF");
  const missing = `9:19: helpers.acme.module: no file ${join(folder, "acme-helper.js")}`;
  const b = join(folder, "b.yaml");
  t.equal(await toldOf(b), `${b}:${missing}; write its path, from where this file is`);
  await writeFile(join(folder, "acme-helper.js"), "");
  t.equal(await toldOf(b), "");
});

t.test("a file that cannot be read is refused with the reason", async (t) => {
  const folder = t.testdir({
    "latin1.yaml": Buffer.concat([Buffer.from("services:\n  - name: ftp # für alle\n    "), Buffer.from([0xe9, 0x0a])]),
    "utf16.yaml": Buffer.from(`\ufeff${SMALL}`, "utf16le"),
    "cut.yaml": Buffer.from("services: ü").subarray(0, -1),
    "large.yaml": Buffer.alloc(5 * 2 ** 20, 0x20),
    "wrong.yaml": `${SMALL}log: { level: loud }\n`,
    sub: {},
  });
  const told = async (name: string) => (await toldOf(join(folder, name))).replace(`${folder}/`, "");
  t.match(await told("none.yaml"), /^none.yaml: no such file; check the name/);
  t.match(await told("sub"), /^sub: is a directory; give the file in it/);
  t.match(await told("wrong.yaml/b"), /^wrong.yaml\/b: a part of its path is no directory/);
  t.equal(await told("latin1.yaml"), "latin1.yaml:3:5: not UTF-8: byte 0xe9 at offset 40; save the file as UTF-8");
  t.equal(await told("utf16.yaml"), "utf16.yaml:1:1: not UTF-8: byte 0xff at offset 0; save the file as UTF-8");
  t.match(await told("cut.yaml"), /^cut.yaml:1:11: not UTF-8: byte 0xc3 at offset 10/);
  t.match(await told("large.yaml"), /^large.yaml: longer than 4 MiB/);
  t.match(await told("wrong.yaml"), /^wrong.yaml:8:15: log.level: "loud" is no log level; write one of/);
});

const root = process.getuid?.() === 0 && "root may read every file";
t.test("a file without permission is refused with the reason", { skip: root }, async (t) => {
  const file = join(t.testdir({ "secret.yaml": SMALL }), "secret.yaml");
  await chmod(file, 0);
  t.match(await toldOf(file), /secret.yaml: may not be read; let the director's user read it/);
});

t.test("a script is the path of a program, from where the file is, and its arguments as they are", async (t) => {
  const checked = (check: string): string => SMALL.replace("    realservers:", `    check: ${check}\n    realservers:`);
  const config = parseConfig(checked('{ kind: script, command: [./check, "./x", "{port}"] }'), "/etc/kindred/k.yaml");
  t.same(config.services[0]!.check!.command, ["/etc/kindred/check", "./x", "{port}"]);
  t.match(problemsOf(checked("{ kind: script }")), [/a check by script needs "command"; add it/]);
  t.match(problemsOf(checked("{ kind: script, command: [] }")), [/command: names no program/]);
  t.match(problemsOf(checked("{ kind: script, command: [true] }")), [/command\[0\]/]);
  t.match(problemsOf(checked("{ kind: script, command: [sh, -c, exit] }")), [/command\[0\]: "sh" is no path/]);
  t.match(problemsOf(checked("{ kind: tcp, command: [/bin/true] }")), [/command: means nothing to a check by tcp/]);
});
