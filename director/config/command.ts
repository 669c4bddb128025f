/** `kindred config`: what a configuration may say, and whether one is right. */
import { Command, Option } from "commander";
import { ConfigError, type ConfigOptions, formatConfigError, loadConfig } from "../config.ts";
import { configSchema } from "./json-schema.ts";
import { warningText } from "./problem.ts";

const WRONG_INPUT = 2;
const PATHS: readonly NonNullable<ConfigOptions["path"]>[] = ["socket", "tun"];

export function configCommand(): Command {
  const command = new Command("config").description("the configuration's JSON Schema; whether a file is right");
  command
    .command("schema")
    .description("prints the JSON Schema of a configuration, for editors")
    .action(() => void process.stdout.write(`${JSON.stringify(configSchema(), null, 2)}\n`));
  command
    .command("check")
    .argument("[file]", "the configuration file", "kindred.yaml")
    .description("says all that is wrong with a file; exits 2 when something is")
    .addOption(new Option("--path <path>", "the path that `run` is to take").choices(PATHS).default("socket"))
    .action(async (file: string, options: ConfigOptions) => {
      process.exitCode = await check(file, options);
    });
  return command;
}

async function check(file: string, options: ConfigOptions): Promise<number> {
  try {
    const { warnings } = await loadConfig(file, options);
    for (const warning of warnings) process.stderr.write(`${warningText(warning)}\n`);
    process.stdout.write(`${file}: correct\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${formatConfigError(error)}\n`);
    return WRONG_INPUT;
  }
}
