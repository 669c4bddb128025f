/** FTP dialogues through tshark's dissector, beside the helper. `kindred fuzz ftp --against tshark` holds more of them. */
import t from "tap";
import { tsharkMissing } from "../../../tools/fuzz/tshark/command.ts";
import { againstTshark } from "../../../tools/fuzz/tshark/run.ts";

const missing = tsharkMissing();
const COUNT = 40;

t.test(`${COUNT} dialogues: what tshark names, what it follows, and where it differs`, { skip: missing }, async (t) => {
  const { agreed, followed, counts, differences, dialogues } = againstTshark(7, COUNT, "test");
  t.equal(dialogues, COUNT);
  t.ok(agreed > 10, `${agreed} ends are named by tshark, and let in by the helper`);
  t.ok(followed > 10, `${followed} connections to these are FTP data to tshark`);
  t.equal(counts["ours-wrong"], 0);
  const reasons = (kind: string) => differences.filter((row) => row.class === kind).map(({ reason }) => reason);
  t.ok(reasons("tshark-too-lax").includes("unsolicited"), "it reads announcements that nobody asked for");
  t.same([...new Set(reasons("tshark-too-strict"))], ["not-expected"], "and of several in a segment the first");
});
