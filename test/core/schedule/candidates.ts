/** Realservers and clients for the scheduler tests. */
import fc from "fast-check";
import type { Candidate, SchedulingKey } from "../../../core/schedule/scheduler.ts";
import { Address } from "../../../core/wire/address.ts";

export const candidate = (key: string, changes: Partial<Candidate> = {}): Candidate => ({
  key,
  weight: 1,
  active: 0,
  inactive: 0,
  available: true,
  ...changes,
});

export const weighted = (...weights: readonly number[]): Candidate[] =>
  weights.map((weight, i) => candidate(`10.0.0.${i + 1}:21`, { weight }));

/** Client number `n`: 16,777,216 of them, in 10.0.0.0/8. */
export const client = (n: number): SchedulingKey => ({ client: Address.ipv4(0x0a000000 + n) });
export const someone = client(1);

/** Up to nine realservers, of which some are drained or down. */
export const candidates = (maxWeight: number): fc.Arbitrary<Candidate[]> =>
  fc
    .array(
      fc.record({
        weight: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: maxWeight }) }, fc.constant(0)),
        active: fc.integer({ min: 0, max: 5 }),
        inactive: fc.integer({ min: 0, max: 600 }),
        available: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
      }),
      { maxLength: 9 },
    )
    .map((list) => list.map((changes, i) => candidate(`10.0.0.${i + 1}:21`, changes)));

/** Indices of those that may be chosen, by the words of the definition. */
export const choosable = (list: readonly Candidate[]): number[] =>
  list.flatMap(({ weight, available }, i) => (available && weight !== 0 ? [i] : []));
