/** Any service over TCP: it takes a connection. */
import { type Check, GOOD } from "./check.ts";
import { converse } from "./stream.ts";

export const tcp: Check = (target, signal) => converse(target, signal, { opened: () => GOOD });
