/** The findings of one capture, for who wants nothing else of it. */
import { runReplay } from "../replay.ts";
import type { Report } from "./report.ts";

export interface Found {
  readonly code: string;
  readonly severity: "error" | "warning" | "info";
  readonly frames: readonly number[];
  readonly message: string;
  readonly remedy: string;
  /** Whose control connection it is about, as text; null: the capture as a whole. */
  readonly server: string | null;
}

/** What is found in `file`, or why it cannot be read. */
export async function foundIn(file: string): Promise<Found[] | string> {
  let text = "";
  let wrong = "";
  const io = {
    stdout: { write: (piece: string) => (text += piece) },
    stderr: { write: (piece: string) => (wrong += piece) },
  };
  const status = await runReplay([file], { json: true }, io);
  if (status !== 0) return wrong.trim();
  const { findings, controls } = JSON.parse(text) as Report;
  return findings.map(({ control, ...rest }) => ({
    ...rest,
    // In JSON an address is its text.
    server: (controls.find(({ id }) => id === control)?.server.address as unknown as string | undefined) ?? null,
  }));
}
