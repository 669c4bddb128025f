/** What core's own reasons mean, in words for operators. A helper's are in its descriptor. */
import type { Helper } from "./api.ts";

const REASONS: Readonly<Record<string, string>> = {
  "control-limit": "its control connection has too many announcements pending",
  "client-limit": "the client has too many announcements pending",
  "total-limit": "too many announcements are pending in all",
  "control-closed": "its control connection is closed",
  unavailable: "no listener could be had for it in time",
  "family-mismatch": "the message cannot carry an address of the other side's family",
  "helper-threw": "the helper failed; the connection is not read any further",
  "helper-broke-contract": "the helper broke its contract; the connection is not read any further",
  "message-too-long":
    "more bytes without the end of a message than may be held; the connection is not read any further",
  "message-too-slow": "a message was not complete in time; it goes on unread",
};

/** `code` in words; the code itself where nobody has any. */
export const reasonText = (helper: Pick<Helper, "reasons">, code: string): string =>
  helper.reasons?.[code] ?? REASONS[code] ?? code;

/** A text, what makes it when somebody reads it, or whose words its code is told in: most are counted, and read by nobody. */
export type Words = string | (() => string) | Pick<Helper, "reasons">;

/** `words` as a text, about `code`. */
export function textOf(words: Words, code: string): string {
  if (typeof words === "string") return words;
  return typeof words === "function" ? words() : reasonText(words, code);
}
