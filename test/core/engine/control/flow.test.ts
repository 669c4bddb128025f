/** The machine, segment by segment. Lines are as scripted.ts shows them: `>` goes to the server, `<` to the client. */
import t from "tap";
import type { Helper } from "../../../../core/helper/api.ts";
import { ms, port, seconds } from "../../../../core/units.ts";
import { endpoint } from "../../../addresses.ts";
import { Scripted } from "./scripted.ts";
import { ACK, FIN, RST, SYN, URG } from "./wire.ts";

const PASSIVE = "227 (192,168,0,2,19,137)\r\n";
const TOLD = "227 (1,2,3,4,19,137)\r\n";
const LONG = "203.0.113.210";
const TOLD_LONG = "227 (203,0,113,210,19,137)\r\n";

const said = (text: string): string => JSON.stringify(text);

/** Lines that begin with `x` are dropped, `bye` detaches, `!` breaks. */
const lines: Helper = {
  name: "lines",
  transport: "tcp",
  ports: [port(21)],
  sources: [],
  limits: { pending: 10, ttl: seconds(30), hold: 100, patience: seconds(60) },
  open: () => ({
    inspect(payload) {
      const end = payload.indexOf(0x0a) + 1;
      if (payload[0] === 0x21) throw new Error("x");
      if (payload[0] === 0x78 && end > 0) return { verdict: "drop", consumed: end };
      if (payload[0] === 0x62 && end > 0) return { verdict: "detach", consumed: payload.length };
      return { verdict: "pass", consumed: end };
    },
  }),
};

/** A 227 on its way to the client, and nothing else. */
function told(options: ConstructorParameters<typeof Scripted>[0] = {}) {
  const talk = new Scripted(options).login();
  talk.client("PASV\r\n");
  talk.server("");
  const client = talk.said.original;
  const server = talk.said.reply;
  const out = talk.heard.reply;
  return { talk, client, server, out };
}

// --- the handshake ----------------------------------------------------------------------------------------------------

t.test("the handshake passes end to end, and may be repeated", async (t) => {
  const talk = new Scripted();
  t.same(talk.segment("original", { flags: SYN, at: -1 }), ["> SYN -1"]);
  t.same(talk.segment("original", { flags: SYN, at: -1 }), ["> SYN -1"]);
  t.same(talk.segment("reply", { flags: SYN | ACK, at: -1, ack: 0 }), ["< SYN -1 ack 0"]);
  t.same(talk.segment("reply", { flags: SYN | ACK, at: -1, ack: 0 }), ["< SYN -1 ack 0"]);
  t.same(talk.segment("original", {}), ["> 0 ack 0"]);
});

t.test("payload of a SYN goes nowhere: its sender says it again, to be read (RFC 7413)", async (t) => {
  const talk = new Scripted({ syn: { payload: Buffer.from("PASV\r\n") } });
  t.same(talk.segment("original", { flags: SYN, at: -1, payload: Buffer.from("PORT 1") }), ["> SYN -1"]);
  t.same(talk.segment("reply", { flags: SYN | ACK, at: -1, ack: 6 }), [], "and nobody can have acknowledged it");
  t.same(talk.segment("reply", { flags: SYN | ACK, at: -1, ack: 0, payload: Buffer.from("220") }), ["< SYN -1 ack 0"]);
});

t.test("a SYN keeps the options that the machine understands, and no others", async (t) => {
  const talk = new Scripted();
  talk.segment("original", { flags: SYN, at: -1, mss: 1460, sackPermitted: true, timestamps: [7, 0], scale: 3 });
  t.match(talk.last, { mss: 1460, sackPermitted: true, timestamps: [7, 0], scale: 3 });
  const bytes = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0x70, SYN, 1, 0, 0, 0, 0, 0, 30, 4, 0, 0, 3, 3, 5, 0);
  const other = new Scripted();
  other.flow.segment("original", bytes, 0, bytes.length, ms(0));
  t.match(other.last, { scale: 5, sequence: 9 }, "Multipath TCP could carry bytes past us");
});

t.test("nothing passes before the handshake, and no answer to another SYN", async (t) => {
  const talk = new Scripted();
  t.same(talk.client("PASV\r\n"), []);
  t.same(talk.segment("reply", { flags: SYN | ACK, at: -1, ack: 0 }), []);
  talk.segment("original", { flags: SYN, at: -1 });
  t.same(talk.segment("reply", { flags: SYN | ACK, at: -1, ack: 1 }), []);
  t.same(talk.segment("reply", { flags: SYN, at: -1 }), []);
  t.same(talk.server("220 x\r\n"), []);
  t.same(new Set(talk.rejected), new Set(["handshake"]));
});

t.test("a client that was not answered may begin anew, with another number", async (t) => {
  const talk = new Scripted();
  talk.segment("original", { flags: SYN, at: 499 });
  t.same(talk.segment("original", { flags: SYN, at: -1 }), ["> SYN -1"]);
  t.same(talk.segment("reply", { flags: SYN | ACK, at: -1, ack: 500 }), []);
  t.same(talk.segment("reply", { flags: SYN | ACK, at: -1, ack: 0 }), ["< SYN -1 ack 0"]);
});

t.test("a SYN in an open connection is challenged, and goes no further (RFC 5961)", async (t) => {
  const talk = new Scripted().login();
  t.same(talk.segment("original", { flags: SYN, at: 77 }), [`< ${talk.said.reply} ack ${talk.said.original}`]);
  t.same(talk.rejected, ["syn-in-flow"]);
});

