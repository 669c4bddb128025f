/**
 * Control connections that have related entries: whose they are, and their entries, the oldest first. All that is asked for
 * each announcement is in sixteen words each, side by side.
 */
import { ENDS, NEWER, OLDER, OWNER, portIn, type RelatedRows, ROW_SHIFT } from "./related-rows.ts";
import { generationOf, type Handle, slotOf } from "./slots.ts";

const OLDEST = 0;
const COUNT = 1;
const CLIENT = 2;
const GENERATION = 3;
/** Entries beyond those whose ports are known. */
const OTHERS = 4;
/** Where among the ports that of the oldest entry should be: entries come and go in turn, and nearly always it is. */
const TURN = 5;
const SHIFT = 4;
/** The ports of its entries, half a word each, in no order: most announcements are seen to be new by them alone. */
const PORTS = 12;
const MOST_PORTS = 16;
const PORTS_SHIFT = SHIFT + 1;
const SMALLEST = 16;

export class Owners {
  readonly #rows: RelatedRows;
  /** By the slot of the control connection. */
  #words = new Int32Array(SMALLEST << SHIFT);
  #ports = new Uint16Array(this.#words.buffer);
  readonly #clients = new Clients();

  constructor(rows: RelatedRows) {
    this.#rows = rows;
  }

  /** Entries of the control connection with this slot; 0 also where there is none. */
  count(slot: number): number {
    return this.#words[(slot << SHIFT) + COUNT] ?? 0;
  }

  /** Clients that have entries. */
  get clients(): number {
    return this.#clients.size;
  }

  /** Whether an entry may have this port; false: certainly none. */
  mayHave(slot: number, port: number): boolean {
    const words = this.#words;
    const at = slot << SHIFT;
    if (words[at + OTHERS] !== 0) return true;
    const first = at + (PORTS >> 1);
    const end = first + ((words[at + COUNT]! + 1) >> 1);
    for (let i = first; i < end; i++) {
      const two = words[i]! ^ (port | (port << 16));
      if ((two & 0xffff) === 0 || two >>> 16 === 0) return true;
    }
    return false;
  }

  /** 0: it never had any. */
  oldest(slot: number): number {
    return this.#words[(slot << SHIFT) + OLDEST] ?? 0;
  }

  /** Reads what `ofClient` does. */
  touchClient(slot: number): number {
    return this.#clients.counts[this.#words[(slot << SHIFT) + CLIENT] ?? 0]!;
  }

  /** Whether it is `master` that has the entries of its slot, and not one that had the slot before. */
  isOf(master: Handle): boolean {
    return this.#words[(slotOf(master) << SHIFT) + GENERATION] === generationOf(master);
  }

  /** Entries that the client of this control connection has, on all of its own. `name` is asked for where it has none. */
  ofClient(slot: number, name: { toString(): string }): number {
    if (this.count(slot) > 0) return this.#clients.counts[this.#words[(slot << SHIFT) + CLIENT]!]!;
    return this.#clients.count(name.toString());
  }

  /** `row` is the newest entry of `master`. */
  add(row: number, master: Handle, name: { toString(): string }): void {
    const slot = slotOf(master);
    const at = slot << SHIFT;
    this.#reach(slot);
    const owners = this.#words;
    if (owners[at + COUNT] === 0) {
      owners[at + OLDEST] = 0;
      owners[at + TURN] = 0;
      owners[at + CLIENT] = this.#clients.numberOf(name.toString());
      owners[at + GENERATION] = generationOf(master);
    }
    this.#rows.words[(row << ROW_SHIFT) + OWNER] = slot;
    this.#link(row, at);
    this.#know(slot, this.#portOf(row));
    owners[at + COUNT]!++;
    this.#clients.counts[owners[at + CLIENT]!]!++;
  }

  /** The oldest entry becomes the newest, with these `ends`: its row. */
  turn(slot: number, ends: number): number {
    const at = slot << SHIFT;
    const { words } = this.#rows;
    const row = this.#words[at + OLDEST]!;
    const known = this.#portInTurn(slot, this.#portOf(row));
    if (known >= 0) this.#ports[known] = portIn(ends);
    words[(row << ROW_SHIFT) + ENDS] = ends;
    this.#words[at + OLDEST] = words[(row << ROW_SHIFT) + NEWER]!;
    return row;
  }

