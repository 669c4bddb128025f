/**
 * Rules of ipvsadm applied to a configuration as it is written. A service by address is one of one port; port 0 is a
 * service of all TCP or UDP ports; a firewall mark is a group called `fwmark-N`, whose VIP and ports somebody must
 * name, since a mark says neither.
 */
import { isPort, rangeText, type Transport } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { address as readAddress, transportPorts, Wrong } from "../config/formats.ts";
import type { Document } from "../config.ts";
import { hostPort, type RealServer, type Rule, serviceText, type VirtualService } from "./rule.ts";
import { Trouble, type Word } from "./trouble.ts";

type Draft = Record<string, unknown>;

/** What a firewall mark stands for: the ports that carry it, as a configuration writes them. */
export interface Marked {
  readonly vip: Address;
  readonly ports: readonly string[];
}

export interface Applying {
  /** By mark. */
  readonly marks?: ReadonlyMap<number, Marked>;
  /** The helper that reads this control port; null: none is given. */
  readonly helperOf?: (transport: Transport, port: number) => string | null;
}

export const ALL_PORTS = "1-65535";
export const markName = (mark: number): string => `fwmark-${mark}`;

/** Applies `rule`, that stands at `at`, to `document`, in place. Throws Trouble, and has changed nothing then. */
export function applyRule(document: Draft, at: Word, rule: Rule, applying: Applying = {}): void {
  new Table(document, at, applying).apply(rule);
}

/** A copy that may be changed, with its lists there. */
export function draftOf(document: Document): Draft {
  const draft = structuredClone(document) as Draft;
  for (const section of ["services", "groups"]) draft[section] ??= [];
  return draft;
}

class Table {
  readonly #document: Draft;
  readonly #at: Word;
  readonly #applying: Applying;

  constructor(document: Draft, at: Word, applying: Applying) {
    this.#document = document;
    this.#at = at;
    this.#applying = applying;
  }

  apply(rule: Rule): void {
    switch (rule.verb) {
      case "clear":
        this.#document["services"] = [];
        this.#document["groups"] = [];
        return;
      case "add-service":
        return this.#addService(rule);
      case "edit-service":
        return this.#editService(rule);
      case "delete-service": {
        const { list, index } = this.#find(rule.service);
        list.splice(index, 1);
        return;
      }
      case "add-server":
        return this.#addServer(rule);
      case "edit-server":
        return this.#editServer(rule);
      case "delete-server": {
        const { servers, index } = this.#findServer(rule.service, rule.server);
        servers.splice(index, 1);
        return;
      }
    }
  }

