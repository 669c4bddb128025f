/** rsh and rexec (rcmd(3), rexec(3)): the port for stderr, then names and a command, then what that writes. */
import { between, type Choices, oneIn, pick, several } from "../choices.ts";
import type { Ends } from "../ftp/model.ts";
import { instead, offering, plain, type Said } from "./said.ts";

/** rexec's port. */
export const REXEC = 512;

/** What rshd refuses by itself. */
const REFUSED = "65535";
const RESERVED = [1, 21, 80, 511];
const TOO_LARGE = [65536, 66560, 99999, 9_999_999];
/** Two names and a command; rexec: a name, a password and a command. */
const COMMANDS = ["root\0root\0ls\0", "a\0b\0echo 1022\0", "\0\0\0", `u\0u\0${"x".repeat(500)}\0`];
const WITH_PASSWORD = ["root\0secret\0ls\0", "a\x001023\0echo\0", `u\0${"p".repeat(200)}\0\0`];

function opening(choices: Choices, { port: service }: Ends): Said {
  const rest = pick(choices, service === REXEC ? WITH_PASSWORD : COMMANDS);
  const shape = choices.below(8);
  if (shape < 4) {
    const port = pick(choices, [between(choices, 512, 1023), between(choices, 1024, 0xffff), 512, 1023, 0xffff]);
    const zeros = oneIn(choices, 8) && port < 10_000 ? "0" : "";
    return offering("original", "a port", [port], `${zeros}${port}\0${rest}`, (at) => `${at(port).port}\0${rest}`);
  }
  if (shape === 4) return plain("original", "no port", `${pick(choices, ["", "0", "000"])}\0${rest}`);
  const port = pick(choices, shape === 5 ? RESERVED : TOO_LARGE);
  if (shape < 7) return instead("original", "a port that may not be", `${port}\0${rest}`, `${REFUSED}\0${rest}`);
  const other = pick(choices, ["12345678\0", "-1\0", "+22\0", " 1022\0", "1022\r\0", "<13>syslog: 1022\0"]);
  return plain("original", "no rsh", other + rest);
}

/** A NUL, or what went wrong, then what the command writes. */
const OUTPUT = ["\0", "\0output\n", "\x01Permission denied.\n", "1022\0", "\0\0\xff\xfe".repeat(50)];

export function rsh(choices: Choices, ends: Ends): Said[] {
  const said = [opening(choices, ends)];
  for (const output of several(choices, 3, () => pick(choices, OUTPUT))) said.push(plain("reply", "output", output));
  if (oneIn(choices, 3)) said.push(plain("original", "input", pick(choices, ["1023\0", "stdin\n", "\0".repeat(9)])));
  return said;
}
