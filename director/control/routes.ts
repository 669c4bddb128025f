/**
 * Every route there is, in one table: what it takes, what it needs, what it does. Nothing else answers; a test walks
 * the table and tries each without the right.
 */
import { z } from "zod";
import { Address } from "../../core/wire/address.ts";
import { configSchema } from "../config/json-schema.ts";
import { readDump } from "../ipvs/dump.ts";
import { helperOf } from "../ipvs/helper-of.ts";
import { applyRules } from "../ipvs/import.ts";
import { printRules } from "../ipvs/print.ts";
import type { Needs } from "./access.ts";
import {
  addRealserver,
  addService,
  deleteRealserver,
  deleteService,
  editRealserver,
  editService,
  findRealserver,
} from "./document.ts";
import type { Events } from "./events.ts";
import { metrics } from "./metrics.ts";
import type { Operator, Plan } from "./operator.ts";
import { page } from "./page/page.ts";

export interface Served {
  readonly operator: Operator;
  readonly events: Events;
  /** Whether the request may name programs to run and files to read: modules of helpers, secrets of checks. */
  readonly mayLoad: boolean;
}

interface Shapes {
  readonly params: z.ZodType;
  readonly query: z.ZodType;
  readonly body: z.ZodType;
}

interface Input<S extends Shapes> {
  readonly params: z.output<S["params"]>;
  readonly query: z.output<S["query"]>;
  readonly body: z.output<S["body"]>;
}

export interface Route extends Shapes {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly needs: Needs;
  /** A body is expected. */
  readonly takes: boolean;
  /** Bytes that it may have. */
  readonly most: number;
  /** Events as they happen, a line each, instead of one answer. */
  readonly stream: boolean;
  readonly does: string;
  /** What is answered is JSON, or a Response as it is. */
  handle(served: Served, input: Input<Shapes>): unknown;
}

const NOTHING = z.strictObject({});
const SMALL = 64 * 1024;
const LARGE = 1024 * 1024;

type Options<S extends Shapes> = Partial<S> & {
  readonly most?: number;
  readonly stream?: boolean;
  readonly handle: (served: Served, input: Input<S>) => unknown;
};

type Nothing = typeof NOTHING;

function route<P extends z.ZodType = Nothing, Q extends z.ZodType = Nothing, B extends z.ZodType = Nothing>(
  method: Route["method"],
  path: string,
  needs: Route["needs"],
  does: string,
  options: Options<{ params: P; query: Q; body: B }>,
): Route {
  const { params = NOTHING, query = NOTHING, body, most = SMALL, stream = false } = options;
  // The table forgets what each takes; `answer` reads it by these very schemas before it calls.
  const handle = options.handle as unknown as Route["handle"];
  return {
    method,
    path,
    needs,
    does,
    params,
    query,
    body: body ?? NOTHING,
    takes: body !== undefined,
    most,
    stream,
    handle,
  };
}

const text = z.string().min(1).max(200);
const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().int().min(least).max(most));
const yes = z.enum(["true", "false"]).transform((word) => word === "true");

const SERVICE = z.strictObject({ service: text });
const REALSERVER = z.strictObject({ service: text, realserver: text });
const SCOPE = z.strictObject({ service: text.optional(), realserver: text.optional() });
const PAGE = z.strictObject({
  service: text.optional(),
  realserver: text.optional(),
  client: text.optional(),
  role: z.enum(["control", "related", "data", "plain"]).optional(),
  after: whole(0, Number.MAX_SAFE_INTEGER).default(0),
  limit: whole(1, 10_000).default(1000),
});
/** As it is written in a configuration; checked as such, with all the rest. */
const WRITTEN = z.record(z.string(), z.unknown());

