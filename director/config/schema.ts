/** The one schema: what keys there are, what each means, what holds when it is left out. */
import { z } from "zod";
import { schedulerNames } from "../../core/schedule/scheduler.ts";
import { type Endpoint, type Ms, ms, type Port, seconds } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { checkKinds } from "./check-kinds.ts";
import {
  address,
  choice,
  duration,
  endpoint,
  fileMode,
  filePath,
  hostName,
  integer,
  modulePath,
  name,
  portNumber,
  portNumbers,
  portsOf,
  printable,
  type Reader,
  transportPorts,
  urlPath,
  Wrong,
  yesOrNo,
} from "./formats.ts";

/**
 * A scalar read by `reader`. `example` is shown to who left it out; `json` is what a JSON Schema says of it, as far as
 * that goes: it may take what `reader` refuses, never the reverse.
 */
function scalar<T>(reader: Reader<T>, example: string, json: Json) {
  return z
    .unknown()
    .meta(json)
    .transform((value, context): T => {
      const result = value === undefined || value === null ? new Wrong(MISSING, example) : reader(value);
      if (!(result instanceof Wrong)) return result;
      context.issues.push({ code: "custom", input: value, message: result.message, params: { remedy: result.remedy } });
      return z.NEVER;
    });
}

type Json = Readonly<Record<string, unknown>>;
const text = (pattern: string, examples: readonly string[]): Json => ({ type: "string", pattern, examples });
const NAME = text("^[A-Za-z0-9][\\w.-]{0,62}$", ["ftp"]);
const ADDRESS = text("^[0-9A-Fa-f:.]+$", ["203.0.113.10", "2001:db8::10"]);
const DURATION = text("^\\d+(ms|s|m|h)$", ["500ms", "30s", "5m", "1h"]);
const PRINTABLE = { type: "string", minLength: 1, maxLength: 255 };
const HOST = text("^[A-Za-z0-9][A-Za-z0-9.-]*$", ["www.example.net"]);
const PATH = { type: "string", minLength: 1 };
/** Of one transport; a single port may be a number. */
const PORTS = { anyOf: [{ type: "integer" }, text("^\\d{1,5}(-\\d{1,5})?$", ["40000-40100"])] };
const RANGE = "\\d{1,5}(-\\d{1,5})?$";

/** The message for a required key that is not there; its remedy is an example of the value. */
export const MISSING = "missing";

const ip = (example: string) => scalar<Address>(address, example, ADDRESS);
const vip = ip("203.0.113.10");
const time = (example: string) => scalar<Ms>(duration, example, DURATION);
const count = (least: number, most: number, example = most) =>
  scalar(integer(least, most), String(example), { type: "integer", minimum: least, maximum: most });
const tcpPort = scalar<Port>(portNumber, "21", { type: "integer", minimum: 1, maximum: 65535 });
const flag = scalar(yesOrNo, "false", { type: "boolean" });
const named = (example: string) => scalar(name, example, NAME);
const oneOf = <const Word extends string>(noun: string, words: readonly Word[], example: Word) =>
  scalar(choice(noun, words), example, { enum: words });

const realserver = z.strictObject({
  address: ip("192.168.0.2"),
  port: tcpPort.optional(),
  // As in ipvsadm and the kernel's netlink interface.
  weight: count(0, 65535, 1).default(1),
  method: oneOf("forwarding method", ["nat", "dr", "tunnel"], "nat").default("nat"),
  sorry: flag.default(false),
  announces: z.array(ip("203.0.113.7")).default([]),
  passivePorts: scalar(portsOf("tcp"), "40000-40100", PORTS).optional(),
});

/** What a kind takes beside these is in check-kinds.ts. */
const check = z.strictObject({
  kind: oneOf("check", checkKinds, "tcp"),
  interval: time("5s").default(seconds(5)),
  timeout: time("3s").optional(),
  rise: count(1, 100, 2).default(2),
  fall: count(1, 100, 3).default(3),
  port: tcpPort.optional(),
  source: ip("203.0.113.1").optional(),
  initially: oneOf("condition", ["up", "down"], "up").default("up"),
  onFailure: oneOf("policy", ["quiesce", "drop"], "quiesce").default("quiesce"),
  login: scalar(printable, "anonymous", PRINTABLE).optional(),
  secretFile: scalar(filePath, "./check.secret", PATH).optional(),
  path: scalar(urlPath, "/status", text("^/[!-~]*$", ["/status"])).optional(),
  host: scalar(hostName, "www.example.net", HOST).optional(),
  status: count(100, 599, 200).optional(),
  zone: scalar(hostName, "example.net", HOST).optional(),
  authority: ip("203.0.113.53").optional(),
  command: z.array(scalar(printable, "./check-ftp", PRINTABLE)).optional(),
});

