/** Tells when a file's text has changed, however its editor writes it: in place, or another put in its place. */
import { readFileSync, watch } from "node:fs";
import { basename, dirname } from "node:path";

/** What is written in pieces is looked at when it has been whole for this long. */
const SETTLED = 200;

export function watchFile(file: string, changed: () => void): { close(): void } {
  const name = basename(file);
  let before = textOf(file);
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    const text = textOf(file);
    // A file that is away for a moment is about to be replaced.
    if (text === null || text === before) return;
    before = text;
    changed();
  };
  const watcher = watch(dirname(file), { persistent: false }, (_, which) => {
    if (which !== null && which !== name) return;
    clearTimeout(timer);
    timer = setTimeout(look, SETTLED);
  });
  watcher.on("error", () => {});
  return {
    close() {
      clearTimeout(timer);
      watcher.close();
    },
  };
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return null;
  }
}
