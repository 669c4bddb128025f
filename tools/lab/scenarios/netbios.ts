/** Samba twice, behind one address: nmblookup, smbclient and a client's nmbd. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Capture } from "../capture.ts";
import { startDirector, untilReady } from "../director.ts";
import { digest, writeFiles } from "../files.ts";
import { prove } from "../prove.ts";
import { NETBIOS_NAME, SHARE, SMB_PORTS, startAnnouncer, startSamba, writeClientConfig } from "../samba.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { type Farm, type FarmMaker, type Host, makeFarm } from "../topology.ts";
import { decoded, untilDecoded } from "../tshark.ts";

const FILE = "one.bin";
const NAME = "name.txt";
export const NEEDS = ["smbd", "nmbd", "nmblookup", "smbclient", "tcpdump", "tshark"];

export async function samba(sandbox: Sandbox, make: FarmMaker): Promise<string> {
  const farm = await make(sandbox, 4, 2, 2);
  const names = ["real-a", "real-b"];
  const shares = await Promise.all(
    farm.realservers.map((host, i) => startSamba(sandbox, host, names[i]!, farm.servesAt(host))),
  );
  for (const [i, share] of shares.entries()) {
    writeFiles(share, [FILE]);
    writeFileSync(join(share, NAME), names[i]!);
  }
  const { name, datagram, session, direct } = SMB_PORTS;
  const service = {
    name: "samba",
    vip: farm.vip,
    ports: [`udp/${name}`, `udp/${datagram}`, `tcp/${session}`, `tcp/${direct}`],
    helper: "netbios",
    scheduler: "rr",
    realservers: farm.targets,
  };
  const config = { services: [service], log: { level: "info", format: "json" } };
  await untilReady(startDirector(sandbox, config, farm.director.start, { path: farm.path }));
  const captures = await Promise.all(farm.realservers.map((host) => Capture.start(sandbox, host, "udp")));

  const configuration = writeClientConfig(sandbox);
  const served: number[] = [];
  for (const host of farm.clients) {
    await provenLookup(host, farm, configuration);
    served.push(await fetched(sandbox, host, farm, configuration, shares));
  }
  prove(new Set(served).size === 2, "both clients were served by one realserver");
  const [announcer] = farm.clients as [Host];
  startAnnouncer(sandbox, announcer, farm.vip);
  await provenSource(captures[served[0]!]!, farm.seenAs(announcer));
  return `nmblookup, files byte for byte on ports ${session} and ${direct} from both; a client's announcement names who sends it`;
}

/** The realservers answer with their own addresses. */
async function provenLookup(host: Host, { vip }: Farm, configuration: string): Promise<void> {
  const told = await host.must(["nmblookup", "--configfile", configuration, "--unicast", vip, NETBIOS_NAME]);
  prove(told.includes(`${vip} ${NETBIOS_NAME}<00>`), `nmblookup was told\n${told}`);
}

/** On both ports the same realserver's file; which. */
async function fetched(
  sandbox: Sandbox,
  host: Host,
  { vip }: Farm,
  configuration: string,
  shares: readonly string[],
): Promise<number> {
  const folder = sandbox.directory;
  const sources: number[] = [];
  for (const port of [SMB_PORTS.session, SMB_PORTS.direct]) {
    const local = `${host.name}-${port}`;
    const options = ["--configfile", configuration, "--no-pass", "--port", String(port)];
    await host.must(["smbclient", ...options, `//${vip}/${SHARE}`, "-c", `get ${FILE} ${local}`], {
      directory: folder,
    });
    sources.push(shares.findIndex((share) => digest(share, FILE) === digest(folder, local)));
  }
  prove(sources[0]! >= 0 && sources[0] === sources[1], `${host.name} got files of ${sources.join(" and ")}`);
  return sources[0]!;
}

/** What a client's nmbd says of itself, as it reaches the realserver. */
async function provenSource(wire: Capture, sender: string): Promise<void> {
  const filter = `nbdgm && ip.src == ${sender}`;
  await untilDecoded(wire.file, filter, 1);
  const said = await decoded(await wire.end(), filter, ["ip.src", "udp.srcport", "nbdgm.src.ip", "nbdgm.src.port"]);
  for (const [from, port, source, sourcePort] of said) {
    prove(from === source && port === sourcePort, `from ${from}:${port} came a datagram of ${source}:${sourcePort}`);
  }
}

export const netbios: readonly Scenario[] = [
  {
    name: "netbios-samba",
    about: "names, announcements and files of two Samba servers: ports 137, 138, 139 and 445 as a group",
    needs: NEEDS,
    run: (sandbox) => samba(sandbox, makeFarm),
  },
];
