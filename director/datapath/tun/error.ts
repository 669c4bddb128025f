/** The packet path cannot be had: why, and what to do about it. */
export class PathError extends Error {
  override readonly name = "PathError";
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}