t.test("challenges are few: ten a second of one connection, whatever provokes them (RFC 5961)", async (t) => {
  const talk = new Scripted().login();
  const { original: at } = talk.said;
  const provoke = () => {
    let answers = 0;
    for (let n = 0; n < 20; n++) {
      answers += talk.segment("original", { flags: SYN, at: 77 }).length;
      answers += talk.client("", { flags: RST, at: at + 1 }).length;
    }
    return answers;
  };
  talk.wait(5_000);
  t.equal(provoke(), 10);
  talk.wait(999);
  t.equal(provoke(), 0);
  talk.wait(1);
  t.equal(provoke(), 10);
  t.equal(talk.client("NOOP\r\n", { at }).length, 1, "the connection goes on");
});

t.test("a server that did not get the end of the handshake is told so when it repeats its part", async (t) => {
  const talk = new Scripted().open();
  t.same(talk.segment("reply", { flags: SYN | ACK, at: -1, ack: 0 }), ["> 0 ack 0"]);
});

t.test("a server whose handshake ends with part of a line hears of its end all the same", async (t) => {
  const talk = new Scripted();
  talk.segment("original", { flags: SYN, at: -1 });
  talk.segment("reply", { flags: SYN | ACK, at: -1, ack: 0 });
  t.same(talk.client("US"), ["< 0 ack 2", "> 0 ack 0"]);
});

t.test("a refused connection: the RST reaches the client", async (t) => {
  const talk = new Scripted();
  talk.segment("original", { flags: SYN, at: -1 });
  t.same(talk.segment("reply", { flags: RST | ACK, at: -1, ack: 5 }), [], "to another SYN");
  t.same(talk.segment("reply", { flags: RST | ACK, at: -1, ack: 0 }), ["< RST -1 ack 0"]);
});

// --- acknowledgments end to end ---------------------------------------------------------------------------------------

t.test("whole lines pass at once, and are acknowledged when their receiver does", async (t) => {
  const talk = new Scripted().open();
  t.same(talk.server("220 ready\r\n"), [`< 0 ack 0 ${said("220 ready\r\n")}`]);
  t.same(talk.client("USER x\r\n"), [`> 0 ack 11 ${said("USER x\r\n")}`]);
  t.same(talk.server(""), ["< 11 ack 8"]);
});

t.test(
  "part of a line waits, and is acknowledged at once: with Nagle's algorithm the rest comes only then",
  async (t) => {
    const talk = new Scripted().login();
    const at = talk.said.original;
    t.same(talk.client("NO"), [`< ${talk.said.reply} ack ${at + 2}`]);
    t.same(talk.client("OP"), [`< ${talk.said.reply} ack ${at + 4}`]);
    t.same(talk.client("\r\n"), [`> ${at} ack ${talk.said.reply} ${said("NOOP\r\n")}`]);
    t.same(talk.server(""), [`< ${talk.said.reply} ack ${at + 6}`]);
  },
);

t.test("a rewritten message is acknowledged as a whole; a part of it is no news", async (t) => {
  for (const [vip, text] of [
    ["1.2.3.4", TOLD],
    [LONG, TOLD_LONG],
  ] as const) {
    const { talk, client, server, out } = told({ vip });
    t.same(talk.server(PASSIVE), [`< ${out} ack ${client} ${said(text)}`]);
    t.same(talk.client("", { ack: out + 5 }), []);
    t.same(talk.client("", { ack: out + text.length }), [`> ${client} ack ${server + PASSIVE.length}`]);
  }
});

t.test("numbers stay shifted from there on, in both directions", async (t) => {
  const { talk, client, server, out } = told();
  talk.server(PASSIVE);
  talk.client("");
  t.same(talk.server("200 ok\r\n"), [`< ${out + TOLD.length} ack ${client} ${said("200 ok\r\n")}`]);
  t.same(talk.client("NOOP\r\n"), [`> ${client} ack ${server + PASSIVE.length + 8} ${said("NOOP\r\n")}`]);
});

t.test("any number of resizes may be on their way", async (t) => {
  const talk = new Scripted().login();
  talk.client("PASV\r\n".repeat(5));
  const { reply: server } = talk.said;
  const { reply: out } = talk.heard;
  for (let i = 0; i < 5; i++) {
    t.same(talk.server(PASSIVE), [`< ${out + i * TOLD.length} ack ${talk.said.original} ${said(TOLD)}`]);
  }
  for (let i = 1; i <= 5; i++) {
    t.same(talk.client("", { ack: out + i * TOLD.length }), [
      `> ${talk.said.original} ack ${server + i * PASSIVE.length}`,
    ]);
  }
});

t.test("what is dropped is acknowledged with what was in front of it", async (t) => {
  const talk = new Scripted({ helper: lines }).open();
  t.same(talk.client("xyz\n"), ["< 0 ack 4"], "at once, where nothing is on its way");
  t.same(talk.client("a\n"), [`> 0 ack 0 ${said("a\n")}`]);
  t.same(talk.client("x\n"), []);
  t.same(talk.client("x\nb\n"), [`> 2 ack 0 ${said("b\n")}`]);
  t.same(talk.server("", { ack: 2 }), ["< 0 ack 8"]);
  t.same(talk.server("", { ack: 4 }), ["< 0 ack 12"]);
});

t.test("an acknowledgment of what was not sent is dropped, with all that came with it, and answered", async (t) => {
  const talk = new Scripted().login();
  t.same(talk.server("200 x\r\n", { ack: talk.said.original + 1 }), [
    `> ${talk.said.original} ack ${talk.said.reply - 7}`,
  ]);
  t.same(talk.rejected, ["acknowledges-unsent"]);
  t.same(talk.client("NOOP\r\n").length, 1, "and the connection goes on");
});

