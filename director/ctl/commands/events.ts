/** What happens, as it happens; and what runs. */
import type { Command } from "commander";
import type { Event } from "../../control/events.ts";
import { inertJson } from "../../inert.ts";
import { doing } from "../context.ts";
import { eventLine } from "../watch.ts";

export function eventCommands(ctl: Command): void {
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
