/** The options of ipvsadm 1.31 (ipvsadm(8)): short and long, bundled (`-At`), with their value apart or attached. */
import { quote } from "../config/problem.ts";
import { Trouble, type Word } from "./trouble.ts";

/** Long name, short one, whether a value follows: always, or when what follows is a number. */
type Shape = readonly [long: string, short: string, value: "none" | "value" | "number"];

const OPTIONS: readonly Shape[] = [
  ["add-service", "A", "none"],
  ["edit-service", "E", "none"],
  ["delete-service", "D", "none"],
  ["clear", "C", "none"],
  ["restore", "R", "none"],
  ["save", "S", "none"],
  ["add-server", "a", "none"],
  ["edit-server", "e", "none"],
  ["delete-server", "d", "none"],
  ["list", "L", "none"],
  ["list", "l", "none"],
  ["zero", "Z", "none"],
  ["tcp-service", "t", "value"],
  ["udp-service", "u", "value"],
  ["sctp-service", "", "value"],
  ["fwmark-service", "f", "value"],
  ["ipv6", "6", "none"],
  ["scheduler", "s", "value"],
  ["persistent", "p", "number"],
  ["netmask", "M", "value"],
  ["pe", "", "value"],
  ["ops", "o", "none"],
  ["sched-flags", "b", "value"],
  ["real-server", "r", "value"],
  ["gatewaying", "g", "none"],
  ["ipip", "i", "none"],
  ["masquerading", "m", "none"],
  ["tun-type", "", "value"],
  ["tun-port", "", "value"],
  ["tun-nocsum", "", "none"],
  ["tun-csum", "", "none"],
  ["tun-remcsum", "", "none"],
  ["weight", "w", "value"],
  ["u-threshold", "x", "value"],
  ["l-threshold", "y", "value"],
  ["numeric", "n", "none"],
  ["connection", "c", "none"],
  ["stats", "", "none"],
  ["rate", "", "none"],
  ["timeout", "", "none"],
  ["daemon", "", "none"],
  ["thresholds", "", "none"],
  ["persistent-conn", "", "none"],
  ["exact", "", "none"],
  ["nosort", "", "none"],
  ["sort", "", "none"],
];

/** What was said, by long name: the option's own place, and its value where it has one. */
export type Options = ReadonlyMap<string, { readonly at: Word; readonly value: Word | null }>;

/** Reads a whole line. Throws Trouble. */
export function readOptions(words: readonly Word[]): Options {
  const reader = new OptionReader(words);
  while (reader.next()) {
    // Each call reads one word, and its value.
  }
  return reader.options;
}

class OptionReader {
  readonly options = new Map<string, { at: Word; value: Word | null }>();
  readonly #words: readonly Word[];
  #at = 0;

  constructor(words: readonly Word[]) {
    this.#words = words;
  }

  next(): boolean {
    const word = this.#words[this.#at++];
    if (word === undefined) return false;
    if (word.text.startsWith("--")) this.#long(word);
    else if (word.text.startsWith("-") && word.text.length > 1) this.#short(word);
    else throw new Trouble(word, `${quote(word.text)} belongs to no option`, "ipvsadm(8) says which take a value");
    return true;
  }

  #long(word: Word): void {
    const equals = word.text.indexOf("=");
    const name = word.text.slice(2, equals < 0 ? undefined : equals);
    const shape = OPTIONS.find(([long]) => long === name);
    if (shape === undefined) throw unknownOption(word, `--${name}`);
    const value = equals < 0 ? null : part(word, equals + 1);
    this.#take(shape, word, value);
  }

  #short(word: Word): void {
    for (let i = 1; i < word.text.length; i++) {
      const letter = word.text[i]!;
      const shape = OPTIONS.find(([, short]) => short === letter);
      const at = i === 1 ? word : part(word, i);
      if (shape === undefined) throw unknownOption(at, `-${letter}`);
      const attached = shape[2] === "none" || i + 1 === word.text.length ? null : part(word, i + 1);
      this.#take(shape, at, attached);
      if (attached !== null) return;
    }
  }

  #take([long, , takes]: Shape, at: Word, attached: Word | null): void {
    if (this.options.has(long)) throw new Trouble(at, `--${long} is there twice`, "remove one of the two");
    this.options.set(long, { at, value: takes === "none" ? null : (attached ?? this.#value(long, at, takes)) });
  }

  #value(long: string, at: Word, takes: "value" | "number"): Word | null {
    const next = this.#words[this.#at];
    const fits = next !== undefined && (takes === "number" ? /^\d+$/.test(next.text) : !/^-\D/.test(next.text));
    if (fits) {
      this.#at++;
      return next;
    }
    if (takes === "number") return null;
    throw new Trouble(at, `--${long} has no value`, "write it after the option");
  }
}

const part = (word: Word, from: number): Word => ({
  text: word.text.slice(from),
  line: word.line,
  column: word.column + from,
});

const unknownOption = (at: Word, option: string): Trouble =>
  new Trouble(at, `${quote(option)} is no option of ipvsadm`, "ipvsadm(8) lists them");
