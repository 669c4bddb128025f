/** Services and realservers come, change and go. */
import type { Command } from "commander";
import { schedulerNames } from "../../../core/schedule/scheduler.ts";
import type { Plan } from "../../control/operator.ts";
import { realserverPath, servicePath } from "../ask.ts";
import { type Context, doing, tell } from "../context.ts";
import { numberOf, realserverOf, serviceOf, type Written } from "../written.ts";

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

function withServiceOptions(command: Command): Command {
  return command
    .option("--vip <address>", "what clients connect to")
    .option("--port <transport/port>", "tcp/21, udp/6970-7170; several times for several", collect)
    .option("--helper <name>", "reads the control connections; none: nobody does")
    .option("--scheduler <name>", schedulerNames.join(", "))
    .option("--persistence <time>", "how long a client stays, as in 300s; none: not at all")
    .option("--netmask <bits>", "of the client's network that stays together", numberOf);
}

const withRealserverOptions = (command: Command): Command =>
  command
    .option("--weight <n>", "0 takes no new clients", numberOf)
    .option("--method <method>", "nat, dr, tunnel")
    .option("--sorry", "serves only whom none of the others will")
    .option("--no-sorry", "serves as the others do")
    .option("--announces <address>", "that it may announce beside its own; several times for several", collect)
    .option("--passive-ports <first-last>", "where its encrypted data connections go");

export function changeCommands(ctl: Command): void {
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
