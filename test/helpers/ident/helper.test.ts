import t from "tap";
import type { PortPair } from "../../../core/helper/api.ts";
import { port } from "../../../core/units.ts";
import { ident } from "../../../helpers/ident/helper.ts";
import { parseLine } from "../../../helpers/ident/wire.ts";
import { holdsContract } from "../../contract.ts";
import { type ConversationOptions, conversationOf } from "../../conversation.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const RESPONSE = " : USERID : UNIX : joe\r\n";

holdsContract(
  t,
  ident,
  [
    "6191 , 2323\r\n",
    "6191,23\n",
    `6191 , 2323${RESPONSE}`,
    `6191 , 23${RESPONSE}`,
    "0 , 70000\r\n",
    "hello\r\n",
    "\r\n",
    "1".repeat(1200),
  ].map(bytes),
);

/** The client's 6191 is connected to the virtual service's 23, which is the realserver's 2323. */
const translate: ConversationOptions["translate"] = (direction, { client, server }): PortPair | null => {
  if (client !== 6191) return null;
  if (direction === "reply") return server === 2323 ? { client, server: port(23) } : null;
  return server === 23 ? { client, server: port(2323) } : null;
};

t.test("a realserver's query names the connection as the client knows it, the response as it was asked", async (t) => {
  const talk = conversationOf(ident, { translate });
  t.equal(talk.server("6191 , 2323\r\n"), "6191 , 23\r\n");
  t.equal(talk.client(`6191 , 23${RESPONSE}`), `6191 , 2323${RESPONSE}`);
});

t.test("blanks and line ends of a query stay, and come back in its response however that is written", async (t) => {
  const talk = conversationOf(ident, { translate });
  t.equal(talk.server(" 6191,\t2323 \n"), " 6191,\t23 \n");
  t.equal(talk.client("6191 ,  23:ERROR:NO-USER\r\n"), "6191,\t2323:ERROR:NO-USER\r\n");
});

t.test("a client's query of a realserver is the same thing the other way round", async (t) => {
  const talk = conversationOf(ident, { translate });
  t.equal(talk.client("23, 6191\r\n"), "2323, 6191\r\n");
  t.equal(talk.server(`2323 , 6191${RESPONSE}`), `23, 6191${RESPONSE}`);
});

t.test("several queries, answered in another order", async (t) => {
  const talk = conversationOf(ident, { translate });
  t.equal(talk.server("6191, 2323\r\n1000, 25\r\n"), "6191, 23\r\n1000, 25\r\n");
  t.equal(talk.client(`1000, 25${RESPONSE}6191, 23${RESPONSE}`), `1000, 25${RESPONSE}6191, 2323${RESPONSE}`);
  t.same(talk.reasons("fault"), []);
});

t.test("a connection that nobody knows goes on as it was said, and so does its response", async (t) => {
  for (const options of [{ translate }, {}]) {
    const talk = conversationOf(ident, options);
    t.equal(talk.server("6191 , 99\r\n"), "6191 , 99\r\n");
    t.equal(talk.client("6191 , 99 : ERROR : NO-USER\r\n"), "6191 , 99 : ERROR : NO-USER\r\n");
    t.same(talk.reasons("fault"), []);
  }
});

t.test("split at every byte: the same bytes go on", async (t) => {
  const query = "6191 , 2323\r\n";
  const response = `6191 , 23${RESPONSE}`;
  for (let at = 1; at < response.length; at++) {
    const talk = conversationOf(ident, { translate });
    talk.server(query.slice(0, at));
    talk.server(query.slice(at));
    t.equal(talk.heard("reply"), "6191 , 23\r\n");
    talk.client(response.slice(0, at));
    talk.client(response.slice(at));
    t.equal(talk.heard("original"), `6191 , 2323${RESPONSE}`);
  }
});

t.test("a response to what was not asked, and lines of the wrong side, are counted and pass", async (t) => {
  const talk = conversationOf(ident, { translate });
  t.equal(talk.client(`6191 , 23${RESPONSE}`), `6191 , 23${RESPONSE}`, "before any query");
  talk.server("6191 , 2323\r\n");
  t.equal(talk.client("6191 , 23\r\n"), "6191 , 23\r\n", "a query of who is asked");
  t.equal(talk.server(`6191 , 2323${RESPONSE}`), `6191 , 2323${RESPONSE}`, "a response of who asks");
  t.equal(talk.client(`1 , 2${RESPONSE}`), `1 , 2${RESPONSE}`);
  t.same(talk.reasons("fault"), Array(4).fill("unsolicited"));
  t.equal(talk.client(`6191 , 23${RESPONSE}`), `6191 , 2323${RESPONSE}`, "and the one that was asked for still counts");
});

