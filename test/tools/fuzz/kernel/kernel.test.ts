/** Our FTP helper beside the running kernel's nf_conntrack_ftp, for the very same segments. */
import t from "tap";
import { hold } from "../../../../tools/fuzz/kernel/compare.ts";
import { KNOWN } from "../../../../tools/fuzz/kernel/known.ts";
import { Kernel, kernelMissing } from "../../../../tools/fuzz/kernel/namespaces.ts";
import { generated, holdKnown } from "../../../../tools/fuzz/kernel/run.ts";
import { ftp } from "../../../../tools/fuzz/run/campaign.ts";
import { runFuzz } from "../../../../tools/fuzz.ts";

const DIALOGUES = 12;

t.test("the kernel's known laxities, and what it misses, show again", { skip: kernelMissing() }, async (t) => {
  const kernel = new Kernel();
  t.teardown(() => kernel.end());
  await kernel.start();
  const rows = await holdKnown(kernel);
  t.equal(rows.length, KNOWN.length);
  for (const { name, reproduced } of rows) t.ok(reproduced, name);
  t.same(
    rows.map(({ reason }) => reason),
    ["port-reserved", "port-zero", "bad-octet", "bad-port", "unsolicited", "unsolicited", "not-expected"],
  );
});

t.test("no generated dialogue works with the kernel and not with us", { skip: kernelMissing() }, async (t) => {
  const kernel = new Kernel(400);
  t.teardown(() => kernel.end());
  await kernel.start();
  let agreed = 0;
  for (let number = 0; number < DIALOGUES; number++) {
    const { dialogue, cuts } = generated(3, number);
    const held = await hold(ftp, dialogue, cuts, kernel);
    agreed += held.agreed;
    t.same(
      held.differences.filter((one) => one.class === "ours-wrong"),
      [],
    );
  }
  t.ok(agreed > 0, "both let something in");
});

t.test("a peer that there is not: status 2, and what is wrong", async (t) => {
  const err: string[] = [];
  const io = { stdout: { write: () => {} }, stderr: { write: (text: string) => err.push(text) } };
  t.equal(await runFuzz("ftp", { against: "windows" }, io), 2);
  t.match(err.join(""), /nothing to hold against: "windows"/);
});