t.test("a segment without ACK is nobody's", async (t) => {
  const talk = new Scripted().login();
  t.same(talk.client("NOOP\r\n", { flags: 0 }), []);
  t.same(talk.rejected, ["no-acknowledgment"]);
});

// --- retransmission ---------------------------------------------------------------------------------------------------

t.test("what a sender repeats is sent again as it was, whatever the repetition says", async (t) => {
  const { talk, client, server, out } = told();
  const first = talk.server(PASSIVE);
  t.same(talk.server(PASSIVE, { at: server }), first);
  t.same(talk.server("227 (6,6,6,6,6,6)xxxxxxx\r\n", { at: server }), first, "first bytes win");
  talk.server("200 ok\r\n");
  t.same(talk.server("00 ok\r\n201 n", { at: server + PASSIVE.length + 1 }), [
    `< ${out + TOLD.length + 1} ack ${client} ${said("00 ok\r\n")}`,
    `> ${client} ack ${server + PASSIVE.length + 13}`,
  ]);
});

t.test("of what a sender repeats, what it was told is done is not sent again for it", async (t) => {
  const talk = new Scripted().login();
  const at = talk.said.original;
  talk.client("NO");
  talk.client("OP\r\n");
  t.same(talk.client("NOOP\r\n", { at }), [`> ${at + 2} ack ${talk.said.reply} ${said("OP\r\n")}`]);
});

t.test("what a sender repeats though it was acknowledged is acknowledged again", async (t) => {
  const talk = new Scripted().login();
  t.same(talk.client("USER x\r\n", { at: 0 }), [`< ${talk.said.reply} ack 8`]);
  t.same(talk.rejected, ["repeated"]);
});

t.test("what is ours is sent again on time, each time after twice as long, until it is acknowledged", async (t) => {
  const talk = new Scripted().login();
  talk.now = 10_000;
  const at = talk.said.original;
  talk.client("NO");
  const whole = talk.client("OP\r\n");
  t.match(whole[0], /^> \d+ ack \d+ "NOOP/);
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const { deadline } = talk.flow;
    times.push(deadline - talk.now);
    t.same(talk.tick(), whole);
  }
  t.same(times, [times[0], times[0]! * 2, times[0]! * 4]);
  t.ok(times[0]! >= 200 && times[0]! <= 1000);
  t.same(talk.server(""), [`< ${talk.said.reply} ack ${at + 6}`]);
  t.equal(talk.flow.deadline, Number.POSITIVE_INFINITY);
});

t.test("what is not ours is its sender's to repeat", async (t) => {
  const talk = new Scripted().login();
  talk.client("NOOP\r\n");
  t.equal(talk.flow.deadline, Number.POSITIVE_INFINITY);
});

t.test("the timer goes by the round trips that were measured (RFC 6298)", async (t) => {
  const talk = new Scripted().login();
  for (let i = 0; i < 60; i++) {
    talk.client("NOOP\r\n");
    talk.now += 500;
    talk.server("");
  }
  talk.client("NO");
  talk.client("OP\r\n");
  const timeout = talk.flow.deadline - talk.now;
  t.ok(timeout > 500 && timeout < 600, `${timeout}`);
});

t.test("three duplicate acknowledgments: what is ours is sent again at once, once", async (t) => {
  const talk = new Scripted().login();
  const at = talk.said.original;
  talk.client("NO");
  const whole = talk.client("OP\r\n");
  talk.client("HELP\r\nHEL");
  const duplicate = () => talk.server("", { ack: at });
  t.same([...duplicate(), ...duplicate()], []);
  t.same(duplicate(), [whole[0]!.replace('NOOP\\r\\n"', 'NOOP\\r\\nHELP\\r\\n"')]);
  t.same([...duplicate(), ...duplicate(), ...duplicate(), ...duplicate()], []);
});

t.test("while more of what is ours is missing, each acknowledgment brings the next of it (RFC 6582)", async (t) => {
  const talk = new Scripted({ syn: { mss: 88 }, synAck: { mss: 88 } }).open();
  talk.client(`STOR ${"a".repeat(100)}`);
  t.equal(talk.client(`${"b".repeat(100)}\r\nNOOP\r\nQ`).length, 4);
  for (let i = 0; i < 2; i++) talk.server("", { ack: 0 });
  t.match(talk.server("", { ack: 0 }), [/^> 0 ack 0 "STOR a{83}"$/]);
  t.match(talk.server("", { ack: 88 })[0], /^> 88 ack 0 "a{17}b{71}"$/);
  t.match(talk.server("", { ack: 176 })[0], /^> 176 ack 0 "b+\\r\\nNOOP\\r\\n"$/);
});

t.test("duplicate acknowledgments of what is not ours go to its sender, with SACK blocks at their place", async (t) => {
  const options = { syn: { sackPermitted: true }, synAck: { sackPermitted: true } };
  const { talk, client, server, out } = told(options);
  talk.server(PASSIVE);
  talk.server("200 a\r\n");
  talk.server("200 b\r\n");
  const behind = out + TOLD.length;
  t.same(talk.client("", { ack: out, sack: [[behind, behind + 7]] }), [`> ${client} ack ${server}`]);
  const first = 5001 + server + PASSIVE.length;
  t.same(talk.last.sack, [[first, first + 7]]);
  talk.client("", {
    ack: out,
    sack: [
      [out + 3, behind + 9],
      [behind - 9, behind],
    ],
  });
  t.same(talk.last.sack, [[first, first + 9]], "what is half of a rewritten message has no place");
});

