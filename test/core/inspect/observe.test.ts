import t from "tap";
import {
  type Actions,
  type Announcement,
  type Connection,
  type Helper,
  type Inspector,
  passed,
  type Ref,
} from "../../../core/helper/api.ts";
import { ControlObserver } from "../../../core/inspect/observe.ts";
import { type Direction, type Endpoint, port, seconds } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import { bytesOf } from "../../../core/wire/text.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { pnm } from "../../../helpers/pnm/helper.ts";

const at = (address: string, n: number): Endpoint => ({ address: Address.parse(address)!, port: port(n) });
const CLIENT = at("10.0.0.5", 40000);
const SERVER = at("192.0.2.1", 21);
const CONNECTION: Connection = { transport: "tcp", client: CLIENT, virtual: SERVER, real: SERVER };

/** Lines as `C: PASV` and `S: 227 ...`, a frame each, frames numbered from 1. */
function observe(...lines: string[]): ControlObserver {
  const observer = new ControlObserver(ftp, CONNECTION);
  for (const [index, line] of lines.entries()) {
    observer.data(line.startsWith("C") ? "original" : "reply", bytesOf(`${line.slice(3)}\r\n`), index + 1);
  }
  return observer;
}

const told = ({ announcements }: ControlObserver) =>
  announcements.map(({ announcement: { kind, to }, frame, state }) => `${kind} ${to.port} frame ${frame} ${state}`);

t.test("what answers an announcement that would be refused would be refused, too", async (t) => {
  const observer = new ControlObserver(pnm, { ...CONNECTION, real: at("192.0.2.1", 7070) });
  observer.data("original", bytesOf("PNA\0\x0a\0\x07\0\x02\0\x50\0\0"), 1);
  observer.data("reply", bytesOf(`PNA\0\x0a${"\0".repeat(6)}\0\x07\x1b\x58rest`), 2);
  t.same(
    observer.faults.map(({ code }) => code),
    ["port-reserved", "unsolicited"],
  );
});

t.test("a session: what was announced, in which frame, and what came of it", async (t) => {
  const observer = observe(
    "S: 220 ready",
    "C: PASV",
    "S: 227 Entering Passive Mode (192,0,2,1,200,10)",
    "C: PORT 10,0,0,5,156,65",
    "S: 200 PORT command successful",
    "C: EPRT |1|10.0.0.5|40002|",
    "S: 500 no",
    "C: PORT 10,0,0,5,156,67",
  );
  t.same(told(observer), [
    "ftp-passive 51210 frame 3 accepted",
    "ftp-active 40001 frame 4 accepted",
    "ftp-eprt 40002 frame 6 rejected",
    "ftp-active 40003 frame 8 unanswered",
  ]);
  t.same(observer.faults, []);
});

t.test("one byte a frame: the announcement's frame is the one that completes it", async (t) => {
  const observer = observe("S: 220 ready", "C: PASV");
  const reply = bytesOf("227 Entering Passive Mode (192,0,2,1,200,10)\r\n");
  for (const [index] of reply.entries()) observer.data("reply", reply.subarray(index, index + 1), 100 + index);
  t.same(told(observer), [`ftp-passive 51210 frame ${99 + reply.length} accepted`]);
});

t.test("what was said is kept with the frame it began in, and no more of it than its first 256 bytes", async (t) => {
  const observer = observe("S: 220 ready", "C: PASV");
  observer.data("reply", bytesOf("227 Entering "), 7);
  observer.data("reply", bytesOf("(192,0,2,1,200,10)\r\n226 done\r\n"), 9);
  observer.data("original", bytesOf(`PORT ${"1".repeat(1000)}\r\n`), 10);
  const [announced] = observer.announcements;
  t.equal(announced!.message.begun, 7);
  t.equal(Buffer.from(announced!.message.bytes).toString("latin1"), "227 Entering (192,0,2,1,200,10)\r\n");
  t.equal(observer.faults[0]!.source.speaker, "original");
  t.equal(observer.faults[0]!.source.bytes.length, 256);
});

t.test("bytes behind a filled hole that came before it: the latest frame of the message counts", async (t) => {
  const observer = observe("S: 220 ready", "C: PASV");
  observer.data("reply", bytesOf("227 Entering Passive "), 12);
  observer.data("reply", bytesOf("Mode (192,0,2,1,200,10)\r\n"), 10);
  t.same(told(observer), ["ftp-passive 51210 frame 12 accepted"]);
});

t.test("what a director would refuse is listed with the fault", async (t) => {
  const observer = observe(
    "S: 220 ready",
    "C: PORT 10.9.9.9,4,1",
    "S: 500 what?",
    "C: PORT 10,9,9,9,156,65",
    "S: 200 fine",
    "C: PORT 10,0,0,5,0,22",
    "S: 200 fine",
  );
  t.same(told(observer), ["ftp-active 40001 frame 4 accepted", "ftp-active 22 frame 6 accepted"]);
  t.match(observer.faults, [
    { code: "bad-argument", message: "an address or port in the wrong form", frame: 2 },
    { code: "bounce", message: "PORT names 10.9.9.9, the client is 10.0.0.5", frame: 4 },
    { code: "port-reserved", message: "PORT names the reserved port 22", frame: 6 },
  ]);
});

