/** Files of keepalived and ldirectord as people write them. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import t from "tap";
import { Address } from "../../../core/wire/address.ts";
import { problemText } from "../../../director/config/problem.ts";
import { ConfigError, checkDocument } from "../../../director/config.ts";
import { applyRules } from "../../../director/ipvs/import.ts";
import { readKeepalived } from "../../../director/ipvs/keepalived.ts";
import { readLdirectord } from "../../../director/ipvs/ldirectord.ts";
import { printRules } from "../../../director/ipvs/print.ts";
import type { Imported } from "../../../director/ipvs/reading.ts";
import { ROOT } from "../../root.ts";

const folder = resolve(ROOT, "fixtures/ipvsadm");
const READERS = { keepalived: readKeepalived, ldirectord: readLdirectord };

function read(name: string): { imported: Imported; rules: string } {
  const reader = name.endsWith(".conf") ? READERS.keepalived : READERS.ldirectord;
  const imported = reader(readFileSync(resolve(folder, name), "utf8"), name);
  const document = applyRules({}, imported, name);
  return { imported, rules: printRules(checkDocument(document, name, { path: "tun" })).text };
}

for (const name of ["keepalived-web.conf", "keepalived-ftp.conf", "keepalived-group.conf"]) {
  t.test(`${name} gives the rules that keepalived would give the kernel`, async (t) => {
    t.equal(read(name).rules, readFileSync(resolve(folder, `${name}.expected`), "utf8"));
  });
}

for (const name of ["ldirectord-web.cf", "ldirectord-ftp.cf", "ldirectord-mixed.cf"]) {
  t.test(`${name} gives the rules that ldirectord would give ipvsadm`, async (t) => {
    t.equal(read(name).rules, readFileSync(resolve(folder, `${name}.expected`), "utf8"));
  });
}

t.test("what is not taken over is told by its line", async (t) => {
  const { warnings } = read("keepalived-web.conf").imported;
  t.same(
    warnings.map(({ line, message }) => `${line}: ${message}`),
    ["30: HTTP_GET is not taken over", "43: TCP_CHECK is not taken over"],
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
  t.match(wrong("keepalived", server("  lb_kind NATT")), [/^file:2:11: "NATT" is no forwarding method/]);
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

interface Written {
  readonly services: readonly { readonly realservers: readonly { readonly sorry?: boolean }[] }[];
}

function sorryServers(format: keyof typeof READERS, text: string): (readonly object[])[] {
  const document = applyRules({}, READERS[format](text, "file"), "file") as unknown as Written;
  return document.services.map(({ realservers }) => realservers.filter(({ sorry }) => sorry === true));
}

t.test("the sorry server of a virtual_server is one here, by its own method and port", async (t) => {
  const server = (inside: string): string =>
    `virtual_server 192.0.2.1 80 {\nlb_kind DR\n${inside}\nreal_server 10.0.0.1 80 {\n}\n}\n`;
  t.same(sorryServers("keepalived", server("sorry_server 10.0.0.9 8080\nsorry_server_lvs_method NAT")), [
    [{ address: "10.0.0.9", port: 8080, weight: 1, sorry: true }],
  ]);
  t.same(sorryServers("keepalived", server("sorry_server 10.0.0.9 80\nsorry_server_inhibit")), [
    [{ address: "10.0.0.9", weight: 1, method: "dr", sorry: true }],
  ]);
  t.match(wrong("keepalived", server("sorry_server")), [/^file:3:1: names no server/]);
  t.match(wrong("keepalived", server("sorry_server sorry.example 80")), [/^file:3:14: "sorry.example" is no IP/]);
});

t.test("a fallback is a sorry server: a service's own, else what stands before all", async (t) => {
  const services = (before: string, inside: string): string =>
    `${before}\nvirtual=192.0.2.1:80\n\treal=10.0.0.1:80 masq\n${inside}\nvirtual=192.0.2.2:80\n\treal=10.0.0.1:80 masq\n`;
  const own = { address: "10.0.0.9", port: 81, weight: 1, sorry: true };
  const usual = { address: "127.0.0.1", port: 80, weight: 1, sorry: true };
  t.same(sorryServers("ldirectord", services("fallback=127.0.0.1:80 gate", "\tfallback=10.0.0.9:81 masq")), [
    [own],
    [usual],
  ]);
  t.same(sorryServers("ldirectord", services("fallback6=[::1]:80", "")), [[], []]);
  t.match(wrong("ldirectord", services("fallback=10.0.0.9:80 mask", "")), [/^file:1:22: "mask" is no method/]);
  const { warnings } = readLdirectord(services("fallback=127.0.0.1:80", "\tfallback=10.0.0.9"), "file");
  t.match(warnings, [{ line: 1, column: 10, message: "127.0.0.1 is the director itself" }]);
});

const checksIn = (format: keyof typeof READERS, text: string): unknown[] =>
  (
    applyRules({}, READERS[format](text, "file"), "file") as unknown as { services: readonly { check?: object }[] }
  ).services.map(({ check }) => check);

t.test("a MISC_CHECK that all realservers have is the service's script, which is told whom to ask", async (t) => {
  const server = (n: number, inside: string): string => `real_server 10.0.0.${n} 80 {\nMISC_CHECK {\n${inside}\n}\n}\n`;
  const text = (...servers: readonly string[]): string =>
    `virtual_server 192.0.2.1 80 {\ndelay_loop 6\n${servers.join("")}}\n`;
  const path = (n: number): string => `misc_path "/usr/local/bin/check 10.0.0.${n} 80 --deep"\nmisc_timeout 20`;
  const command = ["/usr/local/bin/check", "{address}", "{port}", "--deep"];
  const both = text(server(1, path(1)), server(2, path(2)));
  t.same(checksIn("keepalived", both), [{ kind: "script", command, interval: "6s", timeout: "6s", rise: 1, fall: 1 }]);
  t.same(readKeepalived(both, "file").warnings, []);
  for (const other of [
    text(server(1, path(1)), server(2, path(1))),
    text(server(1, path(1)), "real_server 10.0.0.2 80 {\n}\n"),
    text(server(1, 'misc_path "/bin/check; reboot"')),
    text(server(1, `${path(1)}\nmisc_dynamic`)),
  ]) {
    t.same(checksIn("keepalived", other), [undefined]);
    t.match(readKeepalived(other, "file").warnings[0], { message: "MISC_CHECK is not taken over" });
  }
});

t.test("checktype=external is a script with ldirectord's four arguments", async (t) => {
  const text = (inside: string, before = ""): string =>
    `${before}\nvirtual=192.0.2.1:80\n\treal=10.0.0.1:80 masq\n\tchecktype=external\n${inside}\n`;
  const command = ["/usr/local/bin/check", "{vip}", "{virtualPort}", "{address}", "{port}"];
  const check = { kind: "script", command, interval: "10s", timeout: "5s", rise: 1, fall: 1 };
  t.same(checksIn("ldirectord", text('\tcheckcommand="/usr/local/bin/check"')), [check]);
  t.same(checksIn("ldirectord", text("\tcheckinterval=3", "checkcommand=/usr/local/bin/check\nchecktimeout=4")), [
    { ...check, interval: "3s", timeout: "3s" },
  ]);
  const config = checkDocument(applyRules({}, readLdirectord(text(""), "file"), "file"), "/etc/kindred.yaml");
  t.match(config.services[0]!.check, { kind: "script", command: ["/bin/true", "{vip}"], rise: 1, fall: 1 });
  const shell = text('\tcheckcommand="/bin/check $1"');
  t.same(checksIn("ldirectord", shell), [undefined]);
  t.match(readLdirectord(shell, "file").warnings, [{ message: 'checktype "external" is not taken over' }]);
});

t.test("ipvsadm has no word for a sorry server, which is said", async (t) => {
  const text = "virtual=192.0.2.1:80\n\treal=10.0.0.1:80 masq\n\tfallback=10.0.0.9:80 masq\n";
  const config = checkDocument(applyRules({}, readLdirectord(text, "file"), "file"), "file");
  const { leftOut, text: rules } = printRules(config);
  t.match(leftOut, [/^tcp-192.0.2.1-80: 10.0.0.9:80 left out: ipvsadm has no sorry servers/]);
  t.equal(rules, "-A -t 192.0.2.1:80 -s wrr\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1\n");
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

const warned = (format: keyof typeof READERS, text: string): string[] =>
  READERS[format](text, "file").warnings.map(({ line, message }) => `${line}: ${message}`);

/** What a farm relies on and does not get here was left out without a word. */
t.test("what keepalived does beside the kernel's rules is told of where it is not done", async (t) => {
  const text = `virtual_server 192.0.2.1 80 {
quorum 1
alpha
quorum_down /bin/x
hysteresis 1
real_server 10.0.0.1 80 {
notify_down /bin/y
FILE_CHECK {
}
}
}
`;
  t.same(warned("keepalived", text), [
    '3: "alpha" is not taken over',
    '4: "quorum_down" is not taken over',
    '5: "hysteresis" is not taken over',
    '7: "notify_down" is not taken over',
    "8: FILE_CHECK is not taken over",
  ]);
  t.match(wrong("keepalived", "virtual_servr 192.0.2.1 80 {\n}\n"), [/^file:1:1: .*did you mean "virtual_server"\?/]);
  t.match(wrong("keepalived", "@main virtual_server 192.0.2.1 80 {\n}\n"), [/^file:1:1: "@main" holds for some hosts/]);
  t.match(wrong("keepalived", "includer /etc/keepalived/*.conf\n"), [/^file:1:1: other files are not read/]);
  t.same(wrong("keepalived", "global_defs {\n}\nvrrp_instance V {\n}\nstatic_routes {\n}\n"), []);
});