t.test("all that a receiver has behind holes is told, up to three blocks of it with timestamps", async (t) => {
  for (const timestamps of [false, true]) {
    const clock = timestamps ? { timestamps: [100, 100] as const } : {};
    const options = { syn: { sackPermitted: true, ...clock }, synAck: { sackPermitted: true, ...clock } };
    const { talk, server, out } = told(options);
    talk.server(PASSIVE);
    for (let i = 0; i < 8; i++) talk.server("200 a\r\n");
    const blocks = (from: number): [number, number][] => [0, 2, 4, 6].map((i) => [from + i * 7, from + i * 7 + 7]);
    const most = timestamps ? 3 : 4;
    talk.client("", { ack: out, sack: blocks(out + TOLD.length).slice(0, most), ...clock });
    t.same(talk.last.sack, blocks(5001 + server + PASSIVE.length).slice(0, most));
  }
});

t.test("SACK blocks of what was not sent, or is acknowledged, go nowhere", async (t) => {
  const options = { syn: { sackPermitted: true }, synAck: { sackPermitted: true } };
  const talk = new Scripted(options).login();
  talk.server("200 a\r\n");
  talk.server("200 b\r\n");
  const { reply: out } = talk.heard;
  talk.client("", {
    ack: out - 14,
    sack: [
      [out - 7, out + 1],
      [out - 16, out - 14],
    ],
  });
  t.same(talk.last.sack, []);
});

t.test("a receiver that is gone: both ends hear of it, after a quarter of an hour", async (t) => {
  const talk = new Scripted().login();
  talk.client("NO");
  talk.client("OP\r\n");
  const all = talk.wait(20 * 60_000);
  t.same(
    all.slice(-2).map((line) => line.slice(0, 5)),
    ["> RST", "< RST"],
  );
  t.equal(all.length, 17);
  t.ok(talk.rejected.includes("receiver-gone"));
});

// --- out of order -----------------------------------------------------------------------------------------------------

t.test("what comes before its turn is asked for at once, and passes in order when the hole is filled", async (t) => {
  const options = { syn: { sackPermitted: true }, synAck: { sackPermitted: true } };
  const talk = new Scripted(options).login();
  const at = talk.said.original;
  const ack = talk.said.reply;
  t.same(talk.client("OP\r\n", { at: at + 2 }), [`< ${ack} ack ${at}`]);
  t.same(talk.last.sack, [[1001 + at + 2, 1001 + at + 6]]);
  t.same(talk.client("QUIT\r\n", { at: at + 12 }), [`< ${ack} ack ${at}`]);
  t.same(talk.last.sack[0], [1001 + at + 12, 1001 + at + 18], "the latest first");
  t.equal(talk.last.sack.length, 2);
  t.same(talk.client("NO", { at }), [`> ${at} ack ${ack} ${said("NOOP\r\n")}`, `< ${ack} ack ${at + 6}`]);
  t.same(talk.client("HELP\r\n", { at: at + 6 }), [
    `> ${at + 6} ack ${ack} ${said("HELP\r\nQUIT\r\n")}`,
    `< ${ack} ack ${at + 18}`,
  ]);
});

t.test("without SACK a duplicate acknowledgment is all", async (t) => {
  const talk = new Scripted({ syn: { sackPermitted: true } }).login();
  talk.client("OP\r\n", { at: talk.said.original + 2 });
  t.same(talk.last.sack, []);
});

t.test("of overlapping bytes the first count", async (t) => {
  const talk = new Scripted().login();
  const at = talk.said.original;
  talk.client("OP\r\n", { at: at + 2 });
  t.match(talk.client("XXXXXX", { at }), [/"XXOP\\r\\n"$/, /./]);
  const other = new Scripted().login();
  other.client("NO", { at });
  t.match(other.client("XXOP\r\n", { at }), [/"NOOP\\r\\n"$/]);
});

t.test("what is out of order is kept within bounds, and the byte that is next is always taken", async (t) => {
  const talk = new Scripted({ helper: lines }).open();
  for (let i = 1; i <= 300; i++) talk.client("z", { at: i * 2 });
  t.equal(talk.rejected.filter((reason) => reason === "out-of-order-limit").length, 44);
  t.match(talk.client("a\n", { at: 0 }).at(-1), /ack 3$/);
  t.match(talk.client("y", { at: 3 }).at(-1), /ack 5$/);
});

// --- windows ----------------------------------------------------------------------------------------------------------

t.test("a sender may send what its receiver has room for, less what waits for it here", async (t) => {
  const { talk, server } = told({ vip: LONG });
  const allowed = talk.edge("reply");
  talk.client("", { window: 100 });
  t.equal(talk.edge("reply"), allowed, "and what it was allowed stays allowed");
  const small = new Scripted({ syn: { window: 50 }, vip: LONG }).open();
  small.server("220 x\r\n");
  small.client("PASV\r\n", { window: 50 });
  t.equal(small.edge("reply"), 57);
  small.server(PASSIVE);
  small.client("", { window: 50 - TOLD_LONG.length });
  t.equal(small.edge("reply"), 57);
  small.client("", { window: 50 });
  t.equal(small.edge("reply"), 7 + PASSIVE.length + 50);
  t.ok(server > 0);
});

