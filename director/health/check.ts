/** What every check of a protocol is: one question to a realserver, and what its answer is worth. */
import type { Endpoint, Port } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import type { CheckConfig } from "../config.ts";

export interface Target {
  readonly service: string;
  /** As it is known to the path: `192.168.0.2:21`. */
  readonly realserver: string;
  readonly address: Address;
  readonly port: Port;
  /** What clients of the service know. */
  readonly virtual: Endpoint;
  readonly check: CheckConfig;
}

/** null: it serves; else why not, in a word for the log: kebab-case, or an errno name. Never what it sent. */
export type Verdict = string | null;

/** Asks once; never rejects. Once `signal` is aborted nothing of it stays, and what it settles with means nothing. */
export type Check = (target: Target, signal: AbortSignal) => Promise<Verdict>;

export const GOOD = null;
export const STOPPED = "stopped";
/** The director cannot read the secret: no fault of the realserver's. */
export const NO_SECRET = "no-secret";
/** Nor can it run the program that asks. */
export const CANNOT_RUN = "cannot-run";
/** It rejected, against what is said above. */
export const BROKEN = "check-broken";
