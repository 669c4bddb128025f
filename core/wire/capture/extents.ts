/** As many as their headers are still in the processor's first cache when they are looked at. */
const MOST = 64;

/**
 * Where the frames lie that come next, for who takes millions of them in place, without a `Frame` filled for each: a column
 * for each number. Plain arrays of numbers are fast from the first packet on, before V8 has optimized anything.
 */
export class Extents {
  /** The captured bytes of frame `i` are `[starts[i], ends[i])` of those that are not read yet. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Seconds since 1970-01-01 UTC. */
  readonly times: Float64Array;
  count = 0;
  /** How many bytes they are together. */
  captured = 0;

  constructor(
    starts: Int32Array = new Int32Array(MOST),
    ends: Int32Array = new Int32Array(MOST),
    times: Float64Array = new Float64Array(MOST),
  ) {
    this.starts = starts;
    this.ends = ends;
    this.times = times;
  }

  clear(): void {
    this.count = 0;
    this.captured = 0;
  }

  get full(): boolean {
    return this.count === this.times.length;
  }

  add(start: number, end: number, time: number): void {
    const { count } = this;
    this.starts[count] = start;
    this.ends[count] = end;
    this.times[count] = time;
    this.count = count + 1;
    this.captured += end - start;
  }
}
