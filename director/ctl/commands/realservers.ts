/** A realserver is given a weight, or drained; flows and what leads to them are ended or forgotten. */
import type { Command } from "commander";
import type { FlowCounts } from "../../control/operated.ts";
import type { Drain, Plan } from "../../control/operator.ts";
import { inertJson } from "../../inert.ts";
import { drained, realserverPath } from "../ask.ts";
import { type Context, doing, EXIT, tell } from "../context.ts";
import { numberOf } from "../written.ts";

export function realserverCommands(ctl: Command): void {
  const weight = ctl
    .command("weight")
    .argument("<service>")
    .argument("<realserver>")
    .argument("<n>")
    .description("a realserver's weight");
  weight.action(
    doing(weight, async (context, service: string, at: string, n: string) => {
      const path = realserverPath(service, at);
      tell(context, await context.client.send({ method: "PATCH", path, body: { weight: numberOf(n) } }));
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
        const patience = Number(timeout) * 1000;
        if (!(patience >= 0)) {
          context.note("kindred ctl: --timeout is in seconds, as in 3600");
          return EXIT.wrongInput;
        }
        const path = realserverPath(service, at);
        const first = await context.client.send<Plan & Drain>({ method: "POST", path: `${path}/drain` });
        if (wait !== true) return tellDrain(context, first);
        const progress = (now: Drain): void => context.note(left(now));
        const last = await drained(context.client, path, { patience, progress });
        tellDrain(context, last);
        return last.left === 0 ? 0 : EXIT.notDrained;
      },
    ),
  );
  endingCommands(ctl);
}

function endingCommands(ctl: Command): void {
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
      doing(
        command,
        async ({ client, say, json }, { service, realserver }: { service?: string; realserver?: string }) => {
          const answer = await client.send<Record<string, number>>({
            method: "POST",
            path,
            body: { service, realserver },
          });
          say(json ? inertJson(answer) : done(answer));
          return 0;
        },
      ),
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
