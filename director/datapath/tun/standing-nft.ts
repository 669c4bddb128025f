/** A standing nft(8), which the forwarding thread writes to: a process for each element would cost milliseconds. */
import { spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { reasonOf } from "../libc.ts";
import { type Calls, O_CLOEXEC } from "./calls.ts";
import { PathError } from "./error.ts";

/** Descriptors of its input, and of what it says. */
export interface StandingNft {
  readonly input: number;
  readonly output: number;
}

/** Throws a PathError where there are no descriptors left. */
export function startNft(calls: Calls): StandingNft {
  const [input, output] = [pipe(calls), pipe(calls)];
  const nft = spawn("nft", ["--interactive", "--echo"], { stdio: [input.read, output.write, output.write] });
  nft.on("error", () => {}).unref();
  closeSync(input.read);
  closeSync(output.write);
  return { input: input.write, output: output.read };
}

/** It ends with its input. */
export function endNft({ input, output }: StandingNft): void {
  closeSync(input);
  closeSync(output);
}

function pipe(calls: Calls): { readonly read: number; readonly write: number } {
  const ends = calls.memory(8);
  if (calls.pipe2(ends.at, O_CLOEXEC) < 0)
    throw new PathError(`pipe: ${reasonOf(calls.errno())}`, "nothing was changed");
  return { read: ends.bytes.readInt32LE(0), write: ends.bytes.readInt32LE(4) };
}
