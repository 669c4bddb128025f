/** A configuration that is correct, but cannot be had by changing what runs. Nothing has changed. */
export class ChangeError extends Error {
  override readonly name = "ChangeError";
  /** In kebab-case. */
  readonly code: string;
  /** What to do instead. */
  readonly remedy: string;

  constructor(code: string, message: string, remedy: string) {
    super(message);
    this.code = code;
    this.remedy = remedy;
  }
}
