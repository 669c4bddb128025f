/** Streams on Node's own sockets: works wherever Node does. */
import { connect, createServer, type Socket } from "node:net";
import type { Port } from "../../../../core/units.ts";
import type { Backend, ConnectOptions, Listener, ListenOptions, Reason, Stream } from "../../transport.ts";
import { Reader } from "./reader.ts";
import { reset } from "./reset.ts";
import { HIGH_WATER, NetStream } from "./stream.ts";

/**
 * libuv takes one connection in a turn of the event loop, and leaves the others in the kernel's backlog, however long they
 * wait there: so it is kept short, and the kernel lets those for whom it is full try again in a second.
 */
const MOST_BACKLOG = 511;

export class NetBackend implements Backend {
  readonly name = "net";
  readonly #open = new Set<Socket>();

  listen({ at, backlog, accepted, failed }: ListenOptions): Promise<Listener | Reason> {
    const server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, highWaterMark: HIGH_WATER },
      (socket) => accepted(this.#track(new NetStream(socket))),
    );
    return new Promise((resolve) => {
      server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      server.listen(
        { host: at.address.toString(), port: at.port, backlog: Math.min(backlog, MOST_BACKLOG), exclusive: true },
        () => {
          server.removeAllListeners("error");
          server.on("error", (error: NodeJS.ErrnoException) => failed(error.code ?? error.message));
          const { port } = server.address() as { port: number };
          resolve({ at: { address: at.address, port: port as Port }, close: () => void server.close() });
        },
      );
    });
  }

  connect({ to, from, timeout, bulk }: ConnectOptions, done: (stream: Stream | null, reason: Reason) => void): void {
    const reader = bulk ? Reader.borrow() : null;
    const options = {
      host: to.address.toString(),
      port: to.port,
      allowHalfOpen: true,
      noDelay: true,
      highWaterMark: HIGH_WATER,
      ...(reader === null ? {} : { onread: reader.onread }),
      ...(from === undefined ? {} : { localAddress: from.address.toString() }),
      ...(from === undefined || from.port === null ? {} : { localPort: from.port }),
    };
    const socket = connect(options);
    const settle = (): void => {
      socket.removeAllListeners().setTimeout(0);
      if (reader !== null) socket.once("close", () => reader.close());
    };
    const failed = (reason: Reason): void => {
      settle();
      socket.on("error", () => {}).destroy();
      done(null, reason);
    };
    socket.setTimeout(timeout, () => failed("connect-timeout"));
    socket.once("error", (error: NodeJS.ErrnoException) => failed(error.code ?? error.message));
    socket.once("connect", () => {
      settle();
      done(this.#track(new NetStream(socket, reader)), "");
    });
  }

  abort(): void {
    for (const socket of this.#open) reset(socket);
  }

  #track(stream: NetStream): NetStream {
    const { socket } = stream;
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    return stream;
  }
}
