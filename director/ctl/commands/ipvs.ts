/** ipvsadm's words, as they are. */
import type { Command } from "commander";
import { doing, EXIT } from "../context.ts";
import { isIpvsadm, tellIpvs } from "../ipvs.ts";

/** `ctl -A …` is `ctl ipvs -A …`: options of another program, which commander is to leave alone. */
export function withIpvsWords(args: readonly string[]): readonly string[] {
  let at = 0;
  while (OWN.includes(args[at] ?? "")) at += 2;
  return isIpvsadm(args[at] ?? "") ? [...args.slice(0, at), "ipvs", ...args.slice(at)] : args;
}

/** Those of our own that may stand before, each with a value. */
const OWN: readonly string[] = ["--socket", "--url", "--token-file", "--ca", "--cert", "--key"];

export function ipvsCommand(ctl: Command): void {
  const ipvs = ctl
    .command("ipvs")
    .argument("[words...]")
    .allowUnknownOption()
    .helpOption(false)
    .description("ipvsadm's own words, as in `ctl -A -t 203.0.113.10:21 -s wlc`, `ctl -S -n`, `ctl -R < rules`");
  ipvs.action(
    doing(ipvs, async ({ client, text, note }, words: readonly string[]) => {
      if (words.length === 0 || !isIpvsadm(words[0]!)) {
        note("kindred ctl: write one of ipvsadm's words: -A -E -D -C -a -e -d -L -S -R");
        return EXIT.wrongInput;
      }
      const told = await tellIpvs(client, words, process.stdin);
      for (const line of told.notes) note(line);
      text(told.text);
      return 0;
    }),
  );
}
