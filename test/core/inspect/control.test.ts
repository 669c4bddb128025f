import t from "tap";
import type { GoneReason, RelatedEntry } from "../../../core/flow/related.ts";
import type { Actions, Announcement, Helper, Inspection, Inspector, Ref } from "../../../core/helper/api.ts";
import { ms, port, seconds } from "../../../core/units.ts";
import { endpoint } from "../../addresses.ts";
import {
  Conversation,
  type ConversationOptions,
  conversationOf,
  ftpService,
  LIMITS,
  makeBalancer,
} from "../../conversation.ts";

const PASSIVE = "227 (192,168,0,2,19,137)\r\n";
const TOLD = "227 (1,2,3,4,19,137)\r\n";
const UNAVAILABLE = "425 Can't open data connection: refused by the director (unavailable).\r\n";

const session = (options: ConversationOptions = {}) => new Conversation(options).login();

/** A session with a PASV whose 227 waits for the host. */
function waiting(): Conversation {
  const ftp = session({ answers: "late" });
  ftp.client("PASV\r\n");
  ftp.server(PASSIVE);
  return ftp;
}

// --- datagrams ------------------------------------------------------------------------------------------------------

/** Announces whatever begins with `x`, on a port of its own each time. */
function datagramHelper(): Helper {
  let next = 6000;
  return {
    name: "made-up",
    transport: "udp",
    ports: [port(6001)],
    sources: [],
    limits: { pending: 10, ttl: seconds(30), hold: 0, patience: seconds(1) },
    open: () => ({
      inspect(payload, _direction, actions) {
        const whole = { start: 0, end: payload.length };
        const instead = { ...whole, text: () => "" };
        if (payload[0] === 0x78) {
          actions.expect({
            kind: "made-up",
            said: "x",
            transport: "udp",
            opener: "reply",
            from: { address: null, port: null },
            to: { address: null, port: next++ },
            uses: 1,
            bytes: whole,
            instead,
          });
        }
        return { verdict: "pass", consumed: payload.length };
      },
    }),
  };
}

t.test("datagrams behind a barrier stay datagrams, in order, and may announce too", async (t) => {
  const talk = conversationOf(datagramHelper(), { answers: "late" });
  const sent: string[] = [];
  const forward = talk.forward.bind(talk);
  talk.forward = (direction, bytes) => {
    sent.push(Buffer.from(bytes).toString("latin1"));
    forward(direction, bytes);
  };
  for (const datagram of ["x1", "a", "x2", "b"]) talk.client(datagram);
  t.same(sent, []);
  talk.answer();
  t.same(sent, ["x1", "a"]);
  talk.answer();
  t.same(sent, ["x1", "a", "x2", "b"]);
  t.equal(talk.pending.length, 2);
});

t.test("of datagrams behind a barrier sixteen wait, and the rest is lost", async (t) => {
  const talk = conversationOf(datagramHelper(), { answers: "late" });
  talk.client("x");
  for (let n = 0; n < 100; n++) talk.client("y");
  talk.answer();
  t.equal(talk.heard("original"), `x${"y".repeat(16)}`);
});

t.test("a refused datagram is not sent at all where there is nothing to send instead", async (t) => {
  const talk = conversationOf(datagramHelper(), { seen: () => null });
  t.equal(talk.client("x"), "");
  t.equal(talk.client("y"), "y");
});

// --- the release barrier --------------------------------------------------------------------------------------------

t.test("an announcement waits until it is in place, and what is behind it waits with it, in order", async (t) => {
  const ftp = waiting();
  t.equal(ftp.server("150 one\r\n226 "), "");
  t.equal(ftp.server("two\r\n"), "");
  t.ok(ftp.stream.blocked("reply"));
  t.same(ftp.pending, [], "nobody can meet it yet");
  const before = ftp.heard("reply");
  ftp.answer();
  t.equal(ftp.heard("reply").slice(before.length), `${TOLD}150 one\r\n226 two\r\n`);
  t.notOk(ftp.stream.blocked("reply"));
});

