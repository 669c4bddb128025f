/**
 * Flows of datagrams that have a helper's port and are another protocol's: nobody wants a fault of each datagram, and
 * whoever looks for the port's own protocol wants to know of them.
 */
import type { Helper } from "../../core/helper/api.ts";
import type { Endpoint } from "../../core/units.ts";

/** What the datagrams of a flow, or of all flows of a server, are to the port's helper. */
export interface Tally {
  said: number;
  /** Those that are nothing of the protocol's. */
  foreign: number;
  /** There was nothing wrong with one. */
  known: boolean;
}

/** By so many datagrams a flow is told. */
const TELLING = 10;

export const newTally = (): Tally => ({ said: 0, foreign: 0, known: false });

/** Chance makes the first bytes of a few look like the protocol's. `over`: there is no more to be told by. */
export const isForeign = ({ said, foreign, known }: Tally, over = false): boolean =>
  !known && (over || said >= TELLING) && foreign * 2 >= said;

/** A flow as it was taken for one of the protocol. */
interface Taken {
  readonly helper: Helper;
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly row: number;
  /** null: not of datagrams. */
  readonly tally: Tally | null;
}

export type Stranger = Omit<Taken, "tally">;

export class Strangers {
  readonly flows: Stranger[] = [];
  readonly #byServer = new Map<string, Tally>();

  /** What was said on it is not kept. */
  add(one: Taken): void {
    const { helper, client, server, row } = one;
    this.flows.push({ helper, client, server, row });
    this.#count(one);
  }

  /** Those of `taken` that said too little to be told by that, and are told by all that was said to their server. */
  among<T extends Taken>(taken: readonly T[]): ReadonlySet<T> {
    const untold = taken.filter(({ tally }) => tally !== null && tally.said > 0 && isForeign(tally, true));
    for (const one of untold) this.#count(one);
    if (untold.length > 0) for (const one of taken) if (one.tally?.known === true) this.#count(one);
    return new Set(untold.filter((one) => isForeign(this.#byServer.get(serverOf(one))!)));
  }

  #count(one: Taken): void {
    const server = serverOf(one);
    const sum = this.#byServer.get(server) ?? newTally();
    this.#byServer.set(server, sum);
    sum.said += one.tally!.said;
    sum.foreign += one.tally!.foreign;
    sum.known ||= one.tally!.known;
  }
}

const serverOf = ({ helper, server }: Taken): string => `${helper.name} ${server.address} ${server.port}`;
