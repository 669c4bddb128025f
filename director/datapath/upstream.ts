import { connect, type Socket } from "node:net";
import type { Endpoint, PartialEndpoint } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { HIGH_WATER } from "./relay.ts";

export interface Upstream {
  readonly to: Endpoint;
  /** Address and port to connect from; the port is given up when it is not to be had. */
  readonly from?: PartialEndpoint & { readonly address: Address };
  readonly timeout: number;
}

/** A port below 1024 without privilege, or one in use: the connection goes out from another. */
const PORT_NOT_TO_BE_HAD: ReadonlySet<string | undefined> = new Set(["EACCES", "EADDRINUSE", "EADDRNOTAVAIL", "EPERM"]);

/** What the director itself lacks: no fault of whom it connects to. */
const LOCAL_FAILURE: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL"]);
export const isLocalFailure = (reason: string): boolean => LOCAL_FAILURE.has(reason);

/** Connects; `done` gets the socket, paused, or the reason (an errno name, or `connect-timeout`). */
export function connectTo(upstream: Upstream, done: (socket: Socket | null, reason: string) => void): void {
  const { to, from, timeout } = upstream;
  const options = {
    host: to.address.toString(),
    port: to.port,
    allowHalfOpen: true,
    noDelay: true,
    highWaterMark: HIGH_WATER,
    ...(from === undefined ? {} : { localAddress: from.address.toString() }),
    ...(from === undefined || from.port === null ? {} : { localPort: from.port }),
  };
  const socket = connect(options);
  const settle = (): void => {
    socket.removeAllListeners().setTimeout(0);
    // Whoever takes it over sets its own.
    socket.on("error", () => {});
  };
  const failed = (reason: string): void => {
    settle();
    socket.destroy();
    if (from !== undefined && from.port !== null && PORT_NOT_TO_BE_HAD.has(reason)) {
      connectTo({ to, timeout, from: { address: from.address, port: null } }, done);
    } else {
      done(null, reason);
    }
  };
  socket.setTimeout(timeout, () => failed("connect-timeout"));
  socket.once("error", (error: NodeJS.ErrnoException) => failed(error.code ?? error.message));
  socket.once("connect", () => {
    settle();
    done(socket, "");
  });
}
