/** Requests to a running director: by its unix socket, or over TCP. */
import { readFileSync, statSync } from "node:fs";
import { type IncomingMessage, type RequestOptions, request } from "node:http";
import { request as tlsRequest } from "node:https";
import type { ErrorBody } from "../control/refusal.ts";
import { usualSocket } from "../control/usual-socket.ts";

export interface Where {
  readonly socket?: string;
  /** `http://127.0.0.1:9421`, or https. */
  readonly url?: string;
  readonly tokenFile?: string;
  /** Who signed the director's certificate, and the operator's own. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The director said no, and why. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;
  readonly body: ErrorBody;
  constructor(status: number, body: ErrorBody) {
    super(`${body.message}; ${body.remedy}`);
    this.status = status;
    this.body = body;
  }
}

/** What is in a file that was named, as `what`. */
export function given(what: string, file: string | number): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw Object.assign(new Error(`${what}: cannot be read: ${code}`), { code });
  }
}

/** What was given is no address of a director. */
class WrongUrl extends Error {
  override readonly name = "WrongUrl";
  readonly code = "KINDRED_URL";
}

/** How long nothing may come before it is taken for dead: milliseconds. */
const PATIENCE = 30_000;

/** There is no director to be heard. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

export interface Send {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
}

export class Client {
  readonly #options: RequestOptions;
  readonly #at: string;
  readonly #tls: boolean;
  readonly #patience: number;

  constructor(
    { socket, url, tokenFile, ca, cert, key }: Where,
    env: NodeJS.ProcessEnv = process.env,
    patience = PATIENCE,
  ) {
    this.#patience = patience;
    const token = tokenFile ?? env["KINDRED_TOKEN_FILE"];
    if (url === undefined) {
      const socketPath = socket ?? env["KINDRED_SOCKET"] ?? usualSocket(env);
      this.#options = { socketPath, headers: { host: "kindred" } };
      this.#at = socketPath;
      this.#tls = false;
      return;
    }
    const { protocol, hostname, port } = parsed(url);
    this.#tls = protocol === "https:";
    this.#at = url;
    const files = Object.entries({ ca, cert, key }).flatMap(([name, file]) =>
      file === undefined ? [] : [[name, given(`--${name} ${file}`, file)] as const],
    );
    this.#options = {
      host: hostname.replace(/^\[|\]$/g, ""),
      port,
      ...Object.fromEntries(files),
      headers:
        token === undefined
          ? {}
          : { authorization: `Bearer ${given(`--token-file ${token}`, token).toString().trim()}` },
    };
  }

  async send<T>(send: Send): Promise<T> {
    const answer = jsonIn(await this.#textOf(await this.#request(send)));
    if (answer === null) throw this.#stranger();
    return answer as T;
  }

  /** Lines as they come. */
  async *lines(path: string): AsyncGenerator<string> {
    const response = await this.#request({ method: "GET", path });
    // From here on nothing may happen for as long as nothing does.
    response.socket.setTimeout(0);
    let rest = "";
    for await (const chunk of this.#chunks(response)) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      yield* lines;
    }
  }

  async *#chunks(response: IncomingMessage): AsyncGenerator<string> {
    try {
      for await (const chunk of response.setEncoding("utf8")) yield String(chunk);
    } catch {
      throw new Unreachable(`${this.#at}: the director ended before it had said all`);
    }
  }

  async #textOf(response: IncomingMessage): Promise<string> {
    let text = "";
    for await (const chunk of this.#chunks(response)) text += chunk;
    return text;
  }

  #stranger(): Unreachable {
    return new Unreachable(`${this.#at}: what answers there is no director; check the address`);
  }

  async #request({ method, path, query = {}, body }: Send): Promise<IncomingMessage> {
    const asked = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
    );
    const sent = body === undefined ? "" : JSON.stringify(body);
    const headers = {
      ...this.#options.headers,
      ...(sent === "" ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(sent) }),
    };
    const options = { ...this.#options, method, path: [path, ...asked.slice(0, 1)].join("?"), headers };
    options.path += asked
      .slice(1)
      .map((one) => `&${one}`)
      .join("");
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const asking = (this.#tls ? tlsRequest : request)(options, resolve);
      asking.on("error", (error: NodeJS.ErrnoException) => reject(this.#unreachable(error)));
      asking.setTimeout(this.#patience, () => asking.destroy(Object.assign(new Error(), { code: "ETIMEDOUT" })));
      asking.end(sent);
    });
    if (response.statusCode === 200) return response;
    const refusal = jsonIn(await this.#textOf(response));
    throw isErrorBody(refusal) ? new Refused(response.statusCode!, refusal) : this.#stranger();
  }

  /** Whoever takes no connection at all. */
  #refused(): string {
    const { socketPath } = this.#options;
    if (socketPath == null) return 'nobody listens there; start a director (kindred run) with that as "control.tcp"';
    const isSocket = statSync(socketPath, { throwIfNoEntry: false })?.isSocket() ?? true;
    return isSocket
      ? "no director listens there any more; start one (kindred run)"
      : "it is no socket; name the director's with --socket or KINDRED_SOCKET";
  }

  #unreachable({ code, message }: NodeJS.ErrnoException): Unreachable {
    const closed =
      "the connection was closed before the answer; the director ended, or has so many that it closed this one: " +
      "try again, or see in its log (control-full) and by `ss -p` who holds them";
    const why: Record<string, string> = {
      ECONNRESET: closed,
      EPIPE: closed,
      EAGAIN: "it takes no connection, and as many as may wait do; it hangs, or is stopped",
      ENOENT: "no director is there; start one (kindred run), or name its socket with --socket or KINDRED_SOCKET",
      ECONNREFUSED: this.#refused(),
      ENOTFOUND: "there is no host of that name",
      ETIMEDOUT: `no answer for ${this.#patience / 1000} s; it hangs, or is stopped, and what it was told may still be done`,
      EACCES: 'it is another user\'s; use sudo, or "control.mode"',
    };
    return new Unreachable(`${this.#at}: ${why[code ?? ""] ?? `cannot be reached: ${code ?? message}`}`);
  }
}

function parsed(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  throw new WrongUrl(`--url ${text}: write it as http://127.0.0.1:9421, or https`);
}

/** null: it is no mapping of JSON, which every answer is. */
function jsonIn(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

const isErrorBody = (body: Partial<ErrorBody> | null): body is ErrorBody =>
  typeof body?.error === "string" && typeof body.message === "string" && typeof body.remedy === "string";

/** A part of a path: realservers have brackets and colons in their names. */
export const part = encodeURIComponent;
