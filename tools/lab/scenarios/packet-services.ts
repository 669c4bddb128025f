/** Whole services in the kernel, beside one that stays in the engine. */

import { setTimeout as sleep } from "node:timers/promises";
import { Control } from "../control.ts";
import { downsOf, startDirector, untilReady } from "../director.ts";
import { ask, startLines } from "../plan.ts";
import type { Running } from "../process.ts";
import { prove } from "../prove.ts";
import { makeRoutedFarm } from "../routed.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { settled } from "../settled.ts";
import type { Family, Farm, Host } from "../topology.ts";
import { DATAGRAMS } from "./packet-watched.ts";

const PORTS = { rr: 7001, wrr: 7002, sh: 7003, wlc: 7004 } as const;
const COUNT = 40;

/**
 * One connection that stays: says who served it, and once more when it is told to. When that is over, so is the connection,
 * on both sides: none of its packets come later.
 */
const STAY = `
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60) as one:
    for line in ["first", "second"]:
        one.sendall(line.encode() + b"\\n")
        print(one.recv(256).decode(), end="", flush=True)
        sys.stdin.readline()
    one.shutdown(socket.SHUT_WR)
    one.recv(1)
`;

/** Counts what the director itself is given. Its device has more to carry on IPv6: what the kernel says of groups (MLD). */
const COUNTED = `table inet lab {
  counter given {}
  chain out { type filter hook postrouting priority 0; oifname kin0 meta l4proto { tcp, udp } counter name given; }
}`;
const countGiven = ({ must }: Host): Promise<string> => must(["nft", COUNTED]);

/** Packets that the director itself was given, since they are counted. */
async function given({ must }: Host): Promise<number> {
  const { nftables } = JSON.parse(await must(["nft", "-j", "list", "counter", "inet", "lab", "given"])) as {
    nftables: readonly { counter?: { packets: number } }[];
  };
  return nftables.find(({ counter }) => counter !== undefined)!.counter!.packets;
}

async function servicesInKernel(sandbox: Sandbox): Promise<string> {
  const farm = await makeRoutedFarm(sandbox, 4, 1, 2);
  const { vip, director: host } = farm;
  const [client] = farm.clients as [Host];
  const servers = await startLines(farm.realservers, Object.values(PORTS));
  const services = Object.entries(PORTS).map(([scheduler, port]) => ({
    name: scheduler,
    vip,
    ports: [`tcp/${port}`],
    scheduler,
    check: { kind: "tcp", interval: "1s", timeout: "1s", fall: 2 },
    realservers: farm.targets.map((target, i) => ({ ...target, weight: i === 0 ? 3 : 1 })),
  }));
  const config = { services, offload: "nftables", log: { level: "info", format: "json" } };
  const director = startDirector(sandbox, config, host.start, { path: "tun" });
  await untilReady(director);

  /** How many connections each served; every one saw the client's own address. */
  const spread = async (port: number): Promise<string> => {
    const lines = (await ask<string[]>(client, "tcp", vip, port, COUNT)).map((line) => line.split(" "));
    for (const [name, from] of lines) prove(from === client.address, `${name} saw ${from}, not the client`);
    return ["r1", "r2"].map((name) => lines.filter(([who]) => who === name).length).join(" and ");
  };
  await countGiven(host);
  const inTurn = await spread(PORTS.rr);
  const byWeight = await spread(PORTS.wrr);
  const byAddress = await spread(PORTS.sh);
  prove(inTurn === "20 and 20", `in turn: ${inTurn}`);
  prove(byWeight === "30 and 10", `by weights 3 and 1: ${byWeight}`);
  prove(/^(0 and 40|40 and 0)$/.test(byAddress), `one client by its address: ${byAddress}`);
  prove((await given(host)) === 0, "packets of what the kernel spreads came to the director");
  await spread(PORTS.wlc);
  prove((await given(host)) > 0, "wlc, which counts connections, is not the kernel's to do");

  const staying = [1, 2].map(() => client.start(["python3", "-c", STAY, vip, String(PORTS.rr)]));
  for (const one of staying) await one.until(() => one.stdout.includes("first"), "connected");
  const lasting = staying.find(({ stdout }) => stdout.startsWith("r1"));
  prove(lasting !== undefined, "of two connections in turn one is r1's");
  await servers[1]!.end("SIGKILL");
  const { address } = farm.realservers[1]!;
  await director.until(() => downsOf(director, address) >= services.length, "told that r2 is down");
  for (const port of [PORTS.rr, PORTS.wrr, PORTS.sh]) {
    // What is said of a realserver comes before nft has done what follows from it.
    const served = await settled(
      () => spread(port),
      (one) => one === `${COUNT} and 0`,
    );
    prove(served === `${COUNT} and 0`, `after r2 went: ${served}`);
  }
  lasting!.write("go\n");
  await lasting!.until(() => lasting!.stdout.includes("second"), "served on");
  lasting!.write("go\n");
  await director.end();
  const tables = await host.must(["nft", "list", "tables"]);
  prove(tables.trim() === "table inet lab", `left in nftables: ${tables}`);
  return `the kernel alone: rr ${inTurn}, wrr ${byWeight}, sh one; wlc by the engine; r2 dead: all to r1`;
}

