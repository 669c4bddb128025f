/** `kindred top`: a running director, looked at all the time. */
import { Command, Option } from "commander";
import { Client, type Where } from "../client.ts";
import { complain, EXIT, withWhere } from "../context.ts";
import { coloured } from "../output.ts";
import { Live } from "./live.ts";
import { sampled } from "./sample.ts";
import { rendered } from "./text.ts";
import { type Sort, sorts, viewOf } from "./view.ts";

interface Options extends Where {
  readonly interval: number;
  readonly once?: boolean;
  readonly sort: Sort;
  readonly color: boolean;
}

export function topCommand(): Command {
  return withWhere(new Command("top"))
    .description(
      "a running director, looked at all the time: services, realservers, flows, rates, announced connections, refusals; exits 3 when there is none",
    )
    .option("--interval <seconds>", "from one look to the next", Number, 2)
    .option("--once", "look for so long, print it, and end: for scripts")
    .addOption(new Option("--sort <key>", sortsText()).choices(Object.keys(sorts)).default("c"))
    .option("--no-color", "no colours; nor are there any when nobody looks, or NO_COLOR is set")
    .action(async (options: Options) => {
      process.exitCode = await top(options).catch((error: unknown) => complain(error, "top"));
    });
}

const sortsText = (): string =>
  Object.entries(sorts)
    .map(([key, name]) => `${key}: ${name}`)
    .join(", ");

async function top({ interval, once = false, sort, color, ...where }: Options): Promise<number> {
  const { stdout, stdin } = process;
  if (!(interval >= 0.1 && interval <= 3600)) return wrong("--interval is in seconds, 0.1 to 3600");
  if (!once && !stdout.isTTY) return wrong("standard output is no terminal; --once prints it once");
  const client = new Client(where);
  const colour = color && coloured(stdout, process.env);
  const first = await sampled(client);
  if (!once) return new Live({ client, interval: interval * 1000, sort, colour }).run(first, stdout, stdin);
  await new Promise((resolve) => setTimeout(resolve, interval * 1000));
  const { head, realservers, refusals } = viewOf({ before: first, now: await sampled(client), sort });
  const lines = [...head, [], ...realservers, [], ...refusals];
  stdout.write(lines.map((line) => `${rendered(line, Number.POSITIVE_INFINITY, colour).trimEnd()}\n`).join(""));
  return 0;
}

function wrong(text: string): number {
  process.stderr.write(`kindred top: ${text}\n`);
  return EXIT.wrongInput;
}
