/** `kindred fuzz ftp --serve` and `--client`: what a NAT or firewall between the two opens. */
import { once } from "node:events";
import type { Server } from "node:net";
import { probeAll, type Report } from "./client.ts";
import { hostileServer } from "./server.ts";

export interface ServeOptions {
  readonly serve?: number;
  readonly bind?: string;
  readonly iKnow?: boolean;
  readonly client?: string;
  readonly json?: boolean;
}

interface Io {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

const LOOPBACK = "127.0.0.1";
const OK = 0;
const FOUND = 1;
const USAGE = 2;

const isLoopback = (address: string): boolean => address === "::1" || address.startsWith("127.");

/** Until it is stopped; the exit status. */
export async function runServe({ serve, bind = LOOPBACK, iKnow }: ServeOptions, io: Io): Promise<number> {
  if (!isLoopback(bind) && iKnow !== true) {
    io.stderr.write(
      `kindred fuzz --serve: ${bind} is not loopback, and whoever reaches this server can have it connect back; --i-know if that is meant\n`,
    );
    return USAGE;
  }
  let server: Server;
  try {
    server = await hostileServer(bind, serve ?? 0);
  } catch (error) {
    io.stderr.write(`kindred fuzz --serve: ${error instanceof Error ? error.message : String(error)}\n`);
    return USAGE;
  }
  const at = server.address();
  io.stdout.write(`a hostile FTP server at ${bind} port ${typeof at === "object" ? at?.port : at}\n`);
  const stop = (): void => {
    server.close();
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  await once(server, "close");
  process.removeListener("SIGINT", stop).removeListener("SIGTERM", stop);
  return OK;
}

/** The exit status: 1 where there is a hole, or something is missed. */
export async function runClient({ client = "", json }: ServeOptions, io: Io): Promise<number> {
  const colon = client.lastIndexOf(":");
  const [host, port] = [client.slice(0, Math.max(0, colon)).replace(/^\[|\]$/g, ""), Number(client.slice(colon + 1))];
  if (host === "" || !Number.isInteger(port) || port < 1 || port > 0xffff) {
    io.stderr.write("kindred fuzz --client: HOST:PORT is missing, as in 192.0.2.1:21\n");
    return USAGE;
  }
  try {
    const reports = await probeAll(host, port);
    io.stdout.write(json === true ? `${JSON.stringify({ client, reports }, null, 1)}\n` : reportText(reports));
    return reports.some(({ result }) => result === "hole" || result === "missed") ? FOUND : OK;
  } catch (error) {
    io.stderr.write(`kindred fuzz --client: ${error instanceof Error ? error.message : String(error)}\n`);
    return USAGE;
  }
}

function reportText(reports: readonly Report[]): string {
  const rows = reports.map(
    ({ probe, reached, result }) =>
      `${result.padEnd(12)}  ${reached === null ? "-      " : reached ? "reached" : "shut   "}  ${probe}`,
  );
  return `${rows.join("\n")}\n`;
}