t.test("no limit holds: as many announcements as were made", async (t) => {
  const lines = Array.from({ length: 100 }, (_, i) => [`C: PORT 10,0,0,5,200,${i}`, "S: 200 fine"]).flat();
  t.equal(observe("S: 220 ready", ...lines).announcements.length, 100);
});

t.test("behind a gap the helper reads on at the start of a line", async (t) => {
  const observer = observe("S: 220 ready", "C: PASV", "S: 227 Entering (192,0,2,1,20");
  observer.gap("reply");
  observer.data("reply", bytesOf("ing data\r\n226 done\r\n"), 9);
  observer.data("original", bytesOf("PASV\r\n"), 10);
  observer.data("reply", bytesOf("227 (192,0,2,1,200,11)\r\n"), 11);
  t.same(told(observer), ["ftp-passive 51211 frame 11 accepted"]);
});

t.test("a gap in an unfinished message drops what was held of it", async (t) => {
  const observer = observe("S: 220 ready", "C: PASV");
  observer.data("reply", bytesOf("227 (192,0,2,1,"), 3);
  observer.gap("reply");
  observer.data("reply", bytesOf("200,10)\r\n"), 5);
  t.same(observer.announcements, []);
});

t.test("AUTH TLS makes a port group, and nothing behind it is read", async (t) => {
  const observer = observe("S: 220 ready", "C: AUTH TLS", "S: 234 go ahead");
  t.match(observer.groups, [
    { reason: "tls", ports: null, frame: 3, source: { speaker: "reply", begun: 3, complete: 3 } },
  ]);
  t.same(
    observer.notes.map(({ code }) => code),
    ["encrypted"],
  );
});

// --- with a helper made for the test ---------------------------------------------------------------------------------

const announcement = (objection?: string): Announcement => ({
  kind: "made-up",
  said: "HELLO",
  transport: "tcp",
  opener: "original",
  from: { address: null, port: null },
  to: { address: null, port: 4000 },
  uses: 1,
  bytes: { start: 0, end: 1 },
  instead: { start: 0, end: 1, text: () => "" },
  ...(objection === undefined ? {} : { objection }),
});

function helperOf(inspector: Partial<Inspector>): Helper {
  const limits = { pending: 1, ttl: seconds(1), hold: 8, patience: seconds(1) };
  const open = () => ({ inspect: passed, ...inspector });
  return { name: "made-up", transport: "tcp", ports: [], sources: [], limits, open };
}

t.test("a reply whose request was not seen, and that nothing settles, is told as such", async (t) => {
  const helper = helperOf({
    inspect(payload, _direction, actions) {
      actions.expect(announcement("unsolicited"));
      return passed(payload);
    },
  });
  const observer = new ControlObserver(helper, CONNECTION);
  observer.data("reply", bytesOf("x"), 1);
  t.match(observer.announcements, [{ state: "request-not-seen", refusal: "unsolicited", frame: 1 }]);
});

const udp = (port: number): Announcement => ({ ...announcement(), transport: "udp", to: { address: null, port } });

t.test("what it takes the answer to complete is dated by the answer, and has the end that this names", async (t) => {
  let ref: Ref;
  const helper = helperOf({
    inspect(payload, direction, actions) {
      if (direction === "original") ref = actions.expect(udp(6970), udp(6971), udp(6972));
      else {
        actions.expect({ ...udp(9000), answers: ref });
        actions.settle(ref, "accepted", [{ address: null, port: port(9000) }, null]);
      }
      return passed(payload);
    },
  });
  const observer = new ControlObserver(helper, CONNECTION);
  observer.data("original", bytesOf("x"), 1);
  observer.data("reply", bytesOf("y"), 2);
  t.match(
    observer.announcements,
    [
      { announcement: { from: { port: 9000 }, to: { port: 6970 } }, frame: 2, state: "accepted" },
      { announcement: { from: { port: null }, to: { port: 6972 } }, frame: 2, state: "accepted" },
    ],
    "the one not taken up is none, and the other half of the first is not listed again",
  );
  t.equal(observer.announcements.length, 2);
});

t.test("what the protocol has no answer to is announced, and listed once however often it is said", async (t) => {
  let said: Ref | undefined;
  const helper = helperOf({
    inspect(payload, _direction, actions) {
      const repeats = said === undefined ? {} : { repeats: said };
      said = actions.expect({ ...announcement(), answered: false, ...repeats });
      return passed(payload);
    },
  });
  const observer = new ControlObserver(helper, CONNECTION);
  for (const frame of [1, 2, 3]) observer.data("original", bytesOf("x"), frame);
  t.match(observer.announcements, [{ state: "announced", frame: 1 }]);
  t.equal(observer.announcements.length, 1);
});

