/** A helper that people run today, as a pure model: the segments of a control connection in, what it would do out. */
import type { Direction } from "../../../../core/units.ts";
import { Address } from "../../../../core/wire/address.ts";
import { latin1 } from "../../../../core/wire/text.ts";
import type { Control } from "../../control.ts";
import type { Said } from "../../transcript.ts";

/** Where it would let a connection in; in the terms of who announced it. */
export interface Opened {
  readonly address: Address;
  readonly port: number;
}

/** What became of one segment. */
export interface Judgement {
  readonly frame: number;
  readonly opens: Opened | null;
  /** The segment is dropped, so that its sender must send it again. */
  readonly drops: boolean;
  /** Why, where it opens nothing, or something odd; may be empty. */
  readonly reason: string;
}

export interface Model {
  readonly name: string;
  /** A judgement for each segment that it looks at. */
  judge(control: Pick<Control, "client" | "server">, said: readonly Said[]): Judgement[];
}

export const textOf = ({ bytes }: Said): string => latin1(bytes, 0, bytes.length);

/** The source address of what `direction` sends. */
export const speakerOf = ({ client, server }: Pick<Control, "client" | "server">, direction: Direction): Address =>
  (direction === "original" ? client : server).address;

export const opens = (frame: number, address: Address, port: number, reason = ""): Judgement => ({
  frame,
  opens: { address, port },
  drops: false,
  reason,
});
export const passes = (frame: number, reason: string): Judgement => ({ frame, opens: null, drops: false, reason });
export const drops = (frame: number, reason: string): Judgement => ({ frame, opens: null, drops: true, reason });

export const beginsWith = (text: string, pattern: string): boolean =>
  text.slice(0, pattern.length).toUpperCase() === pattern;

export const isDigit = (character: string | undefined): boolean =>
  character !== undefined && character >= "0" && character <= "9";

/** What C makes of octets in a 32-bit word: those above 255 spill into their neighbour. */
export const spilling = ([a, b, c, d]: readonly number[]): Address =>
  Address.ipv4(((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0);
/** Octets in bytes of their own: those above 255 wrap. */
export const wrapping = (octets: readonly number[]): Address =>
  Address.ipv4(octets.slice(0, 4).reduce((word, octet) => word * 256 + (octet & 255), 0));

/** A delimiter of EPRT and EPSV (RFC 2428 §2), as these helpers take it. */
export const isDelimiter = (character: string | undefined): boolean =>
  character !== undefined && character > " " && character <= "~" && !isDigit(character);
