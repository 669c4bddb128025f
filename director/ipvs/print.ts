/** A configuration as the lines that `ipvsadm -S -n` writes (version 1.31), in its own order. */
import { realserverKey } from "../../core/service.ts";
import { rangeText } from "../../core/units.ts";
import type { Config, RealserverConfig, ServiceConfig } from "../config.ts";
import { ALL_PORTS } from "./document.ts";
import { hostPort, schedulerWord, serviceText, type VirtualService } from "./rule.ts";
import { maskText } from "./values.ts";

export interface Printed {
  /** Each with its line feed. */
  readonly text: string;
  /** What ipvsadm has no words for, a sentence each. */
  readonly leftOut: readonly string[];
}

export function printRules({ services, groups }: Pick<Config, "services" | "groups">): Printed {
  const leftOut: string[] = [];
  const lines = [...services, ...groups].flatMap((service) => {
    const virtual = virtualOf(service);
    if (virtual === null) {
      leftOut.push(`${service.name}: ipvsadm has several ports in one service by firewall mark only; call it fwmark-N`);
      return [];
    }
    leftOut.push(...unsaid(service, virtual));
    const own = "mark" in virtual ? 0 : virtual.port;
    const name = serviceText(virtual);
    const servers = service.realservers.filter(({ sorry }) => !sorry);
    return [serviceLine(name, service), ...servers.map((one) => serverLine(name, one, own))];
  });
  return { text: lines.map((line) => `${line}\n`).join(""), leftOut };
}

function virtualOf({ name, vip, ports, controlPorts }: ServiceConfig): VirtualService | null {
  const mark = /^fwmark-(\d{1,10})$/.exec(name);
  if (mark !== null) return { mark: Number(mark[1]), family: vip.family };
  const [range] = ports;
  const { transport, first, last } = range!;
  if (rangeText(range!).endsWith(`/${ALL_PORTS}`)) return { transport, address: vip, port: 0 };
  // A control port, and where its data goes: the helper is what the mark was for.
  if (first === last && (ports.length === 1 || controlPorts.includes(first))) {
    return { transport, address: vip, port: first };
  }
  return null;
}

function unsaid({ name, ports, realservers }: ServiceConfig, virtual: VirtualService): string[] {
  const sorry = realservers
    .filter((one) => one.sorry)
    .map((one) => `${name}: ${realserverKey(one)} left out: ipvsadm has no sorry servers`);
  if ("mark" in virtual || ports.length === 1) return sorry;
  return [`${name}: ${ports.slice(1).map(rangeText).join(", ")} left out: ipvsadm has one port in a service`, ...sorry];
}

function serviceLine(name: string, { vip, scheduler, persistence, persistenceNetmask: bits }: ServiceConfig): string {
  const words = ["-A", name, "-s", schedulerWord(scheduler)];
  if (persistence > 0) words.push("-p", String(Math.ceil(persistence / 1000)));
  if (persistence > 0 && bits !== null) words.push("-M", vip.family === 4 ? maskText(bits) : String(bits));
  return words.join(" ");
}

const METHODS = { nat: "-m", dr: "-g", tunnel: "-i" } as const;

function serverLine(name: string, { address, port, method, weight }: RealserverConfig, own: number): string {
  const line = `-a ${name} -r ${hostPort(address, port ?? own)} ${METHODS[method]} -w ${weight}`;
  return method === "tunnel" ? `${line} --tun-type ipip` : line;
}
