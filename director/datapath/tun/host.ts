/**
 * Changes of the host, made and taken back. What is to be taken back is written to a file before the first change is
 * made, so that whoever comes after a director that was killed can do it. One file for each network namespace. What ip(8) and
 * nft(8) take back they know by all that they were told of it; a setting has nothing but its value.
 */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Calls } from "./calls.ts";
import { AF_INET, SO_NETNS_COOKIE, SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET } from "./calls.ts";
import { type Change, changeText } from "./change.ts";
import { PathError } from "./error.ts";
import { SETTINGS, settingOf } from "./surroundings.ts";

interface Journal {
  readonly pid: number;
  /** When that process began, in ticks since the machine did: ids are used again. */
  readonly begun: string;
  readonly undo: readonly Undo[];
}

type Undo =
  | { readonly ip: readonly string[] }
  | { readonly nft: string }
  /** `made`: what it was set to. Who finds another value there leaves it: somebody else has set it since. */
  | { readonly setting: string; readonly value: string; readonly made: string };

/** What became of what was to be taken back. */
export interface TakenBack {
  readonly changes: number;
  /** Settings that are not what they were set to any more, as sentences. */
  readonly leftAlone: readonly string[];
}

const FOLDER = "/run/kindred";
const JOURNAL = /^tun-\d+\.json$/;

/**
 * Where the journal of this network namespace is. The number of its inode is the next one's when it is gone, with all that
 * there was to be taken back; its cookie is nobody else's.
 */
export function journalFile(calls: Calls): string {
  const namespace = netnsCookie(calls) ?? /\d+/.exec(readlinkSync("/proc/self/ns/net"))![0];
  return join(FOLDER, `tun-${namespace}.json`);
}

/** null: Linux has none before 5.14. */
function netnsCookie(calls: Calls): string | null {
  const socket = calls.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return null;
  const [cookie, length] = [calls.memory(8), calls.memory(4)];
  length.bytes.writeUInt32LE(8);
  const status = calls.getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, cookie.at, length.at);
  calls.close(socket);
  return status < 0 ? null : cookie.bytes.readBigUInt64LE().toString();
}

/**
 * Takes back what a director left that was killed, but for what is to last and is among `wanted` again. Throws a PathError
 * when one runs.
 */
export function cleanUp(file: string, wanted: readonly Change[]): TakenBack {
  removeEmpty();
  const journal = readJournal(file);
  if (journal === null) return NOTHING;
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
  const taken = undo(stale);
  rmSync(file, { force: true });
  return taken;
}

const NOTHING: TakenBack = { changes: 0, leftAlone: [] };

/** A change that was made, and what takes it back. */
interface Made {
  readonly change: Change;
  readonly undo: readonly Undo[];
}

/** What this director has changed. */
export class HostChanges {
  readonly #file: string;
  /** The journal stays open: whoever gave up root can still write it. */
  #journal = -1;
  #made: readonly Made[] = [];

  /** `file`: its journal. */
  constructor(file: string) {
    this.#file = file;
  }

  /**
   * Makes those of `changes` that were not made yet, and returns what takes these back; where one fails, takes back those
   * before it and throws a PathError.
   */
  apply(changes: readonly Change[]): () => void {
    const known = new Set(this.#made.map(({ change }) => JSON.stringify(change)));
    const fresh = changes
      .filter((change) => !known.has(JSON.stringify(change)))
      .map((change) => ({ change, undo: undoOf(change) }));
    const before = this.#made;
    if (fresh.length === 0 && before.length > 0) return () => {};
    const takeBack = (): void => {
      undo(stepsBack(fresh));
      this.#note(before);
    };
    this.#note([...before.filter(({ change }) => !fresh.some((made) => replaces(made.change, change))), ...fresh]);
    for (const { change } of fresh) {
      const problem = make(change);
      if (problem === null) continue;
      takeBack();
      throw problem;
    }
    return takeBack;
  }

  /**
   * Takes back ways that are not among `wanted`, but for those of `addresses`; false: of these, some are left. Settings
   * stay as they were made until the end.
   */
  keep(wanted: readonly Change[], addresses: readonly string[]): boolean {
    const texts = new Set(wanted.map((change) => JSON.stringify(change)));
    const unwanted = this.#made.filter(({ change }) => isWay(change) && !texts.has(JSON.stringify(change)));
    const stale = unwanted.filter(({ change }) => !addresses.some((address) => isOf(change, address)));
    if (stale.length > 0) this.#remove(stale);
    return stale.length === unwanted.length;
  }

  get changes(): readonly Change[] {
    return this.#made.map(({ change }) => change);
  }

  /** Takes back those changes before the end. */
  withdraw(which: (change: Change) => boolean): void {
    this.#remove(this.#made.filter(({ change }) => which(change)));
  }

  #remove(stale: readonly Made[]): void {
    undo(stepsBack(stale));
    // What would have gone with its device.
    for (const { change } of stale) if ("ip" in change && change.undo === null) undo([{ ip: reverseOf(change.ip) }]);
    this.#note(this.#made.filter((made) => !stale.includes(made)));
  }

