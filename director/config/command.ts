/** `kindred config`: what a configuration may say, and whether one is right. */
import { Command } from "commander";
import { ConfigError, formatConfigError, loadConfig } from "../config.ts";
import { configSchema } from "./json-schema.ts";

const WRONG_INPUT = 2;

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
    .action(async (file: string) => {
      process.exitCode = await check(file);
    });
  return command;
}

async function check(file: string): Promise<number> {
  try {
    await loadConfig(file);
    process.stdout.write(`${file}: correct\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${formatConfigError(error)}\n`);
    return WRONG_INPUT;
  }
}