t.test("the other direction flows on", async (t) => {
  const ftp = waiting();
  t.notOk(ftp.stream.blocked("original"));
  t.equal(ftp.client("NOOP\r\n"), "NOOP\r\n");
});

t.test("the host cannot: the protocol's own failure goes out, and the entry is gone", async (t) => {
  const ftp = waiting();
  ftp.answer(null);
  t.ok(ftp.heard("reply").endsWith(UNAVAILABLE));
  t.equal(ftp.balancer.related.size, 0);
  const port = session({ seen: () => null });
  t.equal(port.client("PORT 10,0,0,5,4,1\r\n"), "PORT 0,0,0,0,0,0\r\n");
});

t.test("the host says nothing for two seconds: as if it could not; its late answer changes nothing", async (t) => {
  const ftp = waiting();
  ftp.server("200 behind\r\n");
  ftp.wait(1999);
  t.ok(ftp.stream.blocked("reply"));
  t.equal(ftp.stream.deadline, seconds(1002));
  ftp.wait(1);
  t.ok(ftp.heard("reply").endsWith(`${UNAVAILABLE}200 behind\r\n`), "and nothing hangs");
  ftp.answer();
  t.equal(ftp.balancer.related.size, 0);
  t.same(ftp.pending, []);
  t.ok(ftp.heard("reply").endsWith("200 behind\r\n"));
  t.equal(ftp.stream.deadline, Number.POSITIVE_INFINITY);
});

t.test("several announcements in one segment are put in place one after the other", async (t) => {
  const ftp = session({ answers: "late" });
  ftp.client("PASV\r\nEPSV\r\n");
  ftp.server(`${PASSIVE}229 (|||5002|)\r\n200 x\r\n`);
  t.equal(ftp.waiting.length, 1);
  ftp.answer();
  t.ok(ftp.heard("reply").endsWith(TOLD));
  t.equal(ftp.waiting.length, 1);
  ftp.answer();
  t.ok(ftp.heard("reply").endsWith(`${TOLD}229 (|||5002|)\r\n200 x\r\n`));
});

// Once, a message that came in two parts and then waited left its clock running: a minute later the helper was
// detached as too slow, and the next 227 went out with the realserver's address.
t.test("a message that came in parts and then waited has not been slow", async (t) => {
  const ftp = session({ answers: "late" });
  ftp.client("PASV\r\n");
  ftp.server(PASSIVE.slice(0, 9));
  ftp.server(PASSIVE.slice(9));
  ftp.answer();
  t.equal(ftp.stream.deadline, Number.POSITIVE_INFINITY);
  ftp.wait(120_000);
  t.same(ftp.reasons("fault"), []);
  t.notOk(ftp.stream.detached);
});

t.test("an answer for one direction that comes while the host is asked for the other is not lost", async (t) => {
  const ftp = session({ answers: "late" });
  ftp.client("PASV\r\n");
  ftp.server(PASSIVE);
  const prepare = ftp.prepare.bind(ftp);
  ftp.prepare = (entry) => {
    prepare(entry);
    ftp.answer(); // the 227's
  };
  ftp.client("PORT 10,0,0,5,4,1\r\n");
  t.ok(ftp.heard("reply").endsWith(TOLD));
  ftp.answer();
  t.ok(ftp.heard("original").endsWith("PORT 10,0,0,5,4,1\r\n"));
});

t.test("a direction that ends behind the barrier lets its rest out after it", async (t) => {
  const ftp = waiting();
  ftp.server("221 Bye");
  ftp.stream.end("reply");
  t.notMatch(ftp.heard("reply"), /Bye/);
  ftp.answer();
  t.ok(ftp.heard("reply").endsWith(`${TOLD}221 Bye`));
});

t.test("what waits is the stream's own copy: its caller may use the bytes again", async (t) => {
  const ftp = session({ answers: "late" });
  ftp.client("PASV\r\n");
  const bytes = Buffer.from(`${PASSIVE}200 ok\r\n21`);
  ftp.server(bytes);
  bytes.fill(0);
  ftp.answer();
  ftp.server("1 x\r\n");
  t.ok(ftp.heard("reply").endsWith(`${TOLD}200 ok\r\n211 x\r\n`));
});

