/** The requests behind the verbs. */
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "../control/operated.ts";
import type { Drain, Plan } from "../control/operator.ts";
import { type Client, given, part, type Send } from "./client.ts";

interface Written {
  readonly file: string;
  readonly document: unknown;
}

export const servicePath = (service: string): string => `/v1/services/${part(service)}`;
export const realserverPath = (service: string, realserver: string): string =>
  `${servicePath(service)}/realservers/${part(realserver)}`;

/** All pages of a list. */
export async function* pages<T>(client: Client, path: string, query: NonNullable<Send["query"]>): AsyncGenerator<T> {
  for (let after: number | null = 0; after !== null; ) {
    const page: Page<T> = await client.send({ method: "GET", path, query: { ...query, after: String(after) } });
    yield* page.items;
    after = page.next;
  }
}

/** What runs, as a configuration file would say it. */
export async function saved(client: Client): Promise<string> {
  const { document } = await client.send<Written>({ method: "GET", path: "/v1/config" });
  const { stringify } = await import("yaml");
  return stringify(document, { lineWidth: 0 });
}

/** `file`: `-` is standard input, whose paths begin where those of the running configuration do. */
export async function apply(client: Client, file: string, dryRun: boolean): Promise<Plan> {
  const standard = file === "-";
  const text = given(file, standard ? 0 : file).toString();
  const running = standard ? (await client.send<Written>({ method: "GET", path: "/v1/config" })).file : "";
  const name = standard ? join(dirname(running), "standard input") : resolve(file);
  const query = { dryRun: String(dryRun) };
  return client.send({ method: "POST", path: "/v1/config", query, body: { text, file: name } });
}

export interface Waiting {
  /** Milliseconds; flows that are left then are left. */
  readonly patience: number;
  /** Told of how many are left, whenever that changes. */
  readonly progress: (drain: Drain) => void;
}

/** Until `realserver` has no flow any more, control and related ones alike; or what it still has after the patience. */
export async function drained(client: Client, path: string, { patience, progress }: Waiting): Promise<Drain> {
  const deadline = Date.now() + patience;
  let before = -1;
  for (;;) {
    const drain = await client.send<Drain>({ method: "GET", path: `${path}/drain` });
    if (drain.left !== before) progress(drain);
    before = drain.left;
    if (drain.left === 0 || Date.now() >= deadline) return drain;
    await sleep(Math.min(POLL, Math.max(1, deadline - Date.now())));
  }
}

const POLL = 250;
