/** XDMCP: Query, and Willing (X Display Manager Control Protocol 1.1, §5). */
import { type Check, GOOD } from "./check.ts";
import { ask } from "./udp.ts";

const VERSION = 1;
const QUERY = 2;
const WILLING = 5;
const UNWILLING = 6;
/** Version, opcode, length of what follows: no authentication names. */
const MESSAGE = Uint8Array.of(0, VERSION, 0, QUERY, 0, 1, 0);

export const xdmcp: Check = (target, signal) =>
  ask(target, signal, {
    message: MESSAGE,
    heard: (answer) => {
      if (answer.length < 6 || answer.readUInt16BE(0) !== VERSION) return "not-xdmcp";
      const opcode = answer.readUInt16BE(2);
      return opcode === WILLING ? GOOD : opcode === UNWILLING ? "unwilling" : "not-xdmcp";
    },
  });
