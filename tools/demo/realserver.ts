/** An embedded FTP server (ftp-srv) with a few files of its own, to stand behind the director. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

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

const PASSIVE = { first: 20_000, last: 29_999 };

/** Starts one on `host`; `size`: bytes of the random file `data.bin`. */
export async function startRealserver(
  name: string,
  host: string,
  size: number,
  { passive = PASSIVE, tls }: RealserverOptions = {},
): Promise<Realserver> {
  const { FtpSrv } = await loadFtpSrv();
  const root = await mkdtemp(join(tmpdir(), "kindred-realserver-"));
  await writeFile(join(root, "hello.txt"), `Hello from realserver ${name}.\n`);
  await writeFile(join(root, "data.bin"), randomBytes(size));
  const port = await freePort(host);
  const before = SIGNALS.map((signal) => process.listeners(signal));
  const shown = host.includes(":") ? `[${host}]` : host;
  const options = {
    url: `ftp://${shown}:${port}`,
    // A function, so that it is announced as it is; a string would be replaced by the client's own address on loopback.
    pasv_url: (() => host) as unknown as string,
    pasv_min: passive.first,
    pasv_max: passive.last,
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
  const close = async (): Promise<void> => {
    await server.close();
    await rm(root, { recursive: true, force: true });
  };
  return { name, port, root, close };
}

async function loadFtpSrv(): Promise<Pick<typeof import("ftp-srv"), "FtpSrv">> {
  try {
    return await import("ftp-srv");
  } catch {
    throw new Error("the demonstration needs ftp-srv, a development dependency: run `npm ci` in a checkout");
  }
}

export async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, host, resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
