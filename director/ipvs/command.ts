/** `kindred import`: what another director was configured with, as a configuration of this one. */
import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { Argument, Command, InvalidArgumentError } from "commander";
import { stringify } from "yaml";
import { Address } from "../../core/wire/address.ts";
import { transportPorts, Wrong } from "../config/formats.ts";
import { type Problem, problemText } from "../config/problem.ts";
import { type Config, ConfigError, checkDocument, type Document, formatConfigError } from "../config.ts";
import type { Marked } from "./document.ts";
import { readDump } from "./dump.ts";
import { helperOf } from "./helper-of.ts";
import { applyRules } from "./import.ts";
import { readKeepalived } from "./keepalived.ts";
import { readLdirectord } from "./ldirectord.ts";
import { printRules } from "./print.ts";
import type { Imported } from "./reading.ts";

const FORMATS: Readonly<Record<string, (text: string, file: string) => Imported>> = {
  ipvsadm: readDump,
  keepalived: readKeepalived,
  ldirectord: readLdirectord,
};

interface ImportOptions {
  readonly mark: ReadonlyMap<number, Marked>;
  readonly as: "yaml" | "ipvsadm";
}

export function importCommand(): Command {
  return new Command("import")
    .description("what another director was told, as a configuration of this one, on standard output")
    .addArgument(new Argument("<format>", "what FILE is").choices(Object.keys(FORMATS)))
    .argument("[file]", "an ipvsadm -S -n dump, a keepalived.conf or an ldirectord.cf; - is standard input", "-")
    .option(
      "--mark <mark=vip,ports>",
      "what carries a firewall mark, as in 1=203.0.113.10,tcp/80,tcp/443 (as often as needed)",
      readMark,
      new Map<number, Marked>(),
    )
    .option("--as <format>", "yaml, or ipvsadm: the rules again, as ipvsadm -S -n writes them", "yaml")
    .action(async (format: string, file: string, options: ImportOptions) => {
      process.exitCode = await run(format, file, options);
    });
}

async function run(format: string, file: string, { mark: marks, as }: ImportOptions): Promise<number> {
  const name = file === "-" ? "standard input" : file;
  let text: string;
  try {
    text = file === "-" ? await readAll(process.stdin) : await readFile(file, "utf8");
  } catch (error) {
    process.stderr.write(`kindred import: ${name} cannot be read: ${(error as NodeJS.ErrnoException).code}\n`);
    return 2;
  }
  const imported = FORMATS[format]!(text, name);
  const say = (problem: Problem): unknown => process.stderr.write(`${problemText(problem)}\n`);
  try {
    const document = applyRules({}, imported, name, { marks, helperOf });
    if (imported.rules.length === 0 && as === "yaml") {
      process.stderr.write(`${name}: no virtual service is in it; is it of ${format}?\n`);
      return 1;
    }
    // A director of the packet path may do all that ipvsadm can ask for.
    const config = checkDocument(document, name, { path: "tun" });
    for (const warning of imported.warnings) say({ ...warning, message: `warning: ${warning.message}` });
    if (as === "ipvsadm") return printAgain(config);
    process.stdout.write(yamlText(document));
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${formatConfigError(error)}\n`);
    return 1;
  }
}

function printAgain(config: Config): number {
  const { text, leftOut } = printRules(config);
  for (const sentence of leftOut) process.stderr.write(`${sentence}\n`);
  process.stdout.write(text);
  return leftOut.length === 0 ? 0 : 1;
}

/** Without the section that is empty. */
const yamlText = (document: Document): string =>
  stringify(Object.fromEntries(Object.entries(document).filter(([, list]) => (list as unknown[]).length > 0)));

function readMark(text: string, before: Map<number, Marked>): Map<number, Marked> {
  const [mark, rest] = text.split("=");
  const [host, ...ports] = rest?.split(",") ?? [];
  const vip = Address.parse(host ?? "");
  const wrong = ports.map(transportPorts).find((one) => one instanceof Wrong);
  if (!/^[1-9]\d*$/.test(mark!) || vip === null || ports.length === 0 || wrong !== undefined) {
    throw new InvalidArgumentError("Write it as in 1=203.0.113.10,tcp/80,tcp/443.");
  }
  return new Map(before).set(Number(mark), { vip, ports });
}
