/**
 * Runs a helper. The only catch around one: a helper that throws, or breaks its contract, loses this connection (it is
 * detached, or with `closed` the connection is dropped) and nothing else.
 */
import type { Direction } from "../units.ts";
import type { Inspection, Inspector } from "./api.ts";
import type { Recorder } from "./recorder.ts";

/** What happens to a connection whose helper failed: it goes on unread, or it ends. */
export type OnFailure = "open" | "closed";

/** The connection must end. */
export interface Failure {
  readonly verdict: "abort";
  readonly consumed: 0;
}

export function runHelper(
  inspector: Inspector,
  payload: Uint8Array,
  direction: Direction,
  recorder: Recorder,
  onFailure: OnFailure = "open",
): Inspection | Failure {
  recorder.clear();
  let broken = "helper-threw";
  try {
    const inspection = inspector.inspect(payload, direction, recorder);
    if (keepsContract(inspection, recorder, payload.length)) return inspection;
    broken = "helper-broke-contract";
  } catch {
    // Counted below under its reason; the bytes that did it are the connection's own and are not logged.
  }
  recorder.clear();
  recorder.fault(broken);
  return onFailure === "open" ? { verdict: "detach", consumed: payload.length } : { verdict: "abort", consumed: 0 };
}

/** The stream ended with `payload` unconsumed: what to refuse of it is in the recorder afterwards. */
export function endHelper(inspector: Inspector, payload: Uint8Array, direction: Direction, recorder: Recorder): void {
  recorder.clear();
  try {
    inspector.end?.(payload, direction, recorder);
    if (keepsContract({ verdict: "pass", consumed: payload.length }, recorder, payload.length)) return;
  } catch {
    // As above.
  }
  recorder.clear();
  recorder.fault("helper-threw");
}

/** What `Inspector.inspect` promises; the shared contract test calls this too. */
export function keepsContract({ consumed }: Inspection, recorder: Recorder, length: number): boolean {
  if (!Number.isInteger(consumed) || consumed < 0 || consumed > length) return false;
  if (recorder.empty) return true;
  if (recorder.expected.length + recorder.refusals.length > 1) return false;
  let end = 0;
  for (const rewrite of recorder.rewrites) {
    if (rewrite.start < end || rewrite.end < rewrite.start || rewrite.end > consumed) return false;
    end = rewrite.end;
  }
  const replaced = [...recorder.refusals, ...recorder.expected.flatMap(({ bundle }) => bundle)];
  return replaced.every(({ instead: { start, end } }) => start >= 0 && start <= end && end <= consumed);
}
