/**
 * A farm that `kindred plan --topology nat` set up and `kindred run --path tun` serves: the doctor finds nothing on any
 * of its hosts. Then one thing after the other is broken, and found; where it is mended, it is not.
 */
import { writeFileSync } from "node:fs";
import { stringify } from "yaml";
import { startDirector, untilReady } from "../director.ts";
import { codesOf, doctor } from "../doctor.ts";
import { answers, Planned, startLines } from "../plan.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import type { Host } from "../topology.ts";
import { makeTwoWays } from "../two-ways.ts";

const PORT = 2300;

interface Fault {
  readonly code: string;
  readonly who: "director" | "realserver";
  readonly make: readonly string[];
  readonly mend: readonly string[];
}

const faults = (vip: string): readonly Fault[] => [
  {
    code: "forwarding-off",
    who: "director",
    make: ["sysctl", "-q", "-w", "net.ipv4.ip_forward=0"],
    mend: ["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"],
  },
  {
    code: "vip-on-director",
    who: "director",
    make: ["ip", "address", "add", `${vip}/32`, "dev", "front"],
    mend: ["ip", "address", "del", `${vip}/32`, "dev", "front"],
  },
  {
    code: "nft-translates",
    who: "director",
    make: [
      "nft",
      `table ip old { chain c { type nat hook prerouting priority dstnat; ip daddr ${vip} dnat to 10.9.9.9; }; }`,
    ],
    mend: ["nft", "delete", "table", "ip", "old"],
  },
  {
    code: "gateway-wrong",
    who: "realserver",
    make: ["ip", "rule", "del", "priority", "7782"],
    mend: ["ip", "rule", "add", "priority", "7782", "lookup", "7782"],
  },
];

async function healthyThenNot(sandbox: Sandbox): Promise<string> {
  const farm = await makeTwoWays(sandbox, 4, 1);
  const { director, vip, realservers } = farm;
  const [client] = farm.clients as [Host];
  const [real] = realservers as [Host];
  const services = [
    { name: "lines", vip, ports: [`tcp/${PORT}`, `udp/${PORT}`], realservers: [{ address: real.address }] },
  ];
  const config = { services, log: { level: "info", format: "json" } };
  const file = sandbox.path("farm.yaml");
  writeFileSync(file, stringify(config));
  await startLines(realservers, [PORT]);
  const words = ["--topology", "nat", "--front", farm.front, "--gateway", director.address];
  await new Planned(sandbox, config, [director, real], words).apply();
  await untilReady(startDirector(sandbox, config, director.start, { path: "tun" }));
  const { tcp, udp } = await answers(client, vip, PORT, 4);
  for (const { seen } of [tcp, udp]) {
    if (seen.join() !== client.address) throw new Error(`the realserver sees ${seen.join(", ")}, not the client`);
  }

  const look = (who: "director" | "realserver" | "client"): Promise<Map<string, string>> => {
    const host = { director, realserver: real, client }[who];
    return doctor(host, file, who, "--path", "tun", "--gateway", director.address);
  };
  for (const who of ["director", "realserver", "client"] as const) {
    const found = await look(who);
    if (found.size > 0)
      throw new Error(`on a farm that works the ${who} finds ${codesOf(found)}: ${[...found.values()]}`);
  }
  for (const { code, who, make, mend } of faults(vip)) {
    const { must } = who === "director" ? director : real;
    await must(make);
    const found = await look(who);
    await must(mend);
    if (codesOf(found) !== code) throw new Error(`${make.join(" ")}: the ${who} finds ${codesOf(found)}, not ${code}`);
  }
  return `nothing on three hosts of a farm that works; then, each alone: ${faults(vip)
    .map(({ code }) => code)
    .join(", ")}`;
}

export const doctorScenario: Scenario = {
  name: "doctor-farm",
  about: "plan --topology nat and run --path tun: doctor finds nothing, then each thing that is broken",
  needs: ["nft", "tc"],
  run: healthyThenNot,
};