// --- decisions ------------------------------------------------------------------------------------------------------

t.test("decisions say where in the stream the message is", async (t) => {
  const ftp = new Conversation();
  const said = "USER x\r\nPORT 10,9,9,9,4,1\r\nNOOP\r\nPORT 10,0,0,5,4,1\r\n";
  ftp.client(said);
  ftp.server("220 x\r\n331 x\r\n500 x\r\n200 x\r\n200 ok\r\n");
  t.same(
    ftp.decisions.map(({ outcome, reason, offset, length, direction }) => [
      outcome,
      reason,
      direction === "original" ? said.slice(offset, offset + length) : offset,
    ]),
    [
      ["refused", "bounce", "PORT 10,9,9,9,4,1\r\n"],
      ["expected", "ftp-active", "PORT 10,0,0,5,4,1\r\n"],
      ["settled", "accepted", 28],
    ],
    "and what was refused is not settled",
  );
});

t.test("a refused reply is not called accepted", async (t) => {
  const ftp = session();
  ftp.client("PASV\r\n");
  ftp.server("227 (192,168,0,9,19,137)\r\n");
  t.same(ftp.reasons("settled"), []);
});

// --- any helper -----------------------------------------------------------------------------------------------------

/** A line protocol for tests: each line is done as `does` says. */
function lineHelper(
  does: (line: string, actions: Actions, length: number) => Inspection["verdict"],
  rest: Partial<Inspector> = {},
) {
  return (limits: Partial<Helper["limits"]> = {}): Helper => ({
    name: "lines",
    transport: "tcp",
    ports: [port(21)],
    sources: [],
    limits: { pending: 10, ttl: seconds(30), hold: 100, patience: seconds(60), ...limits },
    open: () => ({
      inspect(payload, _direction, actions) {
        const end = payload.indexOf(0x0a) + 1;
        if (end === 0) return { verdict: "pass", consumed: 0 };
        return { verdict: does(Buffer.from(payload.subarray(0, end)).toString(), actions, end), consumed: end };
      },
      ...rest,
    }),
  });
}

const pair = (length: number): Announcement[] =>
  [6000, 6001].map((n) => ({
    kind: "pair",
    said: "PAIR",
    transport: "udp",
    opener: "reply",
    from: { address: null, port: null },
    to: { address: null, port: n },
    uses: 1,
    bytes: { start: 0, end: length },
    instead: { start: 0, end: length, text: (reason) => `no (${reason})\n` },
  }));

const bundles = lineHelper((line, actions, length) => {
  if (!line.startsWith("PAIR")) return "pass";
  const ref = actions.expect(...pair(length));
  actions.rewrite(5, 6, ref, ({ port }) => `${port}`);
  actions.rewrite(7, 8, ref, ({ port }) => `${port}`, 1);
  return "pass";
});

t.test("a bundle: each part is rewritten with its own end", async (t) => {
  const talk = new Conversation({ helper: bundles(), seen: ({ target }) => endpoint("1.2.3.4", target.port + 10) });
  t.equal(talk.client("PAIR a-b\n"), "PAIR 6010-6011\n");
  t.equal(talk.pending.length, 2);
});

t.test("a bundle stands or falls together, and the host is told of each end that it gave", async (t) => {
  for (const failing of [6000, 6001]) {
    for (const answers of ["now", "late"] as const) {
      const gone: [RelatedEntry, GoneReason][] = [];
      const talk = new Conversation({
        helper: bundles(),
        answers,
        balancer: makeBalancer([ftpService()], LIMITS, (entry, reason) => gone.push([entry, reason])),
        seen: ({ target }) => (target.port === failing ? null : endpoint("1.2.3.4", 7000)),
      });
      const heard = talk.client("PAIR a-b\n");
      while (talk.waiting.length > 0) talk.answer();
      t.equal(heard + talk.heard("original").slice(heard.length), "no (unavailable)\n");
      t.equal(talk.balancer.related.size, 0);
      t.same(
        gone.map(([entry]) => [entry.target.port, entry.seen?.port ?? null]).sort(),
        [6000, 6001].map((n) => [n, n === failing ? null : 7000]),
      );
    }
  }
});

