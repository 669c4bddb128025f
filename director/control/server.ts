/** Where the control interface is: a unix socket, and TCP where that is configured. */
import { chmodSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, createServer as createNetServer, type Server as NetServer } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createAdaptorServer } from "@hono/node-server";
import { endpointText, seconds } from "../../core/units.ts";
import { now } from "../clock.ts";
import type { ControlConfig } from "../config.ts";
import type { Log } from "../log.ts";
import { type Access, socketAccess, tcpAccess } from "./access.ts";
import { makeApi } from "./api.ts";
import type { Events } from "./events.ts";
import type { Operator } from "./operator.ts";
import { makeRoom } from "./room.ts";
import { usualSocket } from "./usual-socket.ts";

/** The control interface cannot be had as it is configured. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  readonly remedy: string;
  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}

export interface ControlServer {
  /** Where it is: paths and endpoints. */
  readonly at: readonly string[];
  close(): void;
}

export interface ControlOptions {
  readonly operator: Operator;
  readonly events: Events;
  readonly log: Log;
}

const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;
/** How long it is waited until another has done what takes milliseconds. */
const TURN = 1000;
const SHORTEST_TOKEN = 16;
/** Connections to one of its ends. */
const MOST_CONNECTIONS = 256;
/** How often at most it is told that there were as many. */
const TOLD_EVERY = seconds(60);

/** Opens what `config` says, or the usual socket where it says nothing. Throws a ControlError; then nothing is open. */
export async function openControl(config: ControlConfig | null, options: ControlOptions): Promise<ControlServer> {
  const servers: Server[] = [];
  const at: string[] = [];
  const close = (): void => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  };
  try {
    const path = config?.socket ?? usualSocket();
    if (path !== "none") {
      const server = serverFor(options, socketAccess, null, path);
      await listenOnSocket(server, path, config?.mode ?? PRIVATE_FILE);
      servers.push(server);
      at.push(path);
    }
    if (config?.tcp != null) {
      servers.push(await openTcp(config, options));
      at.push(endpointText(config.tcp));
    }
  } catch (error) {
    close();
    if (config !== null || !(error instanceof ControlError)) throw error;
    // Nobody asked for it.
    options.log("warn", "control-unavailable", { reason: error.message });
  }
  return { at, close };
}

function serverFor(options: ControlOptions, access: Access, tls: ControlConfig["tls"], at: string): Server {
  const server = httpServer(options, access, tls);
  let told = Number.NEGATIVE_INFINITY;
  makeRoom(server, MOST_CONNECTIONS, () => {
    if (now() - told < TOLD_EVERY) return;
    told = now();
    options.log("warn", "control-full", { at, most: MOST_CONNECTIONS });
  });
  return server;
}

function httpServer(options: ControlOptions, access: Access, tls: ControlConfig["tls"]): Server {
  const { fetch } = makeApi({ ...options, access });
  const limits = { headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16_384 };
  if (tls === null)
    return createAdaptorServer({ fetch: fetch as never, createServer, serverOptions: limits }) as Server;
  const { cert, key, clientCa } = tls;
  const serverOptions = {
    ...limits,
    minVersion: "TLSv1.2" as const,
    cert: read(cert, "control.cert"),
    key: read(key, "control.key"),
    // Who has no certificate may still have the token.
    ...(clientCa === null
      ? {}
      : { ca: read(clientCa, "control.clientCa"), requestCert: true, rejectUnauthorized: false }),
  };
  return createAdaptorServer({ fetch: fetch as never, createServer: createTlsServer, serverOptions }) as Server;
}

async function openTcp(
  { tcp, tokenFile, tls, hosts, anonymous }: ControlConfig,
  options: ControlOptions,
): Promise<Server> {
  const { address, port } = tcp!;
  const own = address.family === 6 ? `[${address}]` : address.toString();
  const access = tcpAccess({
    hosts: new Set([own, "localhost", ...hosts]),
    port,
    token: tokenFile === null ? null : readToken(tokenFile),
    anonymous,
    tls: tls !== null,
  });
  const server = serverFor(options, access, tls, endpointText(tcp!));
  await listening(server, () => server.listen({ host: address.toString(), port, exclusive: true }), endpointText(tcp!));
  return server;
}

function read(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ControlError(`${what}: ${file} cannot be read: ${code}`, "check the name, and who may read it");
  }
}

function readToken(file: string): string {
  const token = read(file, "control.tokenFile").toString("utf8").trim();
  if (token.length < SHORTEST_TOKEN) {
    const remedy = `put at least ${SHORTEST_TOKEN} characters that nobody guesses there: openssl rand -hex 32 > ${file}`;
    throw new ControlError(`control.tokenFile: what ${file} holds is too short`, remedy);
  }
  if ((statSync(file).mode & 0o007) !== 0) {
    throw new ControlError(`control.tokenFile: anybody can read ${file}`, `chmod 600 ${file}`);
  }
  return token;
}

/** Made with its permissions, so that there is no moment at which others could come in. */
async function listenOnSocket(server: Server, path: string, mode: number): Promise<void> {
  makeFolder(dirname(path));
  const listen = (): void => {
    const before = process.umask(0o777 & ~mode);
    try {
      server.listen(path);
    } finally {
      process.umask(before);
    }
  };
  const turn = await turnAt(path);
  try {
    await removeStale(path);
    await listening(server, listen, path);
    chmodSync(path, mode);
  } finally {
    turn?.close();
  }
}

/**
 * Of directors that start at once and find the same stale socket, one at a time: who removes it later would remove the socket
 * that another has made there. A name in Linux' abstract space is its holder's until he dies. Anybody may hold it, so that it
 * is not waited for without end: null then.
 */
async function turnAt(path: string): Promise<NetServer | null> {
  for (const begun = Date.now(); Date.now() - begun < TURN; await sleep(10)) {
    const turn = createNetServer();
    const held = await new Promise<boolean>((resolve) => {
      turn.once("listening", () => resolve(true)).once("error", () => resolve(false));
      turn.listen(`\0kindred ${path}`);
    });
    if (held) return turn;
  }
  return null;
}

/** The folder of the socket, if it is not there: in it nobody else may make anything. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
    const { uid, mode } = lstatSync(folder);
    const mine = uid === process.getuid?.() || uid === 0;
    if (mine && (mode & 0o002) === 0) return;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ControlError(`control.socket: ${folder} cannot be made: ${code}`, "make it, or write another path");
  }
  const remedy = "use a folder of the director's own";
  throw new ControlError(`control.socket: others could put something else in ${folder}`, remedy);
}

/** What a director that died left behind; a living one's stays. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  const remedy = 'stop that one, or give this one a "control.socket" of its own';
  if (!found.isSocket()) throw new ControlError(`control.socket: ${path} is no socket`, "write another path");
  if (await answers(path)) throw new ControlError(`control.socket: another director is at ${path}`, remedy);
  rmSync(path, { force: true });
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect(path)
      .once("connect", () => resolve(true))
      .once("error", () => resolve(false))
      .once("close", () => probe.destroy());
    probe.once("connect", () => probe.end());
  });

function listening(server: Server, listen: () => void, at: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", ({ code, message }: NodeJS.ErrnoException) =>
      reject(new ControlError(`control: cannot listen on ${at}: ${code ?? message}`, "write another, or free it")),
    );
    server.once("listening", () => {
      server.removeAllListeners("error").on("error", () => {});
      resolve();
    });
    listen();
  });
}
