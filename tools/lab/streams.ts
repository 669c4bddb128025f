/** Streaming protocols whose servers cannot be had: a server and a player of our own, twice, behind one address. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Capture } from "./capture.ts";
import { startDirector, untilReady } from "./director.ts";
import { digest } from "./files.ts";
import { prove } from "./prove.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Farm, FarmMaker, Host } from "./topology.ts";

export interface Streaming {
  readonly helper: string;
  readonly port: number;
  readonly ports: readonly string[];
}

/** What two players received, and what travelled meanwhile on their wires and on those of their servers. */
export interface Streamed {
  readonly farm: Farm;
  readonly sides: readonly {
    readonly player: Host;
    readonly server: Host;
    readonly front: string;
    readonly back: string;
  }[];
}

const SIZE = 200_000;

const program = (name: string): string => fileURLToPath(new URL(`${name}.js`, import.meta.url));

/** `NAME-server FILE` streams its file, `NAME-player SERVER OWN-ADDRESS FILE` writes what it receives. */
export async function stream(
  sandbox: Sandbox,
  make: FarmMaker,
  name: string,
  { helper, port, ports }: Streaming,
): Promise<Streamed> {
  const farm = await make(sandbox, 4, 2, 2);
  const folder = sandbox.directory;
  for (const [i, host] of farm.realservers.entries()) {
    writeFileSync(sandbox.path(`sent-${i}`), randomBytes(SIZE));
    await host.start([process.execPath, program(`${name}-server`), sandbox.path(`sent-${i}`)]).listening(port);
  }
  const service = { name, vip: farm.vip, ports, helper, scheduler: "rr", realservers: farm.targets };
  const config = { services: [service], log: { level: "info", format: "json" } };
  await untilReady(startDirector(sandbox, config, farm.director.start, { path: farm.path }));
  const capture = (host: Host) => Capture.start(sandbox, host, "tcp or udp");
  const [fronts, backs] = await Promise.all(
    [farm.clients, farm.realservers].map((hosts) => Promise.all(hosts.map(capture))),
  );

  const play = ({ must, address }: Host, i: number) =>
    must([process.execPath, program(`${name}-player`), farm.vip, address, sandbox.path(`received-${i}`)]);
  await Promise.all(farm.clients.map(play));
  const sides = farm.clients.map(async (player, i) => {
    const received = digest(folder, `received-${i}`);
    const from = farm.realservers.findIndex((_, n) => digest(folder, `sent-${n}`) === received);
    prove(from >= 0, `${player.name} received what nobody sent`);
    return { player, server: farm.realservers[from]!, front: await fronts![i]!.end(), back: await backs![from]!.end() };
  });
  const whole = await Promise.all(sides);
  prove(new Set(whole.map(({ server }) => server)).size === 2, "one server streamed to both players");
  return { farm, sides: whole };
}
