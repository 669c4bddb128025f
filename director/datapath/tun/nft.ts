/** nft(8), run beside the main thread, which goes on meanwhile: the rules of many services take it a tenth of a second. */
import { type ExecFileException, execFile, spawnSync } from "node:child_process";

/** What it prints, or why it failed: what it says, and of which rule. */
export type Told = { readonly printed: string } | { readonly reason: string };
/** `input`: commands, of any length (an argument has no more than 128 KiB), for `-f -`. */
export type Nft = (options: readonly string[], input?: string) => Promise<Told>;

/** Characters of what nft says, which goes into the log. */
const MOST_SAID = 400;

/** What it prints, or says, at most: the clients of some hundred thousand rows. */
const MOST_PRINTED = 256 * 1024 * 1024;
/** Longer than it takes for the rules of any farm: then it hangs, and whoever waits for it hears of that. */
const PATIENCE = 60_000;

/** Whatever happens is told; it never fails otherwise. */
export const runNft: Nft = (options, input = "") =>
  new Promise((resolve) => {
    const ended = (error: (ExecFileException & { readonly code?: unknown }) | null, printed: string, said: string) =>
      resolve(error === null ? { printed } : { reason: said === "" ? reasonOf(error) : firstOf(said) });
    try {
      const nft = execFile("nft", options, { maxBuffer: MOST_PRINTED, timeout: PATIENCE }, ended);
      // It may end before it has read everything; where descriptors run out, it has none.
      nft.stdin?.on("error", () => {}).end(input);
    } catch (error) {
      resolve({ reason: error instanceof Error ? error.message : String(error) });
    }
  });

const firstOf = (said: string): string => said.split("\n").slice(0, 2).join(": ").slice(0, MOST_SAID);

const reasonOf = ({ code, signal }: ExecFileException): string =>
  typeof code === "string" ? code : `exit status ${code ?? signal}`;

export const hasNft = (): boolean => spawnSync("nft", ["--version"]).status === 0;
