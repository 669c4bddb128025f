/** proftpd asks whose a connection is before it greets; oidentd answers at the client. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { startDirector, untilReady } from "../director.ts";
import { locate } from "../process.ts";
import { prove } from "../prove.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { type FarmMaker, type Host, makeFarm } from "../topology.ts";
import { FTP_PORT } from "../vsftpd.ts";

const IDENT_PORT = 113;
/** Another than the virtual service's, so that both sides know the connection by different ports. */
const OTHER_PORT = 2121;
const USER = "nobody";
export const NEEDS = ["proftpd", "oidentd", "curl", "setpriv"];

/** What it writes at each login: who the client's host says it is. */
async function startProftpd(sandbox: Sandbox, host: Host, port: number): Promise<string> {
  const program = locate("proftpd")!;
  const folder = sandbox.path(host.name);
  mkdirSync(folder);
  // It serves as somebody else, who must come through to its folder.
  chmodSync(sandbox.directory, 0o755);
  const log = join(folder, "identities");
  const modules = join(dirname(dirname(program)), "lib", "proftpd");
  writeFileSync(
    join(folder, "conf"),
    `ModulePath ${modules}
LoadModule mod_ident.c
ServerType standalone
DefaultServer on
DefaultAddress ${host.address}
UseIPv6 off
Port ${port}
User nobody
Group nogroup
AuthPAM off
DelayEngine off
UseReverseDNS off
WtmpLog off
TransferLog none
IdentLookups on
LogFormat identity "%l"
ExtendedLog ${log} AUTH identity
SystemLog ${folder}/log
PidFile ${folder}/pid
ScoreboardFile ${folder}/scoreboard
<Anonymous ${folder}>
  User ftp
  Group nogroup
  UserAlias anonymous ftp
  RequireValidShell off
</Anonymous>
`,
  );
  await host.start([program, "--nodaemon", "--config", join(folder, "conf")]).listening(port);
  return log;
}

/** `port`: the realservers'. */
export async function identities(sandbox: Sandbox, make: FarmMaker, port: number): Promise<string> {
  const farm = await make(sandbox, 4, 2, 2);
  const logs = await Promise.all(farm.realservers.map((host) => startProftpd(sandbox, host, port)));
  const service = {
    name: "ftp",
    vip: farm.vip,
    ports: [`tcp/${FTP_PORT}`],
    helper: "ftp",
    scheduler: "rr",
    originates: [`tcp/${IDENT_PORT}`],
    realservers: farm.targets.map((target) => ({ ...target, port })),
  };
  const config = { services: [service], log: { level: "info", format: "json" } };
  await untilReady(startDirector(sandbox, config, farm.director.start, { path: farm.path }));
  for (const host of farm.clients) {
    await host.start([locate("oidentd")!, "--foreground", "--nosyslog"]).listening(IDENT_PORT);
  }
  const login = ["curl", "--silent", "--show-error", "--max-time", "90", "--list-only", `ftp://${farm.vip}/`];
  const asUser = ["setpriv", `--reuid=${USER}`, "--regid=nogroup", "--clear-groups"];
  // At the same time, since proftpd waits for five seconds before it asks.
  await Promise.all(farm.clients.flatMap((host) => [host.must([...asUser, ...login]), host.must(login)]));
  const known = logs.map((log) => (existsSync(log) ? readFileSync(log, "latin1").trim().split("\n") : []));
  const of = (user: string): number => known.flat().filter((line) => line === user).length;
  prove(
    known.every(({ length }) => length > 0),
    "one of both servers has no logins",
  );
  const both = of(USER) > 0 && of(USER) === of("root") && 2 * of(USER) === known.flat().length;
  prove(both, `identities: ${known.join(" ")}`);
  return `four logins at two servers, in the logs as ${USER}'s and root's; port ${FTP_PORT} to clients, ${port} to servers`;
}

export const ident: readonly Scenario[] = [
  {
    name: "ident-proftpd",
    about: "two proftpd ask two clients' oidentd whose a connection is, by the ports that each side knows",
    needs: NEEDS,
    run: (sandbox) => identities(sandbox, makeFarm, OTHER_PORT),
  },
];
