/** Dumps as farms have them, in the format of ipvsadm 1.31, through a configuration and back. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import fc from "fast-check";
import t from "tap";
import { parse, stringify } from "yaml";
import { Address } from "../../../core/wire/address.ts";
import { checkDocument, parseConfig } from "../../../director/config.ts";
import type { Marked } from "../../../director/ipvs/document.ts";
import { readDump } from "../../../director/ipvs/dump.ts";
import { helperOf } from "../../../director/ipvs/helper-of.ts";
import { applyRules } from "../../../director/ipvs/import.ts";
import { printRules } from "../../../director/ipvs/print.ts";
import { ROOT } from "../../root.ts";

const folder = resolve(ROOT, "fixtures/ipvsadm");
const marks = new Map<number, Marked>([
  [1, { vip: Address.parse("192.0.2.80")!, ports: ["tcp/80", "tcp/443"] }],
  [21, { vip: Address.parse("198.51.100.22")!, ports: ["tcp/21", "tcp/40000-40100"] }],
  [66, { vip: Address.parse("2001:db8::66")!, ports: ["tcp/80", "tcp/443"] }],
]);

function throughConfiguration(dump: string): string {
  const document = applyRules({}, readDump(dump, "dump"), "dump", { marks, helperOf });
  const config = checkDocument(document, "dump", { path: "tun" });
  return printRules(config).text;
}

const files = readdirSync(folder).filter((name) => name.endsWith(".rules"));

t.test("there are thirty dumps and more", async (t) => {
  t.ok(files.length >= 30, `${files.length}`);
});

for (const name of files) {
  t.test(`${name} comes back byte for byte`, async (t) => {
    const dump = readFileSync(join(folder, name), "utf8");
    t.equal(throughConfiguration(dump), dump);
  });

  t.test(`${name} is the same configuration when it is written as YAML and read again`, async (t) => {
    const dump = readFileSync(join(folder, name), "utf8");
    const document = applyRules({}, readDump(dump, name), name, { marks });
    t.same(parse(stringify(document)), document);
    if (dump !== "") t.equal(printRules(parseConfig(stringify(document), name, { path: "tun" })).text, dump);
  });
}

const ipv4 = fc.nat(0xdfffffff - 0x01000000).map((n) => Address.ipv4(n + 0x01000000));
const ipv6 = fc.nat(0xffffffff).map((n) => Address.ipv6(0x20010db8, 0, n, 1));
const host = (address: Address, port: number): string =>
  address.family === 4 ? `${address}:${port}` : `[${address}]:${port}`;

/** One service with its realservers, as ipvsadm writes them. */
const service = fc.boolean().chain((six) => {
  const address = six ? ipv6 : ipv4;
  return fc
    .record({
      vip: address,
      flag: fc.constantFrom("-t", "-u"),
      port: fc.integer({ min: 1, max: 65535 }),
      scheduler: fc.constantFrom("rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "sh", "mh"),
      persistence: fc.option(fc.integer({ min: 1, max: 86400 })),
      bits: fc.integer({ min: 1, max: six ? 127 : 31 }),
      masked: fc.boolean(),
      servers: fc.uniqueArray(fc.tuple(address, fc.constantFrom("-m", "-g", "-i"), fc.nat(65535)), {
        selector: ([one]) => one.toString(),
        maxLength: 5,
      }),
    })
    .map(({ vip, flag, port, scheduler, persistence, bits, masked, servers }) => {
      const name = `${flag} ${host(vip, port)}`;
      const mask = six ? String(bits) : Address.ipv4((0xffffffff << (32 - bits)) >>> 0).toString();
      const settings = persistence === null ? "" : ` -p ${persistence}${masked ? ` -M ${mask}` : ""}`;
      const lines = servers
        .filter(([one]) => !one.equals(vip))
        .map(([one, method, weight]) => {
          const tunnel = method === "-i" ? " --tun-type ipip" : "";
          return `-a ${name} -r ${host(one, port)} ${method} -w ${weight}${tunnel}\n`;
        });
      return { name, text: `-A ${name} -s ${scheduler}${settings}\n${lines.join("")}` };
    });
});

t.test("every dump of services by address comes back byte for byte", async (t) => {
  const dumps = fc.uniqueArray(service, { selector: ({ name }) => name, maxLength: 6 });
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(dumps, (services) => {
        const dump = services.map(({ text }) => text).join("");
        assert.equal(throughConfiguration(dump), dump);
      }),
      { numRuns: 60 },
    ),
  );
});

t.test("kindred import prints the rules again as they were", async (t) => {
  const file = join(folder, "web-80-443-by-mark.rules");
  const kindred = resolve(ROOT, "dist/tools/kindred.js");
  const mark = ["--mark", "1=192.0.2.80,tcp/80,tcp/443"];
  const printed = execFileSync(process.execPath, [kindred, "import", "ipvsadm", file, "--as", "ipvsadm", ...mark]);
  t.equal(printed.toString(), readFileSync(file, "utf8"));
});
