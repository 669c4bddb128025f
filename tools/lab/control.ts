/** A running director's control interface, by its unix socket: files are the same in every network namespace. */
import { request } from "node:http";
import type { Sandbox } from "./sandbox.ts";

export class Control {
  readonly socket: string;

  constructor(sandbox: Sandbox) {
    this.socket = sandbox.path("ctl.sock");
  }

  /** Throws what the director says when it refuses. */
  async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const { status, text } = await this.#send(method, path, body);
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`);
    return JSON.parse(text);
  }

  async text(path: string): Promise<string> {
    return (await this.#send("GET", path)).text;
  }

  #send(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly text: string }> {
    const sent = body === undefined ? "" : JSON.stringify(body);
    const headers =
      sent === "" ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(sent) };
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: this.socket, path, method, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response
          .on("data", (chunk: Buffer) => chunks.push(chunk))
          .on("error", reject)
          .on("end", () => resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString() }));
      });
      asked.on("error", reject).end(sent);
    });
  }
}

/** As the interface lists it. */
export interface Realserver {
  readonly realserver: string;
  readonly condition: string;
  readonly active: number;
  readonly inactive: number;
  readonly flows: Readonly<Record<string, number>>;
  readonly traffic: {
    readonly connections: number;
    readonly packets: Readonly<Record<string, number>>;
    readonly bytes: Readonly<Record<string, number>>;
  };
}

/** Those of one service. */
export async function realserversOf(control: Control, service: string): Promise<readonly Realserver[]> {
  const { items } = (await control.ask("GET", "/v1/services")) as {
    items: readonly { name: string; realservers: readonly Realserver[] }[];
  };
  return items.filter(({ name }) => name === service).flatMap(({ realservers }) => realservers);
}
