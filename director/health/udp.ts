/** One datagram to a realserver, and its answer. */
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { STOPPED, type Target, type Verdict } from "./check.ts";

export interface Question {
  readonly message: Uint8Array;
  /** A verdict on what came; undefined: it is no answer to this, and the right one may still come. */
  readonly heard: (answer: Buffer) => Verdict | undefined;
  /** Answers may come from any of its ports (TFTP). Else the socket is connected, and a port that is closed refuses. */
  readonly anyPort?: boolean;
}

export function ask({ address, port, check }: Target, signal: AbortSignal, question: Question): Promise<Verdict> {
  if (signal.aborted) return Promise.resolve(STOPPED);
  const host = address.toString();
  const { message, heard, anyPort = false } = question;
  return new Promise((resolve) => {
    const socket: Socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
    const stop = (): void => end(STOPPED);
    let over = false;
    const end = (verdict: Verdict | undefined): void => {
      if (verdict === undefined || over) return;
      over = true;
      signal.removeEventListener("abort", stop);
      socket.close();
      resolve(verdict);
    };
    const failed = (error: Error | null): void => {
      if (error !== null) end((error as NodeJS.ErrnoException).code ?? "failed");
    };
    signal.addEventListener("abort", stop);
    socket.on("error", failed).on("message", (answer: Buffer, from) => {
      if (over || from.address !== host) return;
      end(heard(answer));
    });
    socket.bind({ ...(check.source === null ? {} : { address: check.source.toString() }) }, () => {
      if (over) return;
      if (anyPort) return socket.send(message, port, host, failed);
      // Called of a failure, too (ENETUNREACH): what then was sent would go nowhere, and throws.
      socket.connect(port, host, (error?: Error) => {
        if (error !== undefined) failed(error);
        else if (!over) socket.send(message, failed);
      });
    });
  });
}
