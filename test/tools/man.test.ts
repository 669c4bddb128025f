/** The manual page beside the command line. */
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import t from "tap";
import { configCommand } from "../../director/config/command.ts";
import { ctlCommand } from "../../director/ctl/command.ts";
import { topCommand } from "../../director/ctl/top/command.ts";
import { doctorCommand } from "../../director/doctor/command.ts";
import { importCommand } from "../../director/ipvs/command.ts";
import { runCommand } from "../../director/main.ts";
import { planCommand } from "../../director/plan/command.ts";
import { completionCommand } from "../../tools/completion.ts";
import { demoCommand } from "../../tools/demo/command.ts";
import { fuzzCommand } from "../../tools/fuzz.ts";
import { replayCommand } from "../../tools/replay/command.ts";

const commands: readonly Command[] = [
  runCommand(),
  ctlCommand(),
  topCommand(),
  configCommand(),
  planCommand(),
  doctorCommand(async () => []),
  importCommand(),
  replayCommand(),
  fuzzCommand(),
  demoCommand(async () => ({ stop: async () => {} })),
  completionCommand(async () => []),
];

/** By the command's words: its options. */
type Words = Readonly<Record<string, readonly string[]>>;

function wordsOf(command: Command, before = ""): Words {
  const name = `${before}${command.name()}`;
  const options = command.options.map(({ long }) => long!).sort();
  return Object.assign({ [name]: options }, ...command.commands.map((one) => wordsOf(one, `${name} `)));
}

/** What has a subsection, and the options that are items of its list. */
function wordsIn(page: string): Words {
  const [, commands] = page.split(".Sh COMMANDS\n");
  const sections = commands!
    .split("\n.Sh ")[0]!
    .split(/^\.Ss /m)
    .slice(1);
  return Object.fromEntries(
    sections.map((section) => [
      section.split("\n")[0]!,
      [...section.matchAll(/^\.It .*Fl (-\S+)/gm)].map(([, name]) => `-${name}`).sort(),
    ]),
  );
}

t.test("every command and every option stands in the manual page, and none other", async (t) => {
  const page = await readFile("packaging/man/kindred.8", "utf8");
  t.same(wordsIn(page), Object.assign({}, ...commands.map((one) => wordsOf(one))));
});

t.test("the commands looked at here are those that the command line has", async (t) => {
  const source = await readFile("tools/kindred.ts", "utf8");
  const names = [...source.matchAll(/^ {4}(\w+): async \(\) =>/gm)].map(([, name]) => name!);
  t.same(names.sort(), commands.map((one) => one.name()).sort());
});
