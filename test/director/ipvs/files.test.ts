/** Files of keepalived and ldirectord as people write them. */
import { readFileSync } from "node:fs";
import t from "tap";
import { problemText } from "../../../director/config/problem.ts";
import { ConfigError, checkDocument } from "../../../director/config.ts";
import type { Imported } from "../../../director/ipvs/dump.ts";
import { applyRules } from "../../../director/ipvs/import.ts";
import { readKeepalived } from "../../../director/ipvs/keepalived.ts";
import { readLdirectord } from "../../../director/ipvs/ldirectord.ts";
import { printRules } from "../../../director/ipvs/print.ts";

const folder = new URL("../../../fixtures/ipvsadm/", import.meta.url);
const READERS = { keepalived: readKeepalived, ldirectord: readLdirectord };

function read(name: string): { imported: Imported; rules: string } {
  const reader = name.endsWith(".conf") ? READERS.keepalived : READERS.ldirectord;
  const imported = reader(readFileSync(new URL(name, folder), "utf8"), name);
  const document = applyRules({}, imported, name);
  return { imported, rules: printRules(checkDocument(document, name, { path: "tun" })).text };
}

for (const name of ["keepalived-web.conf", "keepalived-ftp.conf", "keepalived-group.conf"]) {
  t.test(`${name} gives the rules that keepalived would give the kernel`, async (t) => {
    t.equal(read(name).rules, readFileSync(new URL(`${name}.expected`, folder), "utf8"));
  });
}

for (const name of ["ldirectord-web.cf", "ldirectord-ftp.cf", "ldirectord-mixed.cf"]) {
  t.test(`${name} gives the rules that ldirectord would give ipvsadm`, async (t) => {
    t.equal(read(name).rules, readFileSync(new URL(`${name}.expected`, folder), "utf8"));
  });
}

t.test("what is not taken over is told by its line", async (t) => {
  const { warnings } = read("keepalived-web.conf").imported;
  t.same(
    warnings.map(({ line, message }) => `${line}: ${message}`),
    [
      "26: sorry_server 192.168.0.200 80 is not taken over",
      "30: HTTP_GET is not taken over",
      "43: TCP_CHECK is not taken over",
    ],
  );
});

function wrong(format: keyof typeof READERS, text: string): string[] {
  const imported = READERS[format](text, "file");
  try {
    applyRules({}, imported, "file");
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(problemText);
    throw error;
  }
  return [];
}

t.test("a wrong line of keepalived.conf is named", async (t) => {
  const server = (inside: string, head = "192.0.2.1 80"): string => `virtual_server ${head} {\n${inside}\n}\n`;
  t.match(wrong("keepalived", server("  lb_algo lblc")), [/^file:2:11: lblc chooses by the packet's destination/]);
  t.match(wrong("keepalived", server("  lb_kind NATT")), []);
  t.match(wrong("keepalived", server("lb_kind NATT\nreal_server 10.0.0.1 80 {\n}")), [/^file:2:9: "NATT" is no forw/]);
  t.match(wrong("keepalived", server("protocol SCTP")), [/^file:2:10: "SCTP" is not forwarded here/]);
  t.match(wrong("keepalived", server("real_server rs1 80 {\n}")), [/^file:2:13: "rs1" is no IP address/]);
  t.match(wrong("keepalived", server("", "group web")), [/^file:1:22: no virtual_server_group "web"/]);
  t.match(wrong("keepalived", server("", "192.0.2.9-3 80")), [/^file:1:16: "192.0.2.9-3" is no range/]);
  t.match(wrong("keepalived", "virtual_server 192.0.2.1 80 {\n  lb_algo rr\n"), [
    /^file:1:29: this block is never closed/,
  ]);
  t.match(wrong("keepalived", "}\n"), [/^file:1:1: closes no block/]);
  t.match(wrong("keepalived", "include other.conf\n"), [/^file:1:1: other files are not read/]);
});

t.test("blocks within blocks end somewhere", async (t) => {
  t.match(wrong("keepalived", "a {\n".repeat(1000)), [/blocks too deep/]);
});

t.test("a wrong line of ldirectord.cf is named", async (t) => {
  const virtual = "virtual=192.0.2.1:80\n";
  t.match(wrong("ldirectord", `${virtual}\treal=10.0.0.1:80 mask`), [/^file:2:19: "mask" is no method/]);
  t.match(wrong("ldirectord", `${virtual}\treal=10.0.0.9->10.0.0.2:80 masq`), [/^file:2:7: .* is no range/]);
  t.match(wrong("ldirectord", `${virtual}\tscheduler=dh`), [/^file:2:12: dh chooses/]);
  t.match(wrong("ldirectord", "\treal=10.0.0.1:80 masq"), [/^file:1:2: indented, but below no virtual service/]);
  t.match(wrong("ldirectord", `${virtual}nonsense`), [/^file:2:1: "nonsense" is no directive/]);
  t.match(wrong("ldirectord", "virtual=www:80"), [/^file:1:9: "www" is no IP address/]);
});
