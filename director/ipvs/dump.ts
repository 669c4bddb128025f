/** What `ipvsadm -S` wrote, or a script of such lines, as rules. */
import { readRule, wordsOf } from "./line.ts";
import { type Imported, Reading } from "./reading.ts";

export function readDump(text: string, file: string): Imported {
  const reading = new Reading(file);
  for (const [index, line] of text.split("\n").entries()) {
    const words = wordsOf(line, index + 1);
    if (words.length === 0) continue;
    reading.attempt(() => {
      reading.rules.push(readRule(words, (at, message, remedy) => reading.warn(at, message, remedy)));
    });
  }
  return reading;
}
