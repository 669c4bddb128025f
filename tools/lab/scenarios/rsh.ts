/** rsh, whose servers and clients take none but reserved ports: netkit's client, and in.rshd twice behind one address. */
import { events, proveRelated, startDirector, untilReady } from "../director.ts";
import type { Running } from "../process.ts";
import { RSH_PORT, startRshd } from "../rshd.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { type Family, type Farm, type FarmMaker, type Host, makeFarm } from "../topology.ts";

const COUNT = 10;
export const NEEDS = ["netkit-rsh", "in.rshd", "inetd", "bash"];

const rshService = (farm: Farm): object => ({
  services: [
    {
      name: "shell",
      vip: farm.vip,
      ports: [`tcp/${RSH_PORT}`],
      helper: "rsh",
      scheduler: "rr",
      realservers: farm.targets,
    },
  ],
  log: { level: "info", format: "json" },
});

/** What comes of one command, by stream. */
async function remote(client: Host, vip: string, command: string): Promise<{ out: string; err: string }> {
  const rsh = client.start(["timeout", "90", "netkit-rsh", "-n", vip, command]);
  const status = await rsh.exited;
  if (status !== 0) throw new Error(`rsh ended with status ${status}: ${rsh.stdout}${rsh.stderr}`);
  return { out: rsh.stdout, err: rsh.stderr };
}

export async function bothStreams(sandbox: Sandbox, family: Family, make: FarmMaker): Promise<string> {
  const farm = await make(sandbox, family, 2, 2);
  const known = new Set(farm.clients.map(farm.seenAs));
  for (const real of farm.realservers) await startRshd(sandbox, real, family, [...known]);
  const director = startDirector(sandbox, rshService(farm), farm.director.start, { path: farm.path });
  await untilReady(director);

  // From both clients at once: each from port 1023, with 1022 for stderr.
  const one = (client: Host) => remote(client, farm.vip, "sh -c 'cat /etc/hosts; cat /etc/hosts >&2; echo err >&2'");
  const served = farm.realservers.map(() => 0);
  for (let i = 0; i < COUNT / 2; i++) {
    for (const { out, err } of await Promise.all(farm.clients.map(one))) {
      if (err !== `${out}err\n`) throw new Error(`on stdout ${JSON.stringify(out)}, on stderr ${JSON.stringify(err)}`);
      for (const [n, { name }] of farm.realservers.entries()) if (out.includes(name)) served[n]!++;
    }
  }
  if (served.some((count) => count !== COUNT / 2)) throw new Error(`${COUNT} commands: ${served.join(" and ")}`);
  await proveRelated(director, "rsh-stderr", COUNT);
  await proveUnprivileged(director, farm);
  return `${COUNT} commands, ${served.join(" and ")}: stdout and stderr of each, and none for who is not root`;
}

/** The client's port is its proof: the director does not make one out of what is none. */
async function proveUnprivileged(director: Running, { clients, vip }: Farm): Promise<void> {
  const said = "0\\0root\\0root\\0echo out\\0";
  const script = `exec 3<>/dev/tcp/${vip}/${RSH_PORT}; printf '${said}' >&3; timeout 10 cat <&3 | tr '\\0' '~'`;
  const heard = await clients[0]!.must(["bash", "-c", script]);
  if (heard.includes("out")) throw new Error("in.rshd ran a command of whom did not come from a reserved port");
  const controls = () => events(director).filter(({ event, role }) => event === "connection" && role === "control");
  // What the director says comes a moment after what it does.
  await director.until(() => controls().length >= COUNT + 1, `aware of ${COUNT + 1} connections`);
  if (controls().length > COUNT + 1) throw new Error(`${controls().length} connections for ${COUNT + 1} clients`);
}

export const rsh: readonly Scenario[] = ([4, 6] as const).map((family) => ({
  name: `rsh${family === 6 ? "-ipv6" : ""}`,
  about: "netkit's rsh has stdout and stderr of commands on both realservers, over reserved ports only",
  needs: NEEDS,
  run: (sandbox: Sandbox) => bothStreams(sandbox, family, makeFarm),
}));
