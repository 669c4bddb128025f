/**
 * Weights that were set while the director ran, a drain above all. Its file may be read again for any reason: what it says
 * of a realserver as before does not overrule who took that out of service. What was edited in it since does.
 */
import type { Config } from "../config.ts";
import { keyOf } from "./document.ts";

export interface Kept {
  readonly service: string;
  readonly realserver: string;
  readonly weight: number;
  /** What the file says. */
  readonly written: number;
}

type Weights = ReadonlyMap<string, Omit<Kept, "written">>;

export class WeightsByHand {
  readonly #set = new Map<string, number>();

  /** Somebody made `after` of `before`. What is configured no more is forgotten. */
  note(before: Config, after: Config): void {
    const [earlier, later] = [weightsOf(before), weightsOf(after)];
    for (const key of this.#set.keys()) if (!later.has(key)) this.#set.delete(key);
    for (const [key, { weight }] of later) {
      const was = earlier.get(key);
      if (was !== undefined && was.weight !== weight) this.#set.set(key, weight);
    }
  }

  /** A whole configuration was applied, with these alone left. */
  keep(kept: readonly Kept[]): void {
    this.#set.clear();
    for (const one of kept) this.#set.set(keyIn(one), one.weight);
  }

  /** Those that stay, when the file that said `before` says `read`. */
  keptIn(before: Config, read: Config): Kept[] {
    const earlier = weightsOf(before);
    return [...weightsOf(read)].flatMap(([key, { service, realserver, weight: written }]) => {
      const weight = this.#set.get(key);
      const edited = earlier.get(key)?.weight !== written;
      return weight === undefined || weight === written || edited ? [] : [{ service, realserver, weight, written }];
    });
  }
}

const keyIn = ({ service, realserver }: Pick<Kept, "service" | "realserver">): string => `${service} ${realserver}`;

const weightsOf = ({ services, groups }: Config): Weights =>
  new Map(
    [...services, ...groups].flatMap(({ name, realservers }) =>
      realservers.map((one) => {
        const at = { service: name, realserver: keyOf(one) };
        return [keyIn(at), { ...at, weight: one.weight }] as const;
      }),
    ),
  );
