/** What a scheduler sees of a service's realservers, and what it must do with them. */
import type { Address } from "../wire/address.ts";

/** As `ipvsadm -s` names them; `maglev` is its `mh`. */
export const schedulerNames = ["rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "sh", "maglev"] as const;
export type SchedulerName = (typeof schedulerNames)[number];

/** One realserver of a service, as it is now. */
export interface Candidate {
  /** 0..65535. 0: drained ("quiesced"), serves what it has and gets nothing new. */
  readonly weight: number;
  /** Connections now, control and data. */
  readonly active: number;
  /** Recently closed or half-open ones, as IPVS's inactive. */
  readonly inactive: number;
  /** False: not to be chosen now, because it is down, or has already refused this connection. */
  readonly available: boolean;
  /** Stable identity, unique in the service, e.g. `192.168.0.2:21`. State and hashes hang on it, never on the place in the list. */
  readonly key: string;
}

export interface SchedulingKey {
  readonly client: Address;
  /** A helper's affinity key, which replaces the client's address where the client is hashed. */
  readonly text?: string;
}

export interface Scheduler {
  readonly name: SchedulerName;
  /**
   * Index of the chosen candidate, or -1 when there is none to choose. `candidates` are those of the last `update`, in
   * its order; `active`, `inactive` and `available` may have changed since.
   */
  pick(candidates: readonly Candidate[], key: SchedulingKey): number;
  /** The set changed: candidates were added, removed or reordered, or a weight was changed. */
  update(candidates: readonly Candidate[]): void;
}

/** Whether it may get a new connection. */
export const eligible = (candidate: Candidate): boolean => candidate.available && candidate.weight > 0;
