import { connect } from "node:net";
import type { Endpoint, PartialEndpoint } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { Reader } from "./reader.ts";
import { type End, HIGH_WATER } from "./relay.ts";

export interface Upstream {
  readonly to: Endpoint;
  /** Address and port to connect from; the port is given up when it is not to be had. */
  readonly from?: PartialEndpoint & { readonly address: Address };
  readonly timeout: number;
  /** Bytes will come in bulk, and nobody looks at them. */
  readonly bulk: boolean;
}

/** A port below 1024 without privilege, or one in use: the connection goes out from another. */
const PORT_NOT_TO_BE_HAD: ReadonlySet<string | undefined> = new Set(["EACCES", "EADDRINUSE", "EADDRNOTAVAIL", "EPERM"]);

/** What the director itself lacks: no fault of whom it connects to. */
const LOCAL_FAILURE: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL"]);
export const isLocalFailure = (reason: string): boolean => LOCAL_FAILURE.has(reason);

/**
 * Connects; `done` gets the socket, or the reason (an errno name, or `connect-timeout`). Bytes that come in bulk must be
 * relayed from within `done`.
 */
export function connectTo(upstream: Upstream, done: (end: End | null, reason: string) => void): void {
  const { to, from, timeout, bulk } = upstream;
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
    // Whoever takes it over sets its own.
    socket.on("error", () => {});
    if (reader !== null) socket.once("close", () => reader.close());
  };
  const failed = (reason: string): void => {
    settle();
    socket.destroy();
    if (from !== undefined && from.port !== null && PORT_NOT_TO_BE_HAD.has(reason)) {
      connectTo({ to, timeout, bulk, from: { address: from.address, port: null } }, done);
    } else {
      done(null, reason);
    }
  };
  socket.setTimeout(timeout, () => failed("connect-timeout"));
  socket.once("error", (error: NodeJS.ErrnoException) => failed(error.code ?? error.message));
  socket.once("connect", () => {
    settle();
    done({ socket, reader }, "");
  });
}
