/** `kindred ctl`: a running director is looked at and changed. */

import { Command, Option } from "commander";
import { schedulerNames } from "../../core/schedule/scheduler.ts";
import { problemText } from "../config/problem.ts";
import type { Event } from "../control/events.ts";
import type { FlowCounts, ServiceState } from "../control/operated.ts";
import type { Drain, Plan } from "../control/operator.ts";
import { apply, drained, pages, realserverPath, saved, servicePath } from "./ask.ts";
import { Client, Refused, Unreachable, type Where } from "./client.ts";
import { inert, inertJson } from "./inert.ts";
import { isIpvsadm, tellIpvs } from "./ipvs.ts";
import * as lists from "./lists.ts";
import { type Column, coloured, type Format, formats, print } from "./output.ts";
import { eventLine } from "./watch.ts";
import { realserverOf, serviceOf, type Written } from "./written.ts";

/** Exit statuses beside 0. */
const EXIT = { refused: 1, wrongInput: 2, unreachable: 3, notDrained: 4 } as const;

type Global = Where & { readonly output: Format; readonly color: boolean };

interface Context {
  readonly client: Client;
  readonly show: <T>(items: readonly T[], columns: readonly Column<T>[]) => void;
  readonly say: (text: string) => void;
  /** Whole lines, as they are for a program. */
  readonly text: (lines: string) => void;
  readonly note: (text: string) => void;
  readonly json: boolean;
}

export function ctlCommand(): Command {
  const command = new Command("ctl")
    .description(
      "looks at a running director, and changes it; exits 1 when it refuses, 2 when what was given is wrong, 3 when there is none, 4 when flows are left",
    )
    .option("--socket <path>", "its unix socket; default: $KINDRED_SOCKET, or the usual one")
    .option("--url <url>", "instead: over TCP, as in http://127.0.0.1:9421")
    .option("--token-file <file>", "what it must be told there; default: $KINDRED_TOKEN_FILE")
    .option("--ca <file>", "who signed its certificate")
    .option("--cert <file>", "a certificate of one's own")
    .option("--key <file>", "and its key")
    .addOption(new Option("-o, --output <format>", "how lists are shown").choices(formats).default("table"))
    .option("--no-color", "no colours; nor are there any when nobody looks, or NO_COLOR is set");
  for (const add of [listCommands, changeCommands, realserverCommands, wholeCommands, ipvsCommand]) add(command);
  return command;
}

/** Runs `act`, and tells what went wrong, by its exit status too. */
function doing<A extends unknown[]>(
  command: Command,
  act: (context: Context, ...args: A) => Promise<number | undefined>,
) {
  return async (...args: A): Promise<void> => {
    try {
      process.exitCode = (await act(contextOf(command.optsWithGlobals<Global>()), ...args)) ?? 0;
    } catch (error) {
      process.exitCode = complain(error);
    }
  };
}

function contextOf({ output, color, ...where }: Global): Context {
  const { stdout, stderr } = process;
  const json = output === "json" || output === "ndjson";
  return {
    client: new Client(where),
    json,
    show: (items, columns) => print(items, columns, output, stdout, color && coloured(stdout, process.env)),
    say: (text) => void stdout.write(`${json ? text : inert(text)}\n`),
    text: (lines) => void stdout.write(stdout.isTTY ? lines.split("\n").map(inert).join("\n") : lines),
    note: (text) => void stderr.write(`${inert(text)}\n`),
  };
}

function complain(error: unknown): number {
  const said = (text: string): void => void process.stderr.write(`kindred ctl: ${inert(text)}\n`);
  if (error instanceof Unreachable) {
    said(error.message);
    return EXIT.unreachable;
  }
  if (error instanceof Refused) {
    const { problems, message, remedy } = error.body;
    const lines = problems?.map(problemText) ?? [`${message}; ${remedy}`];
    for (const line of lines) said(line);
    return error.status === 400 || error.status === 422 ? EXIT.wrongInput : EXIT.refused;
  }
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  said(message);
  return EXIT.wrongInput;
}

/** What changed, a sentence a line; warnings beside it. */
function tell({ say, note, json }: Context, plan: Plan, dryRun = false): void {
  for (const warning of plan.warnings) note(`warning: ${warning}`);
  if (json) return say(inertJson(plan, 2));
  for (const change of plan.changes) say(change);
  if (plan.changes.length === 0) say("nothing changes");
  else if (dryRun) say("nothing was changed: this was a dry run");
}

