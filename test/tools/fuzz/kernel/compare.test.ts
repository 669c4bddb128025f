/** How differences between the kernel and us are told apart; the kernel here is a script. */
import t from "tap";
import { client, type Message, refused, same, server } from "../../../../tools/fuzz/generate/ftp/model.ts";
import { hold, type Peer } from "../../../../tools/fuzz/kernel/compare.ts";
import { ENDS } from "../../../../tools/fuzz/kernel/known.ts";
import type { Heard } from "../../../../tools/fuzz/kernel/namespaces.ts";
import { ftp } from "../../../../tools/fuzz/run/campaign.ts";

const nothing: Heard = { expected: null, dropped: false };
const passive = "227 ok (10,77,9,2,200,10)\r\n";
const offered: Message = {
  said: passive,
  outcome: "announced",
  about: "227",
  offers: { kind: "ftp-passive", address: "10.77.9.2", port: 51210, at: [] },
};

/** The classes and reasons, where the kernel hears `answers[n]` in the n-th segment. */
async function told(answer: Heard, asked: boolean, last: Message) {
  const turns = [
    server(same("220 ready\r\n", "a greeting")),
    client(same("USER a\r\n", "USER")),
    client(same(asked ? "PASV\r\n" : "NOOP\r\n", "a command")),
    server(last),
  ];
  const peer: Peer = {
    open: async () => {},
    close: async () => {},
    say: async ([, text]) => (text === last.said ? answer : nothing),
  };
  const cuts = turns.map((turn) => ({ turn, pieces: [{ start: 0, end: turn.messages[0]!.said.length }] }));
  const held = await hold(ftp, { ends: ENDS[4], turns, exact: true }, cuts, peer);
  return [held.agreed, ...held.differences.map((one) => `${one.class} ${one.reason}`)];
}

const expected: Heard = { expected: "10.77.9.2 51210", dropped: false };

t.test("each difference has its class", async (t) => {
  t.same(await told(expected, true, offered), [1], "both let it in");
  t.same(await told(expected, false, refused(passive, "")), [0, "kernel-too-lax unsolicited"]);
  t.same(await told(nothing, true, offered), [0, "kernel-too-strict not-expected"]);
  t.same(await told({ expected: null, dropped: true }, true, offered), [0, "kernel-too-strict segment-dropped"]);
  t.same(await told({ expected: null, dropped: true }, false, same("227 Logout.\r\n", "prose")), [
    0,
    "kernel-too-strict harmless-segment-dropped",
  ]);
  t.same(await told(expected, false, offered), [0, "ours-wrong unsolicited"], "kernel and model agree");
  t.same(await told(nothing, true, refused(passive, "")), [0, "ours-wrong not-expected"], "kernel and model agree");
});
