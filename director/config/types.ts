/** The configuration as the director uses it: checked, complete, frozen. */
import type { Helper, Limits } from "../../core/helper/api.ts";
import type { SchedulerName } from "../../core/schedule/scheduler.ts";
import type { Endpoint, Ms, Port, PortRange } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import type { PortNumbers } from "./formats.ts";
import type { Problem } from "./problem.ts";

export interface Config {
  /** The file it was read from, as it was given. */
  readonly file: string;
  /** What clients connect to. Names are unique among services and groups. */
  readonly services: readonly ServiceConfig[];
  /** Ports of one VIP that go to one realserver for each client, without a helper. */
  readonly groups: readonly ServiceConfig[];
  /** Every known helper, with what is configured for it or its defaults; then those loaded from modules. */
  readonly helpers: readonly HelperConfig[];
  /** The listeners for related connections on the socket path. */
  readonly related: RelatedConfig;
  readonly timeouts: TimeoutsConfig;
  /** What the socket path stands on; auto: epoll where it can be had, else net. */
  readonly backend: "auto" | "net" | "epoll";
  readonly log: LogConfig;
  /** How it is operated while it runs; null: nothing is said, and it is by the usual socket where that can be had. */
  readonly control: ControlConfig | null;
  /** Whether it is loaded again when its file changes. */
  readonly watch: boolean;
  /** The packet path: whether the kernel translates related connections itself. */
  readonly offload: "none" | "nftables";
  /** What was read, as it was written: plain values, without defaults. */
  readonly document: Document;
  /** What is odd, but can run. */
  readonly warnings: readonly Problem[];
}

/** A configuration as it is written. */
export type Document = Readonly<Record<string, unknown>>;

/** Paths are absolute. */
export interface ControlConfig {
  /** The unix socket; null: the usual one; "none": none. */
  readonly socket: string | null;
  /** Its permissions. */
  readonly mode: number;
  readonly tcp: Endpoint | null;
  /** Holds the token of who may change things; null: nobody may by a token. */
  readonly tokenFile: string | null;
  /** What TLS needs; null: none is spoken. `clientCa`: who has a certificate of it needs no token. */
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string | null } | null;
  /** Names in `Host` beside the address itself. */
  readonly hosts: readonly string[];
  /** What may be done over TCP without a token. */
  readonly anonymous: "none" | "metrics" | "read";
}

export interface ServiceConfig {
  readonly name: string;
  /** The address that clients know. Never unspecified or multicast. */
  readonly vip: Address;
  /** Of the VIP, at least one; overlapping neither one another nor those of another service. */
  readonly ports: readonly PortRange[];
  /** Reads the control connections; null: none does. Always null for a group. */
  readonly helper: HelperConfig | null;
  /** Those of the helper's ports that are among `ports`; at least one where there is a helper. */
  readonly controlPorts: readonly Port[];
  readonly scheduler: SchedulerName;
  /** Milliseconds that a client stays with its realserver after its last connection. 0: not at all. */
  readonly persistence: Ms;
  /** Bits of the client's network that persist together; null: each client by itself. */
  readonly persistenceNetmask: number | null;
  /** Shared by services that send a client to one realserver, each with a helper of its own; null: by none. */
  readonly mark: string | null;
  /** Ports at clients that realservers may connect to by themselves, leaving as the VIP (ident: tcp/113). */
  readonly originates: readonly PortRange[];
  /** How its realservers are found to serve; null: they are taken to. */
  readonly check: CheckConfig | null;
  /** No two of the same address and port; none: nobody is served. */
  readonly realservers: readonly RealserverConfig[];
}

export type CheckKind = "tcp" | "ftp" | "rtsp" | "radius" | "xdmcp" | "tftp" | "http" | "dns" | "script";

