/**
 * Functions of libc, through koffi. Memory is named by its address, a number: that is the cheapest for koffi, and user
 * addresses fit (47 bits).
 */
import { arch, platform } from "node:os";
import { getSystemErrorName } from "node:util";
import type { Reason } from "./transport.ts";

/** Memory that stays where it is. */
export interface Memory {
  readonly bytes: Buffer;
  readonly at: number;
}

export interface Libc {
  /** The function that `signature` declares, as in C. */
  function(signature: string): unknown;
  /** Those of `signatures`, by name. */
  functions<Name extends string>(signatures: Readonly<Record<Name, string>>): Record<Name, unknown>;
  /** Of the last call that failed; asked for at once, before anything else has run. */
  errno(): number;
  memory(size: number): Memory;
  /** Where `bytes` lie: as long as somebody holds them, if they are larger than what V8 keeps in its own heap. */
  addressOf(bytes: Uint8Array): number;
  /** Calls `ready` whenever `fd` is readable, as long as it is; until what it returns is called. */
  poll(fd: number, ready: () => void): () => void;
}

/** The structs and constants of those who call are those of these. */
const KNOWN_ARCHITECTURES: readonly string[] = ["x64", "arm64"];

/** Or why it cannot be had; `what` needs it. */
export async function loadLibc(what: string): Promise<Libc | Reason> {
  if (platform() !== "linux") return `${what} is Linux's, this is ${platform()}`;
  if (!KNOWN_ARCHITECTURES.includes(arch())) return `${what} is known on x64 and arm64, this is ${arch()}`;
  try {
    const { default: koffi } = await import("koffi");
    const library = koffi.load(null);
    const addressOf = (bytes: Uint8Array): number => Number(koffi.address(bytes));
    return {
      function: (signature) => library.func(signature),
      functions: (signatures) =>
        Object.fromEntries(
          Object.entries<string>(signatures).map(([name, signature]) => [name, library.func(signature)]),
        ) as Record<keyof typeof signatures, unknown>,
      errno: koffi.errno,
      memory: (size) => {
        const bytes = Buffer.allocUnsafeSlow(size);
        return { bytes, at: addressOf(bytes) };
      },
      addressOf,
      poll: (fd, ready) => {
        const handle = koffi.node.poll(fd, { readable: true }, ready);
        return () => handle.close();
      },
    };
  } catch (error) {
    return `koffi cannot be loaded: ${firstLine(error)}`;
  }
}

const firstLine = (error: unknown): string => String(error instanceof Error ? error.message : error).split("\n")[0]!;

export const reasonOf = (errno: number): Reason => getSystemErrorName(-errno);
