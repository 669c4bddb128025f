/** A director on loopback, and requests to its control interface. */

import { writeFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import type { Test } from "tap";
import { parseConfig } from "../../../director/config.ts";
import { Director } from "../../../director/director.ts";
import type { Fields, Level } from "../../../director/log.ts";
import { freePort } from "../../../tools/demo/realserver.ts";
import { folder, onBackend } from "../live.ts";

export const TOKEN = "swordfish-0123456789";

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** As it is, instead of JSON. */
  readonly raw?: string;
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of it
  readonly body: any;
  readonly text: string;
  readonly headers: IncomingMessage["headers"];
}

type At = { readonly socketPath: string } | { readonly host: string; readonly port: number };

export function ask(at: At, path: string, { method = "GET", headers = {}, body, raw }: Asked = {}): Promise<Answer> {
  const sent = raw ?? (body === undefined ? "" : JSON.stringify(body));
  const type =
    sent === "" ? {} : { "content-type": "application/json", "content-length": String(Buffer.byteLength(sent)) };
  return new Promise((resolve, reject) => {
    const asked = request({ ...at, path, method, headers: { ...type, ...headers }, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response
        .on("data", (chunk: Buffer) => chunks.push(chunk))
        .on("error", reject)
        .on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          const json = response.headers["content-type"]?.includes("application/json") === true;
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            text,
            body: json ? JSON.parse(text) : null,
          });
        });
    });
    asked.on("error", reject).end(sent);
  });
}

export interface OperatedDirector {
  readonly director: Director;
  readonly folder: string;
  readonly file: string;
  readonly socket: { readonly socketPath: string };
  readonly tcp: { readonly host: string; readonly port: number };
  readonly log: ({ readonly level: Level; readonly event: string } & Fields)[];
}

/** `configuration`: services; the control section is added, with `more` in it. */
export async function operated(t: Test, configuration: string, more = ""): Promise<OperatedDirector> {
  const path = await folder(t);
  const port = await freePort("127.0.0.1");
  await writeFile(join(path, "token"), `${TOKEN}\n`, { mode: 0o600 });
  const control = `control: { socket: ./ctl.sock, tcp: "127.0.0.1:${port}", tokenFile: ./token${more} }`;
  const file = join(path, "kindred.yaml");
  const text = onBackend(`${configuration.trimEnd()}\n${control}\n`);
  await writeFile(file, text);
  const log: OperatedDirector["log"] = [];
  const director = new Director(parseConfig(text, file), {
    log: (level, event, fields = {}) => log.push({ level, event, ...fields }),
  });
  t.teardown(() => director.abort());
  await director.start();
  return {
    director,
    folder: path,
    file,
    socket: { socketPath: join(path, "ctl.sock") },
    tcp: { host: "127.0.0.1", port },
    log,
  };
}
