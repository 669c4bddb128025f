/** Names and records as DNS and NetBIOS write them (RFC 1035 §4.1, RFC 1002 §4.2.1). */
import { between, type Choices, pick } from "../choices.ts";
import { u16, u32 } from "./said.ts";

const LABELS = ["www", "example", "com", "EXAMPLE", "a", "\0", "x".repeat(63), "_sip", "\xff\xfe"];

export const label = (text: string): string => String.fromCharCode(text.length) + text;

export const domain = (choices: Choices): string => {
  let name = "";
  for (let n = choices.below(4); n >= 0; n--) name += label(pick(choices, LABELS));
  return `${name}\0`;
};

/** Names that end nowhere, point at themselves, or are too long. */
export const badDomain = (choices: Choices): string =>
  pick(choices, ["\xc0\x0c", "\xc0\xff", "\x40a\0", "\x80a\0", label("x".repeat(63)).repeat(5), "\x3fabc", "\x03ww"]);

/** ID, flags and four counts. */
export const header = (id: number, flags: number, counts: readonly number[]): string =>
  u16(id) + u16(flags) + counts.map(u16).join("");

export const record = (name: string, type: number, data: string): string =>
  name + u16(type) + u16(1) + u32(300) + u16(data.length) + data;

/** An ID; the same often, so that answers meet queries. */
export const anyId = (choices: Choices): number => pick(choices, [1, 1, 2, 0, 0xffff, between(choices, 0, 0xffff)]);
