/** Colour for a terminal; none anywhere else. */
export type Ink = "error" | "warning" | "info" | "strong" | "good" | "dim";
export type Paint = (ink: Ink, text: string) => string;

/** SGR parameters (ECMA-48 §8.3.117). */
const SGR: Readonly<Record<Ink, number>> = { error: 31, warning: 33, info: 36, strong: 1, good: 32, dim: 2 };

export const plain: Paint = (_ink, text) => text;
const coloured: Paint = (ink, text) => `\u001b[${SGR[ink]}m${text}\u001b[0m`;

/** https://no-color.org: a set NO_COLOR means none. */
export const paintFor = (isTTY: boolean | undefined, noColor: string | undefined): Paint =>
  isTTY === true && (noColor ?? "") === "" ? coloured : plain;