  remove(row: number): void {
    const { words } = this.#rows;
    const owners = this.#words;
    const slot = words[(row << ROW_SHIFT) + OWNER]!;
    const at = slot << SHIFT;
    const older = words[(row << ROW_SHIFT) + OLDER]!;
    const newer = words[(row << ROW_SHIFT) + NEWER]!;
    words[(older << ROW_SHIFT) + NEWER] = newer;
    words[(newer << ROW_SHIFT) + OLDER] = older;
    if (owners[at + OLDEST] === row) owners[at + OLDEST] = newer;
    this.#unlearn(slot, this.#portOf(row));
    if (--owners[at + COUNT]! === 0) this.#rows.forget(slot);
    this.#clients.leave(owners[at + CLIENT]!);
  }

  /** Puts `row` behind the newest of the entries at `at`. */
  #link(row: number, at: number): void {
    const { words } = this.#rows;
    const oldest = this.#words[at + OLDEST]! || row;
    const newest = oldest === row ? row : words[(oldest << ROW_SHIFT) + OLDER]!;
    words[(newest << ROW_SHIFT) + NEWER] = row;
    words[(oldest << ROW_SHIFT) + OLDER] = row;
    words[(row << ROW_SHIFT) + OLDER] = newest;
    words[(row << ROW_SHIFT) + NEWER] = oldest;
    this.#words[at + OLDEST] = oldest;
  }

  #portOf(row: number): number {
    return portIn(this.#rows.words[(row << ROW_SHIFT) + ENDS]!);
  }

  /** Ports that are known. */
  #known(slot: number): number {
    const at = slot << SHIFT;
    return this.#words[at + COUNT]! - this.#words[at + OTHERS]!;
  }

  /** As `#portAt`, of the oldest entry, which gives way. */
  #portInTurn(slot: number, port: number): number {
    const at = slot << SHIFT;
    const words = this.#words;
    const first = (slot << PORTS_SHIFT) + PORTS;
    const due = first + words[at + TURN]!;
    const known = this.#ports[due] === port ? due : this.#portAt(slot, port);
    const next = known < 0 ? 0 : known - first + 1;
    words[at + TURN] = next < this.#known(slot) ? next : 0;
    return known;
  }

  /** Where a port of the entries is among `#ports`; -1: it is not. */
  #portAt(slot: number, port: number): number {
    const ports = this.#ports;
    const first = (slot << PORTS_SHIFT) + PORTS;
    const end = first + this.#known(slot);
    for (let at = first; at < end; at++) if (ports[at] === port) return at;
    return -1;
  }

  /** Before its entry is counted. */
  #know(slot: number, port: number): void {
    const known = this.#known(slot);
    if (known < MOST_PORTS) this.#ports[(slot << PORTS_SHIFT) + PORTS + known] = port;
    else this.#words[(slot << SHIFT) + OTHERS]!++;
  }

  /** While its entry is still counted. */
  #unlearn(slot: number, port: number): void {
    const at = this.#portAt(slot, port);
    if (at >= 0) this.#ports[at] = this.#ports[(slot << PORTS_SHIFT) + PORTS + this.#known(slot) - 1]!;
    else this.#words[(slot << SHIFT) + OTHERS]!--;
  }

  #reach(slot: number): void {
    let { length } = this.#words;
    while (slot << SHIFT >= length) length *= 2;
    if (length === this.#words.length) return;
    const larger = new Int32Array(length);
    larger.set(this.#words);
    this.#words = larger;
    this.#ports = new Uint16Array(larger.buffer);
  }
}

/** Clients by number, as long as they have entries. */
class Clients {
  counts = new Int32Array(SMALLEST);
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#numbers.size;
  }

  count(name: string): number {
    const number = this.#numbers.get(name);
    return number === undefined ? 0 : this.counts[number]!;
  }

  numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#free.pop() ?? this.#names.length;
    if (number >= this.counts.length) {
      const larger = new Int32Array(this.counts.length * 2);
      larger.set(this.counts);
      this.counts = larger;
    }
    this.#names[number] = name;
    this.#numbers.set(name, number);
    return number;
  }

  /** One entry fewer. Who has none is forgotten. */
  leave(number: number): void {
    if (--this.counts[number]! > 0) return;
    this.#numbers.delete(this.#names[number]!);
    this.#free.push(number);
  }
}
