/** The one schema: what keys there are, what each means, what holds when it is left out. */
import { z } from "zod";
import { schedulerNames } from "../../core/schedule/scheduler.ts";
import { type Ms, ms, type Port, seconds } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import {
  address,
  choice,
  duration,
  integer,
  modulePath,
  name,
  portNumber,
  portNumbers,
  portsOf,
  type Reader,
  transportPorts,
  Wrong,
  yesOrNo,
} from "./formats.ts";

/** A scalar read by `reader`. `example` is shown to who left it out. */
function scalar<T>(reader: Reader<T>, example: string) {
  return z.unknown().transform((value, context): T => {
    const result = value === undefined || value === null ? new Wrong(MISSING, example) : reader(value);
    if (!(result instanceof Wrong)) return result;
    context.issues.push({ code: "custom", input: value, message: result.message, params: { remedy: result.remedy } });
    return z.NEVER;
  });
}

/** The message for a required key that is not there; its remedy is an example of the value. */
export const MISSING = "missing";

const vip = scalar<Address>(address, "203.0.113.10");
const time = (example: string) => scalar<Ms>(duration, example);
const count = (least: number, most: number) => scalar(integer(least, most), String(most));

const realserver = z.strictObject({
  address: scalar<Address>(address, "192.168.0.2"),
  port: scalar<Port>(portNumber, "21").optional(),
  // As in ipvsadm and the kernel's netlink interface.
  weight: scalar(integer(0, 65535), "1").default(1),
  method: scalar(choice("forwarding method", ["nat", "dr", "tunnel"]), "nat").default("nat"),
  announces: z.array(scalar<Address>(address, "203.0.113.7")).default([]),
  passivePorts: scalar(portsOf("tcp"), "40000-40100").optional(),
});

const service = {
  name: scalar(name, "ftp"),
  vip,
  ports: z.array(scalar(transportPorts, "tcp/21")),
  scheduler: scalar(choice("scheduler", schedulerNames), "wlc").default("wlc"),
  persistenceNetmask: scalar(integer(1, 128), "24").optional(),
  realservers: z.array(realserver),
};

const limits = z.strictObject({
  pending: count(1, 1000).optional(),
  ttl: time("30s").optional(),
  hold: count(0, 65536).optional(),
  patience: time("60s").optional(),
});

const helper = z.strictObject({
  module: scalar(modulePath, "./acme-helper.js").optional(),
  ports: z.array(scalar<Port>(portNumber, "21")).optional(),
  strict: scalar(yesOrNo, "false").default(false),
  onRefuse: scalar(choice("policy", ["refuse", "forward"]), "refuse").default("refuse"),
  limits: limits.prefault({}),
  key: z.array(scalar(name, "User-Name")).optional(),
  primary: scalar<Address>(address, "192.168.0.2").optional(),
});

const related = z.strictObject({
  ports: scalar(portNumbers, "50000-50999").optional(),
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
  level: scalar(choice("log level", ["debug", "info", "warn", "error", "silent"]), "info").default("info"),
  format: scalar(choice("log format", ["json", "text"]), "json").default("json"),
});

/** Also read one by one: what is wrong with one service is no reason not to look at the others. */
export const parts = {
  helper,
  related,
  service: z.strictObject({
    ...service,
    helper: scalar(name, "ftp").optional(),
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
  backend: scalar(choice("backend", ["auto", "net", "epoll"]), "auto").default("auto"),
  log: log.prefault({}),
});

export type RealserverInput = z.output<typeof realserver>;
/** A group is a service without a helper. */
export type ServiceInput = z.output<typeof parts.service>;
export type HelperInput = z.output<typeof helper>;
export type RelatedInput = z.output<typeof related>;
export type ConfigInput = z.output<typeof schema>;
