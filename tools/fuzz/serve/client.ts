/** The client of the hostile server: holds each probe through whatever is between, and tells what that opened. */
import { createConnection, type Socket } from "node:net";
import { offersToClient } from "../readers/ftp.ts";
import { listenFor, plainAddress, reaches, saySegments } from "./data.ts";
import { PROBES, type Probe } from "./probes.ts";
import { SITE, TRIED } from "./server.ts";
import { Lines } from "./wire.ts";

/**
 * - `as-it-should`  opened what it should, or kept shut what it should
 * - `hole`          opened what nobody may announce
 * - `missed`        kept shut what was well announced
 * - `unfiltered`    reached, but so is what nobody announced: the path opens everything
 * - `not-tried`     the probe could not be held
 */
export type Result = "as-it-should" | "hole" | "missed" | "unfiltered" | "not-tried";

export interface Report {
  readonly probe: string;
  readonly announcedBy: Probe["by"];
  readonly reached: boolean | null;
  readonly result: Result;
}

export async function probeAll(host: string, port: number, told: (done: number) => void = () => {}): Promise<Report[]> {
  const open = { server: false, client: false };
  const reports: Report[] = [];
  for (const [number, probe] of PROBES.entries()) {
    const reached = await hold(host, port, number, probe);
    if (probe.opens === null && reached === true) open[probe.by] = true;
    reports.push({ probe: probe.name, announcedBy: probe.by, reached, result: result(probe, reached, open[probe.by]) });
    told(number + 1);
  }
  return reports;
}

function result({ opens }: Probe, reached: boolean | null, unfiltered: boolean): Result {
  if (reached === null) return "not-tried";
  if (reached && unfiltered) return "unfiltered";
  if (reached) return opens === true ? "as-it-should" : "hole";
  return opens === true ? "missed" : "as-it-should";
}

/** Whether the data connection came about; null: it could not be tried. */
async function hold(host: string, port: number, number: number, probe: Probe): Promise<boolean | null> {
  const socket = createConnection(port, host).setNoDelay(true);
  const lines = new Lines(socket);
  try {
    if ((await lines.next()) === null) throw new Error(`no FTP server answers at ${host} port ${port}`);
    socket.write("USER anonymous\r\n");
    if ((await lines.next()) === null) return null;
    return await (probe.by === "server"
      ? tryServer(socket, lines, number, probe)
      : listen(socket, lines, number, probe));
  } finally {
    socket.destroy();
  }
}

async function tryServer(socket: Socket, lines: Lines, number: number, probe: Probe): Promise<boolean | null> {
  const peer = plainAddress(socket.remoteAddress);
  socket.write(`${SITE}${number}\r\n`);
  const listening = await lines.next();
  if (listening === null || !listening.startsWith("200 port ")) return null;
  socket.write(probe.before ?? "NOOP\r\n");
  const said = await lines.until("200 try");
  // What is between may have put another port in its place.
  const ports = [Number(listening.slice(9)), ...offersToClient(said ?? "").map((offer) => offer.port)];
  const reached = await reaches(peer, ports);
  socket.write(`${TRIED}\r\n`);
  return reached;
}

async function listen(socket: Socket, lines: Lines, number: number, probe: Probe): Promise<boolean | null> {
  const own = plainAddress(socket.localAddress);
  const listening = await listenFor(probe, own);
  if (listening === null) return null;
  try {
    socket.write(`${SITE}${number} ${listening.port}\r\n`);
    if ((await lines.next()) === null) return null;
    await saySegments(socket, [...probe.segments(own, listening.port), `${TRIED}\r\n`]);
    return (await lines.next())?.startsWith("250") ?? false;
  } finally {
    listening.server.close();
  }
}
