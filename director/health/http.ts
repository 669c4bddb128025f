/** HTTP: GET of a path, and the status that is expected (RFC 9110 §9.3.1). The body is not read. */
import { type Check, GOOD } from "./check.ts";
import { statusOf } from "./status-line.ts";
import { converse } from "./stream.ts";

export const http: Check = (target, signal) => {
  const { path, status: expected, host } = target.check;
  const { address } = target;
  const name = host ?? (address.family === 6 ? `[${address}]` : address.toString());
  return converse(target, signal, {
    opened: (socket) =>
      void socket.write(`GET ${path} HTTP/1.1\r\nHost: ${name}\r\nUser-Agent: kindred\r\nConnection: close\r\n\r\n`),
    heard: (bytes) => {
      const status = statusOf(bytes, "HTTP/1.");
      if (status === undefined) return undefined;
      return status === null ? "not-http" : status === expected ? GOOD : `status-${status}`;
    },
  });
};
