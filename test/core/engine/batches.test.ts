/** Control connections' packets come to the same in whatever batches: what is offered is placed a stage at a time. */
import t from "tap";
import { asUsual } from "../../../core/engine/controls.ts";
import type { Helper, OfferForm } from "../../../core/helper/api.ts";
import { seconds } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { Random } from "../../../tools/fuzz/generate/choices.ts";
import { tcp } from "../../packets.ts";
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
  REALS,
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
  const places = new Map<number, number>();
  const d = directed(Director, {
    gone,
    options: {
      explain: ({ offset, related }) => {
        for (const { target } of related) places.set(target.port, offset);
      },
    },
  });
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
  // Their rows are theirs again: what was said before the offer is counted.
  const before = "220 ready\r\n230 in\r\n".length;
  t.same([places.get(5002)! - before, places.get(5003)! - before], [offering(REALS[1]!, 5002).length, 0]);
  // The first was placed before: its PASV is answered.
  d.one(said(sessions[0]!.server, passive(0, 5009)), "REAL");
  t.equal(d.balancer.related.size, 3);
});

/** FTP, which fails at what the realservers offer once it is to be told in full, as it is where no port is to be had. */
function failing(): Helper {
  const forms = new Map<OfferForm, OfferForm>();
  const tell = (): never => {
    throw new Error("it cannot be told");
  };
  const brief: Helper["brief"] = (payload, at, end, direction, state, place, into) => {
    const behind = ftp.brief!(payload, at, end, direction, state, place, into);
    if (into.form?.says !== "offer") return behind;
    const form = forms.get(into.form) ?? { ...into.form, write: () => -1, tell };
    forms.set(into.form, form);
    into.form = form;
    return behind;
  };
  return { ...ftp, brief };
}

/** Its connections are reset. */
const closing = (): Director =>
  directed(Director, {
    helper: failing(),
    options: { reading: (service) => ({ ...asUsual(service), onFailure: "closed" }) },
  });

t.test("a connection that is reset by what waits is over for a SYN behind it, which opens another", async (t) => {
  const d = closing();
  const session = begun(d, 0);
  session.say("PASV\r\n");
  const syn = tcp({ from: session.client.name, to: session.client.peer, flags: "S", sequence: 9 });
  d.all([said(session.server, passive(0, 5001)), syn]);
  t.same(d.engine.flows.ended.all(), { reopened: 1 });
});

// The reader did not believe the FIN, so its connection rests; the table did.
t.test(
  "one that is reset by an offer in another state than ESTABLISHED is closed, and not again in that state",
  async (t) => {
    const d = closing();
    const session = begun(d, 0);
    session.say("PASV\r\n");
    const { name, peer, sequence, heard } = session.client;
    d.one(tcp({ from: name, to: peer, flags: "FA", sequence: sequence + 1_000_000, acknowledgment: heard }));
    d.one(said(session.server, passive(0, 5001)));
    t.equal(d.sent.length, 2, "both ends are told");
    d.wait(seconds(10));
    t.equal(d.engine.table.size, 0);
  },
);
