import t from "tap";
import {
  bytesOf,
  decimal,
  isBlank,
  isDigit,
  isLetter,
  latin1,
  skipBlanks,
  skipDigits,
} from "../../../core/wire/text.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const all = [...Array(256).keys()];
const matching = (test: (byte: number) => boolean): string => Buffer.from(all.filter(test)).toString("latin1");

t.test("classes of bytes", async (t) => {
  t.equal(matching(isDigit), "0123456789");
  t.equal(matching(isBlank), "\t ");
  t.equal(matching(isLetter), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
  for (const test of [isDigit, isBlank, isLetter]) t.notOk(test(undefined), "behind the end there is none");
});

t.test("every byte is one character, there and back", async (t) => {
  const every = Uint8Array.from(all);
  t.same(bytesOf(latin1(every, 0, 256)), every);
  t.equal(latin1(bytes("abcdef"), 2, 4), "cd");
});

t.test("scanners stop at their end", async (t) => {
  t.equal(skipBlanks(bytes("a \t b"), 1, 5), 4);
  t.equal(skipBlanks(bytes("    "), 0, 2), 2);
  t.equal(skipDigits(bytes("a123b"), 1, 5), 4);
  t.equal(skipDigits(bytes("1234"), 0, 2), 2);
  t.equal(skipDigits(bytes("12"), 2, 2), 2);
});

t.test("decimals do not wrap", async (t) => {
  t.equal(decimal(bytes("x65535x"), 1, 6), 65535);
  t.equal(decimal(bytes("999999999"), 0, 9), 999_999_999);
  t.equal(decimal(bytes("4294967296"), 0, 10), Number.POSITIVE_INFINITY);
  t.equal(decimal(bytes(""), 0, 0), 0);
});
