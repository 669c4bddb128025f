/** What `ipvsadm` can be told, as values: the rules that `ipvsadm -S` writes, and those that change them (ipvsadm(8)). */
import type { SchedulerName } from "../../core/schedule/scheduler.ts";
import type { Transport } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import type { ScriptCheck } from "./script-check.ts";

/** A virtual service: by address and port, or by the firewall mark of its packets. Port 0: every port of the VIP. */
export type VirtualService =
  | { readonly transport: Transport; readonly address: Address; readonly port: number }
  | { readonly mark: number; readonly family: 4 | 6 };

/** Port 0: the one that the client used. */
export interface RealServer {
  readonly address: Address;
  readonly port: number;
}

export type Rule =
  | { readonly verb: "clear" }
  | { readonly verb: "delete-service"; readonly service: VirtualService }
  | {
      readonly verb: "add-service" | "edit-service";
      readonly service: VirtualService;
      readonly scheduler: SchedulerName;
      /** Seconds; null: not persistent. */
      readonly persistence: number | null;
      /** Bits of the client's network that stay together; null: each client by itself. */
      readonly netmask: number | null;
      /** Of keepalived and ldirectord. */
      readonly check?: ScriptCheck;
    }
  | { readonly verb: "delete-server"; readonly service: VirtualService; readonly server: RealServer }
  | {
      readonly verb: "add-server" | "edit-server";
      readonly service: VirtualService;
      readonly server: RealServer;
      readonly method: "nat" | "dr" | "tunnel";
      readonly weight: number;
      /** Of keepalived and ldirectord: it serves only while nobody else does. */
      readonly sorry?: true;
    };

/** Schedulers that ipvsadm calls otherwise. */
const SCHEDULERS: Readonly<Record<string, SchedulerName>> = { mh: "maglev" };

export const schedulerOf = (word: string): string => SCHEDULERS[word] ?? word;

export const schedulerWord = (scheduler: SchedulerName): string =>
  Object.keys(SCHEDULERS).find((word) => SCHEDULERS[word] === scheduler) ?? scheduler;

/** `203.0.113.10:21`, `[2001:db8::10]:0`. */
export const hostPort = (address: Address, port: number): string =>
  address.family === 4 ? `${address}:${port}` : `[${address}]:${port}`;

/** `-t 203.0.113.10:21`, `-f 5`, `-f 5 -6`. */
export function serviceText(service: VirtualService): string {
  if ("mark" in service) return `-f ${service.mark}${service.family === 6 ? " -6" : ""}`;
  return `-${service.transport === "tcp" ? "t" : "u"} ${hostPort(service.address, service.port)}`;
}
