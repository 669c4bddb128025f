/** A raw relay in front of the director that keeps every byte its client is sent. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { Test } from "tap";

export interface Recorder {
  readonly port: number;
  /** What clients were sent, one byte a character. */
  readonly received: () => string;
}

/** Listens on the director's own address and goes on from the client's, so that neither side sees a difference. */
export async function record(t: Test, vip: string, directorPort: number, client: string): Promise<Recorder> {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const upstream = connect({ host: vip, port: directorPort, localAddress: client });
    for (const one of [socket, upstream]) {
      sockets.add(one);
      one.on("error", () => {}).on("close", () => sockets.delete(one));
    }
    upstream.on("data", (chunk) => received.push(chunk.toString("latin1")));
    socket.pipe(upstream).pipe(socket);
  });
  server.listen(0, vip);
  await once(server, "listening");
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as { port: number };
  return { port, received: () => received.join("") };
}
