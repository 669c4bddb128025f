/** Requests over HTTP: who may, what is asked, and the answer. */
import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { z } from "zod";
import type { Log } from "../log.ts";
import type { Access } from "./access.ts";
import type { Events } from "./events.ts";
import type { Operator } from "./operator.ts";
import { Refusal, refusalOf } from "./refusal.ts";
import { type Route, routes } from "./routes.ts";
import { eventLines } from "./stream.ts";

type Asked = Context<{ Bindings: HttpBindings }>;

export interface ApiOptions {
  readonly operator: Operator;
  readonly events: Events;
  readonly access: Access;
  readonly log: Log;
}

export function makeApi(options: ApiOptions): Hono<{ Bindings: HttpBindings }> {
  const { access, log } = options;
  const api = new Hono<{ Bindings: HttpBindings }>({ strict: true });
  for (const route of routes) {
    api.on(route.method, route.path, async (asked) => {
      admit(asked, access, route.needs);
      return answer(asked, route, options);
    });
  }
  api.notFound((asked) => {
    try {
      admit(asked, access, "read");
      throw new Refusal(404, "no-such-route", `there is no ${asked.req.method} of that path`, "see GET /v1/routes");
    } catch (error) {
      return refuse(asked, refusalOf(error), log);
    }
  });
  api.onError((error, asked) => {
    const refusal = refusalOf(error);
    if (refusal.status === 500) log("error", "control-failed", { route: asked.req.routePath, error: error.message });
    return refuse(asked as Asked, refusal, log);
  });
  return api;
}

function admit(asked: Asked, access: Access, needs: Route["needs"]): void {
  const refusal = access.why(asked.env.incoming, needs);
  if (refusal !== null) throw refusal;
}

function refuse(asked: Asked, { status, body }: Refusal, log: Log): Response {
  log("debug", "control-refused", { method: asked.req.method, status, reason: body.error });
  if (status === 401) asked.header("WWW-Authenticate", 'Bearer realm="kindred"');
  return asked.json(body, status, SAFE);
}

/** Nothing here is for a browser to keep or to guess at. */
const SAFE = { "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" };

async function answer(asked: Asked, route: Route, { operator, events, access }: ApiOptions): Promise<Response> {
  if (route.stream) {
    // Of HEAD nobody would read the lines, or say that he reads no more.
    const lines = asked.req.method === "HEAD" ? null : eventLines(events);
    return new Response(lines, { headers: { "Content-Type": "application/x-ndjson", ...SAFE } });
  }
  const input = {
    params: shaped(route.params, asked.req.param(), "the path"),
    query: shaped(route.query, queryOf(asked.req.queries()), "the query"),
    body: shaped(route.body, await bodyOf(asked, route), "the body"),
  };
  const result = await route.handle({ operator, events, mayLoad: access.mayLoad }, input);
  if (!(result instanceof Response)) return asked.json(result as object, 200, SAFE);
  for (const [name, value] of Object.entries(SAFE)) result.headers.set(name, value);
  return result;
}

/** Each name once: of two, nobody could say which was meant. */
function queryOf(queries: Readonly<Record<string, readonly string[]>>): Record<string, string> {
  const entries = Object.entries(queries).map(([name, values]) => {
    if (values.length === 1) return [name, values[0]!] as const;
    throw new Refusal(400, "wrong-input", "the query says something twice", "say it once");
  });
  return Object.fromEntries(entries);
}

async function bodyOf({ req }: Asked, { takes, most }: Route): Promise<unknown> {
  if (!takes) return {};
  if (!/^application\/json\s*(;|$)/i.test(req.header("content-type") ?? "")) {
    throw new Refusal(415, "not-json", "the body is not JSON by its type", "send Content-Type: application/json");
  }
  const text = await textOf(req.raw.body, most);
  try {
    return JSON.parse(text, withoutPrototype);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(400, "not-json", "the body is not JSON", "see the table of routes: GET /v1/routes");
  }
}

/** No more than `most` bytes are ever held, whatever the request says of its length. */
async function textOf(body: ReadableStream<Uint8Array> | null, most: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of body ?? []) {
      length += chunk.length;
      if (length > most) throw new Refusal(413, "too-long", `the body is longer than ${most} bytes`, "send less");
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    // Who sent it has gone, or took too long.
    throw new Refusal(400, "cut-short", "the body ended before it was whole", "send all of it");
  }
  return Buffer.concat(chunks).toString("utf8");
}

function withoutPrototype(key: string, value: unknown): unknown {
  if (key !== "__proto__") return value;
  throw new Refusal(400, "wrong-input", "__proto__ is no key", "remove it");
}

function shaped(schema: z.ZodType, value: unknown, where: string): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue!.path.length === 0 ? "" : ` at ${issue!.path.join(".")}`;
  throw new Refusal(400, "wrong-input", `${where}${path}: ${issue!.message}`, "see GET /v1/routes, and the manual");
}