/** Without what was not said: `exactOptionalPropertyTypes` tells the two apart. */
const said = <T extends object>(input: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as never;

type Asked = z.output<typeof PAGE>;

/** Where a list begins it is looked whether there is what it is narrowed to: pages that follow may outlive that. */
async function asked(operator: Operator, { client, ...query }: Asked) {
  const address = client === undefined ? null : Address.parse(client);
  const narrowed = said({ ...query, client: address?.toString() ?? client });
  return query.after === 0 ? operator.known(narrowed) : narrowed;
}

async function dropped(served: Served, plan: Plan, service: string, realserver?: string): Promise<unknown> {
  const scope = realserver === undefined ? { service } : { service, realserver };
  return { ...plan, dropped: await served.operator.path.drop(scope) };
}

export const routes: readonly Route[] = [
  route("GET", "/", "none", "the page; it asks for the rest with its user's token", { handle: page }),
  route("GET", "/healthz", "none", "whether it takes clients: 200, or 503 while it drains", {
    handle: ({ operator: { draining } }) =>
      Response.json({ status: draining ? "draining" : "ok" }, { status: draining ? 503 : 200 }),
  }),
  route("GET", "/metrics", "metrics", "counters and gauges for Prometheus", {
    handle: async ({ operator, events }) => {
      const { text, type } = await metrics(operator, events);
      return new Response(text, { headers: { "Content-Type": type } });
    },
  }),

  route("GET", "/v1/status", "read", "what runs", { handle: ({ operator }) => operator.status() }),
  route("GET", "/v1/routes", "read", "this table", {
    handle: () => ({ items: routes.map(({ method, path, needs, does }) => ({ method, path, needs, does })) }),
  }),

  route("GET", "/v1/services", "read", "services, their realservers and what these carry", {
    handle: async ({ operator }) => ({ items: await operator.path.services() }),
  }),
  route("POST", "/v1/services", "write", "a service comes; the body is as in the configuration", {
    query: z.strictObject({ group: yes.default(false) }),
    body: WRITTEN,
    handle: ({ operator, mayLoad }, { body, query }) =>
      operator.edit((config) => addService(config, body, query.group), mayLoad),
  }),
  route("PATCH", "/v1/services/:service", "write", "keys of a service change; null takes one away", {
    params: SERVICE,
    body: WRITTEN,
    handle: ({ operator, mayLoad }, { params, body }) =>
      operator.edit((config) => editService(config, params.service, body), mayLoad),
  }),
  route("DELETE", "/v1/services/:service", "write", "a service goes; with drop=true its flows are cut", {
    params: SERVICE,
    query: z.strictObject({ drop: yes.default(false) }),
    handle: async (served, { params: { service }, query }) => {
      const plan = await served.operator.edit((config) => deleteService(config, service), served.mayLoad);
      return query.drop ? dropped(served, plan, service) : plan;
    },
  }),

  route("POST", "/v1/services/:service/realservers", "write", "a realserver comes", {
    params: SERVICE,
    body: WRITTEN,
    handle: ({ operator, mayLoad }, { params, body }) =>
      operator.edit((config) => addRealserver(config, params.service, body), mayLoad),
  }),
  route("PATCH", "/v1/services/:service/realservers/:realserver", "write", "keys of a realserver change (weight)", {
    params: REALSERVER,
    body: WRITTEN,
    handle: ({ operator, mayLoad }, { params, body }) =>
      operator.edit((config) => editRealserver(config, params.service, params.realserver, body), mayLoad),
  }),
  route("DELETE", "/v1/services/:service/realservers/:realserver", "write", "a realserver goes; drop=true cuts", {
    params: REALSERVER,
    query: z.strictObject({ drop: yes.default(false) }),
    handle: async (served, { params: { service, realserver }, query }) => {
      const { key } = findRealserver(served.operator.config, service, realserver);
      const plan = await served.operator.edit((config) => deleteRealserver(config, service, key), served.mayLoad);
      return query.drop ? dropped(served, plan, service, key) : plan;
    },
  }),
  route("GET", "/v1/services/:service/realservers/:realserver/drain", "read", "flows that it still has", {
    params: REALSERVER,
    handle: ({ operator }, { params }) => operator.drained(params.service, params.realserver),
  }),
  route("POST", "/v1/services/:service/realservers/:realserver/drain", "write", "weight 0, and the flows it has", {
    params: REALSERVER,
    handle: async ({ operator, mayLoad }, { params: { service, realserver } }) => {
      const plan = await operator.edit((config) => editRealserver(config, service, realserver, { weight: 0 }), mayLoad);
      return { ...plan, ...(await operator.drained(service, realserver)) };
    },
  }),

  route("GET", "/v1/connections", "read", "control, related, data and plain connections", {
    query: PAGE,
    handle: async ({ operator }, { query }) => operator.path.connections(await asked(operator, query)),
  }),
  route("GET", "/v1/related", "read", "announced connections that have not come yet", {
    query: PAGE,
    handle: async ({ operator }, { query }) => operator.path.related(await asked(operator, query)),
  }),
  route("GET", "/v1/groups", "read", "port groups that helpers made", {
    query: PAGE,
    handle: async ({ operator }, { query }) => operator.path.groups(await asked(operator, query)),
  }),
  route("GET", "/v1/persistence", "read", "templates of persistence", {
    query: PAGE,
    handle: async ({ operator }, { query }) => operator.path.persistence(await asked(operator, query)),
  }),
  route("GET", "/v1/counters", "read", "counters by name", { handle: ({ operator }) => operator.path.counts() }),
  route("GET", "/v1/refusals", "read", "the last refusals, with their reasons", {
    query: z.strictObject({ limit: whole(1, 1000).default(100) }),
    handle: ({ events }, { query }) => ({ items: events.refusals(query.limit) }),
  }),
  route("GET", "/v1/events", "read", "what happens, a line each", { stream: true, handle: () => null }),

  route("POST", "/v1/drop", "write", "cuts flows", {
    body: SCOPE,
    handle: async ({ operator }, { body }) => ({ dropped: await operator.path.drop(await operator.known(said(body))) }),
  }),
  route("POST", "/v1/flush", "write", "forgets who was served by whom; open flows stay", {
    body: SCOPE,
    handle: async ({ operator }, { body }) => ({
      forgotten: await operator.path.forget(await operator.known(said(body))),
    }),
  }),
  route("PATCH", "/v1/services/:service/realservers/:realserver/mark", "write", "up or down, as a health check does", {
    params: REALSERVER,
    body: z.strictObject({ up: z.boolean() }),
    handle: async ({ operator }, { params: { service, realserver }, body }) => {
      const { key } = findRealserver(operator.config, service, realserver);
      return { marked: await operator.path.mark(service, key, body.up) };
    },
  }),

  route("GET", "/v1/config", "read", "the configuration that runs, as it would be written", {
    handle: ({ operator }) => ({ file: operator.config.file, document: operator.config.document }),
  }),
  route("GET", "/v1/config/schema", "read", "its JSON Schema", { handle: () => configSchema() }),
  route("POST", "/v1/config", "write", "applies a configuration; with dryRun only says what would change", {
    query: z.strictObject({ dryRun: yes.default(false) }),
    body: z.strictObject({ text: z.string().max(LARGE), file: text.optional() }),
    most: 2 * LARGE,
    handle: ({ operator, mayLoad }, { query, body: { text, file = operator.config.file } }) =>
      query.dryRun ? operator.plan(text, file) : operator.apply(text, file, mayLoad),
  }),
  route("GET", "/v1/ipvs", "read", "the services as ipvsadm -S -n writes them, and what it has no words for", {
    handle: ({ operator }) => printRules(operator.config),
  }),
  route("POST", "/v1/ipvs", "write", "applies rules of ipvsadm, all or none", {
    body: z.strictObject({ text: z.string().max(LARGE) }),
    most: 2 * LARGE,
    handle: ({ operator, mayLoad }, { body: { text } }) => {
      const rules = readDump(text, "rules");
      return operator.edit(({ document }) => applyRules(document, rules, "rules", { helperOf }), mayLoad);
    },
  }),
  route("POST", "/v1/reload", "write", "reads the file again", { handle: ({ operator }) => operator.reload() }),
];
