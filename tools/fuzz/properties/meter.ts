/**
 * Counts what a helper reads, so that work can be held against the bytes that were shown, on any machine and however busy
 * it is. Each byte that is looked at counts one, and so does each that `indexOf` and its like pass over; a regular
 * expression cannot be counted, and is a finding by itself.
 */
import type { Helper, Inspector } from "../../../core/helper/api.ts";

/** Methods of a typed array that look at all of it. */
const SCANNING: ReadonlySet<PropertyKey> = new Set(["indexOf", "lastIndexOf", "includes", "every", "some", "slice"]);
/** Of these, what is shown is itself counted. */
const CUTTING: ReadonlySet<PropertyKey> = new Set(["subarray"]);

/** A line is looked at from several sides, each time from its beginning to its end; what is dearer has a loop in a loop. */
const READS_PER_BYTE = 300;
const READS_PER_CALL = 2000;

/** `tell` hears of each regular expression that is run, until what this returns is called. */
export function trapExpressions(tell: (source: string) => void): () => void {
  const { exec } = RegExp.prototype;
  RegExp.prototype.exec = function (text) {
    tell(this.source);
    return exec.call(this, text);
  };
  return () => {
    RegExp.prototype.exec = exec;
  };
}

/** What it looks at cannot be counted. */
export const expressionText = (source: string): string => `payload is read by a regular expression: /${source}/`;

export class Meter {
  /** Reads of the call that is going on. */
  reads = 0;
  /** The most of any call, by byte shown. */
  most = 0;
  /** What was found. */
  finding: string | null = null;

  /** `helper`, metered. */
  on(helper: Helper): Helper {
    const metered: Helper = {
      ...helper,
      open: (connection, settings) => this.#inspector(helper.open(connection, settings)),
    };
    if (helper.brief === undefined) return metered;
    const brief: Helper["brief"] = (payload, at, end, direction, state, place, offer) =>
      this.#metered(payload, (shown) => helper.brief!(shown, at, end, direction, state, place, offer));
    return { ...metered, brief };
  }

  #inspector(inspector: Inspector): Inspector {
    return {
      inspect: (payload, direction, actions) =>
        this.#metered(payload, (shown) => inspector.inspect(shown, direction, actions)),
      rest: (state, place) => inspector.rest?.(state, place) === true,
      wake: (state, place) => inspector.wake?.(state, place),
      ...(inspector.end === undefined
        ? {}
        : {
            end: (payload, direction, actions, last) =>
              this.#metered(payload, (shown) => inspector.end!(shown, direction, actions, last)),
          }),
      gap: (direction) => inspector.gap?.(direction),
    };
  }

  #metered<T>(payload: Uint8Array, call: (shown: Uint8Array) => T): T {
    this.reads = 0;
    const untrap = trapExpressions((source) => {
      this.finding ??= expressionText(source);
    });
    try {
      return call(this.#view(payload));
    } finally {
      untrap();
      this.most = Math.max(this.most, this.reads / (payload.length + 1));
      if (this.reads > READS_PER_CALL + READS_PER_BYTE * payload.length) {
        this.finding ??= `${this.reads} reads for ${payload.length} bytes`;
      }
    }
  }

  #view(bytes: Uint8Array): Uint8Array {
    return new Proxy(bytes, {
      get: (target, key) => {
        if (typeof key === "string" && key.length < 8 && isIndex(key)) {
          this.reads++;
          return target[Number(key)];
        }
        if (key === "at") return (index: number) => target.at(index);
        const value = Reflect.get(target, key, target) as unknown;
        if (typeof value !== "function") return value;
        if (CUTTING.has(key)) return (...range: [number?, number?]) => this.#view(target.subarray(...range));
        return (...given: unknown[]) => {
          if (SCANNING.has(key)) this.reads += scanned(target, key, given);
          return (value as (...given: unknown[]) => unknown).apply(target, given);
        };
      },
    });
  }
}

const isIndex = (key: string): boolean => {
  const first = key.charCodeAt(0);
  return first >= 0x30 && first <= 0x39;
};

/** How far `indexOf` looks; all of it for the others. */
function scanned(target: Uint8Array, key: PropertyKey, [byte, from]: readonly unknown[]): number {
  if (key !== "indexOf" || typeof byte !== "number") return target.length;
  const start = typeof from === "number" ? from : 0;
  const found = target.indexOf(byte, start);
  return Math.max(1, (found < 0 ? target.length : found) - start);
}
