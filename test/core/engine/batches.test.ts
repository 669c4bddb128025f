/** Control connections' packets come to the same in whatever batches: what is offered is placed a stage at a time. */
import t from "tap";
import { Random } from "../../../tools/fuzz/generate/choices.ts";
import { Director } from "../director.ts";
import {
  begun,
  conversation,
  directed,
  FEW,
  MANY,
  offering,
  onTheWay,
  outcome,
  passive,
  Recorded,
  said,
  VIP,
} from "./passive.ts";

t.test("property: packets of control connections come to the same in whatever batches", async (t) => {
  for (let seed = 0; seed < 60; seed++) {
    const choices = new Random(seed);
    const packets = onTheWay(choices, conversation(choices, seed % 2 === 0 ? FEW : MANY));
    const one = outcome(packets, () => 1);
    t.strictSame(
      outcome(packets, () => 1 + choices.below(40)),
      one,
      `seed ${seed}`,
    );
    t.strictSame(
      outcome(packets, () => 256),
      one,
      `seed ${seed}, as they come`,
    );
    t.strictSame(
      outcome(packets, () => 256, { gone: null }),
      one,
      `seed ${seed}, where nobody hears of what is gone`,
    );
    t.strictSame(
      outcome(packets, () => 1, { options: { short: false } }),
      one,
      `seed ${seed}, the general way`,
    );
  }
});

t.test("a command that crosses a 227 finds it placed and sent, though they come at once", async (t) => {
  const d = directed(Recorded);
  const session = begun(d, 0);
  session.say("PASV\r\n");
  const packets = [...d.packets, said(session.server, passive(0, 5001)), said(session.client, "NOOP\r\n")];
  t.strictSame(
    outcome(packets, () => 256),
    outcome(packets, () => 1),
  );
});

// They waited for ever, and the next stage found no room for its own.
t.test("when the host throws at what is gone, all that was offered with it is as if it had been lost", async (t) => {
  let angry = false;
  const gone = () => {
    if (angry) throw new Error("not now");
  };
  const d = directed(Director, { gone });
  const sessions = [0, 1, 2].map((i) => begun(d, i));
  for (const session of sessions) session.say("PASV\r\n");
  sessions[1]!.reply(passive(1, 5002));
  sessions[1]!.say("PASV\r\n");
  // The second is said again, so the one before is gone.
  const packets = sessions.map(({ server }, i) => said(server, passive(i, 5001 + i)));
  angry = true;
  t.throws(() => d.all(packets, "REAL"), /not now/);
  angry = false;
  t.notOk(d.engine.controls.unsettled);
  t.equal(d.balancer.related.size, 1);
  const heard = sessions.map((session, i) => session.reply(passive(i, 5001 + i)));
  t.same(
    heard.slice(1),
    [5002, 5003].map((port) => offering(VIP, port)),
  );
  t.equal(d.balancer.related.size, 3);
  // The first was placed before: its PASV is answered.
  d.one(said(sessions[0]!.server, passive(0, 5009)), "REAL");
  t.equal(d.balancer.related.size, 3);
});
