/** The short way past Commander: what it understands, Commander understands the same way. */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import t from "tap";
import { replayCommand } from "../../tools/replay/command.ts";
import { type Asked, plainWords } from "../../tools/replay/words.ts";

/** What Commander makes of the words; null: help, or a mistake. */
async function byCommander(words: readonly string[]): Promise<Asked | null> {
  let asked: Asked | null = null;
  const command = replayCommand(async (files, options) => {
    asked = { files, options };
    return 0;
  });
  command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
  const { exitCode } = process;
  await command.parseAsync(words, { from: "user" }).catch(() => {});
  process.exitCode = exitCode;
  return asked;
}

t.test("files and switches, in any order, need no library", async (t) => {
  const options = { json: true, explain: true };
  t.same(plainWords(["a.pcap"]), { files: ["a.pcap"], options: {} });
  t.same(plainWords(["--json", "-", "--explain", "b c", "--json"]), { files: ["-", "b c"], options });
});

t.test("a value, help, an unknown word, and no file at all are Commander's", async (t) => {
  const more = [
    "--html",
    "--html <file>",
    "--html=x",
    "--config",
    "--helper",
    "-h",
    "--help",
    "--jso",
    "--json=1",
    "--",
    "-j",
  ];
  for (const word of more) t.equal(plainWords(["a.pcap", word]), null, word);
  t.equal(plainWords(["--json"]), null);
  t.equal(plainWords([]), null);
});

const word = fc.oneof(
  fc.constantFrom("--json", "--ndjson", "--explain", "-", "--", "a.pcap", "", "help", "--html", "--html=x", "-h"),
  fc.string({ maxLength: 4 }),
  fc.string({ maxLength: 3 }).map((text) => `-${text}`),
);

t.test("property: what is understood without Commander, Commander understands the same way", async () => {
  const property = fc.asyncProperty(fc.array(word, { maxLength: 5 }), async (words) => {
    const plain = plainWords(words);
    return plain === null || isDeepStrictEqual(plain, await byCommander(words));
  });
  await fc.assert(property, { numRuns: 1000 });
});
