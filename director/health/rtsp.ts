/** RTSP: OPTIONS of the server as a whole (RFC 2326 §10.1). */
import { type Check, GOOD } from "./check.ts";
import { statusOf } from "./status-line.ts";
import { converse } from "./stream.ts";

export const rtsp: Check = (target, signal) =>
  converse(target, signal, {
    opened: (socket) => void socket.write("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: kindred\r\n\r\n"),
    heard: (bytes) => {
      const status = statusOf(bytes, "RTSP/");
      if (status === undefined) return undefined;
      return status === null ? "not-rtsp" : status === 200 ? GOOD : `status-${status}`;
    },
  });
