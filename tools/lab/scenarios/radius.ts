/** FreeRADIUS twice, behind one address: radclient and eapol_test are the NAS. */
import { writeFileSync } from "node:fs";
import { startDirector, untilReady } from "../director.ts";
import { ACCOUNTING_PORT, AUTHENTICATION_PORT, SECRET, startFreeradius } from "../freeradius.ts";
import { prove } from "../prove.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { type FarmMaker, makeFarm } from "../topology.ts";

const NAMES = ["real-a", "real-b"];
export const NEEDS = ["freeradius", "radclient", "openssl"];

interface Radius {
  readonly vip: string;
  /** Sends all of `requests` from one socket; what radclient tells of it. */
  ask(requests: readonly string[], port: number, type: "auth" | "acct"): Promise<string>;
  run(command: readonly string[]): Promise<string>;
}

async function startRadius(sandbox: Sandbox, make: FarmMaker, helper: object): Promise<Radius> {
  const farm = await make(sandbox, 4, 1, 2);
  for (const [i, host] of farm.realservers.entries()) {
    await startFreeradius(sandbox, host, NAMES[i]!, farm.seenAs(farm.clients[0]!));
  }
  const service = {
    name: "radius",
    vip: farm.vip,
    ports: [`udp/${AUTHENTICATION_PORT}`, `udp/${ACCOUNTING_PORT}`],
    helper: "radius",
    scheduler: "rr",
    realservers: farm.targets,
  };
  const config = { services: [service], helpers: { radius: helper }, log: { level: "info", format: "json" } };
  await untilReady(startDirector(sandbox, config, farm.director.start, { path: farm.path }));
  const [nas] = farm.clients;
  const file = sandbox.path("requests");
  return {
    vip: farm.vip,
    run: (command) => nas!.must(command),
    ask: (requests, port, type) => {
      writeFileSync(file, requests.join("\n\n"));
      return nas!.must(["radclient", "-x", "-p", "50", "-f", file, `${farm.vip}:${port}`, type, SECRET]);
    },
  };
}

/** How often each realserver has answered, by the names in their responses. */
const servedBy = (told: string): number[] => NAMES.map((name) => told.split(`Reply-Message = "${name}"`).length - 1);

export async function spread(sandbox: Sandbox, make: FarmMaker): Promise<string> {
  const radius = await startRadius(sandbox, make, {});
  const users = Array.from({ length: 200 }, (_, i) => `User-Name = "user${i}"\nUser-Password = "secret"`);
  const served = servedBy(await radius.ask(users, AUTHENTICATION_PORT, "auth"));
  prove(served[0] === 100 && served[1] === 100, `of 200 requests the realservers accepted ${served.join(" and ")}`);
  return `200 requests of one socket: ${served.join(" and ")} accepted`;
}

const SUPPLICANT = `network={
  key_mgmt=WPA-EAP
  eap=TTLS
  identity="bob"
  anonymous_identity="anonymous"
  password="secret"
  phase2="auth=PAP"
}
`;

async function eap(sandbox: Sandbox, make: FarmMaker): Promise<string> {
  const radius = await startRadius(sandbox, make, {});
  const file = sandbox.path("supplicant");
  writeFileSync(file, SUPPLICANT);
  const count = 100;
  let completed = 0;
  for (let i = 0; i < count; i++) {
    const told = await radius.run(["eapol_test", "-c", file, "-a", radius.vip, "-s", SECRET, "-t", "90"]);
    if (told.trimEnd().endsWith("SUCCESS")) completed++;
    // Another NAS's request in between: by the scheduler alone the next conversation would fall apart.
    if (i % 3 === 0) await radius.ask(['User-Name = "x"\nUser-Password = "secret"'], AUTHENTICATION_PORT, "auth");
  }
  prove(completed === count, `${completed} of ${count} conversations were completed`);
  return `EAP-TTLS: ${completed} of ${count} conversations completed`;
}

export async function accounting(sandbox: Sandbox, make: FarmMaker): Promise<string> {
  const radius = await startRadius(sandbox, make, { key: ["Calling-Station-Id"] });
  const both = [0, 0];
  for (let i = 0; i < 20; i++) {
    const station = `Calling-Station-Id = "00-00-00-00-00-${i}"`;
    const login = [`User-Name = "user${i}"\nUser-Password = "secret"\n${station}`];
    const accepted = servedBy(await radius.ask(login, AUTHENTICATION_PORT, "auth"));
    const start = [`Acct-Status-Type = Start\nAcct-Session-Id = "s${i}"\n${station}`];
    const accounted = servedBy(await radius.ask(start, ACCOUNTING_PORT, "acct"));
    prove(String(accepted) === String(accounted), `session ${i}: accepted ${accepted}, accounted ${accounted}`);
    for (const [n, one] of accepted.entries()) both[n]! += one;
  }
  prove(both[0]! > 0 && both[1]! > 0 && both[0]! + both[1]! === 20, `sessions: ${both.join(" and ")}`);
  return `20 sessions, ${both.join(" and ")}: accounting met authentication each time`;
}

export const radius: readonly Scenario[] = [
  {
    name: "radius-spread",
    about: "200 requests of one radclient socket reach both FreeRADIUS servers",
    needs: NEEDS,
    run: (sandbox) => spread(sandbox, makeFarm),
  },
  {
    name: "radius-eap",
    about: "100 EAP-TTLS conversations of eapol_test are completed over two FreeRADIUS servers",
    needs: [...NEEDS, "eapol_test"],
    run: (sandbox) => eap(sandbox, makeFarm),
  },
  {
    name: "radius-accounting",
    about: "by Calling-Station-Id, accounting reaches the FreeRADIUS server that authenticated",
    needs: NEEDS,
    run: (sandbox) => accounting(sandbox, makeFarm),
  },
];
