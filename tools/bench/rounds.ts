/**
 * Contestants measured in turns, A B C, C B A: what disturbs the machine for a while disturbs all of them, and who comes
 * first is last the next time.
 */

export interface Contestant {
  readonly name: string;
  measure(): Promise<number>;
}

export interface Settings {
  readonly rounds: number;
  readonly seconds: number;
  /** Where the director's CPU profile goes, if it is wanted. */
  readonly profile: string | null;
  /** Only cases whose name has this in it. */
  readonly only: string;
}

/** The runs of each, by name. The first turn of each warms up and is not counted. */
export async function takeTurns(contestants: readonly Contestant[], rounds: number): Promise<Map<string, number[]>> {
  const runs = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, measure } of round % 2 === 0 ? contestants : contestants.toReversed()) {
      const value = await measure();
      if (round > 0) runs.get(name)!.push(value);
    }
  }
  return runs;
}