t.test(
  "a segment is cut where its receiver's room ends, to the byte, though its sender was allowed more",
  async (t) => {
    for (const length of [24, 25]) {
      const talk = new Scripted({ helper: lines }).login();
      const { reply: out } = talk.heard;
      talk.client("NOOP\r\n", { window: 24 });
      talk.server("200 ok\r\n");
      talk.client("", { window: 24 });
      talk.emitted.length = 0;
      talk.server(`${"y".repeat(length - 1)}\n`);
      t.same(
        talk.emitted.filter(({ direction }) => direction === "reply").map(({ payload }) => payload.length),
        [24],
      );
      t.equal(talk.edge("original") > 0 && talk.heard.reply, out + 8 + 24);
    }
  },
);

t.test("windows are scaled as their sender has said", async (t) => {
  const talk = new Scripted({ syn: { scale: 2, window: 1000 }, synAck: { scale: 7 } }).open();
  talk.server("220 x\r\n");
  talk.client("", { window: 1100 });
  t.equal(talk.edge("reply", 2), 7 + 4400);
  const unscaled = new Scripted({ syn: { scale: 2, window: 1000 } }).open();
  unscaled.client("", { window: 1200 });
  t.equal(unscaled.edge("reply"), 1200, "both must offer it");
});

t.test("a window that scaling rounds down takes nothing back", async (t) => {
  const talk = new Scripted({ helper: lines, syn: { scale: 7, window: 256 }, synAck: { scale: 0 } });
  talk.segment("original", { flags: SYN, at: -1, scale: 7, window: 256 });
  talk.segment("reply", { flags: SYN | ACK, at: -1, ack: 0, scale: 0 });
  talk.client("", { window: 2 });
  talk.server("ab\nc");
  t.equal(talk.edge("reply", 7), 132);
  t.match(talk.server(`${"d".repeat(90)}\n${"e".repeat(160)}\n`)[0], /"cd+\\ne+\\n"$/);
  t.same(talk.rejected, []);
});

t.test("data beyond the window is dropped and acknowledged; up to it, taken", async (t) => {
  const talk = new Scripted({ synAck: { window: 4 } }).open();
  t.same(talk.server("", { window: 4 }), ["> 0 ack 0".replace(">", "<")]);
  t.same(talk.client("NOOP\r\n", { at: 0 }), ["< 0 ack 4"]);
  t.same(talk.rejected, ["beyond-window"]);
  talk.server("", { ack: 0, window: 4 });
  t.same(talk.client("OP\r\nHE", { at: 2 }), [`> 0 ack 0 ${said("NOOP")}`, "< 0 ack 8"]);
});

t.test("a closed window: what waits here goes when it opens, and it is asked after", async (t) => {
  const { talk, client, out } = told();
  talk.client("", { window: 0 });
  t.same(talk.server(PASSIVE), [], "allowed before it closed");
  const ask = [`< ${out - 1} ack ${client}`];
  t.same(talk.tick(), ask);
  t.same(talk.client("", { window: 0 }), [`> ${client} ack ${out}`], "closed still");
  t.same(talk.tick(), ask);
  t.same(talk.client("", { window: 10 }).slice(0, 1), [`< ${out} ack ${client} ${said(TOLD.slice(0, 10))}`]);
  t.same(talk.client("", { window: 100 })[0], `< ${out + 10} ack ${client} ${said(TOLD.slice(10))}`);
});

t.test("a window that opens is told at once, and who asks after a closed one asks its receiver", async (t) => {
  const talk = new Scripted({ synAck: { window: 6 } }).open();
  t.same(talk.client("NOOP\r\n"), [`> 0 ack 0 ${said("NOOP\r\n")}`]);
  t.same(talk.server("", { window: 0 }), ["< 0 ack 6"]);
  t.equal(talk.last.window, 0);
  t.same(talk.client("", { at: 5 }), ["> 5 ack 0"], "as Linux asks");
  t.same(talk.client("H", { at: 6 }), ["> 5 ack 0", "< 0 ack 6"], "as others ask");
  t.same(talk.server("", { window: 0 }), ["< 0 ack 6"]);
  t.same(talk.server("", { window: 9 }), ["< 0 ack 6"]);
  t.equal(talk.last.window, 9);
});

t.test("a keep-alive goes to the one it asks after, and so does the answer", async (t) => {
  const talk = new Scripted().login();
  const { original: client, reply: server } = talk.said;
  t.same(talk.client("", { at: client - 1 }), [`> ${client - 1} ack ${server}`]);
  t.same(talk.server(""), [`< ${server} ack ${client}`]);
  talk.client("NO");
  t.same(talk.client("", { at: client + 1 }), [`< ${server} ack ${client + 2}`], "unless we hold something of its");
});

t.test("a receiver that takes nothing: no more is read than may be kept", async (t) => {
  const talk = new Scripted({ helper: lines, synAck: { scale: 14 }, syn: { scale: 0 } }).open();
  talk.server("", { window: 65535 });
  let at = 0;
  for (let i = 0; i < 20; i++) {
    talk.client(`${"y".repeat(31_999)}\n`, { at });
    at = talk.said.original;
  }
  const kept = talk.emitted
    .filter(({ direction }) => direction === "original")
    .reduce((sum, s) => sum + s.payload.length, 0);
  t.ok(kept <= 256 * 1024 + 32_000, `${kept}`);
  t.ok(talk.rejected.length > 0);
});