t.test("ports that are none are counted and pass", async (t) => {
  for (const pair of ["0 , 23", "6191 , 0", "65536 , 23", "6191 , 99999999999"]) {
    const talk = conversationOf(ident, { translate });
    t.equal(talk.server(`${pair}\r\n`), `${pair}\r\n`);
    t.same(talk.reasons("fault"), ["bad-port"]);
    t.notOk(talk.stream.detached);
  }
});

t.test("what does not open like ident is let go, unread", async (t) => {
  for (const said of ["GET / HTTP/1.1\r\n", "\r\n", "x".repeat(1001)]) {
    const talk = conversationOf(ident, { translate });
    t.equal(talk.client(said), said);
    t.ok(talk.stream.detached);
    t.same(talk.reasons("fault"), ["not-ident"]);
    t.equal(talk.server("6191 , 2323\r\n"), "6191 , 2323\r\n");
  }
});

t.test("a bare CR, a NUL or telnet bytes in a line do not put the next one out of step", async (t) => {
  for (const odd of ["1 , 2\r3 , 4\r\n", `6191 , 2323\rx${RESPONSE}`]) {
    const talk = conversationOf(ident, { translate });
    const heard = talk.server(`${odd}6191 , 2323\r\n`);
    t.equal(heard.slice(-"6191 , 23\r\n".length), "6191 , 23\r\n", JSON.stringify(odd));
  }
  for (const none of ["\0", "6191 \0, 2323", "\xff\xf46191 , 2323", "6191 , 2323\0"]) {
    const talk = conversationOf(ident, { translate });
    t.equal(talk.server(`${none}\r\n6191 , 2323\r\n`), `${none}\r\n6191 , 2323\r\n`, JSON.stringify(none));
    t.same(talk.reasons("fault"), ["not-ident"], "let go for good, not half read");
  }
});

t.test("a seventeenth query without a response forgets the first", async (t) => {
  const talk = conversationOf(ident, { translate });
  talk.server("6191 , 2323\r\n");
  for (let n = 1; n <= 16; n++) talk.server(`1000 , ${n}\r\n`);
  t.same(talk.reasons("fault"), ["too-many-queries"]);
  t.equal(talk.client(`6191 , 23${RESPONSE}`), `6191 , 23${RESPONSE}`);
});

t.test("bytes are missing: a part of a line is passed over, the next line is read", async (t) => {
  const inspector = ident.open({} as never, { strict: false, hold: 1000 });
  const faults: string[] = [];
  const actions = { fault: (code: string) => faults.push(code), translate: () => {} } as never;
  inspector.gap!("original");
  t.same(inspector.inspect(bytes("91 , x\r\n"), "original", actions), { verdict: "pass", consumed: 8 });
  t.same(inspector.inspect(bytes("6191 , 23\r\n"), "original", actions), { verdict: "pass", consumed: 11 });
  t.same(faults, []);
});

t.test("nothing is announced, and who owns a connection is never told to anybody", async (t) => {
  const talk = conversationOf(ident, { translate });
  talk.server("6191 , 2323\r\n");
  talk.client("6191 , 23 : USERID : UNIX : canary\r\n");
  t.equal(talk.announced.length, 0);
  t.notMatch(JSON.stringify(talk.decisions.map(({ message }) => message)), "canary");
});

const lines: [text: string, parsed: unknown][] = [
  ["6191 , 23", { asked: 6191, asking: 23, at: { start: 0, end: 9 }, response: false }],
  ["  1,2\r", { asked: 1, asking: 2, at: { start: 2, end: 5 }, response: false }],
  ["1 ,2 : ERROR : X-1\r", { asked: 1, asking: 2, at: { start: 0, end: 4 }, response: true }],
  ["1,2:", { response: true }],
  ["", "not-ident"],
  [",", "not-ident"],
  ["1,", "not-ident"],
  ["1 2", "not-ident"],
  ["1,2,3", "not-ident"],
  ["1,2 x", "not-ident"],
  ["-1,2", "not-ident"],
  ["1,+2", "not-ident"],
  ["65536,1", "bad-port"],
  ["1,0 : ERROR", "bad-port"],
];
for (const [text, parsed] of lines) {
  t.test(`${JSON.stringify(text)} reads as ${JSON.stringify(parsed)}`, async (t) => {
    const line = parseLine(bytes(text));
    if (typeof parsed === "string") t.equal(line, parsed);
    else t.match(line, parsed as object);
  });
}
