/**
 * Changes of the host, made and taken back. What is to be taken back is written to a file before the first change is
 * made, so that whoever comes after a director that was killed can do it. One file for each network namespace.
 */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { PathError } from "./error.ts";
import { type Change, changeText } from "./setup.ts";
import { SETTINGS } from "./surroundings.ts";

interface Journal {
  readonly pid: number;
  /** When that process began, in ticks since the machine did: ids are used again. */
  readonly begun: string;
  readonly undo: readonly Undo[];
}

type Undo =
  | { readonly ip: readonly string[]; readonly lasting?: boolean }
  | { readonly nft: string }
  | { readonly setting: string; readonly value: string };

const FOLDER = "/run/kindred";

/** Where the journal of this network namespace is. */
function journalFile(): string {
  const namespace = /\d+/.exec(readlinkSync("/proc/self/ns/net"))![0];
  return join(FOLDER, `tun-${namespace}.json`);
}

/**
 * Takes back what a director left that was killed, but for what is to last and is among `wanted` again. Returns how much.
 * Throws a PathError when one runs.
 */
export function cleanUp(wanted: readonly Change[]): number {
  const journal = readJournal();
  if (journal === null) return 0;
  if (begunOf(journal.pid) === journal.begun) {
    throw new PathError(`another director runs on this host's packet path (pid ${journal.pid})`, "stop it first");
  }
  const again = new Set(
    wanted
      .flatMap(undoOf)
      .filter(isLasting)
      .map((step) => JSON.stringify(step)),
  );
  const stale = journal.undo.filter((step) => !again.has(JSON.stringify(step)));
  undo(stale);
  rmSync(journalFile(), { force: true });
  return stale.length;
}

/** What this director has changed. */
export class HostChanges {
  /** The journal stays open: whoever gave up root can still empty it. */
  #journal = -1;
  #undo: readonly Undo[] = [];

  /** Makes `changes`; where one fails, takes back those before it and throws a PathError. */
  apply(changes: readonly Change[]): void {
    this.#undo = changes.flatMap(undoOf).reverse();
    this.#journal = writeJournal({ pid: process.pid, begun: begunOf(process.pid)!, undo: this.#undo });
    for (const change of changes) {
      const problem = make(change);
      if (problem === null) continue;
      this.takeBack();
      throw problem;
    }
  }

  takeBack(): void {
    if (this.#journal < 0) return;
    undo(this.#undo);
    ftruncateSync(this.#journal);
    closeSync(this.#journal);
    this.#journal = -1;
  }
}

function make(change: Change): PathError | null {
  if ("setting" in change) return set(change.setting, change.value);
  const [program, options]: [string, readonly string[]] = "ip" in change ? ["ip", change.ip] : ["nft", [change.nft]];
  const { status, stderr, error } = spawnSync(program, options);
  if (error !== undefined) return new PathError(`${program} cannot be run`, `install it, or write "offload: none"`);
  if (status === 0) return null;
  const said = stderr.toString().trim();
  if ("ip" in change && change.lasting === true && said.includes("File exists")) return null;
  const remedy = said.includes("File exists")
    ? "somebody else made one like it: take that away"
    : "nothing was changed";
  return new PathError(`${changeText(change)}: ${said}`, remedy);
}

function set(setting: string, value: string): PathError | null {
  try {
    writeFileSync(join(SETTINGS, setting), value);
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return new PathError(
      `${join(SETTINGS, setting)}: ${code}`,
      "it must be writable: in a container, --privileged, or set it before",
    );
  }
}

function undoOf(change: Change): Undo[] {
  if ("ip" in change) {
    return change.undo === null ? [] : [{ ip: change.undo, ...(change.lasting === true ? { lasting: true } : {}) }];
  }
  if ("nft" in change) return [{ nft: change.undo }];
  try {
    return [{ setting: change.setting, value: readFileSync(join(SETTINGS, change.setting), "latin1").trim() }];
  } catch {
    // Of a device that is not there yet, and goes with it.
    return [];
  }
}

const isLasting = (step: Undo): boolean => "nft" in step || ("ip" in step && step.lasting === true);

/** What is gone already need not be taken back. */
function undo(steps: readonly Undo[]): void {
  for (const step of steps) {
    if ("ip" in step) spawnSync("ip", step.ip);
    else if ("nft" in step) spawnSync("nft", [step.nft]);
    else set(step.setting, step.value);
  }
}

/** Empty: all of it was taken back. */
function readJournal(): Journal | null {
  try {
    return JSON.parse(readFileSync(journalFile(), "utf8")) as Journal;
  } catch {
    return null;
  }
}

/** Only root may write there: whoever could would have root undo what they please. */
function writeJournal(journal: Journal): number {
  const file = journalFile();
  try {
    mkdirSync(FOLDER, { recursive: true, mode: 0o755 });
    const fd = openSync(`${file}.new`, "w", 0o600);
    writeSync(fd, JSON.stringify(journal));
    renameSync(`${file}.new`, file);
    return fd;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new PathError(`${file}: ${code}`, `${FOLDER} must be writable: what is to be taken back is noted there`);
  }
}

/** proc_pid_stat(5), field 22; null: there is no such process. */
function begunOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}