// --- datagrams, and clients that stay -------------------------------------------------------------------------------

/** Milliseconds, more than what is uncertain of the seconds that nft tells. */
const SILENCE = 3000;

const GROUP = [7006, 7007];
const ASKED = 7005;

/** Seconds for which a set still has clients, longest first. */
async function staying({ must }: Host, set: string): Promise<readonly number[]> {
  const { nftables } = JSON.parse(await must(["nft", "-j", "list", "set", "inet", "kindred", set])) as {
    nftables: readonly { set?: { elem?: readonly { elem: { expires: number } }[] } }[];
  };
  const elements = nftables.flatMap(({ set }) => set?.elem ?? []);
  return elements.map(({ elem }) => elem.expires).sort((one, other) => other - one);
}

const stayConfig = ({ vip, targets }: Farm, control: Control): object => {
  const common = () => ({
    vip,
    scheduler: "rr",
    check: { kind: "tcp", port: ASKED, interval: "1s", timeout: "1s", fall: 2 },
    realservers: targets.map((target) => ({ ...target })),
  });
  return {
    services: [
      { name: "datagrams", ports: [`udp/${ASKED}`], ...common() },
      // Several ports: clients stay without being told to.
      { name: "stays", ports: GROUP.map((port) => `tcp/${port}`), ...common() },
    ],
    offload: "nftables",
    control: { socket: control.socket },
    log: { level: "info", format: "json" },
  };
};

/** The set of a realserver's clients: its number is that of the chain which its connections' packets go through. */
async function setOf({ director, targets, family }: Farm, index: number): Promise<string> {
  const chain = await director.must(["nft", "list", "chain", "inet", "kindred", "stays"]);
  const numbers = new Map(
    [...chain.matchAll(/(\S+) : goto keep(\d+)/g)].map(([, address, number]) => [address, number]),
  );
  return `stay${family}_${numbers.get(targets[index]!.address)}`;
}

async function staysInKernel(sandbox: Sandbox, family: Family): Promise<string> {
  const farm = await makeRoutedFarm(sandbox, family, 2, 2);
  const { vip, director: host } = farm;
  const servers = await startLines(farm.realservers, [ASKED, ...GROUP]);
  const control = new Control(sandbox);
  const start = async (those: Farm): Promise<Running> => {
    const director = startDirector(sandbox, stayConfig(those, control), host.start, { path: "tun" });
    await untilReady(director);
    return director;
  };
  const director = await start(farm);
  await countGiven(host);
  const spread = await namesMet(farm.clients[0]!, "udp", vip, ASKED, COUNT);
  for (const name of ["r1", "r2"]) prove(spread.filter((one) => one === name).length === COUNT / 2, `UDP: ${spread}`);
  const met: string[] = [];
  for (const client of farm.clients) {
    const all = new Set<string>();
    for (const port of [...GROUP, ...GROUP])
      for (const one of await namesMet(client, "tcp", vip, port, 5)) all.add(one);
    prove(all.size === 1, `a client met ${[...all].join(" and ")}`);
    met.push(...all);
  }
  prove(met[0] !== met[1], `both clients met ${met[0]}`);
  await provenRenewed(farm, await setOf(farm, Number(met[0]!.slice(1)) - 1));
  prove((await given(host)) === 0, "packets of what the kernel spreads came to the director");
  await provenListed(farm, control);
  await provenMoved(farm, director, servers);
  await provenFlushed(farm, control, director, start);
  return `datagrams in turn; each client with one realserver on ${GROUP.join(" and ")}, its time begun anew by every packet; of who died all went to the other, one socket's datagrams too; listed, forgotten, and gone with their realserver after kill -9`;
}

/** Who stays where, by the control interface. */
async function stays(control: Control): Promise<readonly { client: string; realserver: string; active: number }[]> {
  const { items } = (await control.ask("GET", "/v1/persistence?service=stays")) as {
    items: readonly { client: string; realserver: string; active: number }[];
  };
  return items;
}

/** Each client is listed once, with its open connections, and forgotten when that is asked for. */
async function provenListed({ clients, vip }: Farm, control: Control): Promise<void> {
  const open = clients[0]!.start(["python3", "-c", STAY, vip, String(GROUP[0])]);
  await open.until(() => open.stdout.includes("first"), "connected");
  const listed = await stays(control);
  const addresses = clients.map(({ address }) => address);
  prove(String(listed.map(({ client }) => client).sort()) === String(addresses), `listed: ${JSON.stringify(listed)}`);
  const active = new Map(listed.map(({ client, active }) => [client, active]));
  prove(active.get(addresses[0]!)! >= 1, `the connection that is open is not counted: ${JSON.stringify(listed)}`);
  await ended(open);
  const { forgotten } = (await control.ask("POST", "/v1/flush", {})) as { forgotten: number };
  prove(forgotten === clients.length && (await stays(control)).length === 0, `forgotten were ${forgotten}`);
}