t.test("a sender that has filled its window hears at once of the room that a shorter rewriting leaves", async (t) => {
  const { talk, client, server, out } = told({ syn: { window: PASSIVE.length } });
  t.same(talk.server(PASSIVE), [`< ${out} ack ${client} ${said(TOLD)}`, `> ${client} ack ${server}`]);
  t.equal(talk.last.window, PASSIVE.length + PASSIVE.length - TOLD.length);
});

t.test("of two windows told at the same place the larger counts", async (t) => {
  const talk = new Scripted().login();
  const { original: at, reply: ack } = talk.said;
  talk.client("NOOP\r\n", { window: 10 });
  t.same(talk.server("200 more than ten\r\n"), [`< ${ack} ack ${at + 6} ${said("200 more than ten\r\n")}`]);
});

// --- what else headers say --------------------------------------------------------------------------------------------

t.test("timestamps: the clock of whom a segment is from, the echo of whom it is to", async (t) => {
  const talk = new Scripted({ syn: { timestamps: [100, 0] }, synAck: { timestamps: [900, 100] } }).open();
  talk.server("220 x\r\n", { timestamps: [910, 100] });
  t.same(talk.last.timestamps, [910, 100]);
  talk.client("", { timestamps: [110, 910] });
  talk.client("NO", { timestamps: [120, 910] });
  t.same(talk.last.timestamps, [910, 120], "also of what is ours");
  talk.client("OP\r\n", { timestamps: [130, 910] });
  talk.wait(1000);
  t.same(talk.last.timestamps, [130, 910], "and when it is sent again");
  talk.client("OP\r\n", { at: 2, timestamps: [1, 910] });
  t.same(talk.last.timestamps, [130, 910], "never an older one: it would be taken for a stale segment (PAWS)");
});

t.test("timestamps: a clock does not go back while the connection is at rest, either", async (t) => {
  const talk = new Scripted({ syn: { timestamps: [100, 0] }, synAck: { timestamps: [900, 100] } }).open();
  talk.server("220 x\r\n", { timestamps: [910, 100] });
  talk.client("USER x\r\n", { timestamps: [120, 910] });
  talk.server("230 in\r\n", { timestamps: [920, 120] });
  talk.client("NOOP\r\n", { timestamps: [110, 920] });
  t.same(talk.last.timestamps, [120, 920]);
  talk.server("200 ok\r\n", { timestamps: [905, 120] });
  t.same(talk.last.timestamps, [920, 120]);
});

t.test("timestamps are read where they stand, behind other options too, and not where there are none", async (t) => {
  const options = { sackPermitted: true };
  const talk = new Scripted({
    syn: { timestamps: [100, 0], ...options },
    synAck: { timestamps: [900, 100], ...options },
  }).open();
  talk.server("220 x\r\n", { timestamps: [910, 100] });
  talk.client("USER x\r\n", { timestamps: [120, 910] });
  talk.server("230 in\r\n", { timestamps: [920, 120] });
  t.same(talk.last.timestamps, [920, 120]);
  const before: [number, number] = [talk.heard.reply - 8, talk.heard.reply];
  talk.client("", { timestamps: [130, 920], sack: [before] });
  t.same(talk.last.timestamps, [130, 920], "a duplicate was told (RFC 2883)");
  talk.client("NOOP\r\n");
  t.same(talk.last.timestamps, [130, 920]);
});

t.test("timestamps that one end did not offer are not sent", async (t) => {
  const talk = new Scripted({ syn: { timestamps: [100, 0] } }).open();
  talk.server("220 x\r\n");
  t.equal(talk.last.timestamps, null);
});

t.test("what has no urgent data has no urgent pointer, whoever spoke before", async (t) => {
  const urgent = new Scripted().open();
  const told = () => urgent.server("220 ready\r\n", { flags: ACK | URG, urgent: 3 });
  told();
  t.equal(urgent.last.urgent, 3);
  const other = new Scripted();
  other.segment("original", { flags: SYN, at: -1 });
  t.equal(other.last.urgent, 0, "a SYN");
  const ended = new Scripted().open();
  ended.flow.end(ms(0));
  told();
  ended.client("NOOP\r\n");
  t.match(ended.last, { flags: RST, urgent: 0 }, "a RST");
});

t.test("the urgent pointer points to the same byte, and urgent data stays where it was", async (t) => {
  const { talk } = told();
  talk.server(PASSIVE);
  talk.server("200 ok\r\n", { flags: ACK | URG, urgent: 3 });
  t.match(talk.last, { urgent: 3, payload: Buffer.from("200 ok\r\n") });
  talk.client("");
  t.match(talk.client("\xff\xf4", { flags: ACK | URG, urgent: 3 })[0], /^</, "held with its line");
  t.match(talk.client("\xff\xf2ABOR\r\n")[0], /^> URG/);
  t.match(talk.last, { urgent: 3, payload: Buffer.from("\xff\xf4\xff\xf2ABOR\r\n", "latin1") });
  talk.server("");
  t.notMatch(talk.client("NOOP\r\n")[0], /URG/);
});

t.test("numbers wrap, and nothing else does", async (t) => {
  const talk = new Scripted({ isn: { original: 0xfffffffa, reply: 0xfffffff0 } }).login();
  const { original: at } = talk.said;
  talk.client("PASV\r\n");
  const before = talk.heard.reply;
  t.match(talk.server(PASSIVE), [`< ${before} ack ${at + 6} ${said(TOLD)}`]);
  t.same(talk.client(""), [`> ${at + 6} ack ${talk.said.reply}`]);
});

