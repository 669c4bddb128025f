/** Secrets of checks stand in files of their own, read anew each time: they are in no configuration and in no dump. */
import { open } from "node:fs/promises";

/** More than any protocol takes. */
const LONGEST = 1024;

/** The first line; null: it cannot be read, or there is nothing. */
export async function readSecret(file: string): Promise<string | null> {
  try {
    const handle = await open(file, "r");
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(LONGEST), 0, LONGEST, null);
      const [line = ""] = buffer.toString("utf8", 0, bytesRead).split(/[\r\n\0]/, 1);
      return line === "" ? null : line;
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
}
