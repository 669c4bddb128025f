/** A conversation over TCP, as a check has it: short, and ended by the first verdict. */
import { connect, type Socket } from "node:net";
import { STOPPED, type Target, type Verdict } from "./check.ts";

/** More than any answer that a check waits for. */
const LONGEST = 16 * 1024;

export interface Talk {
  /** Connected. A verdict ends it; undefined: it goes on. */
  readonly opened: (socket: Socket) => Verdict | undefined;
  /** Told of all that has come since the beginning, whenever more of it has. */
  readonly heard?: (bytes: Buffer, socket: Socket) => Verdict | undefined;
}

export function converse({ address, port, check }: Target, signal: AbortSignal, talk: Talk): Promise<Verdict> {
  if (signal.aborted) return Promise.resolve(STOPPED);
  return new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0);
    const from = check.source === null ? {} : { localAddress: check.source.toString() };
    const socket = connect({ host: address.toString(), port, ...from });
    const stop = (): void => end(STOPPED);
    const end = (verdict: Verdict | undefined): void => {
      if (verdict === undefined) return;
      signal.removeEventListener("abort", stop);
      socket.destroy();
      resolve(verdict);
    };
    signal.addEventListener("abort", stop);
    socket
      .on("connect", () => end(talk.opened(socket)))
      .on("data", (more: Buffer) => {
        bytes = Buffer.concat([bytes, more]);
        end(bytes.length > LONGEST ? "answer-too-long" : talk.heard?.(bytes, socket));
      })
      .on("error", ({ code }: NodeJS.ErrnoException) => end(code ?? "failed"))
      .on("close", () => end("closed"));
  });
}
