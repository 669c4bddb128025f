/** `kindred completion`: what a shell is to offer, made of the commands themselves. */
import { Argument, Command } from "commander";

/** `others`: every command but this one. */
export function completionCommand(others: () => Promise<readonly Command[]>): Command {
  return new Command("completion")
    .description("prints what completes commands and options in a shell: source <(kindred completion bash)")
    .addArgument(new Argument("<shell>").choices(["bash", "zsh"]))
    .action(async (shell: "bash" | "zsh") => {
      const script = { bash: bashScript, zsh: zshScript }[shell];
      process.stdout.write(script(await others()));
    });
}

interface Word {
  readonly text: string;
  /** What it is for. */
  readonly about: string;
}

interface Offer {
  /** The words that lead to it, each behind a blank. */
  readonly path: string;
  readonly words: readonly Word[];
}

const HELP: Word = { text: "--help", about: "what there is" };

/** Commands and options where they may stand. */
function offersIn(commands: readonly Command[]): Offer[] {
  const top = [
    ...commands.map(wordOf),
    { text: "completion", about: "what completes commands and options in a shell" },
    HELP,
    { text: "--version", about: "which version it is" },
  ];
  return [{ path: "", words: top }, ...commands.flatMap((one) => offersOf(one, "", []))];
}

const wordOf = (command: Command): Word => ({ text: command.name(), about: command.description() });

/** Options of a command may also stand behind the names of its own commands. */
function offersOf(command: Command, before: string, inherited: readonly Word[]): Offer[] {
  const path = `${before} ${command.name()}`;
  const options = [
    ...inherited,
    ...command.options.map(({ long, description }) => ({ text: long!, about: description })),
  ];
  const inside = command.commands.map(wordOf);
  return [
    { path, words: [...inside, ...options, HELP] },
    ...command.commands.flatMap((one) => offersOf(one, path, options)),
  ];
}

/** Where the words that are written already lead: `at`. Files are offered where nothing else is. */
const cases = (offers: readonly Offer[]): string =>
  offers
    .slice(1)
    .map(({ path }) => `"${path}"`)
    .join(" | ");

export function bashScript(commands: readonly Command[]): string {
  const offers = offersIn(commands);
  const texts = ({ words }: Offer): string => words.map(({ text }) => text).join(" ");
  return `_kindred() {
  local at="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${cases(offers)}) at="$at \${COMP_WORDS[i]}" ;;
    esac
  done
  local words=""
  case "$at" in
${offers.map((one) => `    "${one.path}") words="${texts(one)}" ;;`).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _kindred kindred
`;
}

/** As a function for `$fpath`, or to be sourced (zshcompsys(1)). */
export function zshScript(commands: readonly Command[]): string {
  const offers = offersIn(commands);
  const described = ({ words }: Offer): string => words.map(quoted).join(" ");
  return `#compdef kindred
_kindred() {
  local at="" i
  for ((i = 2; i < CURRENT; i++)); do
    case "$at $words[i]" in
      (${cases(offers)}) at="$at $words[i]" ;;
    esac
  done
  local -a offered
  case "$at" in
${offers.map((one) => `    ("${one.path}") offered=(${described(one)}) ;;`).join("\n")}
  esac
  _describe kindred offered || _files
}
if [[ "$funcstack[1]" == _kindred ]]; then _kindred "$@"; else compdef _kindred kindred; fi
`;
}

/** `'word:what it is for'`, in which a colon ends the word, and a quote the string. */
function quoted({ text, about }: Word): string {
  const said = `${text.replaceAll(":", "\\:")}:${about.split("\n")[0]}`;
  return `'${said.replaceAll("'", "'\\''")}'`;
}
