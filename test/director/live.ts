/** A live director on loopback, with its events kept; and what its tests do over and over. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Test } from "tap";
import { parseConfig } from "../../director/config.ts";
import { planSockets } from "../../director/datapath/socket-plan.ts";
import { SocketPath, type SocketPlan } from "../../director/datapath/sockets.ts";
import { wasReset } from "../../director/datapath/transport/net/reset.ts";
import type { Fields, Level } from "../../director/log.ts";
import { freePort } from "../../tools/demo/realserver.ts";

/** What runs where, so that no byte of one can be taken for another. */
export const VIP = "127.0.0.2";
export const CLIENT = "127.0.0.3";
export const REAL_A = "127.0.0.1";
export const REAL_B = "127.0.0.4";

type Named =
  | ("id" | "control" | "related" | "kind" | "opener" | "from" | "seen" | "to" | "reason" | "message" | "role")
  | ("client" | "virtual" | "real" | "error" | "service" | "realserver" | "of" | "suppressed" | "original" | "reply")
  | ("controls" | "connections" | "listening" | "wanted" | "lacks" | "direction" | "ports" | "address");

export type Event = { readonly level: Level; readonly event: string } & {
  readonly [name in Named]?: Fields[string];
};

/** Far longer than anything here takes: to wait, not to measure. */
const DEADLINE = 100_000;

/** KINDRED_BACKEND: what every director of these tests stands on; else what the configuration says. */
export function onBackend(configuration: string): string {
  const { KINDRED_BACKEND: backend } = process.env;
  return backend === undefined || configuration.includes("\nbackend:")
    ? configuration
    : `${configuration.trimEnd()}\nbackend: ${backend}\n`;
}

export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + DEADLINE;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`waited ${DEADLINE / 1000} s in vain until ${what}`);
    await sleep(10);
  }
}

export class Live {
  readonly path: SocketPath;
  readonly events: Event[] = [];
  readonly port: number;

  private constructor(plan: SocketPlan, port: number) {
    this.port = port;
    this.path = new SocketPath(plan, (level, event, fields = {}) => this.events.push({ level, event, ...fields }));
  }

  /** `configuration`: YAML; `port`: what it listens on first. Stopped when the test ends. */
  static async start(t: Test, configuration: string, port: number): Promise<Live> {
    return Live.run(t, await planSockets(parseConfig(onBackend(configuration), "test.yaml")), port);
  }

  static async run(t: Test, plan: SocketPlan, port: number): Promise<Live> {
    const live = new Live(plan, port);
    await live.path.start();
    t.teardown(() => live.path.abort());
    return live;
  }

  of(event: string): Event[] {
    return this.events.filter((one) => one.event === event);
  }

  /** Kinds of the related entries that were announced. */
  get kinds(): string[] {
    return this.of("related").map(({ kind }) => String(kind));
  }

  async untilEvent(event: string, count = 1): Promise<Event> {
    await until(() => this.of(event).length >= count, `${count} ${event}`);
    return this.of(event)[count - 1]!;
  }
}

export interface Real {
  readonly address: string;
  readonly port: number;
  readonly weight?: number;
}

const realText = ({ address, port, weight = 1 }: Real): string =>
  `      - { address: "${address}", port: ${port}, weight: ${weight} }`;

/** Configuration of one FTP service. `more`: further lines of the service; `rest`: further sections. */
export const ftpConfig = (vip: string, port: number, reals: readonly Real[], more = "", rest = ""): string => `
services:
  - name: ftp
    vip: "${vip}"
    ports: [tcp/${port}]
    helper: ftp
    scheduler: rr
${more}
    realservers:
${reals.map(realText).join("\n")}
helpers:
  ftp: { ports: [${port}] }
${rest || "related: { standing: 8 }"}
`;

/** Configuration of one service that no helper reads. */
export const plainConfig = (vip: string, port: number, reals: readonly Real[], more = "", rest = ""): string => `
services:
  - name: plain
    vip: "${vip}"
    ports: [tcp/${port}]
${more || "    scheduler: rr"}
    realservers:
${reals.map(realText).join("\n")}
${rest}
`;

/** An FTP service in front of `reals`, on a free port of `vip`. */
export async function ftpDirector(t: Test, reals: readonly Real[], vip = VIP, more = "", rest = ""): Promise<Live> {
  const port = await freePort(vip);
  return Live.start(t, ftpConfig(vip, port, reals, more, rest), port);
}

export async function plainDirector(t: Test, reals: readonly Real[], vip = VIP, more = "", rest = ""): Promise<Live> {
  const port = await freePort(vip);
  return Live.start(t, plainConfig(vip, port, reals, more, rest), port);
}

/** A TCP server of the test's own; sockets allow half-open, and are gone when the test ends. */
export async function listen(t: Test, host: string, accept: (socket: Socket) => void, at = 0): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    accept(socket);
  });
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(at, host);
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}

/** Connects from `localAddress`; gone when the test ends. */
export async function dial(t: Test, host: string, port: number, localAddress?: string): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true, ...(localAddress === undefined ? {} : { localAddress }) });
  t.teardown(() => socket.destroy());
  await once(socket, "connect");
  return socket.on("error", () => {});
}

/** How a socket came to its end: `end` (FIN), or an errno name. Its bytes must be read by somebody. */
export function ending(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket
      .once("end", () => resolve("end"))
      .once("error", ({ code }: NodeJS.ErrnoException) => resolve(code ?? "error"));
    socket.once("close", () => resolve("close"));
  });
}

/** As `ending`, for peers of our own, whose ends libuv mistakes as it would the director's. */
export const endingOf = async (socket: Socket): Promise<string> => {
  const how = await ending(socket);
  return how === "end" && wasReset(socket) ? "ECONNRESET" : how;
};

/** How a connection that nobody is waiting for ends: an errno name, or `end`. */
export function knock(t: Test, host: string, port: number, localAddress: string): Promise<string> {
  const socket = connect({ host, port, localAddress });
  t.teardown(() => socket.destroy());
  socket.resume();
  return ending(socket);
}

/** All until the other side's FIN; the socket can still be written to. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks);
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** A folder of its own, gone when the test ends. */
export async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "kindred-test-"));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}
