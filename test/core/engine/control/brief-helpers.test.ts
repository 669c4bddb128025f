import t from "tap";
import { BriefHelpers, NOT_BRIEF } from "../../../../core/engine/control/brief-helpers.ts";
import { ftp } from "../../../../helpers/ftp/helper.ts";
import { tftp } from "../../../../helpers/tftp/helper.ts";

t.test("a helper has one number as long as somebody is read by it, and then another may have it", async (t) => {
  const helpers = new BriefHelpers();
  const numbers: number[] = [];
  for (let reload = 0; reload < 1000; reload++) {
    const helper = { ...ftp };
    const number = helpers.take(helper);
    t.equal(helpers.take(helper), number);
    numbers.push(number);
    helpers.giveBack(number);
    t.equal(helpers.at(number), helper, "one is still read by it");
    // The connections of one configuration outlive the next reload.
    if (reload > 0) helpers.giveBack(numbers[reload - 1]!);
  }
  t.same([...new Set(numbers)].sort(), [1, 2]);
});

t.test("a helper that is never brief has none", async (t) => {
  const helpers = new BriefHelpers();
  t.equal(helpers.take(tftp), NOT_BRIEF);
  helpers.giveBack(NOT_BRIEF);
  t.equal(helpers.take(ftp), 1);
});
