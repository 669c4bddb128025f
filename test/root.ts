import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The repository's folder, whether a test runs as TypeScript or as what was compiled of it into `.tests/`. */
export const ROOT = above(import.meta.dirname);

function above(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : above(dirname(folder));
}
