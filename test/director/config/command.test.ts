/** `kindred config check`, as its users run it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { built, Process } from "../process.ts";

async function checked(t: Test, text: string, ...words: string[]): Promise<[status: unknown, said: string]> {
  const file = join(t.testdir(), "farm.yaml");
  writeFileSync(file, text);
  const process = new Process(t, ["config", "check", file, ...words]);
  const status = await process.exited;
  return [status, process.stderr.replaceAll(file, "farm.yaml")];
}

const service = (more: string, realserver: string): string =>
  `services:\n- { name: web, vip: 203.0.113.10, ports: [tcp/80]${more}, realservers: [${realserver}] }\n`;

t.test("a file is right for one path and wrong for the other", built, async (t) => {
  const direct = service("", "{ address: 192.0.2.1, method: dr }");
  const [status, said] = await checked(t, direct);
  t.equal(status, 2, "on sockets, as `run` without --path");
  t.match(said, /^farm\.yaml:2:\d+: services\[0\]\.realservers\[0\]\.method: /);
  t.same(await checked(t, direct, "--path", "tun"), [0, ""]);
});

t.test("warnings are told, and are no errors", built, async (t) => {
  const [status, said] = await checked(t, service("", ""));
  t.equal(status, 0);
  t.match(said, /^farm\.yaml:2:\d+: warning: services\[0\]\S*: .*lists no realserver/);
});
