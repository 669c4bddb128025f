/**
 * A program of the operator's own: status 0 is good, as of ldirectord's `checktype=external` and keepalived's MISC_CHECK.
 * It is run without a shell, in a process group of its own that ends with it, hears nothing, and nobody reads what it says.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { withoutPrivileges } from "../datapath/tun/privileges.ts";
import { CANNOT_RUN, type Check, GOOD, STOPPED, type Target } from "./check.ts";

export const script: Check = (target, signal) => {
  if (signal.aborted) return Promise.resolve(STOPPED);
  const child = begun(target);
  if (child === null) return Promise.resolve(CANNOT_RUN);
  return new Promise((resolve) => {
    const stop = (): void => endGroup(child.pid);
    signal.addEventListener("abort", stop);
    child
      .on("error", () => {
        signal.removeEventListener("abort", stop);
        resolve(CANNOT_RUN);
      })
      .on("exit", (status, killedBy) => {
        signal.removeEventListener("abort", stop);
        endGroup(child.pid); // What it has left behind.
        if (signal.aborted) resolve(STOPPED);
        else resolve(status === 0 ? GOOD : status === null ? `killed-${killedBy?.toLowerCase()}` : `status-${status}`);
      });
  });
};

/** null: it cannot be run. Of some reasons spawn tells later, of others (ETXTBSY, ENOTDIR, ELOOP, ENOMEM) at once. */
function begun(target: Target): ChildProcess | null {
  const facts = factsOf(target);
  const [program, ...rest] = target.check.command!;
  const words = rest.map((word) => filledIn(word, facts));
  try {
    const env = { PATH, ...environment(facts) };
    return withoutPrivileges(() => spawn(program!, words, { detached: true, stdio: "ignore", cwd: "/", env }));
  } catch {
    return null;
  }
}

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

type Facts = ReadonlyMap<string, string>;

/** What it may be told, by the name that stands in braces for it in its command. */
const factsOf = ({ service, address, port, virtual }: Target): Facts =>
  new Map([
    ["service", service],
    ["address", address.toString()],
    ["port", String(port)],
    ["vip", virtual.address.toString()],
    ["virtualPort", String(virtual.port)],
  ]);

/** `{address}`, as a word of its own. */
const filledIn = (word: string, facts: Facts): string =>
  (word.startsWith("{") && word.endsWith("}") ? facts.get(word.slice(1, -1)) : undefined) ?? word;

/** `virtualPort` as KINDRED_VIRTUAL_PORT. */
const environment = (facts: Facts): Record<string, string> =>
  Object.fromEntries(
    [...facts].map(([name, value]) => [`KINDRED_${name.replace(/[A-Z]/g, "_$&").toUpperCase()}`, value]),
  );

/** Its process group has its own number. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left of it.
  }
}
