/** Something that must not be, and what shows it. */

/**
 * - `threw`         the helper threw, or broke its contract
 * - `stalled`       more work than its bytes are worth, or nothing goes on
 * - `grew`          more is held, or said, than may be
 * - `segmentation`  cut otherwise, another outcome
 * - `opened`        an end was opened that nobody may open, or that nobody asked for
 * - `missed`        what is well-formed was not let in
 * - `outlived`      what a control connection announced, or its handle, is there after it
 * - `rewrite`       a text names another end than the one that was put in place
 * - `stream`        the receiver hears something else than the model
 * - `hosts`         socket path, packet engine and replay differ
 */
export type Property =
  | "threw"
  | "stalled"
  | "grew"
  | "segmentation"
  | "opened"
  | "missed"
  | "outlived"
  | "rewrite"
  | "stream"
  | "hosts";

export interface Violation {
  readonly property: Property;
  readonly message: string;
}

export const violation = (property: Property, message: string): Violation => ({ property, message });
