import t from "tap";
import { ProgressLine } from "../../tools/replay/progress.ts";

function shown(isTTY: boolean, size: number | null, times: readonly number[], wipe = true) {
  let text = "";
  const line = new ProgressLine("a\u001b.pcap", { isTTY, write: (more: string) => (text += more) });
  for (const [i, now] of times.entries()) line.show((i + 1) * 10_000_000, size, now);
  if (wipe) line.clear();
  return text;
}

t.test("a long file shows how far it is read, how fast, and the time left, on a line that is wiped", async (t) => {
  const line = "a\\u{1b}.pcap: 3 %, 30 MB/s, 33 s left";
  t.equal(shown(true, 1_000_000_000, [0, 500, 1000]), `\r${line}\r${" ".repeat(line.length)}\r`);
  t.match(shown(true, 10_000_000_000, [0, 500, 1000]), /0 %, 30 MB\/s, 5 min 33 s left/);
});

t.test("without a known size it shows how much", async (t) => {
  t.match(shown(true, null, [0, 2000]), /: 20 MB, 10 MB\/s/);
});

t.test("lines come a quarter of a second apart, and the first after a second", async (t) => {
  t.equal(shown(true, 1e9, [0, 100, 999]), "");
  t.equal(shown(true, 1e9, [0, 1000, 1100, 1249], false).split("\r").length, 2);
  t.equal(shown(true, 1e9, [0, 1000, 1100, 1250], false).split("\r").length, 3);
});

t.test("where there is no terminal nothing is written", async (t) => {
  t.equal(shown(false, 1e9, [0, 1000, 5000]), "");
});
