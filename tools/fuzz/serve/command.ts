/** `kindred fuzz ftp --serve` and `--client`: what a NAT or firewall between the two opens. */
import { once } from "node:events";
import type { Server } from "node:net";
import { FOUND, type Io, OK, refuse, tell, untilStopped } from "../terminal.ts";
import { probeAll, type Report } from "./client.ts";
import { hostileServer } from "./server.ts";

export interface ServeOptions {
  readonly serve?: number;
  readonly bind?: string;
  readonly iKnow?: boolean;
  readonly client?: string;
  readonly json?: boolean;
}

const LOOPBACK = "127.0.0.1";
const SERVE = "kindred fuzz --serve";
const CLIENT = "kindred fuzz --client";

const problemOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const isLoopback = (address: string): boolean => address === "::1" || address.startsWith("127.");

/** Until it is stopped; the exit status. */
export async function runServe({ serve, bind = LOOPBACK, iKnow }: ServeOptions, io: Io): Promise<number> {
  if (!isLoopback(bind) && iKnow !== true) {
    const risk = "is not loopback, and whoever reaches this server can have it connect back; --i-know if that is meant";
    return refuse(io, SERVE, `${bind} ${risk}`);
  }
  let server: Server;
  try {
    server = await hostileServer(bind, serve ?? 0);
  } catch (error) {
    return refuse(io, SERVE, problemOf(error));
  }
  const at = server.address();
  io.stdout.write(`a hostile FTP server at ${bind} port ${typeof at === "object" ? at?.port : at}\n`);
  const stop = (): void => {
    server.close();
  };
  await untilStopped(stop, () => once(server, "close"));
  return OK;
}

/** The exit status: 1 where there is a hole, or something is missed. */
export async function runClient({ client = "", json }: ServeOptions, io: Io): Promise<number> {
  const colon = client.lastIndexOf(":");
  const [host, port] = [client.slice(0, Math.max(0, colon)).replace(/^\[|\]$/g, ""), Number(client.slice(colon + 1))];
  if (host === "" || !Number.isInteger(port) || port < 1 || port > 0xffff) {
    return refuse(io, CLIENT, "HOST:PORT is missing, as in 192.0.2.1:21");
  }
  try {
    const reports = await probeAll(host, port);
    tell(io, json, { client, reports }, () => reportText(reports));
    return reports.some(({ result }) => result === "hole" || result === "missed") ? FOUND : OK;
  } catch (error) {
    return refuse(io, CLIENT, problemOf(error));
  }
}

function reportText(reports: readonly Report[]): string {
  const rows = reports.map(
    ({ probe, reached, result }) =>
      `${result.padEnd(12)}  ${reached === null ? "-      " : reached ? "reached" : "shut   "}  ${probe}`,
  );
  return `${rows.join("\n")}\n`;
}
