import t from "tap";
import { headEnd, numberIn, parseHeaders } from "../../../core/wire/head.ts";
import { bytesOf } from "../../../core/wire/text.ts";

t.test("a head ends at its first empty line, whatever its line ends are", async (t) => {
  t.equal(headEnd(bytesOf("A\r\nB\r\n\r\nrest"), 0), 8);
  t.equal(headEnd(bytesOf("A\nB\n\nrest"), 0), 5);
  t.equal(headEnd(bytesOf("A\r\nB\n\r\n"), 0), 7);
  t.equal(headEnd(bytesOf("A\r\nB\r\nC"), 0), -1 - 6, "to go on from the line that is not complete");
  t.equal(headEnd(bytesOf("A\r\nB\r\n\r"), 0), -1 - 6);
  t.equal(headEnd(bytesOf("A\r\nB\r\n\r\n"), 6), 8);
});

t.test("headers: any case, folded, without a blank, without a value; what is none is passed over", async (t) => {
  const text = "OPTIONS * RTSP/1.0\r\ncseq:1\r\nX-A :  b\r\n\tc \r\nnonsense\r\n: d\r\nEmpty:\r\n\r\n";
  const bytes = bytesOf(text);
  t.same(
    parseHeaders(bytes, bytes.length).map(({ name, start, end }) => [name, text.slice(start, end)]),
    [
      ["cseq", "1"],
      ["x-a", "b\r\n\tc"],
      ["empty", ""],
    ],
  );
});

t.test("numbers: digits and nothing else, and none that would wrap", async (t) => {
  const number = (text: string) => numberIn(bytesOf(text), { start: 0, end: text.length });
  t.same(["7", "007", "999999999"].map(number), [7, 7, 999999999]);
  t.same(["", "-1", "1.5", "1a", "4294967296000"].map(number), [null, null, null, null, null]);
});
