/** Resets, told on as resets: nobody may take a transfer that was cut for a whole one. */
import type { Socket } from "node:net";

/** Closes with RST, also in the moment when a FIN is on its way (libuv refuses that, and Node then never closes). */
export function reset(socket: Socket): void {
  const finishing = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  if (!finishing || socket.destroyed) socket.resetAndDestroy();
  else socket.once("finish", () => socket.resetAndDestroy());
}

interface Handle {
  getpeername?(into: object): number;
}

/**
 * Whether `socket`, which has just emitted `end`, came to it by RST. libuv takes a hangup behind unread bytes for an
 * end of file without asking for the error (uv__stream_io), so that a cut transfer would look like a whole one. A socket
 * that was reset has no peer any more; one that was closed in order still has, unless our own FIN went first.
 */
export function wasReset(socket: Socket): boolean {
  if (socket.writableFinished) return false;
  // `remoteAddress` would answer from memory.
  const { _handle: handle } = socket as unknown as { readonly _handle?: Handle | null };
  return typeof handle?.getpeername === "function" && handle.getpeername({}) !== 0;
}
