/** A configuration file's bytes as text, or what is wrong with the file. */
import { open, stat } from "node:fs/promises";
import { ConfigError, type Problem } from "./problem.ts";

const LONGEST = 4 * 1024 * 1024;

export async function readText(file: string): Promise<string> {
  const bytes = await readBytes(file);
  try {
    return decode(bytes);
  } catch {
    throw new ConfigError([notUtf8(bytes, file)]);
  }
}

/** Whether there is a file of that name. */
export const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (status) => status.isFile(),
    () => false,
  );

const decode = (bytes: Uint8Array): string => new TextDecoder("utf-8", { fatal: true }).decode(bytes);

/** As far as whole characters go. */
const decodeBeginning = (bytes: Uint8Array): string =>
  new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });

/** At most `LONGEST`, whatever the file is: a device may have no end. */
async function readBytes(file: string): Promise<Uint8Array> {
  try {
    const handle = await open(file, "r");
    try {
      const pieces: Uint8Array[] = [];
      let length = 0;
      for await (const piece of handle.createReadStream({ autoClose: false })) {
        pieces.push(piece as Uint8Array);
        length += (piece as Uint8Array).length;
        if (length > LONGEST) throw Object.assign(new Error("too long"), { code: "TOO_LONG" });
      }
      return Buffer.concat(pieces);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new ConfigError([unreadable(file, error as NodeJS.ErrnoException)]);
  }
}

const REASONS: Readonly<Record<string, readonly [message: string, remedy: string]>> = {
  ENOENT: ["no such file", "check the name, or write one from the example in the README"],
  ENOTDIR: ["a part of its path is no directory", "check the name"],
  EISDIR: ["is a directory", "give the file in it, as in kindred.yaml"],
  EACCES: ["may not be read", "let the director's user read it (chmod, chown)"],
  TOO_LONG: ["longer than 4 MiB", "give the configuration itself, not data"],
};

function unreadable(file: string, { code, message }: NodeJS.ErrnoException): Problem {
  const [what, remedy] = REASONS[code ?? ""] ?? [`cannot be read: ${message}`, "give a file that can be read"];
  return { file, line: 0, column: 0, path: "", message: what, remedy };
}

/** Points at the first byte of what is no character. */
function notUtf8(bytes: Uint8Array, file: string): Problem {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (decodes(bytes.subarray(0, middle))) good = middle;
    else bad = middle;
  }
  const text = decodeBeginning(bytes.subarray(0, good));
  const lines = text.split("\n");
  const offset = Buffer.byteLength(text);
  const message = `not UTF-8: byte 0x${bytes[offset]?.toString(16).padStart(2, "0")} at offset ${offset}`;
  const remedy = "save the file as UTF-8";
  return { file, line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1, path: "", message, remedy };
}

function decodes(bytes: Uint8Array): boolean {
  try {
    decodeBeginning(bytes);
    return true;
  } catch {
    return false;
  }
}
