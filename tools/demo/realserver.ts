/** An embedded FTP server with a few files of its own, to stand behind the director: ftp-srv, or one of our own. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FtpServer, startFtpServer } from "./ftp-server.ts";

export interface Realserver {
  readonly name: string;
  readonly port: number;
  /** Where its files are. */
  readonly root: string;
  close(): Promise<void>;
}

const SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;
const quiet = (): void => {};
const silent = { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => silent };

export interface RealserverOptions {
  /** Passive ports, both included; the same for IPv4 and IPv6. */
  readonly passive?: { readonly first: number; readonly last: number };
  /** For AUTH TLS. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** Passive ports of a server, where nothing is said of them: so many, which are no other's, in this process or beside it. */
const PASSIVE = { first: 20_000, count: 100, servers: 100 };

/** Starts one on `host`; `size`: bytes of the random file `data.bin`. Throws where ftp-srv is not installed. */
export async function startRealserver(
  name: string,
  host: string,
  size: number,
  options: RealserverOptions = {},
): Promise<Realserver> {
  const library = await loadFtpSrv();
  if (library === null) throw new Error("needs ftp-srv, a development dependency: run `npm ci` in a checkout");
  return withFiles(name, size, (root) => startFtpSrv(library, host, root, options));
}

/** The same for the demonstration, which is to run anywhere: with a server of our own where ftp-srv is not installed. */
export async function startDemoServer(name: string, host: string, size: number): Promise<Realserver> {
  const library = await loadFtpSrv();
  return withFiles(name, size, (root) =>
    library === null ? startFtpServer(host, root) : startFtpSrv(library, host, root, {}),
  );
}

/** A server of files that are gone with it. */
async function withFiles(name: string, size: number, start: (root: string) => Promise<FtpServer>): Promise<Realserver> {
  const root = await mkdtemp(join(tmpdir(), "kindred-realserver-"));
  await writeFile(join(root, "hello.txt"), `Hello from realserver ${name}.\n`);
  await writeFile(join(root, "data.bin"), randomBytes(size));
  const server = await start(root);
  const close = async (): Promise<void> => {
    await server.close();
    await rm(root, { recursive: true, force: true });
  };
  return { name, port: server.port, root, close };
}

type FtpSrv = Pick<typeof import("ftp-srv"), "FtpSrv">;

async function startFtpSrv(
  { FtpSrv }: FtpSrv,
  host: string,
  root: string,
  { passive, tls }: RealserverOptions,
): Promise<FtpServer> {
  const port = await freePort(host);
  const { first, last } = passive ?? (await freePassive());
  const before = SIGNALS.map((signal) => process.listeners(signal));
  const shown = host.includes(":") ? `[${host}]` : host;
  const options = {
    url: `ftp://${shown}:${port}`,
    // A function, so that it is announced as it is; a string would be replaced by the client's own address on loopback.
    pasv_url: (() => host) as unknown as string,
    pasv_min: first,
    pasv_max: last,
    anonymous: true,
    log: silent,
    ...(tls === undefined ? {} : { tls }),
  };
  const server = new FtpSrv(options);
  // ftp-srv ends the whole process on a signal; this one has other work to finish first.
  SIGNALS.forEach((signal, i) => {
    for (const listener of process.listeners(signal)) {
      if (!before[i]!.includes(listener)) process.removeListener(signal, listener);
    }
  });
  server.on("login", (_login, resolve) => resolve({ root }));
  server.on("client-error", quiet);
  await server.listen();
  return { port, close: async () => void (await server.close()) };
}

/** null: it is not installed. */
const loadFtpSrv = (): Promise<FtpSrv | null> => import("ftp-srv").catch(() => null);

/** Where the kernel takes no port by itself, and below what the demonstration announces. */
const FREE = { first: 10_240, count: 9_760 };
/** What one process asks for, as a rule: processes side by side begin as far from each other. */
const WINDOW = 61;
let asked = 0;

/** A TCP port on which nobody listens, and another at each call, in this process or one beside it. */
export async function freePort(host: string): Promise<number> {
  for (let tried = 0; tried < FREE.count; tried++) {
    const port = FREE.first + ((process.pid * WINDOW + asked++) % FREE.count);
    // First: who was given it may be about to listen there.
    if ((await isOurs(`port-${port}`)) && (await canListen(port, host))) return port;
  }
  throw new Error(`no free port on ${host} from ${FREE.first} on`);
}

/** ftp-srv asks whether a port is free before it listens there: two that tried the same would be in each other's way. */
async function freePassive(): Promise<{ readonly first: number; readonly last: number }> {
  for (let n = 0; n < PASSIVE.servers; n++) {
    const first = PASSIVE.first + n * PASSIVE.count;
    if (await isOurs(`passive-${first}`)) return { first, last: first + PASSIVE.count - 1 };
  }
  throw new Error(`${PASSIVE.servers} servers have all the passive ports from ${PASSIVE.first} on`);
}

/** Whether nobody asked for `what` before; it is this process's until that ends. Without abstract sockets always true. */
function isOurs(what: string): Promise<boolean> {
  const keeper = createServer().unref();
  return new Promise((resolve) => {
    keeper.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code !== "EADDRINUSE"));
    keeper.listen(`\0kindred-${what}`, () => resolve(true));
  });
}

/** false as well for an address that this machine does not have. */
export function canListen(port: number, host: string): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
