/** Whole services in the kernel, beside one that stays in the engine. */
import { Control } from "../control.ts";
import { downsOf, startDirector, untilReady } from "../director.ts";
import { ask, startLines } from "../plan.ts";
import type { Running } from "../process.ts";
import { prove } from "../prove.ts";
import { makeRoutedFarm } from "../routed.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { settled } from "../settled.ts";
import type { Farm, Host } from "../topology.ts";
import { DATAGRAMS } from "./packet-watched.ts";

const PORTS = { rr: 7001, wrr: 7002, sh: 7003, wlc: 7004 } as const;
const COUNT = 40;

/** One connection that stays: says who served it, and once more when it is told to. */
const STAY = `
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60) as one:
    for line in ["first", "second"]:
        one.sendall(line.encode() + b"\\n")
        print(one.recv(256).decode(), end="", flush=True)
        sys.stdin.readline()
`;

/** Packets that the director itself was given. */
const given = async ({ must }: Host): Promise<number> =>
  Number(await must(["cat", "/sys/class/net/kin0/statistics/tx_packets"]));

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
  const before = await given(host);
  const inTurn = await spread(PORTS.rr);
  const byWeight = await spread(PORTS.wrr);
  const byAddress = await spread(PORTS.sh);
  prove(inTurn === "20 and 20", `in turn: ${inTurn}`);
  prove(byWeight === "30 and 10", `by weights 3 and 1: ${byWeight}`);
  prove(/^(0 and 40|40 and 0)$/.test(byAddress), `one client by its address: ${byAddress}`);
  prove((await given(host)) === before, "packets of what the kernel spreads came to the director");
  await spread(PORTS.wlc);
  prove((await given(host)) > before, "wlc, which counts connections, is not the kernel's to do");

  const staying = [1, 2].map(() => client.start(["python3", "-c", STAY, vip, String(PORTS.rr)]));
  for (const one of staying) await one.until(() => one.stdout.includes("first"), "connected");
  const lasting = staying.find(({ stdout }) => stdout.startsWith("r1"));
  prove(lasting !== undefined, "of two connections in turn one is r1's");
  await servers[1]!.end("SIGKILL");
  const { address } = farm.realservers[1]!;
  await director.until(() => downsOf(director, address) >= services.length, "told that r2 is down");
  for (const port of [PORTS.rr, PORTS.wrr, PORTS.sh]) {
    const served = await spread(port);
    prove(served === `${COUNT} and 0`, `after r2 went: ${served}`);
  }
  lasting!.write("go\n");
  await lasting!.until(() => lasting!.stdout.includes("second"), "served on");
  lasting!.write("go\n");
  await director.end();
  const tables = await host.must(["nft", "list", "tables"]);
  prove(tables.trim() === "", `left in nftables: ${tables}`);
  return `the kernel alone: rr ${inTurn}, wrr ${byWeight}, sh one; wlc by the engine; r2 dead: all to r1`;
}

// --- datagrams, and clients that stay -------------------------------------------------------------------------------

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
async function setOf({ director, targets }: Farm, index: number): Promise<string> {
  const chain = await director.must(["nft", "list", "chain", "inet", "kindred", "stays"]);
  const numbers = new Map(
    [...chain.matchAll(/(\S+) : goto keep(\d+)/g)].map(([, address, number]) => [address, number]),
  );
  return `stay4_${numbers.get(targets[index]!.address)}`;
}

async function staysInKernel(sandbox: Sandbox): Promise<string> {
  const farm = await makeRoutedFarm(sandbox, 4, 2, 2);
  const { vip, director: host } = farm;
  const servers = await startLines(farm.realservers, [ASKED, ...GROUP]);
  const control = new Control(sandbox);
  const start = async (those: Farm): Promise<Running> => {
    const director = startDirector(sandbox, stayConfig(those, control), host.start, { path: "tun" });
    await untilReady(director);
    return director;
  };
  const director = await start(farm);
  const before = await given(host);
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
  prove((await given(host)) === before, "packets of what the kernel spreads came to the director");
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
  await open.end();
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

/** A packet of a connection that is open begins the client's time anew. */
async function provenRenewed({ clients, director, vip }: Farm, set: string): Promise<void> {
  const open = clients[0]!.start(["python3", "-c", STAY, vip, String(GROUP[0])]);
  await open.until(() => open.stdout.includes("first"), "connected");
  const [begun] = await staying(director, set);
  const [least] = await settled(
    () => staying(director, set),
    ([left]) => left! < begun! - 1,
  );
  open.write("go\n");
  await open.until(() => open.stdout.includes("second"), "served on");
  const [renewed] = await staying(director, set);
  prove(renewed! > least!, `${least} s were left before a packet of an open connection, ${renewed} after it`);
  open.write("go\n");
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
    const served = await namesMet(client, "tcp", vip, GROUP[1]!, 5);
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
  {
    name: "packet-offload-stays",
    about: "datagrams, and several ports that clients stay with, spread by nftables; a realserver dies",
    needs: ["nft", "python3"],
    run: staysInKernel,
  },
];
