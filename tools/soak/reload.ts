/** Many reloads under many transfers: each runs from before the first reload to after the last, none may notice. */
import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { freePort } from "../demo/realserver.ts";
import { type Event, events, untilReady } from "../lab/director.ts";
import type { Running } from "../lab/process.ts";
import { makeRoutedFarm } from "../lab/routed.ts";
import { inSandbox, type Sandbox } from "../lab/sandbox.ts";
import { metric } from "./farm.ts";

/** On loopback. */
const VIP = "127.0.0.2";
const REALS = ["127.0.0.11", "127.0.0.12"] as const;
/** In namespaces. */
const FTP = 21;
const TUN = { clients: 4, realservers: 3 } as const;
/** Lines a second of all transfers together. */
const LINES = 5000;
/** And the least and most milliseconds from one line of a transfer to its next. */
const EVERY = { least: 500, most: 5000 } as const;

export interface ReloadOptions {
  readonly path: "socket" | "tun";
  readonly transfers: number;
  readonly reloads: number;
  /** The command; the folder of what runs beside it. */
  readonly kindred: string;
  readonly programs: string;
  readonly progress: (line: string) => void;
}

export interface ReloadSummary {
  readonly name: "reload";
  readonly path: "socket" | "tun";
  readonly transfers: number;
  readonly reloads: number;
  /** Milliseconds from one line of a transfer to its next. */
  readonly every: number;
  /** Transfers that the director carried after the last reload, by its own count, and the files that it had open. */
  readonly carried: number;
  readonly openFiles: number;
  /** Not begun, cut, wrong, or without their end. */
  readonly failed: number;
  readonly failures: readonly string[];
  /** Of how many sentences the changes were. */
  readonly changes: number;
  /** All reloads together. */
  readonly seconds: number;
  readonly node: string;
}

type End = Readonly<{ address: string; start(command: readonly string[]): Running }>;

/** Where it runs: on loopback, or in namespaces that meet in the director's alone. */
interface Place {
  readonly vip: string;
  readonly port: number;
  readonly clients: readonly End[];
  readonly realservers: readonly End[];
  readonly director: Pick<End, "start">;
}

const places: Readonly<Record<ReloadOptions["path"], (sandbox: Sandbox) => Promise<Place>>> = {
  socket: async (sandbox) => {
    const start: End["start"] = (command) => sandbox.start(command);
    const realservers = REALS.map((address) => ({ address, start }));
    const clients = [{ address: "127.1.0.0", start }];
    return { vip: VIP, port: await freePort(VIP), clients, realservers, director: { start } };
  },
  tun: async (sandbox) => {
    const farm = await makeRoutedFarm(sandbox, 4, TUN.clients, TUN.realservers);
    return { ...farm, port: FTP };
  },
};

interface Target {
  readonly address: string;
  readonly port: number;
}

/** Round `round`: weights, the scheduler, a service and a realserver come and go by turns. */
function configuration({ vip, port }: Place, targets: readonly Target[], socket: string, round: number): string {
  const all = targets.map((target, i) => ({ ...target, weight: 1 + ((round + i) % 3) }));
  const listed = round % 4 === 2 ? all.slice(0, -1) : round % 4 === 3 ? all.slice(1) : all;
  const ftp = {
    name: "ftp",
    vip,
    ports: [`tcp/${port}`],
    helper: "ftp",
    scheduler: ["rr", "wlc", "wrr", "sh", "maglev"][round % 5],
    realservers: listed,
  };
  const more = { name: "more", vip, ports: [`udp/${port}`], realservers: [{ address: targets[0]!.address }] };
  return stringify({
    services: round % 2 === 1 ? [ftp, more] : [ftp],
    helpers: { ftp: { ports: [port] } },
    related: { total: 100_000 },
    timeouts: { idle: "30m" },
    log: { level: "warn" },
    control: { socket },
  });
}