t.test("a bundle of which one is refused is refused whole", async (t) => {
  const helper = lineHelper((_line, actions, length) => {
    const [first, second] = pair(length);
    actions.expect(first!, { ...second!, to: { address: null, port: 80 } });
    return "pass";
  });
  const talk = new Conversation({ helper: helper() });
  t.equal(talk.client("PAIR a-b\n"), "no (port-reserved)\n");
  t.equal(talk.balancer.related.size, 0);
  t.equal(talk.announced.length, 0, "and the host was not bothered");
});

t.test("revoke withdraws what waits, and leaves a used entry alone", async (t) => {
  let ref: Ref;
  const helper = lineHelper((line, actions, length) => {
    if (line === "REVOKE\n") actions.revoke(ref);
    else ref = actions.expect({ ...pair(length)[0]!, uses: "many" });
    return "pass";
  });
  const talk = new Conversation({ helper: helper() });
  talk.client("MANY\nREVOKE\nREVOKE\n");
  t.same(talk.reasons("revoked"), ["revoked"]);
  t.equal(talk.balancer.related.size, 0);
});

t.test("write: text of the helper's own, alone and between the ends that core gives", async (t) => {
  const helper = lineHelper((line, actions, length) => {
    if (line.startsWith("PAIR")) {
      const ref = actions.expect(...pair(length));
      actions.rewrite(5, 6, ref, ({ port }) => `${port}`);
      actions.rewrite(9, 10, ref, ({ port }) => `${port}`, 1);
    }
    actions.write(7, 8, "xyz");
    actions.write(0, 1, "");
    return "pass";
  });
  for (const answers of ["now", "late"] as const) {
    const talk = new Conversation({ helper: helper(), answers, seen: ({ target }) => target });
    talk.client("PAIR a-b-c\nOTHER, b\n");
    while (talk.waiting.length > 0) talk.answer();
    t.equal(talk.heard("original"), "AIR 6000-xyz-6001\nTHER, xyz\n");
  }
});

t.test("what its own message settles is not remembered: whoever names it later names nothing", async (t) => {
  for (const own of [true, false]) {
    let ref: Ref;
    const helper = lineHelper((line, actions, length) => {
      if (line === "END\n") actions.revoke(ref);
      else {
        ref = actions.expect(...pair(length));
        if (own) actions.settle(ref, "accepted");
      }
      return "pass";
    });
    const talk = new Conversation({ helper: helper() });
    talk.client("PAIR\nEND\n");
    t.equal(talk.pending.length, own ? 2 : 0);
  }
});

t.test("of a bundle, what the answer does not take up is withdrawn", async (t) => {
  let ref: Ref;
  const helper = lineHelper((line, actions, length) => {
    if (line === "ANSWER\n") actions.settle(ref, "accepted", [{ address: null, port: null }, null]);
    else ref = actions.expect(...pair(length));
    return "pass";
  });
  const talk = new Conversation({ helper: helper() });
  talk.client("PAIR\nANSWER\n");
  t.match(talk.pending, [/=> 10\.0\.0\.5:6000$/]);
  t.equal(talk.pending.length, 1);
  t.same(talk.reasons("revoked"), ["revoked"]);
});

t.test(
  "of several names for one end the first that is let in stands for all; none is, and it is refused",
  async (t) => {
    const helper = lineHelper((line, actions, length) => {
      const ports = line === "GOOD\n" ? [22, 6000, 6001] : [22, 23];
      const [one] = pair(length);
      const to = (port: number) => ({ address: null, port });
      actions.expect(...ports.map((port) => ({ ...one!, to: to(port), either: true as const })));
      return "pass";
    });
    const talk = new Conversation({ helper: helper() });
    talk.client("GOOD\nBAD\n");
    t.equal(talk.pending.length, 1);
    t.match(talk.pending, [/=> 10\.0\.0\.5:6000$/]);
    t.same(talk.reasons("refused"), ["port-reserved"]);
  },
);

