/** `kindred ctl -A -t …`: ipvsadm's own words to a running director (ipvsadm(8)). */
import { text as readAll } from "node:stream/consumers";
import { Address } from "../../core/wire/address.ts";
import { endpoint } from "../config/formats.ts";
import type { ServiceState } from "../control/operated.ts";
import type { Plan } from "../control/operator.ts";
import type { Printed } from "../ipvs/print.ts";
import { hostPort } from "../ipvs/rule.ts";
import type { Client } from "./client.ts";

const RULE = /^(-[AEDCaed]|--(add|edit|delete)-(service|server)|--clear)/;
const SAVE = /^(-S|--save)/;
const RESTORE = /^(-R|--restore)/;
const LIST = /^(-[Ll]|--list)/;
const ZERO = /^(-Z|--zero)/;

/** Whether the first word after `ctl` is one of ipvsadm's. */
export const isIpvsadm = (word: string): boolean =>
  [RULE, SAVE, RESTORE, LIST, ZERO].some((pattern) => pattern.test(word));

interface Told {
  /** What ipvsadm would print. */
  readonly text: string;
  /** What else there is to say. */
  readonly notes: readonly string[];
}

/** Does what `words` ask for. What the director refuses is thrown. */
export async function tellIpvs(client: Client, words: readonly string[], input: NodeJS.ReadableStream): Promise<Told> {
  const first = words[0]!;
  if (SAVE.test(first)) {
    const { text, leftOut } = await client.send<Printed>({ method: "GET", path: "/v1/ipvs" });
    return { text, notes: leftOut };
  }
  if (LIST.test(first)) {
    const { items } = await client.send<{ items: ServiceState[] }>({ method: "GET", path: "/v1/services" });
    return { text: table(items), notes: [] };
  }
  if (ZERO.test(first))
    return { text: "", notes: ["counters are never set to zero here: they are for all who read them"] };
  const text = RESTORE.test(first) ? await readAll(input) : words.join(" ");
  const { warnings } = await client.send<Plan>({ method: "POST", path: "/v1/ipvs", body: { text } });
  return { text: "", notes: warnings.map((warning) => `warning: ${warning}`) };
}

const METHODS = { nat: "Masq", dr: "Route", tunnel: "Tunnel" } as const;

/** As `ipvsadm -L -n`. */
function table(services: readonly ServiceState[]): string {
  const lines = [
    "IP Virtual Server (kindred)",
    "Prot LocalAddress:Port Scheduler Flags",
    "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn",
  ];
  for (const { name, vip, ports, scheduler, persistence, realservers } of services) {
    const [transport, port] = ports[0]!.split("/");
    const single = ports.length === 1 && !port!.includes("-");
    const address = Address.parse(vip)!;
    const end = single ? hostPort(address, Number(port)) : `${name} ${vip} ${ports.join(",")}`;
    const flags = persistence > 0 ? ` persistent ${Math.ceil(persistence / 1000)}` : "";
    lines.push(`${transport!.toUpperCase().padEnd(4)} ${end} ${scheduler}${flags}`);
    for (const { realserver, method, weight, active, inactive } of realservers) {
      const at = endOf(realserver, single ? Number(port) : 0).padEnd(28);
      const columns = [METHODS[method].padEnd(7), String(weight).padEnd(6), String(active).padEnd(10)];
      lines.push(`  -> ${at} ${columns.join(" ")} ${String(inactive).padEnd(10)}`);
    }
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** `192.168.0.2:21`; the service's port where the realserver has none of its own. */
function endOf(realserver: string, port: number): string {
  const both = endpoint(realserver);
  return "port" in both ? realserver : hostPort(Address.parse(realserver)!, port);
}
