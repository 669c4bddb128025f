import type { Event } from "../../events.ts";
import type { ConnectionState, Page, RelatedState, ServiceState, TemplateState } from "../../operated.ts";

/** All that is shown at one moment. */
export interface Moment {
  readonly at: number;
  readonly status: Readonly<Record<string, unknown>>;
  readonly services: readonly ServiceState[];
  readonly connections: Page<ConnectionState>;
  readonly related: Page<RelatedState>;
  readonly groups: Page<TemplateState>;
  readonly refusals: readonly Event[];
  readonly counters: Readonly<Record<string, number>>;
}

export interface Client {
  /** Kept here and nowhere else: gone with the page. */
  token: string;
}

/** Throws an Error that says what the director answered. */
export async function send(client: Client, method: string, path: string, body?: unknown): Promise<unknown> {
  const headers: Record<string, string> = {};
  if (client.token !== "") headers["Authorization"] = `Bearer ${client.token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const sent = body === undefined ? null : JSON.stringify(body);
  const answer = await fetch(path, { method, headers, body: sent, credentials: "same-origin" });
  const said = (await answer.json()) as { message?: string; remedy?: string };
  if (answer.ok) return said;
  if (answer.status === 401 && client.token === "") throw new Error("type the token to see what runs");
  throw new Error(`${said.message}; ${said.remedy}`);
}

export async function moment(client: Client): Promise<Moment> {
  const get = <T>(path: string): Promise<T> => send(client, "GET", path) as Promise<T>;
  const [status, services, connections, related, groups, refusals, counters] = await Promise.all([
    get<Moment["status"]>("/v1/status"),
    get<{ items: ServiceState[] }>("/v1/services"),
    get<Page<ConnectionState>>("/v1/connections?limit=500"),
    get<Page<RelatedState>>("/v1/related?limit=500"),
    get<Page<TemplateState>>("/v1/groups?limit=200"),
    get<{ items: Event[] }>("/v1/refusals?limit=50"),
    get<Moment["counters"]>("/v1/counters"),
  ]);
  const [items, refused] = [services.items, refusals.items];
  return { at: Date.now() / 1000, status, services: items, connections, related, groups, refusals: refused, counters };
}

/** Of all counters whose names begin so. */
export function total(counters: Moment["counters"], ...beginnings: readonly string[]): number {
  return Object.entries(counters)
    .filter(([name]) => beginnings.some((beginning) => name.startsWith(beginning)))
    .reduce((sum, [, count]) => sum + count, 0);
}
