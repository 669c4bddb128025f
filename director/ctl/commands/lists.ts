/** Lists of what is there: services, realservers, connections, announcements, counters, refusals. */
import type { Command } from "commander";
import { quote } from "../../config/problem.ts";
import type { Event } from "../../control/events.ts";
import type { ServiceState } from "../../control/operated.ts";
import { pages } from "../ask.ts";
import { Refused } from "../client.ts";
import { doing } from "../context.ts";
import * as lists from "../lists.ts";
import type { Column } from "../output.ts";

/** What a list is narrowed to. */
interface Filter {
  readonly service?: string;
  readonly realserver?: string;
  readonly client?: string;
  readonly role?: string;
}

export function listCommands(ctl: Command): void {
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
      if (service !== undefined && wanted.length === 0) {
        const remedy = `known: ${items.map(({ name }) => name).join(", ")}`;
        throw new Refused(404, { error: "no-such-service", message: `${quote(service)} is no service`, remedy });
      }
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