const service = {
  name: named("ftp"),
  vip,
  ports: z.array(scalar(transportPorts, "tcp/21", text(`^(tcp|udp)/${RANGE}`, ["tcp/21", "tcp/40000-40100"]))),
  scheduler: oneOf("scheduler", schedulerNames, "wlc").default("wlc"),
  originates: z.array(scalar(transportPorts, "tcp/113", text(`^(tcp|udp)/${RANGE}`, ["tcp/113"]))).default([]),
  persistenceNetmask: count(1, 128, 24).optional(),
  mark: named("media").optional(),
  check: check.optional(),
  realservers: z.array(realserver),
};

const limits = z.strictObject({
  pending: count(1, 1000).optional(),
  ttl: time("30s").optional(),
  hold: count(0, 65536).optional(),
  patience: time("60s").optional(),
});

const helper = z.strictObject({
  module: scalar(modulePath, "./acme-helper.js", PATH).optional(),
  ports: z.array(tcpPort).optional(),
  strict: flag.default(false),
  onRefuse: oneOf("policy", ["refuse", "forward"], "refuse").default("refuse"),
  onFailure: oneOf("policy", ["open", "closed"], "open").default("open"),
  limits: limits.prefault({}),
  key: z.array(named("User-Name")).optional(),
  primary: ip("192.168.0.2").optional(),
});

const related = z.strictObject({
  ports: scalar(portNumbers, "50000-50999", PORTS).optional(),
  standing: count(1, 64511).optional(),
  perClient: count(1, 1_000_000).default(100),
  total: count(1, 10_000_000).default(10_000),
});

const timeouts = z.strictObject({
  connect: time("3s").default(seconds(3)),
  idle: time("15m").default(ms(15 * 60_000)),
  drain: time("30s").default(seconds(30)),
});

const log = z.strictObject({
  level: oneOf("log level", ["debug", "info", "warn", "error", "silent"], "info").default("info"),
  format: oneOf("log format", ["json", "text"], "json").default("json"),
});

const control = z.strictObject({
  socket: scalar(filePath, "/run/kindred/kindred.sock", PATH).optional(),
  mode: scalar(fileMode, '"660"', text("^0?[0-7]{3}$", ["660"])).optional(),
  tcp: scalar<Endpoint>(endpoint, "127.0.0.1:9421", text("^.+:\\d{1,5}$", ["127.0.0.1:9421"])).optional(),
  tokenFile: scalar(filePath, "./kindred.token", PATH).optional(),
  cert: scalar(filePath, "./director.pem", PATH).optional(),
  key: scalar(filePath, "./director.key", PATH).optional(),
  clientCa: scalar(filePath, "./operators.pem", PATH).optional(),
  hosts: z
    .array(scalar(hostName, "director.example.net", text("^[A-Za-z0-9.-]+$", ["director.example.net"])))
    .default([]),
  anonymous: oneOf("right", ["none", "metrics", "read"], "none").default("none"),
});

/** Also read one by one: what is wrong with one service is no reason not to look at the others. */
export const parts = {
  control,
  helper,
  related,
  service: z.strictObject({
    ...service,
    helper: named("ftp").optional(),
    persistence: time("300s").optional(),
  }),
  group: z.strictObject({ ...service, persistence: time("300s").default(seconds(300)) }),
};

export const schema = z.strictObject({
  services: z.array(parts.service).default([]),
  groups: z.array(parts.group).default([]),
  helpers: z.record(z.string(), helper).prefault({}),
  related: related.prefault({}),
  timeouts: timeouts.prefault({}),
  backend: oneOf("backend", ["auto", "net", "epoll"], "auto").default("auto"),
  log: log.prefault({}),
  control: control.optional(),
  watch: flag.default(false),
  offload: oneOf("offload", ["none", "nftables"], "none").default("none"),
});

export type CheckInput = z.output<typeof check>;
export type RealserverInput = z.output<typeof realserver>;
/** A group is a service without a helper. */
export type ServiceInput = z.output<typeof parts.service>;
export type HelperInput = z.output<typeof helper>;
export type ControlInput = z.output<typeof control>;
export type RelatedInput = z.output<typeof related>;
export type ConfigInput = z.output<typeof schema>;
