/** `kindred ctl`: a running director is looked at and changed. What it can be told is in `commands/`. */
import { Command } from "commander";
import { changeCommands } from "./commands/changes.ts";
import { eventCommands } from "./commands/events.ts";
import { ipvsCommand } from "./commands/ipvs.ts";
import { listCommands } from "./commands/lists.ts";
import { realserverCommands } from "./commands/realservers.ts";
import { wholeCommands } from "./commands/whole.ts";
import { withOutput, withWhere } from "./context.ts";

export function ctlCommand(): Command {
  const command = withOutput(withWhere(new Command("ctl"))).description(
    "looks at a running director, and changes it; exits 1 when it refuses, 2 when what was given is wrong, 3 when there is none, 4 when flows are left",
  );
  const all = [listCommands, eventCommands, changeCommands, realserverCommands, wholeCommands, ipvsCommand];
  for (const add of all) add(command);
  return command;
}
