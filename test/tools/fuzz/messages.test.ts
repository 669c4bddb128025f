/** Conversations of every other protocol, with bytes changed. `kindred fuzz HELPER` runs more of them. */
import t from "tap";
import type { Helper } from "../../../core/helper/api.ts";
import { helpers } from "../../../helpers/index.ts";
import { spoken } from "../../../tools/fuzz/generate/messages.ts";
import { MessageCampaign } from "../../../tools/fuzz/run/messages.ts";

const SEED = 20_261_121;
const COUNT = 60;

const found = (helper: Helper, count: number) => {
  const campaign = new MessageCampaign(helper, { seed: SEED });
  for (let i = 0; i < count; i++) {
    const finding = campaign.only("messages", i);
    if (finding !== null) return `${finding.property}: ${finding.message}`;
  }
  return null;
};

t.test("there are messages for every helper but ftp", async (t) => {
  t.same(
    [...spoken].sort(),
    helpers
      .map(({ name }) => name)
      .filter((name) => name !== "ftp")
      .sort(),
  );
});

for (const name of spoken) {
  const helper = helpers.find((one) => one.name === name)!;
  t.test(`${COUNT} conversations of ${name} show nothing`, async (t) => {
    t.equal(found(helper, COUNT), null);
  });
}

t.test("a helper that throws, or cannot bear to be cut, is found", async (t) => {
  const rtsp = helpers.find(({ name }) => name === "rtsp")!;
  const with_ = (inspect: ReturnType<Helper["open"]>["inspect"]): Helper => ({ ...rtsp, open: () => ({ inspect }) });
  t.match(
    found(
      with_(() => ({ verdict: "pass", consumed: -1 })),
      3,
    ),
    /^threw/,
  );
  const bySegment = with_((payload, _direction, actions) => {
    if (payload[0] === 0x53) actions.fault("begins-with-s");
    return { verdict: "pass", consumed: payload.length };
  });
  t.match(found(bySegment, COUNT), /^segmentation/);
});
