/**
 * The ARP problem: a realserver that is given the VIP answers for it, and clients pass the director by. Found by
 * `kindred doctor` on the client, on the director and on the realserver itself; cured by `kindred plan`.
 *
 *   client ─┐
 *           ├─ front (one network) ─ director     the VIP is both the director's and, on lo, a realserver's
 *   real ───┘
 */
import { writeFileSync } from "node:fs";
import { stringify } from "yaml";
import { startDirector, untilReady } from "../director.ts";
import { doctor, expectFound } from "../doctor.ts";
import { ask, Planned, startLines } from "../plan.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { type Host, makeFarm } from "../topology.ts";

const PORT = 2300;

async function arpProblem(sandbox: Sandbox): Promise<string> {
  // Two of the hosts on the clients' network: the second is the realserver.
  const farm = await makeFarm(sandbox, 4, 2, 0);
  const [client, real] = farm.clients as [Host, Host];
  const { director, vip } = farm;
  const service = { name: "lines", vip, ports: [`tcp/${PORT}`], scheduler: "rr" };
  const nat = {
    services: [{ ...service, realservers: [{ address: real.address }] }],
    log: { level: "info", format: "json" },
  };
  const direct = { services: [{ ...service, realservers: [{ address: real.address, method: "dr" }] }] };
  const file = sandbox.path("direct.yaml");
  writeFileSync(file, stringify(direct));
  await startLines([real], [PORT]);
  await untilReady(startDirector(sandbox, nat, director.start));

  await real.must(["ip", "address", "add", `${vip}/32`, "dev", "lo"]);
  expectFound(await doctor(client, file, "client"), "vip-taken", true, "client");
  const seen = await doctor(director, file, "director");
  expectFound(seen, "vip-taken", true, "director");
  if (seen.get("vip-taken")?.includes(`realserver ${real.address}`) !== true) {
    throw new Error(`the director does not know who it is: ${seen.get("vip-taken")}`);
  }
  expectFound(await doctor(real, file, "realserver"), "vip-answers-arp", true, "realserver");
  const past = await seenFrom(client, vip, await hardwareOf(real));
  if (past !== client.address) throw new Error(`past the director the realserver sees ${past}`);

  const plan = new Planned(sandbox, direct, [real], ["--topology", "dr", "--front", "front"]);
  await plan.apply();
  expectFound(await doctor(client, file, "client"), "vip-taken", false, "client");
  expectFound(await doctor(director, file, "director"), "vip-taken", false, "director");
  const after = await doctor(real, file, "realserver");
  for (const code of ["vip-answers-arp", "arp-announced"]) expectFound(after, code, false, "realserver");
  const through = await seenFrom(client, vip, null);
  if (through === client.address) throw new Error("after the cure the client still passes the director by");
  return "found on client, director and realserver, by the realserver's name; cured by plan: only the director answers";
}

/** Whom the realserver sees when the client connects to the VIP: at `hardware`, or at whoever answers. */
async function seenFrom({ must, ...client }: Host, vip: string, hardware: string | null): Promise<string> {
  await must(["ip", "neigh", "flush", "to", vip]);
  if (hardware !== null)
    await must(["ip", "neigh", "replace", vip, "lladdr", hardware, "dev", "eth0", "nud", "reachable"]);
  const [answer] = await ask<string[]>({ ...client, must }, "tcp", vip, PORT, 1);
  return answer!.split(" ")[1]!;
}

async function hardwareOf({ must }: Host): Promise<string> {
  const [device] = JSON.parse(await must(["ip", "-j", "link", "show", "dev", "eth0"])) as [{ address: string }];
  return device.address;
}

export const arp: Scenario = {
  name: "arp-problem",
  about: "a realserver answers for the VIP: found by doctor on each host, cured by plan",
  needs: ["nft", "tc"],
  run: arpProblem,
};
