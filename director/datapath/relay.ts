/**
 * Bytes between two sockets, as they come: backpressure, half-close, and resets go through. For connections that no
 * helper reads.
 */
import type { Socket } from "node:net";

/** Bytes one socket may owe its peer before the other is no longer read. */
export const HIGH_WATER = 256 * 1024;

export interface RelayEnd {
  /** Bytes to the realserver, and to the client. */
  readonly original: number;
  readonly reply: number;
  /** Why it ended, when not by both sides closing. */
  readonly error: string | null;
}

/** Starts relaying; `done` is called once, when both are closed. `active` on traffic. */
export function relay(client: Socket, real: Socket, done: (end: RelayEnd) => void): void {
  let error: string | null = null;
  let open = 2;
  const failed = (reason: string): void => {
    error ??= reason;
  };
  const closed = (): void => {
    if (--open > 0) return;
    done({ original: client.bytesRead, reply: real.bytesRead, error });
  };
  oneWay(client, real, failed, closed);
  oneWay(real, client, failed, closed);
}

function oneWay(from: Socket, to: Socket, failed: (reason: string) => void, closed: () => void): void {
  from.on("data", (chunk) => {
    if (!to.write(chunk)) from.pause();
  });
  to.on("drain", () => from.resume());
  from.on("end", () => to.end());
  from.on("error", (error: NodeJS.ErrnoException) => {
    failed(error.code ?? error.message);
    // A reset is told on as a reset: the other side must not take a cut transfer for a whole one.
    to.resetAndDestroy();
  });
  from.on("close", closed);
  from.resume();
}
