/** TFTP: a request to read, and data or an error, from whatever port (RFC 1350 §4, §5): either is a server that serves. */
import { type Check, GOOD } from "./check.ts";
import { ask } from "./udp.ts";

const READ = 1;
const DATA = 3;
const ERROR = 5;

export const tftp: Check = (target, signal) =>
  ask(target, signal, {
    message: Buffer.from(`\0${String.fromCharCode(READ)}kindred-check\0octet\0`, "latin1"),
    anyPort: true,
    heard: (answer) => {
      if (answer.length < 4) return "not-tftp";
      const opcode = answer.readUInt16BE(0);
      return opcode === DATA || opcode === ERROR ? GOOD : "not-tftp";
    },
  });