t.test("a segment larger than its receiver takes is cut, and so is one larger than the path carries", async (t) => {
  const talk = new Scripted({ helper: lines, synAck: { mss: 1000 }, syn: { mss: 1460 } }).open();
  talk.client(`${"y".repeat(2499)}\n`);
  t.same(
    talk.emitted.map(({ payload }) => payload.length),
    [1000, 1000, 500],
  );
  talk.server("");
  talk.emitted.length = 0;
  talk.flow.limitSegments("original", 600);
  talk.client(`${"y".repeat(1199)}\n`);
  t.same(
    talk.emitted.map(({ payload }) => payload.length),
    [600, 600],
  );
});

t.test("timestamps take their room in a segment that the path carries", async (t) => {
  const syns = {
    syn: { mss: 1460, timestamps: [100, 0] as const },
    synAck: { mss: 1460, timestamps: [900, 100] as const },
  };
  const talk = new Scripted({ helper: lines, ...syns }).open();
  talk.emitted.length = 0;
  talk.flow.limitSegments("original", 600);
  talk.client(`${"y".repeat(1175)}\n`, { timestamps: [110, 900] });
  t.same(
    talk.emitted.map(({ payload }) => payload.length),
    [588, 588],
  );
});

t.test("a path is not believed to carry less than any must, nor more than it was said to carry", async (t) => {
  const talk = new Scripted({ helper: lines }).open();
  for (const [room, length] of [
    [200, 200],
    [300, 200],
    [1, 76],
  ] as const) {
    talk.emitted.length = 0;
    talk.flow.limitSegments("original", room);
    talk.client(`${"y".repeat(2 * length - 1)}\n`);
    t.same(
      talk.emitted.map(({ payload }) => payload.length),
      [length, length],
    );
    talk.server("");
  }
});

// --- the end ----------------------------------------------------------------------------------------------------------

t.test("a FIN comes after all output, alone or with data, and is acknowledged end to end", async (t) => {
  const talk = new Scripted().login();
  const { original: at, reply: ack } = talk.said;
  t.same(talk.client("QUIT\r\n", { flags: ACK | FIN }), [`> FIN ${at} ack ${ack} ${said("QUIT\r\n")}`]);
  t.same(talk.server("221 Bye\r\n", { ack: at + 6 }), [`< ${ack} ack ${at + 6} ${said("221 Bye\r\n")}`]);
  t.same(talk.server("", { ack: at + 7 }), [`< ${ack + 9} ack ${at + 7}`], "half closed");
  t.same(talk.server("", { flags: ACK | FIN }), [`< FIN ${ack + 9} ack ${at + 7}`]);
  t.same(talk.client(""), [`> ${at + 7} ack ${ack + 10}`]);
  t.same(talk.server("", { flags: ACK | FIN, at: ack + 9 }), [`> ${at + 7} ack ${ack + 10}`], "repeated: told again");
});

t.test("both ends may close at the same time", async (t) => {
  const talk = new Scripted().login();
  const { original: at, reply: ack } = talk.said;
  talk.client("", { flags: ACK | FIN });
  t.same(talk.server("", { flags: ACK | FIN, ack: at }), [`< FIN ${ack} ack ${at}`]);
  t.same(talk.client("", { ack: ack + 1 }), [`> ${at + 1} ack ${ack + 1}`]);
  t.same(talk.server("", { ack: at + 1 }), [`< ${ack + 1} ack ${at + 1}`]);
});

t.test("an unfinished line goes out with the FIN, and is ours to repeat", async (t) => {
  const talk = new Scripted().login();
  const { original: at, reply: ack } = talk.said;
  talk.client("QUIT");
  const fin = [`> FIN ${at} ack ${ack} ${said("QUIT")}`];
  t.same(talk.client("", { flags: ACK | FIN }), fin);
  t.same(talk.tick(), fin);
  t.same(
    talk.server("", { ack: at + 4 }),
    fin.map(() => `> FIN ${at + 4} ack ${ack}`),
    "the rest of it",
  );
});

t.test("a FIN among data is none: data behind it counts", async (t) => {
  const talk = new Scripted().login();
  const { original: at } = talk.said;
  talk.client("", { at: at + 6, flags: ACK | FIN });
  talk.client("QUIT\r\n", { at: at + 6 });
  t.match(talk.client("NOOP\r\n", { at })[0], /"NOOP\\r\\nQUIT\\r\\n"/);
  t.match(talk.client("", { at: at + 12, flags: ACK | FIN })[0], /^> FIN/);
});

t.test("a FIN before its turn waits for it", async (t) => {
  const talk = new Scripted().login();
  const { original: at } = talk.said;
  t.match(talk.client("", { at: at + 6, flags: ACK | FIN }), []);
  t.match(talk.client("NOOP\r\n", { at })[0], /^> FIN .*"NOOP\\r\\n"/);
});

t.test("a RST that is exactly next passes at once, as exactly next; who still speaks gets another", async (t) => {
  const { talk, client, out } = told();
  talk.server(PASSIVE);
  t.same(talk.server("", { flags: RST }), [`< RST ${out + TOLD.length} ack ${client}`]);
  t.same(talk.client("NOOP\r\n", { ack: out + 3 }), [`< RST ${out + 3}`], "where it says that it is");
  t.same(talk.client("", { flags: RST }), []);
  t.equal(talk.flow.deadline, Number.POSITIVE_INFINITY);
});

t.test("a RST that is next by what its sender was told is exactly next, too", async (t) => {
  const talk = new Scripted().login();
  const { original: at, reply: ack } = talk.said;
  talk.client("NOOP\r\n");
  t.same(talk.client("", { flags: RST, at }), [`> RST ${at + 6} ack ${ack}`]);
});

