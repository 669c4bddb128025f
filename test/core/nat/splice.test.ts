import fc from "fast-check";
import t from "tap";
import { type Edit, splice, splicedLength } from "../../../core/nat/splice.ts";

/** With other bytes before and behind it, which are none of its business. */
function spliced(text: string, edits: readonly Edit[]): string {
  const out = Buffer.alloc(splicedLength(text.length, edits));
  splice(Buffer.from(`<<${text}>`, "latin1"), 2, 2 + text.length, edits, out);
  return out.toString("latin1");
}

t.test("without edits, the bytes as they are", async (t) => {
  t.equal(spliced("abc", []), "abc");
});

const table: [edits: Edit[], result: string][] = [
  [[{ start: 0, end: 2, text: "ABC" }], "ABCcdef"],
  [[{ start: 4, end: 6, text: "" }], "abcd"],
  [[{ start: 3, end: 3, text: "-" }], "abc-def"],
  [[{ start: 0, end: 6, text: "\xff" }], "\xff"],
  [
    [
      { start: 0, end: 1, text: "xx" },
      { start: 1, end: 2, text: "" },
      { start: 6, end: 6, text: "!" },
    ],
    "xxcdef!",
  ],
];
for (const [edits, result] of table) {
  t.test(`${JSON.stringify(edits)} make ${JSON.stringify(result)}`, async (t) => {
    t.equal(spliced("abcdef", edits), result);
  });
}

t.test("as if made from the last to the first", async (t) => {
  const text = fc.string({ unit: fc.constantFrom(..."abc"), maxLength: 40 });
  const edit = fc.tuple(fc.nat(5), fc.nat(5), fc.string({ unit: fc.constantFrom(..."XYZ"), maxLength: 6 }));
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(text, fc.array(edit, { maxLength: 5 }), (original, wanted) => {
        const edits: Edit[] = [];
        let at = 0;
        for (const [gap, length, put] of wanted) {
          const start = Math.min(original.length, at + gap);
          at = Math.min(original.length, start + length);
          edits.push({ start, end: at, text: put });
        }
        const expected = edits.reduceRight(
          (sum, { start, end, text }) => sum.slice(0, start) + text + sum.slice(end),
          original,
        );
        return spliced(original, edits) === expected;
      }),
    ),
  );
});
