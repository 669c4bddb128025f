/** What `kindred replay` found in a capture, as far as the doctor needs it. */
export interface CaptureFinding {
  readonly code: string;
  readonly severity: "error" | "warning" | "info";
  readonly frames: readonly number[];
  readonly message: string;
  readonly remedy: string;
  /** Whose control connection it is about, as text; null: the capture as a whole. */
  readonly server: string | null;
}

/** Why the capture cannot be read, where it cannot. */
export type ReadCapture = (file: string) => Promise<readonly CaptureFinding[] | string>;
