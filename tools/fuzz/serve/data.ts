/** Data connections of a probe, the same at both ends: who announces listens, the other tries. */
import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { Probe } from "./probes.ts";

/** Between two segments, so that they stay two. Milliseconds. */
const GAP = 40;
const PATIENCE = 1000;
/** What a listener of ours says, so that nobody else's is taken for it. */
const TOKEN = "kindred\r\n";
const RESERVED = [1019, 1017, 1013, 1011];

export const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, GAP));

export async function saySegments(socket: Socket, segments: readonly string[]): Promise<void> {
  for (const segment of segments) {
    socket.write(Buffer.from(segment, "latin1"));
    await pause();
  }
}

/** Null: it cannot be listened there. */
export async function listenFor({ reserved }: Probe, host: string): Promise<{ server: Server; port: number } | null> {
  for (const port of reserved === true ? RESERVED : [0]) {
    const server = createServer((socket) => socket.on("error", () => {}).end(TOKEN));
    const open = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, host, () => resolve(true));
    });
    const at = server.address();
    if (open && at !== null && typeof at === "object") return { server, port: at.port };
  }
  return null;
}

/** Whether a listener of ours answers at one of `ports`. */
export async function reaches(host: string, ports: readonly number[]): Promise<boolean> {
  const usable = [...new Set(ports)].filter((port) => port > 0 && port <= 0xffff);
  const found = await Promise.all(usable.map((port) => reachesOne(host, port)));
  return found.includes(true);
}

function reachesOne(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, host);
    let heard = "";
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(heard === TOKEN);
    };
    const timer = setTimeout(end, PATIENCE);
    socket.on("error", end).on("close", end);
    socket.on("data", (data) => {
      heard = (heard + data.toString("latin1")).slice(0, TOKEN.length);
      if (heard.length === TOKEN.length) end();
    });
  });
}

/** `::ffff:10.0.0.1` is 10.0.0.1. */
export const plainAddress = (address = ""): string => (address.startsWith("::ffff:") ? address.slice(7) : address);
