/**
 * The packet path: sets up the host and starts the thread that forwards; keeps the log, asks and tells that thread what
 * operators do, and takes all of it back at the end.
 */
import { randomInt } from "node:crypto";
import type { Ms } from "../../../core/units.ts";
import { now } from "../../clock.ts";
import type { ServiceConfig } from "../../config/types.ts";
import type { Config } from "../../config.ts";
import type { Operated, Page, Query, Scope, ServiceState } from "../../control/operated.ts";
import { type Log, LogLimit } from "../../log.ts";
import { ChangeError } from "../change-error.ts";
import type { Datapath } from "../path.ts";
import { type Calls, loadTunCalls } from "./calls.ts";
import { changeText } from "./change.ts";
import { packConfig } from "./config.ts";
import { Conntrack } from "./conntrack.ts";
import { PathError } from "./error.ts";
import { type Extension, Ground, type Ways } from "./ground.ts";
import { addressOf, KERNEL, KernelFlows } from "./kernel.ts";
import type { Down, Seeds } from "./messages.ts";
import { hasNft, runNft } from "./nft.ts";
import { Overflows } from "./overflows.ts";
import { areSourcesAsked } from "./own-sources.ts";
import { giveUpRoot } from "./privileges.ts";
import { ServiceOffload } from "./service-offload.ts";
import { DEVICE, planSetup } from "./setup.ts";
import { endNft, type StandingNft, startNft } from "./standing-nft.ts";
import { StayingClients } from "./staying.ts";
import { lookAround } from "./surroundings.ts";
import { ForwardingThread } from "./thread.ts";

const SWEEP_EVERY = 250;
/** How often it is asked whether what was removed still has flows. */
const SETTLE_EVERY = 2000;
/** How often nftables is asked whether it had room for all clients that are to stay. */
const LOOK_EVERY = 30_000;

export class PacketPath implements Datapath, Operated {
  readonly about = { path: "tun", device: DEVICE };
  readonly operated: Operated = this;
  readonly failure: Promise<Error>;
  #config: Config;
  readonly #log: LogLimit;
  readonly #ground = new Ground();
  #calls: Calls | null = null;
  #nft: StandingNft | null = null;
  #conntrack: Conntrack | null = null;
  /** What is offloaded, where anything is. */
  #kernel: KernelFlows | null = null;
  #thread: ForwardingThread | null = null;
  #failed: (error: Error) => void = () => {};
  #sweeper: NodeJS.Timeout | undefined;
  #nextSettle = 0;
  #nextLook = 0;
  /** Marked so before the thread was there. */
  readonly #down: Down[] = [];
  #stopping = false;
  /** Changes come one after the other. */
  #changing: Promise<unknown> = Promise.resolve();
  /** nft was there, or was not, when the path began: nothing can be offloaded later. */
  readonly #nftThere: boolean;
  /** Whole services in the kernel. */
  #spread: ServiceOffload | null = null;
  /** Their clients. */
  #staying: StayingClients | null = null;
  readonly #overflows: Overflows;

  constructor(config: Config, log: Log) {
    this.#log = new LogLimit(log);
    this.#overflows = new Overflows(this.#log);
    this.#nftThere = config.offload === "none" || hasNft();
    this.#config = this.#told(config);
    this.failure = new Promise((failed) => {
      this.#failed = failed;
    });
  }

  /** What `start` would do to the host, a command a line. Throws a PathError. */
  static describe(config: Config): string[] {
    const { changes, direct } = planSetup(config, lookAround());
    const devices = [DEVICE, ...direct.values()].map((device) => `ip tuntap add ${device} mode tun vnet_hdr`);
    return [...devices, ...changes.map(changeText)];
  }

