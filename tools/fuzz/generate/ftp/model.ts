/**
 * What an FTP dialogue is to the fuzzer: who says what, and what must come of each message. Written from RFC 959, 1123,
 * 2428, 2577 and 4217, without a look at what any helper does with it.
 */
import type { Direction, Transport } from "../../../../core/units.ts";

/** Addresses as text, all of one family. */
export interface Ends {
  readonly client: string;
  readonly virtual: string;
  readonly real: string;
  /** Of the service, on both sides; absent: the first one of its helper. */
  readonly port?: number;
  /** Where the helper has both; absent: TCP. */
  readonly transport?: Transport;
}

export type Kind = "ftp-active" | "ftp-eprt" | "ftp-passive" | "ftp-epsv";

/** An end that one side offers, as that side knows it. */
export interface Offered {
  readonly kind: Kind;
  /** null: the speaker's own, which the message does not write. */
  readonly address: string | null;
  readonly port: number;
  /** The bytes of `said` that name it; all of them name the same. Its receiver finds another end there. */
  readonly at: readonly (readonly [start: number, end: number])[];
}

/**
 * - `same`       its receiver hears it as it is
 * - `announced`  its receiver hears it with the end at which it reaches `offers`
 * - `refused`    its receiver hears a line that offers nothing to anybody
 */
export type Outcome = "same" | "announced" | "refused";

/** A line with its line end, or bytes that are no line (TLS records). */
export interface Message {
  /** One character a byte. */
  readonly said: string;
  readonly outcome: Outcome;
  /** Present where it is announced. */
  readonly offers?: Offered;
  /** What it was made for: the name of the case. For reports. */
  readonly about: string;
}

/** What one side says in one go. */
export interface Turn {
  /** `original`: the client's. */
  readonly speaker: Direction;
  readonly messages: readonly Message[];
}

export interface Dialogue {
  readonly ends: Ends;
  readonly turns: readonly Turn[];
  /** Each message's `outcome` is what must come of it. False: bytes were changed, and nobody knows. */
  readonly exact: boolean;
}

export const saidBy = ({ messages }: Turn): string => messages.map(({ said }) => said).join("");

export const same = (said: string, about: string): Message => ({ said, outcome: "same", about });
export const refused = (said: string, about: string): Message => ({ said, outcome: "refused", about });
export const announced = (said: string, about: string, offers: Offered): Message => ({
  said,
  outcome: "announced",
  about,
  offers,
});

export const client = (...messages: readonly Message[]): Turn => ({ speaker: "original", messages });
export const server = (...messages: readonly Message[]): Turn => ({ speaker: "reply", messages });
