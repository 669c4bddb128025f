/** The load programs: C, so that they do not themselves become the limit that is measured. */
import { fileURLToPath } from "node:url";
import { locate, must } from "../lab/process.ts";
import type { Sandbox } from "../lab/sandbox.ts";

/** The sources are not compiled into dist/; from there they are three folders up. */
const SOURCES = new URL(import.meta.url.includes("/dist/") ? "../../../tools/bench/" : "./", import.meta.url);

export type Program = "ftp-server" | "ftp-load" | "ftp-drip" | "bulk" | "engine-loop" | "packet-load" | "tun-loop";

/** Compiles one into the sandbox; returns its path. */
export async function compile(sandbox: Sandbox, program: Program): Promise<string> {
  const compiler = locate("cc") ?? locate("gcc");
  if (compiler === null) throw new Error("no C compiler: the load programs need one (.ci/install installs gcc)");
  const output = sandbox.path(program);
  await must([compiler, "-O2", "-Wall", "-o", output, fileURLToPath(new URL(`${program}.c`, SOURCES))]);
  return output;
}