  /** Throws a PathError, and then nothing is left changed. */
  async start(): Promise<void> {
    const calls = await loadTunCalls();
    if (typeof calls === "string") throw new PathError(calls, "`npm install koffi@3.3.4`, on Linux");
    this.#calls = calls;
    const { changes, leftAlone } = Ground.cleanUp(calls, this.#config);
    if (changes > 0) this.#log.log("warn", "cleaned-up", { changes });
    this.#tellLeft(leftAlone);
    try {
      if (this.#config.offload === "nftables") this.#nft = startNft(calls);
      const ways = this.#ground.enter(calls, this.#config);
      if (this.#nft !== null) {
        this.#conntrack = new Conntrack(calls);
        this.#kernel = new KernelFlows(this.#conntrack);
        this.#kernel.update(servicesOf(this.#config));
      }
      await this.#startThread(calls, ways);
      await this.#startSpreading();
    } catch (error) {
      this.abort();
      throw error;
    }
    this.#sweeper = setInterval(() => this.#sweep(now()), SWEEP_EVERY);
  }

  confine(): void {
    const reason = giveUpRoot(this.#calls!);
    if (reason !== null) this.#log.log("warn", "still-privileged", { reason });
  }

  /** Takes no new clients, lets flows finish (for at most the drain time), then ends. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#changing.catch(() => {});
    await this.#lookForOverflows();
    if (this.#spread !== null) this.#log.log("info", "withdrawn", await this.#spread.withdraw());
    const thread = this.#thread!;
    const { flows, connections } = await thread.snapshot();
    this.#log.log("info", "draining", { flows, connections });
    thread.tell({ type: "drain" });
    const timer = setTimeout(() => thread.tell({ type: "stop" }), this.#config.timeouts.drain);
    await thread.ended;
    clearTimeout(timer);
    this.abort();
  }

  /** Ends at once: takes everything back. What still runs stands still, and its ends give it up. */
  abort(): void {
    clearInterval(this.#sweeper);
    this.#stopping = true;
    this.#thread?.terminate();
    this.#tellLeft(this.#ground.leave());
    if (this.#nft !== null) endNft(this.#nft);
    this.#nft = null;
    this.#kernel = null;
    this.#conntrack?.close();
    this.#conntrack = null;
    this.#log.flush(Number.POSITIVE_INFINITY as Ms);
  }

  #tellLeft(settings: readonly string[]): void {
    if (settings.length === 0) return;
    this.#log.log("warn", "left-alone", { settings, reason: "somebody else has changed them since" });
  }

  watched(watched: boolean): void {
    this.#thread?.ask({ what: "watched", watched }).catch(() => {});
  }

  /** Where there was no nft the engine has everything, until a restart. */
  #possible(config: Config): Config {
    return this.#nftThere ? config : { ...config, offload: "none" };
  }

  /** `config` as it can be had; the log says what a restart needs for more. */
  #told(config: Config): Config {
    const possible = this.#possible(config);
    if (possible.offload === config.offload) return possible;
    const [reason, remedy] = hasNft()
      ? ["nft could not be run at the start", "restart the director"]
      : ["nft cannot be run", "install nftables, and restart the director"];
    this.#log.log("warn", "no-offload", { reason, remedy });
    return possible;
  }

  async #startSpreading(): Promise<void> {
    if (this.#config.offload !== "nftables") return;
    this.#spread = new ServiceOffload(runNft, (reason) =>
      this.#log.log("warn", "no-offload", {
        reason: `nft refuses the rules: ${reason}`,
        remedy: "mend that and reload: until then the engine has all services",
      }),
    );
    this.#staying = new StayingClients(this.#spread, this.#kernel!);
    for (const { service, realserver } of this.#down) await this.#spread.mark(service, realserver, false);
    await this.#spread.update(this.#config);
  }

