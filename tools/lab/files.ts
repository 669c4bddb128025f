/** Files to transfer, and whether they arrived. */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const MIB = 1 << 20;

/** Nothing at all, more than any buffer between, and several windows. */
export const FILES: Readonly<Record<string, number>> = { "empty.bin": 0, "one.bin": MIB, "five.bin": 5 * MIB };

export function writeFiles(folder: string, names: readonly string[] = Object.keys(FILES)): void {
  for (const name of names) writeFileSync(join(folder, name), randomBytes(FILES[name]!));
}

export const digest = (folder: string, name: string): string =>
  createHash("sha256")
    .update(readFileSync(join(folder, name)))
    .digest("hex");

/** Throws unless each file is the same in both folders. */
export function proveSame(sent: string, received: string, names: readonly string[] = Object.keys(FILES)): void {
  for (const name of names) {
    if (digest(sent, name) !== digest(received, name)) throw new Error(`${name} did not arrive as it was sent`);
  }
}
