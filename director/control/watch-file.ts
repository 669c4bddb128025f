/** Tells when a file's text has changed, however its editor writes it: in place, or another put in its place. */
import { type FSWatcher, readFileSync, realpathSync, watch } from "node:fs";
import { basename, dirname, join } from "node:path";

/** What is written in pieces is looked at when it has been whole for this long. */
const SETTLED = 200;

/** Throws where the kernel has no watch left. */
export function watchFile(file: string, changed: () => void): { close(): void } {
  const watchers = new Map<string, FSWatcher>();
  let place = placeOf(file);
  let before = textOf(file);
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    timer = undefined;
    place = placeOf(file) ?? place;
    try {
      follow();
    } catch {
      // It is watched where it was, and SIGHUP loads it as well.
    }
    const text = textOf(file);
    // A file that is away for a moment is about to be replaced.
    if (text === null || text === before) return;
    before = text;
    changed();
  };
  const told = (which: string | null): void => {
    const named = which === null || which === basename(file) || which === basename(place?.real ?? file);
    // A link leads somewhere else when any name on its way does, as those of a ConfigMap of Kubernetes do.
    if (!named && place?.linked !== true) return;
    if (named) clearTimeout(timer);
    if (named || timer === undefined) timer = setTimeout(look, SETTLED);
  };
  const follow = (): void => {
    const folders = new Set([dirname(file), ...(place?.linked === true ? [dirname(place.real)] : [])]);
    for (const folder of folders) {
      if (watchers.has(folder)) continue;
      const watcher = watch(folder, { persistent: false }, (_, which) => told(which));
      watchers.set(
        folder,
        watcher.on("error", () => {}),
      );
    }
    for (const [folder, watcher] of watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      watchers.delete(folder);
    }
  };
  const close = (): void => {
    clearTimeout(timer);
    for (const watcher of watchers.values()) watcher.close();
  };
  try {
    follow();
  } catch (error) {
    close();
    throw error;
  }
  return { close };
}

interface Place {
  /** Where links lead to. */
  readonly real: string;
  /** The file itself is a link. */
  readonly linked: boolean;
}

function placeOf(file: string): Place | null {
  try {
    const real = realpathSync(file);
    return { real, linked: real !== join(realpathSync(dirname(file)), basename(file)) };
  } catch {
    return null;
  }
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return null;
  }
}