t.test("so often as a MISC_CHECK is tried again its script may fail", async (t) => {
  const check = "MISC_CHECK {\nmisc_path /bin/check\n}\n";
  const text = (service: string, real: string): string =>
    `virtual_server 192.0.2.1 80 {\n${service}\nreal_server 10.0.0.1 80 {\n${real}\n${check}}\n}\n`;
  t.match(checksIn("keepalived", text("retry 3", "")), [{ fall: 4 }]);
  t.match(checksIn("keepalived", text("retry 3", "retry 1")), [{ fall: 2 }]);
});

t.test("a firewall mark of IPv6 is one, as both write it", async (t) => {
  const marks = new Map([[5, { vip: Address.parse("2001:db8::1")!, ports: ["tcp/80"] }]]);
  const real = "real_server fd00::2 80 {\n}\n";
  for (const [format, text] of [
    ["keepalived", `virtual_server fwmark 5 {\nip_family inet6\n${real}}\n`],
    ["keepalived", `virtual_server fwmark 5 inet6 {\n${real}}\n`],
    ["ldirectord", "virtual6=5\n\treal6=[fd00::2]:80 masq\n"],
  ] as const) {
    const document = applyRules({}, READERS[format](text, "file"), "file", { marks });
    t.match(document, { groups: [{ name: "fwmark-5", realservers: [{ address: "fd00::2" }] }] }, text);
  }
});

t.test("what ldirectord is told and does not happen here is told, each once", async (t) => {
  const virtual = (n: number, inside = ""): string => `virtual=192.0.2.${n}:80\n\treal=10.0.0.1:80 masq\n${inside}`;
  t.same(warned("ldirectord", `checktype=connect\nautoreload=yes\n${virtual(1)}${virtual(2)}`), [
    '1: checktype "connect" is not taken over',
  ]);
  t.same(warned("ldirectord", virtual(1, "\tscheduler=wlc\n")), ['1: checktype "negotiate" is not taken over']);
  t.same(
    warned(
      "ldirectord",
      `checktype=on\nquiescent=no\nchecktimout=3\n${virtual(1, "\tshceduler=wlc\n\temailalert=a@b\n")}`,
    ),
    [
      "2: quiescent=no is not taken over",
      '3: "checktimout" is nothing of ldirectord\'s',
      '6: "shceduler" is nothing of ldirectord\'s',
      '7: "emailalert" is not taken over',
    ],
  );
});
