/** What shells offer, asked of them. */
import { spawnSync } from "node:child_process";
import t from "tap";
import { configCommand } from "../../director/config/command.ts";
import { ctlCommand } from "../../director/ctl/command.ts";
import { bashScript, zshScript } from "../../tools/completion.ts";

const needs = (shell: string) => (spawnSync(shell, ["-c", "true"]).status === 0 ? {} : { skip: `needs ${shell}` });

/** What is offered in place of the last of `words`. */
function offered(...words: string[]): string[] {
  const script = bashScript([configCommand(), ctlCommand()]);
  const asked = `COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kindred; printf "%s\\n" "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", `${script}\n${asked}`, "bash", "kindred", ...words]);
  t.equal(String(stderr), "");
  return String(stdout).split("\n").filter(Boolean);
}

t.test("bash completes commands, their commands, and options of both", needs("bash"), async (t) => {
  t.same(offered("c"), ["config", "ctl", "completion"]);
  t.same(offered("config", ""), ["schema", "check", "--help"]);
  t.same(offered("ctl", "re"), ["realservers", "related", "refusals", "restore", "reload"]);
  t.same(offered("ctl", "drain", "ftp", "192.168.0.2:21", "--t"), ["--token-file", "--timeout"]);
  t.same(offered("ctl", "--output", "wide", "add", "realserver", "--s"), ["--socket", "--sorry"]);
  t.same(offered("config", "check", "kin"), [], "which leaves it to file names");
});

/** The same of zsh: what it would describe, and whether it goes on to file names. */
function described(...words: string[]): string[] {
  const script = zshScript([configCommand(), ctlCommand()]);
  const asked = `compdef() { }
_describe() { local all=("\${(@P)2}"); local -a fit=(\${(M)all:#\${words[CURRENT]}*}); print -l -- $fit; (( $#fit )) }
_files() { print files }
${script}
words=("$@"); CURRENT=$#; _kindred`;
  const { stdout, stderr } = spawnSync("zsh", ["-f", "-c", asked, "zsh", "kindred", ...words]);
  t.equal(String(stderr), "");
  return String(stdout).split("\n").filter(Boolean);
}

t.test("zsh completes the same, and says what each is for", needs("zsh"), async (t) => {
  t.same(
    described("c").map((one) => one.split(":")[0]),
    ["config", "ctl", "completion"],
  );
  t.same(described("ctl", "rel"), [
    "related:announced connections that have not come yet",
    "reload:the director reads its file again, as on SIGHUP",
  ]);
  t.same(
    described("ctl", "drain", "ftp", "192.168.0.2:21", "--t").map((one) => one.split(":")[0]),
    ["--token-file", "--timeout"],
  );
  t.match(described("ctl", "--ce"), ["--cert:a certificate of one's own"], "a quote stays one");
  t.same(described("config", "check", "kin"), ["files"]);
});
