import t from "tap";
import { RequestObserver } from "../../../core/inspect/requests.ts";
import type { Direction } from "../../../core/units.ts";
import { radius } from "../../../helpers/radius/helper.ts";
import { endpoint } from "../../addresses.ts";
import { accessRequest, packet } from "../../helpers/radius/packets.ts";

function observed(...said: readonly (readonly [Direction, Uint8Array])[]) {
  const observer = new RequestObserver(radius.requests!, endpoint("10.0.0.5", 40000), { strict: false, hold: 0 });
  for (const [index, [direction, bytes]] of said.entries()) observer.datagram(direction, bytes, index + 1);
  const { requests, repeated, unsolicited } = observer;
  return { requests: requests.map(({ frame, reply }) => [frame, reply?.frame ?? null]), repeated, unsolicited };
}

t.test("a reply answers the request with its identifier, in whatever order they come", async (t) => {
  const found = observed(
    ["original", accessRequest(1)],
    ["original", accessRequest(2)],
    ["reply", packet(2, 2)],
    ["reply", packet(3, 1)],
  );
  t.same(found, {
    requests: [
      [1, 4],
      [2, 3],
    ],
    repeated: [],
    unsolicited: [],
  });
});

t.test("a request sent again is named with its first, before and after its reply", async (t) => {
  const found = observed(
    ["original", accessRequest(1)],
    ["original", accessRequest(1)],
    ["reply", packet(2, 1)],
    ["original", accessRequest(1)],
    ["reply", packet(2, 1)],
    ["reply", packet(2, 1)],
  );
  t.same(found.requests, [[1, 3]]);
  t.same(found.repeated, [
    [2, 1],
    [4, 1],
  ]);
  t.same(found.unsolicited, [], "three times sent may be three times answered");
});

t.test("replies to nothing, or one too many, are unsolicited; what is malformed is neither", async (t) => {
  const found = observed(
    ["reply", packet(2, 1)],
    ["original", accessRequest(1)],
    ["reply", packet(2, 1)],
    ["reply", packet(2, 1)],
    ["original", accessRequest(2).subarray(0, 10)],
    ["reply", accessRequest(3)],
  );
  t.same(found, { requests: [[2, 3]], repeated: [], unsolicited: [1, 4] });
});

t.test("an identifier used anew is another request; the one before it stays unanswered", async (t) => {
  const found = observed(
    ["original", accessRequest(1, [], 1)],
    ["original", accessRequest(1, [], 2)],
    ["reply", packet(2, 1)],
  );
  t.same(found, {
    requests: [
      [1, null],
      [2, 3],
    ],
    repeated: [],
    unsolicited: [],
  });
});
