/** The hostile server and its client: on loopback, and through the kernel's helper. */
import { execFileSync, spawn } from "node:child_process";
import type { AddressInfo } from "node:net";
import t from "tap";
import { kernelMissing } from "../../../../tools/fuzz/kernel/namespaces.ts";
import { probeAll } from "../../../../tools/fuzz/serve/client.ts";
import { runClient, runServe } from "../../../../tools/fuzz/serve/command.ts";
import { PROBES } from "../../../../tools/fuzz/serve/probes.ts";
import { hostileServer } from "../../../../tools/fuzz/serve/server.ts";
import { built } from "../../../director/process.ts";

const collect = () => {
  const text: string[] = [];
  const write = (said: string) => text.push(said);
  return { text, io: { stdout: { write }, stderr: { write } } };
};

t.test("with nothing between them every data connection comes about", async (t) => {
  const server = await hostileServer("127.0.0.1", 0);
  t.teardown(() => server.close());
  const reports = await probeAll("127.0.0.1", (server.address() as AddressInfo).port);
  t.equal(reports.length, PROBES.length);
  for (const { probe, reached, result } of reports) {
    if (result !== "not-tried") t.same([reached, result], [true, "unfiltered"], probe);
  }
  t.ok(reports.filter(({ result }) => result === "unfiltered").length >= PROBES.length - 2);
});

t.test("other interfaces than loopback are refused, and so is a client without an address", async (t) => {
  const { text, io } = collect();
  t.equal(await runServe({ serve: 0, bind: "0.0.0.0" }, io), 2);
  t.match(text.join(""), /--i-know/);
  t.equal(await runClient({ client: "localhost" }, io), 2);
});

const RULES = `table inet kindred {
 ct helper ftp { type "ftp" protocol tcp; }
 chain p { type filter hook prerouting priority 0; tcp dport 21 ct helper set "ftp"; }
 chain i { type filter hook input priority 0; policy drop; ct state established,related accept; tcp dport 21 accept; meta l4proto ipv6-icmp accept; }
 chain o { type filter hook output priority 0; policy drop; ct state established,related accept; meta l4proto ipv6-icmp accept; }
}`;

t.test(
  "through the kernel's helper the report names its holes and what it misses",
  {
    skip: kernelMissing() || (built.skip ?? false),
  },
  async (t) => {
    const [c, s] = [`kindred-serve-${process.pid}-c`, `kindred-serve-${process.pid}-s`];
    const ip = (...words: string[]) => execFileSync("ip", words, { encoding: "utf8", stdio: "pipe" });
    t.teardown(() => {
      for (const name of [c, s]) ip("netns", "del", name);
    });
    for (const name of [c, s]) ip("netns", "add", name);
    ip("link", "add", "veth0", "netns", c, "type", "veth", "peer", "name", "veth0", "netns", s);
    for (const [name, address] of [
      [c, "10.77.8.1/24"],
      [s, "10.77.8.2/24"],
    ] as const) {
      ip("-n", name, "addr", "add", address, "dev", "veth0");
      ip("-n", name, "link", "set", "veth0", "up");
    }
    execFileSync("ip", ["netns", "exec", s, "nft", "-f", "-"], { input: RULES });
    const kindred = ["dist/tools/kindred.js", "fuzz", "ftp"];
    const serve = ["--serve", "21", "--bind", "10.77.8.2", "--i-know"];
    const server = spawn("ip", ["netns", "exec", s, process.execPath, ...kindred, ...serve]);
    t.teardown(() => server.kill("SIGKILL"));
    await new Promise((resolve) => server.stdout.once("data", resolve));
    const client = spawn("ip", [
      "netns",
      "exec",
      c,
      process.execPath,
      ...kindred,
      "--client",
      "10.77.8.2:21",
      "--json",
    ]);
    let out = "";
    client.stdout.on("data", (data) => {
      out += data;
    });
    t.equal(await new Promise((resolve) => client.once("close", resolve)), 1);
    const { reports } = JSON.parse(out) as { reports: { probe: string; result: string }[] };
    const result = Object.fromEntries(reports.map((one) => [one.probe, one.result]));
    t.match(result, {
      "nothing announced by the server": "as-it-should",
      "nothing announced by the client": "as-it-should",
      "227": "as-it-should",
      PORT: "as-it-should",
      "227 behind another reply": "missed",
      "227 that nobody asked for": "hole",
      "PORT with a number above 255": "hole",
      "EPRT with a port above 65535": "hole",
      "PORT to a reserved port": "hole",
    });
  },
);
