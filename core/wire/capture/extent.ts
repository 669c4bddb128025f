/** Where a frame lies, for who takes millions of them in place, without a `Frame` filled for each. */
export class Extent {
  /** The captured bytes are `[start, end)` of those that are not read yet. */
  start = 0;
  end = 0;
  /** Seconds since 1970-01-01 UTC. */
  time = Number.NaN;
}
