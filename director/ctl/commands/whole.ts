/** The configuration as a whole: applied, saved, restored, read again. */
import type { Command } from "commander";
import { apply, saved } from "../ask.ts";
import { doing, tell } from "../context.ts";

export function wholeCommands(ctl: Command): void {
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