t.test("a RST inside the window and not exactly next is challenged, one outside is nothing (RFC 5961)", async (t) => {
  const talk = new Scripted().login();
  const { original: at, reply: ack } = talk.said;
  t.same(talk.client("", { flags: RST, at: at + 1 }), [`< ${ack} ack ${at}`]);
  t.same(talk.client("", { flags: RST, at: at - 1 }), []);
  t.same(talk.client("", { flags: RST, at: at + 100_000 }), []);
  t.same(talk.rejected, ["reset-inexact", "reset-outside-window", "reset-outside-window"]);
  t.equal(talk.client("NOOP\r\n", { at }).length, 1);
});

t.test("a helper that fails where that must end the connection: both ends are reset", async (t) => {
  const talk = new Scripted({ helper: lines, onFailure: "closed" }).open();
  t.same(talk.client("!"), ["> RST 0 ack 0", "< RST 0 ack 1"]);
  const open = new Scripted({ helper: lines }).open();
  t.same(open.client("!"), [`> 0 ack 0 ${said("!")}`]);
});

t.test("the host may end the connection", async (t) => {
  const talk = new Scripted().login();
  talk.flow.end(ms(0));
  t.equal(talk.emitted.filter(({ flags }) => (flags & RST) !== 0).length, 2);
});

t.test("the host may end a connection that is not open yet: who goes on with it is told", async (t) => {
  const talk = new Scripted();
  talk.segment("original", { flags: SYN, at: -1 });
  talk.flow.end(ms(0));
  t.match(talk.segment("reply", { flags: SYN | ACK, at: -1, ack: 0 }), [/^> RST/]);
  t.same(talk.rejected, ["ended"]);
});

// --- the release barrier ----------------------------------------------------------------------------------------------

t.test(
  "while the host is asked its sender is acknowledged and allowed no more, and then all goes in order",
  async (t) => {
    const { talk, client, server, out } = told({ late: true });
    t.same(talk.server(PASSIVE), [`> ${client} ack ${server + PASSIVE.length}`]);
    const edge = talk.edge("reply");
    t.same(talk.server("200 ok\r\n"), [`> ${client} ack ${server + PASSIVE.length + 8}`]);
    t.equal(talk.edge("reply"), edge);
    t.same(talk.client("NOOP\r\n"), [`> ${client} ack ${server + PASSIVE.length + 8} ${said("NOOP\r\n")}`]);
    t.same(talk.answer(endpoint("1.2.3.4", 5001))[0], `< ${out} ack ${client} ${said(`${TOLD}200 ok\r\n`)}`);
    t.not(talk.flow.deadline, Number.POSITIVE_INFINITY, "and is ours");
  },
);

t.test("a host that does not answer: the protocol's own failure, in time", async (t) => {
  const { talk } = told({ late: true });
  talk.server(PASSIVE);
  t.same(talk.wait(1999), []);
  t.match(talk.wait(1)[0], /"425 Can't open data connection/);
});

t.test("a FIN behind the barrier is acknowledged, and waits", async (t) => {
  const { talk, client, server } = told({ late: true });
  t.same(talk.server(PASSIVE, { flags: ACK | FIN }), [`> ${client} ack ${server + PASSIVE.length + 1}`]);
  t.match(talk.answer(endpoint("1.2.3.4", 5001))[0], /^< FIN .*"227 \(1,2,3,4,19,137\)\\r\\n"$/);
});

t.test("a FIN that is ours is sent again where there is no room for data, and nobody is asked for room", async (t) => {
  const { talk, client, server, out } = told({ late: true });
  talk.server(PASSIVE, { flags: ACK | FIN });
  talk.answer(endpoint("1.2.3.4", 5001));
  const rest = [`< FIN ${out + TOLD.length} ack ${client}`];
  t.same(talk.client("", { ack: out + TOLD.length, window: 0 }), []);
  t.same(talk.tick(), rest);
  t.same(talk.tick(), rest);
  t.same(talk.client("", { ack: out + TOLD.length + 1 }), [`> ${client} ack ${server + PASSIVE.length + 1}`]);
});

// --- letting go -------------------------------------------------------------------------------------------------------

t.test("a connection that nobody reads any more is transparent when all that was changed is delivered", async (t) => {
  const talk = new Scripted({ helper: lines }).open();
  talk.client("a\nxx\nbye\n");
  t.notOk(talk.flow.transparent);
  talk.server("");
  t.ok(talk.flow.transparent);
  t.same(talk.flow.shift("original"), { sequence: -3, acknowledgment: 0 });
  t.same(talk.flow.shift("reply"), { sequence: 0, acknowledgment: 3 });
  talk.client("PORT 10,9,9,9,1,1\r\n");
  t.ok(talk.flow.transparent, "what is on its way is its sender's");
});

t.test("nor while something is held, missing, ours, or waits for its receiver", async (t) => {
  const detached = () => {
    const talk = new Scripted({ helper: lines }).open();
    talk.client("bye\n");
    talk.server("");
    t.ok(talk.flow.transparent);
    return talk;
  };
  const hole = detached();
  hole.client("x", { at: 10 });
  t.notOk(hole.flow.transparent, "missing");
  hole.client("yyyyyy", { at: 4 });
  t.notOk(hole.flow.transparent, "ours");
  hole.server("");
  t.ok(hole.flow.transparent);
  const closed = detached();
  closed.server("", { ack: 4, window: 0 });
  closed.client("yyy");
  t.notOk(closed.flow.transparent, "waits");
});
