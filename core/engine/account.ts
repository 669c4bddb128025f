/**
 * What one realserver has carried, as its flows say when they begin and when they end. What an open one has carried so far
 * stands in its row (census.ts).
 */
import * as rows from "../flow/rows.ts";

/** Marks of a row: what a flow is. */
export const ROLES = { plain: 0, control: 1, data: 2, related: 4 } as const;
export type FlowRole = keyof typeof ROLES;
export const ROLE_MASK = ROLES.control | ROLES.data | ROLES.related;

/** Packets and bytes of IP, by direction. */
export interface Traffic {
  readonly packets: Ways;
  readonly bytes: Ways;
}

export interface Ways {
  original: number;
  reply: number;
}

export const noTraffic = (): Traffic => ({
  packets: { original: 0, reply: 0 },
  bytes: { original: 0, reply: 0 },
});

export class Account {
  /** Of the flows that have ended. */
  readonly ended = noTraffic();
  /** By mark. */
  readonly #opened = new Float64Array(ROLE_MASK + 1);
  readonly #closed = new Float64Array(ROLE_MASK + 1);

  /** Flows of this kind since the beginning. */
  opened(role: FlowRole): number {
    return this.#opened[ROLES[role]]!;
  }

  /** Those that are open. */
  open(role: FlowRole): number {
    return this.#opened[ROLES[role]]! - this.#closed[ROLES[role]]!;
  }

  begin(marks: number): void {
    this.#opened[marks & ROLE_MASK]!++;
  }

  /** The flow in row `row` of `table` is over. */
  end(marks: number, table: Int32Array, row: number): void {
    this.#closed[marks & ROLE_MASK]!++;
    addRow(this.ended, table, row);
  }

  add(other: Account): void {
    for (let mark = 0; mark <= ROLE_MASK; mark++) {
      this.#opened[mark]! += other.#opened[mark]!;
      this.#closed[mark]! += other.#closed[mark]!;
    }
    addTraffic(this.ended, other.ended);
  }
}

export function addTraffic({ packets, bytes }: Traffic, more: Traffic): void {
  packets.original += more.packets.original;
  packets.reply += more.packets.reply;
  bytes.original += more.bytes.original;
  bytes.reply += more.bytes.reply;
}

export function addRow({ packets, bytes }: Traffic, table: Int32Array, row: number): void {
  packets.original += table[row + rows.PACKETS + rows.ORIGINAL]! >>> 0;
  packets.reply += table[row + rows.PACKETS + rows.REPLY]! >>> 0;
  bytes.original += bytesOf(table, row, rows.ORIGINAL);
  bytes.reply += bytesOf(table, row, rows.REPLY);
}

/** Of the packets that went `direction`. */
export const bytesOf = (table: Int32Array, row: number, direction: number): number => {
  const place = row + rows.BYTES + direction * 2;
  return (table[place + 1]! >>> 0) * 2 ** 32 + (table[place]! >>> 0);
};
