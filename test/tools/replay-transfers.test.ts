/** Which transfers an FTP server says it has done. */
import t from "tap";
import type { Direction } from "../../core/units.ts";
import { Transfers } from "../../tools/replay/transfers.ts";

const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");

const COMMANDS = "NOOP\r\nretr a\r\nLIST\r\nSTOR x\r\nLISTEN\r\n";
const REPLIES = "150-in\r\n150 two lines\r\n226-more\r\n 550 no code\r\n226 done\r\n";

/** The dialogue in pieces of `size` bytes, a frame each. */
function read(size: number, ...said: readonly [Direction, string][]) {
  const transfers = new Transfers();
  let frame = 0;
  for (const [direction, text] of said) {
    for (let at = 0; at < text.length; at += size) {
      transfers.data(direction, latin1(text.slice(at, at + size)), ++frame);
    }
  }
  return transfers.asked;
}

t.test(
  "a transfer is what is asked for, and ends with the last line of its last reply, whatever the segments",
  async (t) => {
    t.same(
      read(1000, ["original", "RETR a\r\n"], ["reply", "150-in\r\n150 two\r\n226-more\r\n 550 x\r\n226 done\r\n"]),
      [{ asked: 1, answered: 2, begun: true, frame: 2, code: 226, aborted: false }],
    );
    for (const size of [1, 2, 3, 7]) {
      const [retr, list, stor] = read(size, ["original", COMMANDS], ["reply", REPLIES]);
      t.match([retr, list], [{ code: 0 }, { code: 0 }]);
      t.match(stor, { code: 226, begun: true });
    }
  },
);

t.test("each transfer has its own end, and other commands have none", async (t) => {
  const asked = read(
    1000,
    ["original", "LIST\r\n"],
    ["reply", "425 no\r\n"],
    ["original", "NOOP\r\n"],
    ["reply", "200 ok\r\n"],
    ["original", "MLSD\r\n"],
    ["reply", "150 in\r\n"],
    ["reply", "426 broken\r\n226 aborted\r\n"],
  );
  t.same(asked, [
    { asked: 1, answered: 2, begun: false, frame: 2, code: 425, aborted: false },
    { asked: 5, answered: 6, begun: true, frame: 7, code: 426, aborted: false },
  ]);
});

t.test("behind a gap the next line counts", async (t) => {
  const transfers = new Transfers();
  transfers.data("original", latin1("LIST\r\n"), 1);
  transfers.data("reply", latin1("150 in\r\n2"), 2);
  transfers.gap("reply");
  transfers.data("reply", latin1("26 x\r\n"), 4);
  t.match(transfers.asked, [{ begun: true, code: 0 }]);
  transfers.data("reply", latin1("451 no\r\n"), 5);
  t.match(transfers.asked, [{ code: 451 }]);
});

t.test("what is remembered is bounded", async (t) => {
  const transfers = new Transfers();
  for (let n = 0; n < 5000; n++) {
    transfers.data("original", latin1("LIST\r\n"), 2 * n + 1);
    transfers.data("reply", latin1("226 done\r\n"), 2 * n + 2);
  }
  t.equal(transfers.asked.length, 1000);
});

t.test("what only resembles a command or a code is neither", async (t) => {
  const list: [Direction, string] = ["original", "LIST\r\n"];
  for (const other of [
    "226\n",
    "22\n",
    "626 x\r\n",
    "026 x\r\n",
    "2a6 x\r\n",
    "22: x\r\n",
    "2/6 x\r\n",
    "226-x\r\n",
    "\n",
  ]) {
    t.match(read(1000, list, ["reply", other]), [{ code: 0, answered: 0 }], JSON.stringify(other));
  }
  for (const other of ["LISTx\r\n", "LIS\r\n", "LIST", "L\u0009ST x\r\n", "\f\u0009\u0013\u0014 x\r\n", " LIST\r\n"]) {
    t.same(read(1000, ["original", other]), [], JSON.stringify(other));
  }
  t.match(read(1, ["original", "LiSt\n"], ["reply", "226 \n"]), [{ code: 226 }]);
});