t.test("drop closes the gap", async (t) => {
  const talk = new Conversation({ helper: lineHelper((line) => (line.startsWith("x") ? "drop" : "pass"))() });
  t.equal(talk.client("a\nxyz\nb\nx\nc"), "a\nb\n");
  t.equal(talk.client("\n"), "c\n");
});

t.test("detach: everything passes from then on, in both directions, held bytes too", async (t) => {
  const talk = new Conversation({ helper: lineHelper((line) => (line === "bye\n" ? "detach" : "pass"))() });
  talk.server("half");
  t.equal(talk.client("bye\nDROP"), "bye\nDROP");
  t.ok(talk.stream.detached);
  t.equal(talk.heard("reply"), "half");
  t.equal(talk.server("x"), "x");
});

t.test("the hold as configured counts, not the helper's own", async (t) => {
  const talk = new Conversation({ helper: lineHelper(() => "pass")({ hold: 100 }), hold: 10 });
  t.equal(talk.client("0123456789"), "");
  t.equal(talk.client("x"), "0123456789x");
  t.same(talk.reasons("fault"), ["message-too-long"]);
  const generous = new Conversation({ helper: lineHelper(() => "pass")({ hold: 10 }), hold: 100 });
  t.equal(generous.client("x".repeat(100)), "");
});

t.test("a message that takes too long is let go; a helper that does not read on from there is detached", async (t) => {
  const refusing: Partial<Inspector> = {
    end: (payload, _direction, actions) => {
      const all = { start: 0, end: payload.length };
      actions.refuse("unfinished", all, { ...all, text: () => "never mind\n" });
    },
  };
  const reading = new Conversation({ helper: lineHelper(() => "pass", refusing)({ patience: ms(500) }) });
  reading.client("a");
  reading.wait(250);
  reading.client("b");
  t.equal(reading.stream.deadline, 1_000_500, "from its first byte on");
  reading.wait(250);
  t.equal(reading.heard("original"), "never mind\n");
  t.notOk(reading.stream.detached);

  const other = new Conversation({ helper: lineHelper(() => "pass")({ patience: ms(500) }) });
  other.client("a");
  other.wait(500);
  t.equal(other.heard("original"), "a");
  t.ok(other.stream.detached);
});

t.test("a helper that fails: open goes on unread, closed ends, and lets nothing more through", async (t) => {
  const failing = lineHelper((line) => {
    if (line === "bad\n") throw new Error("x");
    return "pass";
  });
  const open = new Conversation({ helper: failing(), onFailure: "open" });
  t.equal(open.client("a\nbad\nb\n"), "a\nbad\nb\n");
  t.same(open.reasons("fault"), ["helper-threw"]);
  t.equal(open.aborted, null);

  const closed = new Conversation({ helper: failing(), onFailure: "closed" });
  t.equal(closed.client("a\nbad\nb\n"), "a\n");
  t.equal(closed.aborted, "helper-failed");
  t.equal(closed.client("b\n"), "");
  t.equal(closed.server("b\n"), "");
  closed.stream.end("original");
  closed.wait(3_600_000);
  t.equal(closed.heard("original"), "a\n");
  t.same(closed.reasons("fault"), ["helper-threw"], "and it is said once");
});

t.test("a helper that cannot be opened, or cannot write, does not take the director with it", async (t) => {
  const unopened: Helper = {
    ...lineHelper(() => "pass")(),
    open: () => {
      throw new Error("x");
    },
  };
  const talk = new Conversation({ helper: unopened });
  t.equal(talk.client("a\n"), "a\n");
  t.same(talk.reasons("fault"), ["helper-threw"]);

  const throwing = () => {
    throw new Error("x");
  };
  const helper = lineHelper((_line, actions, length) => {
    const announcement = { ...pair(length)[0]!, instead: { start: 0, end: length, text: throwing } };
    actions.rewrite(0, 1, actions.expect(announcement), throwing);
    return "pass";
  });
  const mute = new Conversation({ helper: helper() });
  t.equal(mute.client("a\n"), "");
  t.equal(mute.balancer.related.size, 0);
});
