/**
 * A hostile FTP server, for the client of `--client`. It serves no files, and tries no address but that of its client. Each
 * control connection holds one probe: `SITE KINDRED number [port]`, then the probe's own words, then `250` or `550`.
 */
import { createServer, type Server, type Socket } from "node:net";
import { offersToServer } from "../readers/ftp.ts";
import { listenFor, plainAddress, reaches, saySegments } from "./data.ts";
import { PROBES, type Probe } from "./probes.ts";
import { Lines } from "./wire.ts";

const MOST_CONNECTIONS = 64;
/** What the client says when it has tried. */
export const TRIED = "NOOP tried";
export const SITE = "SITE KINDRED ";

export function hostileServer(host: string, port: number): Promise<Server> {
  const server = createServer((socket) => {
    socket.setNoDelay(true).setTimeout(30_000, () => socket.destroy());
    converse(socket).catch(() => socket.destroy());
  });
  server.maxConnections = MOST_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(port, host, () => resolve(server));
  });
}

async function converse(socket: Socket): Promise<void> {
  const lines = new Lines(socket);
  socket.write("220 kindred fuzz\r\n");
  for (;;) {
    const line = await lines.next();
    if (line === null) break;
    const [number, port] = line.startsWith(SITE) ? line.slice(SITE.length).trim().split(" ").map(Number) : [];
    const probe = number === undefined ? undefined : PROBES[number];
    if (probe !== undefined) {
      await (probe.by === "server" ? announce(probe, socket, lines) : hear(port ?? 0, socket, lines));
      break;
    }
    socket.write(line.startsWith("USER") ? "230 in\r\n" : "502 No.\r\n");
  }
  socket.end();
}

async function announce(probe: Probe, socket: Socket, lines: Lines): Promise<void> {
  const own = plainAddress(socket.localAddress);
  const listening = await listenFor(probe, own);
  socket.write(listening === null ? "450 no such port here\r\n" : `200 port ${listening.port}\r\n`);
  if (listening === null) return;
  try {
    if ((await lines.next()) === null) return;
    await saySegments(socket, [...probe.segments(own, listening.port), "200 try\r\n"]);
    await lines.until(TRIED);
  } finally {
    listening.server.close();
  }
}

/** What the client announces, and whether it can be reached there, or where it says that it listens. */
async function hear(port: number, socket: Socket, lines: Lines): Promise<void> {
  socket.write("200 say it\r\n");
  const said = (await lines.until(TRIED)) ?? "";
  const ports = [port, ...offersToServer(said).map((offer) => offer.port)];
  const reached = await reaches(plainAddress(socket.remoteAddress), ports);
  socket.write(reached ? "250 reached\r\n" : "550 not reached\r\n");
}