  takeBack(): TakenBack {
    if (this.#journal < 0) return NOTHING;
    const taken = undo(stepsBack(this.#made));
    this.#made = [];
    ftruncateSync(this.#journal);
    closeSync(this.#journal);
    this.#journal = -1;
    removeEmpty();
    return taken;
  }

  /** Before it is so. */
  #note(made: readonly Made[]): void {
    this.#made = made;
    const journal = { pid: process.pid, begun: begunOf(process.pid)!, undo: stepsBack(made) };
    if (this.#journal < 0) this.#journal = writeJournal(this.#file, journal);
    else rewriteJournal(this.#journal, journal);
  }
}

/** The last made is the first taken back. */
const stepsBack = (made: readonly Made[]): Undo[] => made.flatMap(({ undo }) => undo).reverse();

/** What is added, and can be taken away again while others stay: routes, rules, neighbours. */
const isWay = (change: Change): change is Extract<Change, { readonly ip: unknown }> =>
  "ip" in change && change.ip.includes("add");

const isOf = (change: Change, address: string): boolean =>
  "ip" in change && change.ip.some((word) => word === address || word.startsWith(`${address}/`));

const reverseOf = (ip: readonly string[]): string[] => ip.with(ip.indexOf("add"), "del");

/** The same setting of the same device, with another value. */
const replaces = (after: Change, before: Change): boolean =>
  "ip" in after &&
  "ip" in before &&
  isSetting(after.ip) &&
  after.ip.slice(0, 4).join() === before.ip.slice(0, 4).join();

const isSetting = ([of, what]: readonly string[]): boolean => of === "link" && what === "set";

function make(change: Change): PathError | null {
  if ("setting" in change) return set(change.setting, change.value);
  const [program, options]: [string, readonly string[]] = "ip" in change ? ["ip", change.ip] : ["nft", [change.nft]];
  const { status, stderr, error } = spawnSync(program, options);
  if (error !== undefined) return new PathError(`${program} cannot be run`, `install it, or write "offload: none"`);
  if (status === 0) return null;
  const said = stderr.toString().trim();
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
  if ("ip" in change) return change.undo === null ? [] : [{ ip: change.undo }];
  if ("nft" in change) return [{ nft: change.undo }];
  const { setting, value: made } = change;
  const value = settingOf(setting);
  // Of a device that is not there yet, and goes with it.
  return value === null ? [] : [{ setting, value, made }];
}

const isLasting = (step: Undo): boolean => "nft" in step;

/** What is gone already need not be taken back. */
function undo(steps: readonly Undo[]): TakenBack {
  let changes = 0;
  const leftAlone: string[] = [];
  for (const step of steps) {
    const others = "setting" in step ? settingOfOthers(step) : null;
    if (others !== null) leftAlone.push(others);
    else if (undone(step)) changes++;
  }
  return { changes, leftAlone };
}

/** null: it is as it was made, as it was before, or gone. */
function settingOfOthers({ setting, value, made }: Extract<Undo, { readonly setting: string }>): string | null {
  const found = settingOf(setting);
  const known = found === null || found === made || found === value;
  return known ? null : `${setting} is ${found}, and was set to ${made}`;
}

function undone(step: Undo): boolean {
  if ("setting" in step) return set(step.setting, step.value) === null;
  const { status } = "ip" in step ? spawnSync("ip", step.ip) : spawnSync("nft", [step.nft]);
  return status === 0;
}

/** Empty: all of it was taken back. */
function readJournal(file: string): Journal | null {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Journal;
  } catch {
    return null;
  }
}

/** In place: it is never empty, and never half of one. */
function rewriteJournal(fd: number, journal: Journal): void {
  const text = Buffer.from(JSON.stringify(journal));
  const { size } = fstatSync(fd);
  writeSync(fd, Buffer.concat([text, Buffer.alloc(Math.max(0, size - text.length), " ")]), 0, undefined, 0);
}

/** Journals of which all was taken back. Whoever gave up root cannot remove his own; the next one does. */
function removeEmpty(): void {
  try {
    for (const name of readdirSync(FOLDER)) {
      const file = join(FOLDER, name);
      if (JOURNAL.test(name) && statSync(file).size === 0) rmSync(file, { force: true });
    }
  } catch {
    // There is no such folder, or it is not ours.
  }
}

/** Only root may write there: whoever could would have root undo what they please. */
function writeJournal(file: string, journal: Journal): number {
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
