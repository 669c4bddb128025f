/** The control dialogue, however it is cut, gives identical entries, decisions and relayed bytes. */
import fc from "fast-check";
import t from "tap";
import type { Direction } from "../../../core/helper/api.ts";
import { Conversation, type ConversationOptions, describe } from "../../conversation.ts";

type Turn = readonly [direction: Direction, said: string];
const C = (...lines: string[]): Turn => ["original", lines.join("\r\n").concat("\r\n")];
const S = (...lines: string[]): Turn => ["reply", lines.join("\r\n").concat("\r\n")];
const record = (text: string, type = "\x17") =>
  `${type}\x03\x03${String.fromCharCode(text.length >> 8, text.length & 255)}${text}`;

const DIALOGUE: readonly Turn[] = [
  S("220-Welcome to the mirror.", " PORT 1,2,3,4,5,6", "220-227 (192,168,0,2,1,1)", "", "220 ready"),
  C("USER anonymous"),
  S("331 Please specify the password."),
  C("PASS secret"),
  S("230-Rules:", "227 (192,168,0,2,9,9)", "230 Login successful."),
  C("FEAT"),
  S("211-Features:", " EPSV", " MLST type*;size*;", " PASV", "211 End"),
  C("PASV"),
  S("227 Entering Passive Mode (192,168,0,2,19,137)."),
  C("RETR PASV.txt"),
  S("150 Opening BINARY mode data connection for PASV.txt (12 bytes).", "226 Transfer complete."),
  C("EPSV"),
  S("229 Entering Extended Passive Mode (|||5002|)"),
  C("NLST"),
  S("150 Here comes the directory listing.", "226 Directory send OK."),
  C("PORT 10,0,0,5,4,1"),
  S("200 PORT command successful."),
  C("PORT 10,9,9,9,4,1"),
  S("500 Illegal PORT command."),
  C("EPRT |2|2001:db8::5|1025|"),
  S("500 Illegal EPRT command."),
  C("EPRT |1|10.0.0.5|1026|"),
  S("200 EPRT command successful."),
  C("STOR 227 (1,2,3,4,5,6).bin"),
  S("150 Ok to send data."),
  C("\xff\xf4\xff\xf2ABOR"),
  S("426 Failure reading network stream.", "226 ABOR successful."),
  C("PASV", "EPSV", "NOOP"),
  S("227-", " 192,168,0,2,3,3", "227 =192,168,0,2,19,139", "229 (!!!5004!)", "200 NOOP ok."),
  C("\xff\xf4PORT 10,0,0,5,\x004,9"),
  S("200 ok"),
  C("PASV"),
  S("227 (192,168,0,99,19,139)"),
  C("AUTH TLS"),
  S("234 Proceed with negotiation."),
  ["original", record("client hello\r\nPORT 10,9,9,9,1,1\r\n", "\x16") + record("finished", "\x16")],
  ["reply", record("server hello\r\n227 (1,2,3,4,5,6)\r\n", "\x16") + record("x".repeat(300))],
  ["original", record("CCC")],
  ["reply", record("200 CCC ok") + record("\x01\0", "\x15")],
  ["original", `${record("\x01\0", "\x15")}EPSV\r\n`],
  S("229 Entering Extended Passive Mode (|||5005|)"),
  ["original", "PORT 10,0,0,5,4,3\n"],
  ["reply", "200 bare\n"],
  C("QUIT"),
  S("221 Goodbye."),
];
const LENGTH = DIALOGUE.reduce((sum, [, said]) => sum + said.length, 0);

/** The turns with further cuts at these offsets of the whole. */
function* pieces(cuts: readonly number[]): Generator<Turn> {
  let start = 0;
  for (const [direction, said] of DIALOGUE) {
    const inside = cuts.filter((cut) => cut > start && cut < start + said.length).map((cut) => cut - start);
    let from = 0;
    for (const cut of [...new Set(inside)].sort((a, b) => a - b)) {
      yield [direction, said.slice(from, cut)];
      from = cut;
    }
    yield [direction, said.slice(from)];
    start += said.length;
  }
}

