/** What bash offers, asked of bash. */
import { spawnSync } from "node:child_process";
import t from "tap";
import { configCommand } from "../../director/config/command.ts";
import { ctlCommand } from "../../director/ctl/command.ts";
import { bashScript } from "../../tools/completion.ts";

const { status } = spawnSync("bash", ["-c", "type complete"]);
const options = status === 0 ? {} : { skip: "needs bash" };

/** What is offered in place of the last of `words`. */
function offered(...words: string[]): string[] {
  const script = bashScript([configCommand(), ctlCommand()]);
  const asked = `COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kindred; printf "%s\\n" "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", `${script}\n${asked}`, "bash", "kindred", ...words]);
  t.equal(String(stderr), "");
  return String(stdout).split("\n").filter(Boolean);
}

t.test("bash completes commands, their commands, and options of both", options, async (t) => {
  t.same(offered("c"), ["config", "ctl", "completion"]);
  t.same(offered("config", ""), ["schema", "check", "--help"]);
  t.same(offered("ctl", "re"), ["realservers", "related", "refusals", "restore", "reload"]);
  t.same(offered("ctl", "drain", "ftp", "192.168.0.2:21", "--t"), ["--token-file", "--timeout"]);
  t.same(offered("ctl", "--output", "wide", "add", "realserver", "--s"), ["--socket", "--sorry"]);
  t.same(offered("config", "check", "kin"), [], "which leaves it to file names");
});