// --- lists ------------------------------------------------------------------------------------------------------------

interface Filter {
  readonly service?: string;
  readonly realserver?: string;
  readonly client?: string;
  readonly role?: string;
}

function listCommands(ctl: Command): void {
  const services = ctl.command("services").description("services");
  services.action(
    doing(services, async ({ client, show }) => {
      show(
        (await client.send<{ items: ServiceState[] }>({ method: "GET", path: "/v1/services" })).items,
        lists.services,
      );
      return 0;
    }),
  );
  const realservers = ctl.command("realservers").argument("[service]").description("realservers, and what they carry");
  realservers.action(
    doing(realservers, async ({ client, show }, service: string | undefined) => {
      const { items } = await client.send<{ items: ServiceState[] }>({ method: "GET", path: "/v1/services" });
      const wanted = items.filter(({ name }) => service === undefined || name === service);
      show(
        wanted.flatMap(({ name, realservers }) => realservers.map((one) => ({ service: name, ...one }))),
        lists.realservers,
      );
      return 0;
    }),
  );
  paged(ctl, "connections", "connections: control, related, data (of a port group) and plain", lists.connections);
  paged(ctl, "related", "announced connections that have not come yet", lists.related);
  paged(
    ctl,
    "groups",
    "port groups that helpers made: a client's data connections go to one realserver",
    lists.templates,
  );
  paged(ctl, "persistence", "who stays with which realserver", lists.templates);
  const counters = ctl.command("counters").description("counters by name");
  counters.action(
    doing(counters, async ({ client, show }) => {
      const counts = await client.send<Record<string, number>>({ method: "GET", path: "/v1/counters" });
      show(Object.entries(counts), lists.counters);
      return 0;
    }),
  );
  const refusals = ctl
    .command("refusals")
    .description("the last refusals, and why")
    .option("--last <n>", "how many", "100");
  refusals.action(
    doing(refusals, async ({ client, show }, { last }: { last: string }) => {
      const query = { limit: last };
      show(
        (await client.send<{ items: Event[] }>({ method: "GET", path: "/v1/refusals", query })).items,
        lists.refusals,
      );
      return 0;
    }),
  );
  eventCommands(ctl);
}

function paged<T>(ctl: Command, name: string, description: string, columns: readonly Column<T>[]): void {
  const command = ctl
    .command(name)
    .description(description)
    .option("--service <name>", "of this service")
    .option("--realserver <address>", "of this realserver, as `kindred ctl realservers` names it")
    .option("--client <address>", "of this client");
  if (name === "connections") command.option("--role <role>", "control, related, data or plain");
  command.action(
    doing(command, async ({ client, show }, { service, realserver, client: from, role }: Filter) => {
      const items: T[] = [];
      for await (const item of pages<T>(client, `/v1/${name}`, { service, realserver, client: from, role }))
        items.push(item);
      show(items, columns);
      return 0;
    }),
  );
}

function eventCommands(ctl: Command): void {
  const events = ctl.command("events").description("what happens, a line of JSON each, until interrupted");
  events.action(
    doing(events, async ({ client, say }) => {
      for await (const line of client.lines("/v1/events")) say(inertJson(JSON.parse(line)));
      return 0;
    }),
  );
  const watch = ctl.command("watch").description("what happens, a line each as of `conntrack -E`, until interrupted");
  watch.option("--debug", "also what is seldom asked for");
  watch.action(
    doing(watch, async ({ client, say, json }, { debug }: { debug?: boolean }) => {
      for await (const line of client.lines("/v1/events")) {
        const event = JSON.parse(line) as Event;
        if (event.level === "debug" && debug !== true) continue;
        say(json ? inertJson(event) : eventLine(event));
      }
      return 0;
    }),
  );
  const status = ctl.command("status").description("what runs, and since when");
  status.action(
    doing(status, async ({ client, say, json }) => {
      const all = await client.send<Record<string, unknown>>({ method: "GET", path: "/v1/status" });
      if (json) say(inertJson(all, 2));
      else for (const [name, value] of Object.entries(all)) say(`${name.padEnd(10)} ${String(value)}`);
      return 0;
    }),
  );
}

// --- services ---------------------------------------------------------------------------------------------------------

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

function withServiceOptions(command: Command): Command {
  return command
    .option("--vip <address>", "what clients connect to")
    .option("--port <transport/port>", "tcp/21, udp/6970-7170; several times for several", collect)
    .option("--helper <name>", "reads the control connections; none: nobody does")
    .option("--scheduler <name>", schedulerNames.join(", "))
    .option("--persistence <time>", "how long a client stays, as in 300s; none: not at all")
    .option("--netmask <bits>", "of the client's network that stays together", Number);
}