  #list(section: "services" | "groups"): Draft[] {
    return this.#document[section] as Draft[];
  }

  #addService(rule: Rule & { verb: "add-service" | "edit-service" }): void {
    const { service } = rule;
    if (this.#place(service) !== null) throw this.#trouble(`${serviceText(service)} is there already`, "write -E");
    const section = "mark" in service ? "groups" : "services";
    this.#list(section).push({ ...this.#written(service), ...settings(rule), ...checkOf(rule), realservers: [] });
  }

  #editService(rule: Rule & { verb: "add-service" | "edit-service" }): void {
    const { list, index } = this.#find(rule.service);
    const service = list[index]!;
    for (const key of ["scheduler", "persistence", "persistenceNetmask"]) delete service[key];
    Object.assign(service, settings(rule));
  }

  /** What a service that is new has of its name. */
  #written(service: VirtualService): Draft {
    if ("mark" in service) {
      const { vip, ports } = this.#marked(service.mark);
      return { name: markName(service.mark), vip: vip.toString(), ports: [...ports] };
    }
    const { transport, address, port } = service;
    const helper = this.#applying.helperOf?.(transport, port) ?? null;
    return {
      name: `${transport}-${address.toString().replaceAll(":", "-").replace(/^-+/, "0-")}-${port === 0 ? "all" : port}`,
      vip: address.toString(),
      ports: [`${transport}/${port === 0 ? ALL_PORTS : port}`],
      ...(helper === null ? {} : { helper }),
    };
  }

  #marked(mark: number): Marked {
    const marked = this.#applying.marks?.get(mark);
    if (marked !== undefined) return marked;
    const remedy = `say which packets carry it: --mark ${mark}=203.0.113.10,tcp/80,tcp/443`;
    throw this.#trouble(`firewall mark ${mark} names neither a VIP nor ports`, remedy);
  }

  #addServer(rule: Rule & { verb: "add-server" | "edit-server" }): void {
    const { list, index } = this.#find(rule.service);
    const servers = list[index]!["realservers"] as Draft[];
    if (servers.some((one) => isServer(one, rule.server, rule.service))) {
      throw this.#trouble(`${hostPort(rule.server.address, rule.server.port)} is there already`, "write -e");
    }
    servers.push(this.#server(rule));
  }

  #editServer(rule: Rule & { verb: "add-server" | "edit-server" }): void {
    const { servers, index } = this.#findServer(rule.service, rule.server);
    const server = servers[index]!;
    delete server["method"];
    Object.assign(server, this.#server(rule));
  }

  #server({ service, server, method, weight, sorry }: Rule & { verb: "add-server" | "edit-server" }): Draft {
    const { address, port } = server;
    if ("mark" in service && port !== 0) {
      const remedy = `write ${hostPort(address, 0)}: connections keep the port that the client used`;
      throw this.#trouble(`one port for all that carry mark ${service.mark}`, remedy);
    }
    const kept = port === 0 || method !== "nat";
    return {
      address: address.toString(),
      ...(kept ? {} : { port }),
      weight,
      ...(method === "nat" ? {} : { method }),
      ...(sorry === undefined ? {} : { sorry }),
    };
  }

  #find(service: VirtualService): { list: Draft[]; index: number } {
    const place = this.#place(service);
    if (place !== null) return place;
    throw new Trouble(this.#at, `${serviceText(service)} is no service`, "write its -A before", true);
  }

  #place(service: VirtualService): { list: Draft[]; index: number } | null {
    for (const section of ["services", "groups"] as const) {
      const list = this.#list(section);
      const index = list.findIndex((one) => isService(one, service));
      if (index >= 0) return { list, index };
    }
    return null;
  }

  #findServer(service: VirtualService, server: RealServer): { servers: Draft[]; index: number } {
    const { list, index: at } = this.#find(service);
    const servers = list[at]!["realservers"] as Draft[];
    const index = servers.findIndex((one) => isServer(one, server, service));
    if (index >= 0) return { servers, index };
    const text = hostPort(server.address, server.port);
    throw this.#trouble(`${text} is no realserver of ${serviceText(service)}`, "write its -a before");
  }

  #trouble(message: string, remedy: string): Trouble {
    return new Trouble(this.#at, message, remedy);
  }
}

const settings = ({ scheduler, persistence, netmask }: Rule & { verb: "add-service" | "edit-service" }): Draft => ({
  scheduler,
  ...(persistence === null ? {} : { persistence: `${persistence}s` }),
  ...(netmask === null ? {} : { persistenceNetmask: netmask }),
});

const checkOf = ({ check }: Rule & { verb: "add-service" | "edit-service" }): Draft =>
  check === undefined ? {} : { check };

/** Whether what is written is that service: by its mark's name, else by its address and the first of its ports. */
function isService(written: Draft, service: VirtualService): boolean {
  const vip = readAddress(written["vip"]);
  if (vip instanceof Wrong) return false;
  if ("mark" in service) return written["name"] === markName(service.mark) && vip.family === service.family;
  if (!vip.equals(service.address)) return false;
  const [first] = written["ports"] as readonly unknown[];
  const range = transportPorts(first);
  if (range instanceof Wrong || range.transport !== service.transport) return false;
  return service.port === 0 ? rangeText(range).endsWith(`/${ALL_PORTS}`) : range.first === service.port;
}

function isServer(written: Draft, server: RealServer, service: VirtualService): boolean {
  const address = readAddress(written["address"]);
  if (address instanceof Wrong || !address.equals(server.address)) return false;
  const own = "mark" in service ? 0 : service.port;
  const port = typeof written["port"] === "number" && isPort(written["port"]) ? written["port"] : own;
  return port === (server.port === 0 ? own : server.port);
}
