/**
 * What a conversation is in any protocol but FTP: who says what, and what must come of it. Written from the protocols'
 * documents, without a look at what any helper does with them.
 */
import type { Direction, Endpoint } from "../../../../core/units.ts";
import { Address } from "../../../../core/wire/address.ts";
import type { Choices } from "../choices.ts";
import { type Dialogue, type Ends, same } from "../ftp/model.ts";

/** The port that every conversation's client has. */
export const CLIENT_PORT = 40000;

/** The end at which its receiver reaches this port of the speaker's. */
export type At = (port: number) => Endpoint;

export interface Said {
  readonly speaker: Direction;
  /** One character a byte. Over TCP any number of them may come in one segment. */
  readonly said: string;
  /** The name of the case, for reports. */
  readonly about: string;
  /** Ports of the speaker's own that are let in because of it, in order; absent: nobody knows. */
  readonly lets?: readonly number[];
  /** What its receiver hears; absent: nobody knows. */
  readonly hears?: (at: At) => string;
}

export type Conversing = (choices: Choices, ends: Ends) => Said[];

/** Nothing is let in, and every byte goes on as it is. */
export const plain = (speaker: Direction, about: string, said: string): Said => ({
  speaker,
  said,
  about,
  lets: [],
  hears: () => said,
});

/** Nothing is let in, and its receiver hears something else. */
export const instead = (speaker: Direction, about: string, said: string, heard: string): Said => ({
  speaker,
  said,
  about,
  lets: [],
  hears: () => heard,
});

/** These ports are let in, and its receiver hears what `written` makes of their ends. */
export const offering = (
  speaker: Direction,
  about: string,
  ports: readonly number[],
  said: string,
  hears: (at: At) => string,
): Said => ({ speaker, said, about, lets: ports, hears });

/** Nothing is let in, whatever is heard. */
export const barred = (speaker: Direction, about: string, said: string): Said => ({ speaker, said, about, lets: [] });

export const u16 = (n: number): string => String.fromCharCode((n >> 8) & 255, n & 255);
export const u32 = (n: number): string => u16(n >>> 16) + u16(n);
/** A length of two bytes, and as many bytes. */
export const counted = (text: string): string => u16(text.length) + text;
export const lines = (...all: readonly string[]): string => all.map((line) => `${line}\r\n`).join("");

/** An address as its bytes, 4 or 16. */
export function packed(text: string): string {
  const { family, words } = Address.parse(text)!;
  return family === 4 ? u32(words[3]) : words.map(u32).join("");
}

/** As a dialogue whose model is left behind. */
export const dialogueOf = (ends: Ends, said: readonly Said[]): Dialogue => ({
  ends,
  turns: said.map(({ speaker, said: text, about }) => ({ speaker, messages: [same(text, about)] })),
  exact: false,
});