const withRealserverOptions = (command: Command): Command =>
  command
    .option("--weight <n>", "0 takes no new clients", Number)
    .option("--method <method>", "nat, dr, tunnel")
    .option("--sorry", "serves only whom none of the others will")
    .option("--no-sorry", "serves as the others do")
    .option("--announces <address>", "that it may announce beside its own; several times for several", collect)
    .option("--passive-ports <first-last>", "where its encrypted data connections go");

function changeCommands(ctl: Command): void {
  const [add, edit, remove] = [
    ctl.command("add").description("a service or a realserver comes"),
    ctl.command("edit").description("a service or a realserver changes"),
    ctl.command("delete").description("a service or a realserver goes"),
  ];
  const added = withServiceOptions(add.command("service").argument("<name>")).option("--group", "without a helper");
  added.option("--realserver <address>", "address, or address:port; several times for several", collect).action(
    doing(added, async (context, name: string, { group = false, ...options }: Written) => {
      const { client } = context;
      const query = { group: String(group) };
      tell(
        context,
        await client.send({ method: "POST", path: "/v1/services", query, body: serviceOf({ name, ...options }) }),
      );
      return 0;
    }),
  );
  const edited = withServiceOptions(edit.command("service").argument("<name>"));
  edited.action(
    doing(edited, async (context, name: string, options: Written) => {
      tell(context, await context.client.send({ method: "PATCH", path: servicePath(name), body: serviceOf(options) }));
      return 0;
    }),
  );
  const removed = remove.command("service").argument("<name>").option("--drop", "cut the flows that it has");
  removed.action(
    doing(removed, (context, name: string, { drop }: { drop?: boolean }) => removeAt(context, servicePath(name), drop)),
  );
  realserverChanges(add, edit, remove);
}

async function removeAt(context: Context, path: string, drop = false): Promise<number> {
  const plan = await context.client.send<Plan & { dropped?: number }>({
    method: "DELETE",
    path,
    query: { drop: String(drop) },
  });
  tell(context, plan);
  if (plan.dropped !== undefined && !context.json) context.say(`${plan.dropped} flows were cut`);
  return 0;
}

function realserverChanges(add: Command, edit: Command, remove: Command): void {
  const added = withRealserverOptions(add.command("realserver").argument("<service>").argument("<address[:port]>"));
  added.action(
    doing(added, async (context, service: string, at: string, options: Written) => {
      const path = `${servicePath(service)}/realservers`;
      tell(context, await context.client.send({ method: "POST", path, body: realserverOf(at, options) }));
      return 0;
    }),
  );
  const edited = withRealserverOptions(edit.command("realserver").argument("<service>").argument("<realserver>"));
  edited.action(
    doing(edited, async (context, service: string, at: string, options: Written) => {
      const path = realserverPath(service, at);
      tell(context, await context.client.send({ method: "PATCH", path, body: realserverOf(null, options) }));
      return 0;
    }),
  );
  const removed = remove.command("realserver").argument("<service>").argument("<realserver>");
  removed
    .option("--drop", "cut the flows that it has")
    .action(
      doing(removed, (context, service: string, at: string, { drop }: { drop?: boolean }) =>
        removeAt(context, realserverPath(service, at), drop),
      ),
    );
}

// --- realservers ------------------------------------------------------------------------------------------------------

