/** FTP: its greeting, and a login where one is configured (RFC 959 §5.4). The password goes nowhere but there. */
import type { Socket } from "node:net";
import { type Check, GOOD, NO_SECRET, STOPPED, type Verdict } from "./check.ts";
import { replyCodes } from "./reply.ts";
import { readSecret } from "./secret.ts";
import { converse } from "./stream.ts";

/** What a server without need of a password is told, by custom. */
const NOBODY = "kindred@";

export const ftp: Check = async (target, signal) => {
  const { login, secretFile } = target.check;
  const password = secretFile === null ? NOBODY : await readSecret(secretFile);
  if (password === null) return NO_SECRET;
  if (signal.aborted) return STOPPED;
  const session = new Session(login, password);
  return converse(target, signal, {
    opened: () => undefined,
    heard: (bytes, socket) => session.hear(bytes, socket),
  });
};

type State = "greeting" | "user" | "password";

class Session {
  readonly #login: string | null;
  readonly #password: string;
  #state: State = "greeting";
  #read = 0;

  constructor(login: string | null, password: string) {
    this.#login = login;
    this.#password = password;
  }

  hear(bytes: Uint8Array, socket: Socket): Verdict | undefined {
    const codes = replyCodes(bytes);
    if (codes === null) return "not-ftp";
    while (this.#read < codes.length) {
      const verdict = this.#reply(codes[this.#read++]!, socket);
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  }

  #reply(code: number, socket: Socket): Verdict | undefined {
    if (code >= 100 && code < 200) return undefined; // 120: ready in a while.
    if (this.#state === "greeting") {
      if (code !== 220) return `greeting-${code}`;
      if (this.#login === null) return GOOD;
      this.#state = "user";
      socket.write(`USER ${this.#login}\r\n`);
      return undefined;
    }
    if (code === 230) return GOOD;
    if (this.#state === "password" || code !== 331) return `login-${code}`;
    this.#state = "password";
    socket.write(`PASS ${this.#password}\r\n`);
    return undefined;
  }
}