/** After kill -9, what nobody is configured to have any more is not kept either. */
async function provenFlushed(
  farm: Farm,
  control: Control,
  director: Running,
  start: (farm: Farm) => Promise<Running>,
): Promise<void> {
  const [one] = await stays(control);
  prove(one !== undefined, "nobody stays: then this shows nothing");
  const left = farm.targets.findIndex(({ address }) => address === one!.realserver);
  const set = await setOf(farm, left);
  await director.end("SIGKILL");
  prove((await staying(farm.director, set)).length > 0, "its clients are gone: then this shows nothing");
  const second = await start({ ...farm, targets: farm.targets.filter((_, i) => i !== left) });
  prove(
    (await staying(farm.director, set)).length === 0,
    "clients of a realserver that is configured no more are kept",
  );
  await second.end();
}

/** Who answered `count` connections or sockets. */
async function namesMet(
  client: Host,
  what: "tcp" | "udp",
  vip: string,
  port: number,
  count: number,
): Promise<string[]> {
  return (await ask<string[]>(client, what, vip, port, count)).map((line) => line.split(" ")[0]!);
}

/** A connection that stays goes on to its end. */
async function ended(staying: Running): Promise<void> {
  staying.write("go\ngo\n");
  prove((await staying.exited) === 0, `a connection was cut: ${staying.stderr}`);
}

/** When, in seconds, the last of a set's clients is to be forgotten: no sooner, and no later. */
async function forgetting(host: Host, set: string): Promise<{ readonly least: number; readonly most: number }> {
  const asked = performance.now() / 1000;
  const [left] = await staying(host, set);
  // nft tells whole seconds.
  return { least: asked + left!, most: performance.now() / 1000 + left! + 1 };
}

/** A packet of a connection that is open begins the client's time anew. */
async function provenRenewed({ clients, director, vip }: Farm, set: string): Promise<void> {
  const open = clients[0]!.start(["python3", "-c", STAY, vip, String(GROUP[0])]);
  await open.until(() => open.stdout.includes("first"), "connected");
  const { most } = await forgetting(director, set);
  await sleep(SILENCE);
  const { least } = await forgetting(director, set);
  prove(least <= most, "silence has put off that a client is forgotten: then this shows nothing");
  open.write("go\n");
  await open.until(() => open.stdout.includes("second"), "served on");
  const renewed = await settled(
    () => forgetting(director, set),
    ({ least }) => least > most,
  );
  prove(
    renewed.least > most,
    `to be forgotten at ${most} s, after a packet of an open connection at ${renewed.least} s`,
  );
  await ended(open);
}

/** One realserver dies: its clients go to the other, and so does a socket that goes on sending. */
async function provenMoved(farm: Farm, director: Running, servers: readonly Running[]): Promise<void> {
  const { clients, vip } = farm;
  const asker = clients[0]!.start(["python3", "-c", DATAGRAMS, vip, String(ASKED)]);
  await asker.until(() => asker.stdout.includes("r"), "answered");
  const dead = asker.stdout.includes("r1") ? 0 : 1;
  const left = `r${2 - dead}`;
  const set = await setOf(farm, dead);
  await servers[dead]!.end("SIGKILL");
  await asker.until(() => asker.stdout.includes(left), `served by ${left}`);
  const { address } = farm.realservers[dead]!;
  await director.until(() => downsOf(director, address) >= 2, "aware of it for both");
  for (const client of clients) {
    // What is said of a realserver comes before nft has done what follows from it.
    const served = await settled(
      () => namesMet(client, "tcp", vip, GROUP[1]!, 5),
      (names) => names.every((one) => one === left),
    );
    prove(
      served.every((one) => one === left),
      `then: ${served}`,
    );
  }
  const kept = await staying(farm.director, set);
  prove(kept.length === 0, "clients of who is dead are kept");
}

export const packetServices: readonly Scenario[] = [
  {
    name: "packet-offload-services",
    about: "whole services spread by nftables as their schedulers say, withdrawn from a realserver that is down",
    needs: ["nft", "python3"],
    run: servicesInKernel,
  },
  ...([4, 6] as const).map((family) => ({
    name: `packet-offload-stays${family === 6 ? "-ipv6" : ""}`,
    about: `datagrams, and several ports that clients stay with, spread by nftables, IPv${family}; a realserver dies`,
    needs: ["nft", "python3"],
    run: (sandbox: Sandbox) => staysInKernel(sandbox, family),
  })),
];