t.test("a repetition is settled by its own name and by that of the first", async (t) => {
  let first: Ref;
  let last: Ref;
  const helper = helperOf({
    inspect(payload, direction, actions) {
      if (direction === "reply") actions.settle(last, "accepted");
      else if (first === undefined) first = last = actions.expect(announcement());
      else last = actions.expect({ ...announcement(), repeats: first });
      return passed(payload);
    },
  });
  const observer = new ControlObserver(helper, CONNECTION);
  observer.data("original", bytesOf("x"), 1);
  observer.data("original", bytesOf("x"), 2);
  observer.data("reply", bytesOf("x"), 3);
  t.match(observer.announcements, [{ state: "accepted", frame: 1 }]);
});

t.test("a connection that is let go without a fault is not this protocol's", async (t) => {
  const observed = (say: (actions: Actions) => void) => {
    const helper = helperOf({
      inspect(payload, _direction, actions) {
        say(actions);
        return { verdict: "detach", consumed: payload.length };
      },
    });
    const observer = new ControlObserver(helper, CONNECTION);
    t.notOk(observer.disowned);
    observer.data("original", bytesOf("x"), 1);
    return observer.disowned;
  };
  t.ok(observed((actions) => actions.note("other")));
  t.notOk(observed((actions) => actions.fault("bad")));
  t.notOk(observed((actions) => actions.group("all")));
});

t.test("of several names for one end all are listed, and refused only where none would be let in", async (t) => {
  const observed = (...ports: number[]) => {
    const helper = helperOf({
      inspect(payload, _direction, actions) {
        actions.expect(...ports.map((port) => ({ ...udp(port), either: true as const })));
        return passed(payload);
      },
    });
    const observer = new ControlObserver(helper, CONNECTION);
    observer.data("original", bytesOf("x"), 1);
    return { listed: observer.announcements.length, faults: observer.faults.map(({ code }) => code) };
  };
  t.same(observed(22, 6000), { listed: 2, faults: [] });
  t.same(observed(22, 0), { listed: 2, faults: ["port-reserved", "port-zero"] });
});

t.test("one that is let go later was this protocol's", async (t) => {
  let shown = 0;
  const helper = helperOf({
    inspect: (payload) => ({ verdict: shown++ === 0 ? "pass" : "detach", consumed: payload.length }),
  });
  const observer = new ControlObserver(helper, CONNECTION);
  for (const frame of [1, 2]) observer.data("original", bytesOf("x"), frame);
  t.equal(shown, 2);
  t.notOk(observer.disowned);
});

t.test("a helper that leaves a part of a datagram unread breaks its contract", async (t) => {
  const helper = helperOf({ inspect: () => ({ verdict: "pass", consumed: 0 }) });
  const observer = new ControlObserver(helper, { ...CONNECTION, transport: "udp" });
  observer.data("original", bytesOf("x"), 1);
  t.match(observer.faults, [{ code: "helper-broke-contract" }]);
});

t.test("a message longer than what is held is let go, as if bytes were missing", async (t) => {
  const gaps: Direction[] = [];
  const shown: number[] = [];
  const helper = helperOf({
    inspect(payload) {
      shown.push(payload.length);
      return { verdict: "pass", consumed: 0 };
    },
    gap: (direction) => gaps.push(direction),
  });
  const observer = new ControlObserver(helper, CONNECTION);
  for (const frame of [1, 2, 3, 4]) observer.data("original", bytesOf("abc"), frame);
  t.same(shown, [3, 6, 9, 3]);
  t.same(gaps, ["original"]);
  t.match(observer.faults, [{ code: "message-too-long", frame: 3 }]);
});

t.test("a helper that throws, or detaches, sees no more of this connection", async (t) => {
  const calls: number[] = [];
  const throwing = helperOf({
    inspect(payload) {
      calls.push(payload.length);
      throw new Error("a bug");
    },
  });
  const thrown = new ControlObserver(throwing, CONNECTION);
  for (const frame of [1, 2]) thrown.data("original", bytesOf("x"), frame);
  t.match(thrown.faults, [
    { code: "helper-threw", message: "the helper failed; the connection is not read any further", frame: 1 },
  ]);

  const detaching = helperOf({
    inspect(payload) {
      calls.push(payload.length);
      return { verdict: "detach", consumed: payload.length };
    },
  });
  const detached = new ControlObserver(detaching, CONNECTION);
  detached.data("original", bytesOf("xy"), 1);
  detached.data("reply", bytesOf("z"), 2);
  detached.gap("reply");
  detached.end("reply");
  t.same(calls, [1, 2]);
});

t.test("what is unfinished when a direction ends is shown to the helper once more", async (t) => {
  const observer = observe("S: 220 ready");
  observer.data("original", bytesOf("PORT 10,0,0,5,1"), 2);
  observer.end("original");
  observer.end("original");
  t.match(observer.faults, [{ code: "unfinished", frame: 2 }]);
  t.equal(observer.faults.length, 1);
});
