/** Control connections on ports that nobody told us: by how they open. */
import type { Direction, Helper, Opening } from "../../core/helper/api.ts";
import { DETECTABLE } from "../../core/helper/api.ts";
import { opensLike } from "../../core/helper/run.ts";

const NOTHING = new Uint8Array(0);

/** By the first byte of what is said: the helpers that may know it. Each is found when it is said: few ever are. */
export class ByInitial {
  readonly #helpers: readonly Helper[];
  readonly #known: (readonly Helper[] | undefined)[] = new Array(256).fill(undefined);

  constructor(helpers: readonly Helper[]) {
    this.#helpers = helpers;
  }

  get(byte: number): readonly Helper[] {
    this.#known[byte] ??= this.#find(String.fromCharCode(byte));
    return this.#known[byte];
  }

  /** 1 in `telling`, by first byte, where there is one. */
  fill(telling: Uint8Array): void {
    for (const { initials } of this.#helpers) {
      if (initials === undefined) telling.fill(1);
      else for (let i = 0; i < initials.length; i++) telling[initials.charCodeAt(i)] = 1;
    }
  }

  #find(initial: string): readonly Helper[] {
    return this.#helpers.filter(({ initials }) => initials === undefined || initials.includes(initial));
  }
}

/** The helpers whose protocol may open with this payload of `direction`. */
export function candidates(helpers: readonly Helper[], direction: Direction, payload: Uint8Array): readonly Helper[] {
  const said = payload.subarray(0, DETECTABLE);
  const opening = direction === "original" ? { original: said, reply: NOTHING } : { original: NOTHING, reply: said };
  return helpers.filter((helper) => opensLike(helper, opening) !== false);
}

/** Whose datagram this is, as far as `helper` can tell by its content. */
export function directionOf(helper: Helper, payload: Uint8Array): Direction | null {
  const said = payload.subarray(0, DETECTABLE);
  if (opensLike(helper, { original: said, reply: NOTHING }) === true) return "original";
  return opensLike(helper, { original: NOTHING, reply: said }) === true ? "reply" : null;
}

/** Watches a connection open until it is clear whose it is. */
export class Detection implements Opening {
  original: Uint8Array = NOTHING;
  reply: Uint8Array = NOTHING;
  /** Null: not clear yet. */
  found: boolean | null = null;
  readonly #helper: Helper;

  constructor(helper: Helper) {
    this.#helper = helper;
  }

  /** The next bytes of `direction`, in order. */
  more(direction: Direction, bytes: Uint8Array): void {
    if (this.found !== null || this[direction].length >= DETECTABLE) return;
    this[direction] = joined(this[direction], bytes.subarray(0, DETECTABLE - this[direction].length));
    this.found = opensLike(this.#helper, this);
  }
}

function joined(before: Uint8Array, after: Uint8Array): Uint8Array {
  const all = new Uint8Array(before.length + after.length);
  all.set(before);
  all.set(after, before.length);
  return all;
}