  async #startThread(calls: Calls, ways: Ways): Promise<void> {
    const plan = {
      ...ways,
      config: packConfig(this.#config),
      seeds: makeSeeds(),
      fd: this.#ground.device,
      offload: this.#nft,
      down: this.#down,
    };
    this.#thread = await ForwardingThread.start(calls, plan, {
      heard: ({ level, event, fields }) => this.#log.log(level, event, fields),
      failed: this.#failed,
    });
  }

  #sweep(at: Ms): void {
    this.#log.flush(at);
    this.#kernel?.advance();
    this.#staying?.advance(at);
    if (at >= this.#nextLook) {
      this.#nextLook = at + LOOK_EVERY;
      void this.#lookForOverflows();
      void this.#lookForSources();
    }
    if (!this.#ground.stale || at < this.#nextSettle) return;
    this.#nextSettle = at + SETTLE_EVERY;
    this.#settle().catch(() => {});
  }

  /** The ways of what was removed stay as long as it has flows. */
  async #settle(): Promise<void> {
    const services = await this.services();
    if (this.#stopping) return;
    const left = services.flatMap(leftOf);
    this.#ground.settle([...left, ...(this.#kernel?.addresses() ?? [])], left.length > 0);
  }

  async #lookForOverflows(): Promise<void> {
    this.#overflows.tell((await this.#spread?.overflows()) ?? []);
  }

  /** Somebody may have flushed nftables' rules: then the host's own addresses would be let in as sources. */
  async #lookForSources(): Promise<void> {
    if (!this.#ground.asksSources || (await areSourcesAsked(runNft)) || this.#stopping) return;
    this.#ground.trustNoRules();
    this.#log.log("warn", "rules-gone", {
      reason: "nftables looks at no sources any more: the kernel does again",
      remedy: "restart the director after `nft flush ruleset`",
    });
  }

  // --- Operated ---------------------------------------------------------------------------------------------------

  refuse(wanted: Config): void {
    this.#mustAllow(this.#possible(wanted));
  }

  /** Throws a ChangeError where the running one cannot become that. */
  #mustAllow(config: Config): void {
    if (this.#stopping)
      throw new ChangeError("stopping", "the director is stopping", "start it with the new configuration");
    if (config.offload !== this.#config.offload) {
      throw new ChangeError(
        "restart-needed",
        "offload cannot change while it runs",
        "restart the director, or leave it",
      );
    }
    refuseOtherVips(this.#config, config);
  }

  apply(config: Config): Promise<void> {
    const change = this.#changing.catch(() => {}).then(() => this.#apply(config));
    this.#changing = change;
    return change;
  }

  /** Whatever can fail comes first: the ground, then helpers; what changes, changes at once. */
  async #apply(wanted: Config): Promise<void> {
    const config = this.#told(wanted);
    this.#mustAllow(config);
    await this.#lookForSources();
    const { direct, tunnels, commit, abandon } = this.#extend(config);
    try {
      await this.#thread!.ask({ what: "apply", config: packConfig(config), direct, tunnels });
    } catch (error) {
      if (!this.#stopping) abandon();
      throw error;
    }
    this.#config = config;
    this.#kernel?.update(servicesOf(config));
    if (this.#stopping) return;
    commit();
    await this.#lookForOverflows();
    await this.#spread?.update(config);
  }

  #extend(config: Config): Extension {
    try {
      return this.#ground.extend(config);
    } catch (error) {
      if (!(error instanceof PathError)) throw error;
      throw new ChangeError("cannot-set-up", error.message, error.remedy);
    }
  }

  async services(): ReturnType<Operated["services"]> {
    const services = await this.#thread!.ask({ what: "services" });
    return this.#kernel?.added(services) ?? services;
  }

  connections(query: Query): ReturnType<Operated["connections"]> {
    const kernel = this.#kernel;
    return inTurn(
      query,
      (query) => this.#thread!.ask({ what: "connections", query }),
      kernel && ((query) => kernel.page(query)),
    );
  }

  related(query: Query): ReturnType<Operated["related"]> {
    return this.#thread!.ask({ what: "related", query });
  }

  groups(query: Query): ReturnType<Operated["groups"]> {
    return this.#thread!.ask({ what: "groups", query });
  }

  persistence(query: Query): ReturnType<Operated["persistence"]> {
    const staying = this.#staying;
    return inTurn(
      query,
      (query) => this.#thread!.ask({ what: "persistence", query }),
      staying && ((query) => staying.page(query, now())),
    );
  }

  async counts(): ReturnType<Operated["counts"]> {
    const full = this.#overflows.connections;
    const ours = full > 0 ? { "offload.clients-full": full } : {};
    if (this.#stopping) return { ...(await this.#thread!.snapshot()).counters, ...ours };
    const counts = await this.#thread!.ask({ what: "counts" });
    if (this.#kernel === null) return { ...counts, ...ours };
    const { packets, bytes } = this.#kernel.traffic();
    const more = Object.entries({ packets, bytes }).flatMap(([what, ways]) =>
      Object.entries(ways).map(([way, count]) => [`traffic.${what}.${way}`, count] as const),
    );
    return {
      ...counts,
      ...Object.fromEntries(more.map(([name, count]) => [name, (counts[name] ?? 0) + count])),
      ...ours,
    };
  }

  async mark(service: string, realserver: string, up: boolean): Promise<boolean> {
    const marked = this.#thread?.ask({ what: "mark", service, realserver, up });
    if (marked === undefined && !up) this.#down.push({ service, realserver });
    const [known = true] = await Promise.all([marked, this.#spread?.mark(service, realserver, up)]);
    // Who sends datagrams does not notice that nobody answers: the next one is led elsewhere, by now.
    if (!up) this.#kernel?.drop({ service, realserver }, "udp");
    return known;
  }

  async drop(scope: Scope): Promise<number> {
    const ended = await this.#thread!.ask({ what: "drop", scope });
    return ended + (this.#kernel?.drop(scope) ?? 0);
  }

  async forget(scope: Scope): Promise<number> {
    const forgotten = await Promise.all([this.#thread!.ask({ what: "forget", scope }), this.#spread?.forget(scope)]);
    return forgotten[0] + (forgotten[1] ?? 0);
  }
}

/** The engine's come first, then the kernel's, whose places begin at KERNEL. */
async function inTurn<T>(
  query: Query,
  engine: (query: Query) => Promise<Page<T>>,
  kernel: ((query: Query) => Page<T> | Promise<Page<T>>) | null,
): Promise<Page<T>> {
  const engines = query.after < KERNEL ? await engine(query) : { items: [], next: null };
  const limit = query.limit - engines.items.length;
  if (kernel === null || engines.next !== null) return engines;
  if (limit === 0) return { items: engines.items, next: KERNEL };
  const { items, next } = await kernel({ ...query, limit, after: Math.max(query.after, KERNEL) });
  return { items: [...engines.items, ...items], next };
}

const servicesOf = ({ services, groups }: Config): ServiceConfig[] => [...services, ...groups];

/**
 * Flows to the VIP that a service had would be taken for a realserver's packets, and its route would go. One that is
 * removed keeps both until its last flow has ended.
 */
function refuseOtherVips(before: Config, after: Config): void {
  const known = new Map(servicesOf(before).map(({ name, vip }) => [name, vip]));
  for (const { name, vip } of servicesOf(after)) {
    const was = known.get(name);
    if (was === undefined || was.equals(vip)) continue;
    throw new ChangeError(
      "vip-in-use",
      `service ${name}: the VIP ${was} cannot become ${vip} while it runs: its flows would be cut`,
      `give ${vip} a service with another name, and take this one away`,
    );
  }
}

/** Addresses of what was removed and has flows. */
function leftOf({ vip, realservers }: ServiceState): string[] {
  const left = realservers.filter(({ condition }) => condition === "removed");
  return left.length === 0 ? [] : [vip, ...left.map(({ realserver }) => addressOf(realserver))];
}

function makeSeeds(): Seeds {
  const word = (): number => randomInt(2 ** 32);
  return { scheduler: word(), ports: word(), flows: [word(), word()], related: [word(), word()] };
}