/** A question that is put to each realserver of a service, again and again. */
export interface CheckConfig {
  readonly kind: CheckKind;
  /** Milliseconds from one to the next. */
  readonly interval: Ms;
  /** Milliseconds that an answer may take; at most `interval`. */
  readonly timeout: Ms;
  /** Good answers in a row that bring a realserver up, and bad ones that take it down. */
  readonly rise: number;
  readonly fall: number;
  /** null: where clients go. */
  readonly port: Port | null;
  /** The director's own address that it asks from; null: any. */
  readonly source: Address | null;
  /** What it is until it has been asked so often. */
  readonly initially: "up" | "down";
  /** What becomes of flows to a realserver that goes down: they may end by themselves, or are cut. */
  readonly onFailure: "quiesce" | "drop";
  /** ftp: who logs in; null: the greeting is enough. */
  readonly login: string | null;
  /** The absolute path of a file that has the password (ftp) or the shared secret (radius). */
  readonly secretFile: string | null;
  /** http: what is asked for, of which host (null: the realserver's address), and the status that is good. */
  readonly path: string;
  readonly host: string | null;
  readonly status: number;
  /** dns: the zone whose SOA is asked for; null: not dns. */
  readonly zone: string | null;
  /** dns: whose serial it must have; null: any answer is good. */
  readonly authority: Address | null;
  /** script: the absolute path of a program, and its arguments; null: no script. */
  readonly command: readonly string[] | null;
}

export interface RealserverConfig {
  readonly address: Address;
  /** null: the port that the client connected to. */
  readonly port: Port | null;
  /** 0..65535, without unit: the share of new connections. 0: takes none. */
  readonly weight: number;
  /** How connections get to it, as ipvsadm's `-m -g -i`. `dr` and `tunnel` on the packet path only. */
  readonly method: "nat" | "dr" | "tunnel";
  /** It serves only whom none of the others will: they are down, of weight 0, or refused. It is not checked. */
  readonly sorry: boolean;
  /** Addresses that it may announce beside its own. */
  readonly announces: readonly Address[];
  /** Where its passive data connections go: its part of the port group when the helper cannot read (FTPS). */
  readonly passivePorts: PortRange | null;
}

export interface HelperConfig {
  readonly name: string;
  /** Absolute path of the module that has the helper; null: it is built in. */
  readonly module: string | null;
  /** Server ports whose connections it reads, of the helper's own transport. */
  readonly ports: readonly Port[];
  /** Take the strictest reading where peers differ. */
  readonly strict: boolean;
  /** What becomes of an announcement that is refused: made to fail at the other end, or passed on as it is. */
  readonly onRefuse: "refuse" | "forward";
  /** What becomes of a connection whose helper broke: it goes on unread, or is ended. */
  readonly onFailure: "open" | "closed";
  /** Those of the helper's own limits that are replaced: `{ ...helper.limits, ...limits }`. */
  readonly limits: Partial<Limits>;
  /** What of a request chooses its realserver, the first that it has; null: nothing. Only helpers with such an option. */
  readonly key: readonly string[] | null;
  /** The realserver of requests that only one may serve; null: any serves them. Only helpers with such an option. */
  readonly primary: Address | null;
}

export interface RelatedConfig {
  /** Ports of every VIP that listeners may have, over TCP and UDP; null: what the kernel gives. */
  readonly ports: PortNumbers | null;
  /** Listeners kept open on each address. */
  readonly standing: number;
  /** Related entries that one client may have pending. */
  readonly perClient: number;
  /** Related entries that may be pending in all. */
  readonly total: number;
}

export interface TimeoutsConfig {
  /** Milliseconds for a connection to a realserver to be made. */
  readonly connect: Ms;
  /** Milliseconds without a byte in either direction, after which a connection is closed. */
  readonly idle: Ms;
  /** Milliseconds that connections are given to end when the director stops. */
  readonly drain: Ms;
}

export interface LogConfig {
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  readonly format: "json" | "text";
}

/** What the configuration must know of a helper. */
export type KnownHelper = Pick<Helper, "name" | "transport" | "ports" | "options">;

export interface ConfigOptions {
  /** Those built in, unless told otherwise. */
  readonly helpers?: readonly KnownHelper[];
  /** Where it is to run; `socket` unless told otherwise. */
  readonly path?: "socket" | "tun";
  /** Whether it may serve nothing: all was taken away, and something will come. */
  readonly mayBeEmpty?: boolean;
}