/** Runs it; whoever asks judges the summary. */
export const soakReload = (options: ReloadOptions): Promise<ReloadSummary> =>
  inSandbox(async (sandbox) => {
    // A director that gave up root reads its file as nobody.
    chmodSync(sandbox.directory, 0o755);
    const { path, transfers, reloads, progress } = options;
    const place = await places[path](sandbox);
    const every = Math.min(Math.max(EVERY.least, (1000 * transfers) / LINES), EVERY.most);
    const servers = place.realservers.map(({ address, start }) => {
      const port = path === "tun" ? FTP : 0;
      return start([process.execPath, join(options.programs, "server.js"), address, String(port), String(every)]);
    });
    const targets = await Promise.all(
      servers.map(async (server, i) => ({ address: place.realservers[i]!.address, port: await listening(server) })),
    );
    const [file, socket] = [sandbox.path("kindred.yaml"), sandbox.path("control.sock")];
    const write = (round: number): void => writeFileSync(file, configuration(place, targets, socket, round));
    write(0);
    const director = place.director.start([process.execPath, options.kindred, "run", file, "--path", path]);
    await untilReady(director);

    const clients = startClients(place, options);
    await all(clients, /^begun /m, progress);
    const begun = Date.now();
    for (let round = 1; round <= reloads; round++) {
      write(round);
      process.kill(pidOf(director), "SIGHUP");
      await until(director, () => changesOf(director).length >= round);
      progress(`${round} of ${reloads} reloads, ${failuresOf(clients).length} failed`);
    }
    const seconds = (Date.now() - begun) / 1000;
    const carried = await metric({ socket }, "kindred_flows", /role="related"/);
    const openFiles = readdirSync(`/proc/${pidOf(director)}/fd`).length;
    for (const server of servers) server.write("finish\n");
    await all(clients, /^over$/m, progress);
    const failures = failuresOf(clients);
    return {
      name: "reload",
      path,
      transfers,
      reloads,
      every,
      carried,
      openFiles,
      failed: failures.length,
      failures: failures.slice(0, 10),
      changes: changesOf(director).reduce((sum, { changes }) => sum + (changes as readonly string[]).length, 0),
      seconds,
      node: process.version,
    };
  });

/** All transfers were carried through all reloads, and came to their right end. */
export const holdsReload = ({ transfers, carried, failed }: ReloadSummary): boolean =>
  failed === 0 && carried === transfers;

/** Each client's host has its part of the transfers. */
function startClients({ vip, port, clients }: Place, { path, transfers, programs }: ReloadOptions): Running[] {
  const each = Math.ceil(transfers / clients.length);
  return clients.map(({ start }, i) => {
    const count = Math.min(each, transfers - i * each);
    const words = [vip, port, i * each, count].map(String);
    const where = path === "socket" ? ["loopback"] : [];
    return start([process.execPath, join(programs, "clients.js"), ...words, ...where]);
  });
}

async function listening(server: Running): Promise<number> {
  const port = (): string | undefined => /^listening (\d+)/m.exec(server.stdout)?.[1];
  await server.until(() => port() !== undefined, "listening");
  return Number(port());
}

/** Until each of `clients` has said so, however long that takes. */
async function all(clients: readonly Running[], what: RegExp, progress: (line: string) => void): Promise<void> {
  for (const [i, client] of clients.entries()) {
    await until(client, () => what.test(client.stdout));
    progress(`${i + 1} of ${clients.length} hosts of clients: ${what.exec(client.stdout)![0]}`);
  }
}

async function until(running: Running, holds: () => boolean): Promise<void> {
  const ended = running.exited.then(() => {
    if (!holds()) throw new Error(`${running.name} has ended: ${running.stderr}`);
  });
  while (!holds()) await Promise.race([sleep(5), ended]);
}

const failuresOf = (clients: readonly Running[]): string[] =>
  clients.flatMap(({ stdout }) => [...stdout.matchAll(/^failed (.*)$/gm)].map(([, why]) => why!));

/** Throws where a reload failed. */
function changesOf(director: Running): readonly Event[] {
  const told = events(director);
  const failed = told.find(({ event }) => event === "reload-failed");
  if (failed !== undefined) throw new Error(JSON.stringify(failed["problems"]));
  return told.filter(({ event }) => event === "changed");
}

const pidOf = (director: Running): number => Number(events(director).find(({ event }) => event === "ready")!["pid"]);
