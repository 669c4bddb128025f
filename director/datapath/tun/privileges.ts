/**
 * What a director that forwards still needs is CAP_NET_ADMIN, to take back what it changed; and only its main thread, from
 * which ip(8) is run. Everything else goes: the user becomes `nobody`, in all threads (nptl(7)).
 */
import { reasonOf } from "../libc.ts";
import type { Calls } from "./calls.ts";

const CAP_NET_ADMIN = 12;
/** linux/prctl.h */
const PR_SET_KEEPCAPS = 8;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_LOWER = 3;
/** _LINUX_CAPABILITY_VERSION_3: two words each of effective, permitted and inheritable capabilities. */
const VERSION = 0x20080522;
const NOBODY = 65534;

/** What this process has left, for the programs that it runs; null: it gave up nothing. */
let left: Calls | null = null;

/** Of root only: whoever runs as somebody else was given what they have. Returns why it could not be done. */
export function giveUpRoot(calls: Calls): string | null {
  if (process.getuid?.() !== 0) return null;
  if (calls.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return reasonOf(calls.errno());
  const reason = becomeNobody();
  if (reason !== null) return reason;
  const header = calls.memory(8);
  header.bytes.writeUInt32LE(VERSION, 0);
  header.bytes.writeUInt32LE(0, 4);
  const sets = calls.memory(24);
  sets.bytes.fill(0);
  for (const set of [0, 4, 8]) sets.bytes.writeUInt32LE(1 << CAP_NET_ADMIN, set);
  if (calls.capset(header.at, sets.at) < 0) return reasonOf(calls.errno());
  left = calls;
  return ambient(calls, PR_CAP_AMBIENT_RAISE) < 0 ? reasonOf(calls.errno()) : null;
}

/** A user namespace may know nobody, and set no groups. */
function becomeNobody(): string | null {
  try {
    process.setgroups!([]);
    process.setgid!(NOBODY);
    process.setuid!(NOBODY);
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** What `job` spawns in this thread, before it returns, is not given what this process has left. */
export function withoutPrivileges<T>(job: () => T): T {
  if (left === null) return job();
  ambient(left, PR_CAP_AMBIENT_LOWER);
  try {
    return job();
  } finally {
    ambient(left, PR_CAP_AMBIENT_RAISE);
  }
}

const ambient = (calls: Calls, change: number): number => calls.prctl(PR_CAP_AMBIENT, change, CAP_NET_ADMIN, 0, 0);
