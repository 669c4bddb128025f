/** `kindred completion`: what a shell is to offer, made of the commands themselves. */
import { Argument, Command } from "commander";

/** `others`: every command but this one. */
export function completionCommand(others: () => Promise<readonly Command[]>): Command {
  return new Command("completion")
    .description("prints what completes commands and options in a shell: source <(kindred completion bash)")
    .addArgument(new Argument("<shell>").choices(["bash"]))
    .action(async () => {
      process.stdout.write(bashScript(await others()));
    });
}

interface Offer {
  /** The words that lead to it, each behind a blank. */
  readonly path: string;
  readonly words: readonly string[];
}

/** Commands and options where they may stand; files anywhere else. */
export function bashScript(commands: readonly Command[]): string {
  const top = { path: "", words: [...commands.map((one) => one.name()), "completion", "--help", "--version"] };
  const offers = [top, ...commands.flatMap((one) => offersOf(one, "", []))];
  const known = offers.slice(1).map(({ path }) => `"${path}"`);
  return `_kindred() {
  local at="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${known.join(" | ")}) at="$at \${COMP_WORDS[i]}" ;;
    esac
  done
  local words=""
  case "$at" in
${offers.map(({ path, words }) => `    "${path}") words="${words.join(" ")}" ;;`).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _kindred kindred
`;
}

/** Options of a command may also stand behind the names of its own commands. */
function offersOf(command: Command, before: string, inherited: readonly string[]): Offer[] {
  const path = `${before} ${command.name()}`;
  const options = [...inherited, ...command.options.map(({ long }) => long!)];
  const inside = command.commands.map((one) => one.name());
  return [
    { path, words: [...inside, ...options, "--help"] },
    ...command.commands.flatMap((one) => offersOf(one, path, options)),
  ];
}
