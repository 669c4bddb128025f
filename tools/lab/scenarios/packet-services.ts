/** Whole services in the kernel, beside one that stays in the engine. */
import { events, startDirector, untilReady } from "../director.ts";
import { ask, startLines } from "../plan.ts";
import { prove } from "../prove.ts";
import { makeRoutedFarm } from "../routed.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import type { Host } from "../topology.ts";

const PORTS = { rr: 7001, wrr: 7002, sh: 7003, wlc: 7004 } as const;
const COUNT = 40;

/** One connection that stays: says who served it, and once more when it is told to. */
const STAY = `
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as one:
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
    check: { kind: "tcp", interval: "500ms", timeout: "400ms", fall: 2 },
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
  const down = () => events(director).filter(({ event }) => event === "realserver-down").length;
  await director.until(() => down() === services.length, "told that r2 is down");
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

export const packetServices: readonly Scenario[] = [
  {
    name: "packet-offload-services",
    about: "whole services spread by nftables as their schedulers say, withdrawn from a realserver that is down",
    needs: ["nft", "python3"],
    run: servicesInKernel,
  },
];
