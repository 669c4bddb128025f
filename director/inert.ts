/** Text that others chose, for a terminal: it is read, never obeyed. */

/** Control characters of C0 and C1, and those that hide or turn text round (bidi; UAX #9). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is for
const ACTIVE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\uffff]/g;

const code = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Each such character as its number. */
export const inert = (text: string): string => text.replace(ACTIVE, code);

/** The same in JSON, which stays the JSON that it was. `indented`: its lines end where they should. */
export const inertJson = (value: unknown, indent = 0): string =>
  JSON.stringify(value, null, indent).replace(ACTIVE, (character) =>
    character === "\n" ? character : code(character),
  );