function realserverCommands(ctl: Command): void {
  const weight = ctl
    .command("weight")
    .argument("<service>")
    .argument("<realserver>")
    .argument("<n>")
    .description("a realserver's weight");
  weight.action(
    doing(weight, async (context, service: string, at: string, n: string) => {
      const path = realserverPath(service, at);
      tell(context, await context.client.send({ method: "PATCH", path, body: { weight: Number(n) } }));
      return 0;
    }),
  );
  const drain = ctl
    .command("drain")
    .argument("<service>")
    .argument("<realserver>")
    .description("weight 0: what it has ends by itself");
  drain
    .option("--wait", "until it has no flow any more, control and related ones")
    .option("--timeout <seconds>", "wait so long at most; exit status 4 when flows are left", "3600");
  drain.action(
    doing(
      drain,
      async (context, service: string, at: string, { wait, timeout }: { wait?: boolean; timeout: string }) => {
        const path = realserverPath(service, at);
        const first = await context.client.send<Plan & Drain>({ method: "POST", path: `${path}/drain` });
        if (wait !== true) return tellDrain(context, first);
        const progress = (now: Drain): void => context.note(left(now));
        const last = await drained(context.client, path, { patience: Number(timeout) * 1000, progress });
        tellDrain(context, last);
        return last.left === 0 ? 0 : EXIT.notDrained;
      },
    ),
  );
  const scoped = (
    name: string,
    path: string,
    description: string,
    done: (answer: Record<string, number>) => string,
  ): void => {
    const command = ctl.command(name).description(description);
    command
      .option("--service <name>", "of this service alone")
      .option("--realserver <address>", "of this realserver alone");
    command.action(
      doing(command, async ({ client, say, json }, { service, realserver }: Filter) => {
        const answer = await client.send<Record<string, number>>({
          method: "POST",
          path,
          body: { service, realserver },
        });
        say(json ? inertJson(answer) : done(answer));
        return 0;
      }),
    );
  };
  scoped(
    "flush",
    "/v1/flush",
    "forgets who was served by whom; open flows stay",
    ({ forgotten }) => `${forgotten} forgotten`,
  );
  scoped("drop", "/v1/drop", "cuts flows", ({ dropped }) => `${dropped} flows were cut`);
}

const left = ({ service, realserver, left, flows }: Drain): string =>
  `service ${service}: realserver ${realserver} has ${left} flows left (${flowsText(flows)})`;

const flowsText = (flows: FlowCounts): string =>
  (["control", "related", "data", "plain"] as const).map((role) => `${flows[role]} ${role}`).join(", ");

function tellDrain({ say, json }: Context, drain: Drain): number {
  say(json ? inertJson(drain, 2) : left(drain));
  return 0;
}

// --- ipvsadm's words --------------------------------------------------------------------------------------------------

/** `ctl -A …` is `ctl ipvs -A …`: options of another program, which commander is to leave alone. */
export function withIpvsWords(args: readonly string[]): readonly string[] {
  let at = 0;
  while (OWN.includes(args[at] ?? "")) at += 2;
  return isIpvsadm(args[at] ?? "") ? [...args.slice(0, at), "ipvs", ...args.slice(at)] : args;
}

/** Those of our own that may stand before, each with a value. */
const OWN: readonly string[] = ["--socket", "--url", "--token-file", "--ca", "--cert", "--key"];

function ipvsCommand(ctl: Command): void {
  const ipvs = ctl
    .command("ipvs")
    .argument("[words...]")
    .allowUnknownOption()
    .helpOption(false)
    .description("ipvsadm's own words, as in `ctl -A -t 203.0.113.10:21 -s wlc`, `ctl -S -n`, `ctl -R < rules`");
  ipvs.action(
    doing(ipvs, async ({ client, text, note }, words: readonly string[]) => {
      if (words.length === 0 || !isIpvsadm(words[0]!)) {
        note("kindred ctl: write one of ipvsadm's words: -A -E -D -C -a -e -d -L -S -R");
        return EXIT.wrongInput;
      }
      const told = await tellIpvs(client, words, process.stdin);
      for (const line of told.notes) note(line);
      text(told.text);
      return 0;
    }),
  );
}

// --- the whole --------------------------------------------------------------------------------------------------------

function wholeCommands(ctl: Command): void {
  const applied = ctl
    .command("apply")
    .argument("<file>", "a configuration; - is standard input")
    .description("a configuration takes the place of the one that runs");
  applied.option("--dry-run", "only say what would change");
  applied.action(
    doing(applied, async (context, file: string, { dryRun = false }: { dryRun?: boolean }) => {
      tell(context, await apply(context.client, file, dryRun), dryRun);
      return 0;
    }),
  );
  const restore = ctl
    .command("restore")
    .argument("[file]", "what was saved", "-")
    .description("what `save` printed takes the place of what runs");
  restore.action(
    doing(restore, async (context, file: string) => {
      tell(context, await apply(context.client, file, false));
      return 0;
    }),
  );
  const save = ctl.command("save").description("prints what runs, as a configuration file");
  save.action(
    doing(save, async ({ client, text }) => {
      text(await saved(client));
      return 0;
    }),
  );
  const reload = ctl.command("reload").description("the director reads its file again, as on SIGHUP");
  reload.action(
    doing(reload, async (context) => {
      tell(context, await context.client.send({ method: "POST", path: "/v1/reload" }));
      return 0;
    }),
  );
}
