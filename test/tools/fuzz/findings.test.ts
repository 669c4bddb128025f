/**
 * What the fuzzer has found, each a capture as `kindred fuzz` keeps it, with what must hold in its comment. A new finding is
 * copied there, and is a test from then on. `kindred fuzz HELPER --replay FILE` holds one by hand.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import t from "tap";
import { helpers } from "../../../helpers/index.ts";
import { Campaign, ftp } from "../../../tools/fuzz/run/campaign.ts";
import { captureOf } from "../../../tools/fuzz/run/capture.ts";
import { type Captured, captured } from "../../../tools/fuzz/run/captured.ts";
import { MessageCampaign } from "../../../tools/fuzz/run/messages.ts";
import { ROOT } from "../../root.ts";

const FOLDER = resolve(ROOT, "fixtures", "fuzz", "findings");
const SEED = 20_261_121;
/** How often each is held, cut otherwise every time. */
const TIMES = 12;

function shown({ helper, dialogue }: Captured): string | null {
  const inputs = helper === ftp ? new Campaign({ seed: SEED }) : new MessageCampaign(helper, { seed: SEED });
  for (let i = 0; i < TIMES; i++) {
    const found = inputs.hold("capture", i, dialogue);
    if (found !== null) return `${found.property}: ${found.message}`;
  }
  return null;
}

const files = readdirSync(FOLDER).filter((file) => file.endsWith(".pcapng"));
t.ok(files.length >= 7);
for (const file of files) {
  const there = captured(readFileSync(join(FOLDER, file)));
  t.test(`${file}: ${there?.comment}`, async (t) => {
    t.ok(there);
    t.equal(shown(there!), null);
  });
}

t.test("a dialogue that is kept as a capture is read again, over TCP and over UDP, IPv4 and IPv6", async (t) => {
  const v4 = { client: "10.0.0.5", virtual: "1.2.3.4", real: "192.168.0.2" };
  const v6 = { client: "2001:db8::5", virtual: "2001:db8:1::21", real: "fd00::2" };
  const message = (said: string) => ({ said, outcome: "same" as const, about: "a message" });
  for (const ends of [v4, v6]) {
    for (const name of ["ftp", "tftp"]) {
      const turns = [
        { speaker: "original" as const, messages: [message("\0\xff\r\na")] },
        { speaker: "reply" as const, messages: [message("b".repeat(1500))] },
      ];
      const helper = helpers.find((one) => one.name === name)!;
      const dialogue = { ends, turns, exact: false };
      t.same(captured(captureOf(dialogue, helper, "grew: ü")), { helper, dialogue, comment: "grew: ü" });
    }
  }
  t.equal(captured(Buffer.from("nothing of ours")), null);
});

t.test("and so is one of a helper's other port or transport, whoever speaks first", async (t) => {
  const turns = (["reply", "original"] as const).map((speaker) => ({
    speaker,
    messages: [{ said: `${speaker}\r\n`, outcome: "same" as const, about: "a message" }],
  }));
  const addresses = { client: "10.0.0.5", virtual: "1.2.3.4", real: "192.168.0.2" };
  const others = { netbios: { port: 138 }, rsh: { port: 512 }, dns: { transport: "udp" }, sip: { transport: "udp" } };
  for (const [name, other] of Object.entries(others)) {
    const helper = helpers.find((one) => one.name === name)!;
    const dialogue = { ends: { ...addresses, ...other } as Captured["dialogue"]["ends"], turns, exact: false };
    t.same(captured(captureOf(dialogue, helper, "")), { helper, dialogue, comment: "" });
  }
});