/** All that can be told apart from outside. `delays`: after how many pieces each answer of the host comes. */
function outcome(cuts: readonly number[], delays: readonly number[] = []): string {
  const late = delays.length > 0;
  const options: ConversationOptions = { answers: late ? "late" : "now" };
  const ftp = new Conversation(options);
  let turn: Direction = "reply";
  let age = 0;
  let answered = 0;
  const answerAll = () => {
    while (ftp.waiting.length > 0) ftp.answer();
    age = 0;
  };
  for (const [direction, said] of pieces(cuts)) {
    // What the other side says next it says having heard this.
    if (direction !== turn) answerAll();
    turn = direction;
    ftp.say(direction, said);
    if (ftp.waiting.length > 0 && age++ >= delays[answered % delays.length]!) {
      ftp.answer();
      age = 0;
      answered++;
    }
  }
  answerAll();
  return JSON.stringify({
    original: ftp.heard("original"),
    reply: ftp.heard("reply"),
    entries: ftp.announced.map(describe),
    decisions: ftp.decisions.map(({ related, ...rest }) => ({ ...rest, related: related.map(({ id }) => id) })),
  });
}

const WHOLE = outcome([]);

t.test("the dialogue does what it should", async (t) => {
  const { entries, decisions, original, reply } = JSON.parse(WHOLE) as {
    entries: string[];
    decisions: { outcome: string; reason: string; offset: number; length: number; direction: Direction }[];
    original: string;
    reply: string;
  };
  t.same(
    entries.map((entry) => entry.split(" ")[0]),
    [
      "ftp-passive",
      "ftp-epsv",
      "ftp-active",
      "ftp-eprt",
      "ftp-passive",
      "ftp-epsv",
      "ftp-active",
      "ftp-epsv",
      "ftp-active",
    ],
  );
  t.same(
    decisions.filter(({ outcome }) => outcome === "refused").map(({ reason }) => reason),
    ["address-in-continuation", "bounce", "family-mismatch", "address-in-continuation", "bounce"],
  );
  t.notMatch(original, /10,9,9,9,4,1/);
  t.notMatch(reply, /\n227[^\n]*192,168/, "the realserver's address is in no reply that a client acts on");
  const all = { original: "", reply: "" };
  for (const [direction, said] of DIALOGUE) all[direction] += said;
  for (const { direction, offset, length, reason } of decisions) {
    const line = all[direction].slice(offset, offset + length);
    if (reason === "bounce")
      t.match(line, /^(PORT 10,9,9,9,4,1|227 \(192,168,0,99,19,139\))\r\n$/, "decisions know their bytes");
  }
});

t.test(`cut at every one of ${LENGTH} offsets`, async (t) => {
  for (let at = 1; at < LENGTH; at++) if (outcome([at]) !== WHOLE) t.fail(`cut at ${at}`);
});

t.test("one byte a write", async (t) => {
  const every = Array.from({ length: LENGTH }, (_, at) => at);
  t.equal(outcome(every), WHOLE);
  t.equal(outcome(every, [3]), WHOLE, "and the host answers three bytes later");
});

t.test("cut at pairs of offsets, one of them every other offset in turn", async (t) => {
  for (let at = 1; at < LENGTH; at += 2) {
    const other = (at * 911) % LENGTH;
    const near = at + 1 + ((at * 7) % 5);
    for (const cuts of [
      [at, other],
      [at, near],
    ]) {
      if (outcome(cuts) !== WHOLE) t.fail(`cut at ${cuts}`);
    }
  }
});

t.test("cut anywhere, any number of times, the host answering at once or late", async (t) => {
  const cuts = fc.array(fc.nat(LENGTH), { maxLength: 200 });
  const delays = fc.array(fc.nat(9), { maxLength: 8 });
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(cuts, delays, (at, late) => outcome(at, late) === WHOLE),
      { numRuns: 500 },
    ),
  );
});
