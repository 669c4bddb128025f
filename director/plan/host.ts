/** This host, for a plan: its commands, its addresses, and what it remembers. */
import { execFile } from "node:child_process";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { dirname } from "node:path";
import { Address } from "../../core/wire/address.ts";
import type { Before, Finished } from "./apply.ts";
import { type Command, DIRECTOR, type HostName } from "./step.ts";

const LONGEST = 15_000;
/** Administrators' programs are not in everybody's path. */
const { PATH: OWN_PATH = "" } = process.env;
const PATH = [OWN_PATH, "/usr/local/sbin", "/usr/sbin", "/sbin"].join(":");

export function execute({ argv, input }: Command): Promise<Finished> {
  const [program, ...rest] = argv;
  const env = { ...process.env, PATH, LC_ALL: "C" };
  return new Promise((resolve) => {
    const child = execFile(program!, rest, { env, timeout: LONGEST, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : null;
      const missing = error?.code === ("ENOENT" as unknown) ? `${program}: not installed` : String(error?.message);
      resolve({ status, stdout, stderr: status === null ? missing : stderr });
    });
    // A program that is not there reads nothing; the callback tells.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input ?? "");
  });
}

/** Which of a plan's hosts this one is: realservers by their addresses, else the director. */
export function thisHost(hosts: readonly HostName[]): HostName[] {
  const own = Object.values(networkInterfaces())
    .flat()
    .flatMap((at) => (at === undefined ? [] : [String(Address.parse(at.address))]));
  const mine = hosts.filter((host) => own.includes(host));
  return mine.length > 0 ? mine : hosts.filter((host) => host === DIRECTOR);
}

/** One for each network namespace; gone with the next start of the machine, as the settings are. */
export async function recordFile(): Promise<string> {
  const { ino } = await stat("/proc/self/ns/net");
  return `/run/kindred/plan-${ino}.json`;
}

/** Kernel settings before a plan changed them, in a file. */
export class RecordedSettings implements Before {
  readonly #file: string;
  readonly #values: Map<string, string>;

  private constructor(file: string, values: Map<string, string>) {
    this.#file = file;
    this.#values = values;
  }

  static async from(file: string): Promise<RecordedSettings> {
    let text = "{}";
    try {
      text = await readFile(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    const values = JSON.parse(text) as Record<string, string>;
    return new RecordedSettings(file, new Map(Object.entries(values)));
  }

  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  async set(key: string, value: string): Promise<void> {
    this.#values.set(key, value);
    await this.#write();
  }

  async delete(key: string): Promise<void> {
    if (this.#values.delete(key)) await this.#write();
  }

  async #write(): Promise<void> {
    if (this.#values.size === 0) return rm(this.#file, { force: true });
    await mkdir(dirname(this.#file), { recursive: true });
    const fresh = `${this.#file}.new`;
    await writeFile(fresh, `${JSON.stringify(Object.fromEntries(this.#values), null, 2)}\n`, { mode: 0o600 });
    await rename(fresh, this.#file);
  }
}
