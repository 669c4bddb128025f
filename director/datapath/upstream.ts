import type { Backend, ConnectOptions, Reason, Stream } from "./transport.ts";

/** A port below 1024 without privilege, or one in use: the connection goes out from another. */
const PORT_NOT_TO_BE_HAD: ReadonlySet<Reason> = new Set(["EACCES", "EADDRINUSE", "EADDRNOTAVAIL", "EPERM"]);

/** What the director itself lacks: no fault of whom it connects to. */
const LOCAL_FAILURE: ReadonlySet<Reason> = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL"]);
export const isLocalFailure = (reason: Reason): boolean => LOCAL_FAILURE.has(reason);

/** Connects from the port that was asked for, or from any when that is not to be had. */
export function connectFrom(
  backend: Backend,
  options: ConnectOptions,
  done: (stream: Stream | null, reason: Reason) => void,
): void {
  const { from } = options;
  if (from === undefined || from.port === null) return backend.connect(options, done);
  backend.connect(options, (stream, reason) => {
    if (stream !== null || !PORT_NOT_TO_BE_HAD.has(reason)) return done(stream, reason);
    backend.connect({ ...options, from: { address: from.address, port: null } }, done);
  });
}
