import t from "tap";
import { pnm } from "../../../helpers/pnm/helper.ts";
import { reasons } from "../../../helpers/pnm/reasons.ts";
import { parseAnswer, parseGreeting } from "../../../helpers/pnm/wire.ts";
import { endpoint } from "../../addresses.ts";
import { holdsContract } from "../../contract.ts";
import { type ConversationOptions, conversationOf } from "../../conversation.ts";

const talk = (options: ConversationOptions = {}) => conversationOf(pnm, options);
const u16 = (n: number): string => String.fromCharCode(n >> 8, n & 255);
const option = (id: number, value: string): string => u16(id) + u16(value.length) + value;
const hello = (...options: string[]): string => `PNA\0\x0a${option(0x14, "\0\x01")}${options.join("")}\0\0`;
const PLAYER = option(1, u16(6970));
const ROBUST = option(7, u16(6972));
const BEHIND = "\0\0c\0\x04path";
const answer = (port: number): string => `PNA\0\x0a${"\0".repeat(6)}${u16(7)}${u16(port)}rest`;
const FAILED = "PNA\0\x0a\0\0X\0\x05error";
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

holdsContract(
  t,
  pnm,
  [
    hello(PLAYER, ROBUST),
    hello(PLAYER),
    hello(),
    answer(7000),
    FAILED,
    BEHIND,
    hello(option(3, "x".repeat(5000))),
    hello(option(1, "abc")),
    "SETUP rtsp://h RTSP/1.0\r\n",
  ].map(bytes),
);

t.test("the player's port, and the pair for robust delivery", async (t) => {
  const pnm = talk();
  const said = hello(PLAYER, ROBUST);
  t.equal(pnm.client(said), said);
  t.same(pnm.pending, [
    "pnm-udp 192.168.0.2:any -> 10.0.0.5:6970 => 10.0.0.5:6970",
    "pnm-udp 192.168.0.2:any -> 10.0.0.5:6972 => 10.0.0.5:6972",
  ]);
  t.equal(pnm.client(BEHIND), BEHIND);
  t.equal(pnm.server(answer(7000)), answer(7000));
  t.equal(pnm.pending[2], "pnm-udp 10.0.0.5:any -> 1.2.3.4:7000 => 192.168.0.2:7000");
  t.equal(pnm.server(answer(7001)), answer(7001), "nothing behind the greetings announces anything");
  t.equal(pnm.pending.length, 3);
});

// Found by the fuzzer: the server had not been told of the player's port, and its own was let in all the same.
t.test("a server's port for robust delivery that was refused to the player is not let in", async (t) => {
  const pnm = talk();
  pnm.client(hello(PLAYER, option(7, u16(80))));
  t.equal(pnm.server(answer(7000)), answer(0));
  t.same(pnm.pending, []);
  t.same(pnm.reasons("refused"), ["port-reserved", "unsolicited"]);
});

t.test("a host with ports of its own has them written into both greetings", async (t) => {
  const pnm = talk({ seen: ({ target }) => endpoint("192.168.0.1", target.port + 1) });
  t.equal(pnm.client(hello(PLAYER, ROBUST)), hello(option(1, u16(6971)), option(7, u16(6973))));
  t.equal(pnm.server(answer(7000)), answer(7001));
});

t.test("the server's port is the other end of the flow for robust delivery, wherever that was named", async (t) => {
  for (const [robust, options] of [
    [1, [PLAYER, ROBUST]],
    [0, [ROBUST, PLAYER]],
    [0, [ROBUST]],
  ] as const) {
    const pnm = talk();
    pnm.client(hello(...options));
    pnm.server(answer(7000));
    t.equal(pnm.answered.at(-1), pnm.announced[robust]);
    t.equal(pnm.announced[robust]!.target.port, 6972);
  }
});

t.test("without a port the stream comes within the connection: no entry", async (t) => {
  const pnm = talk();
  pnm.client(hello() + BEHIND);
  pnm.server(answer(7000));
  t.equal(pnm.announced.length, 0);
});

t.test("a robust port that the client did not ask for opens nothing", async (t) => {
  const pnm = talk();
  pnm.client(hello(PLAYER));
  t.equal(pnm.server(answer(7000)), answer(7000));
  t.equal(pnm.pending.length, 1);
});

t.test("a server that says no takes the announcement back, at once", async (t) => {
  const pnm = talk();
  pnm.client(hello(PLAYER, ROBUST));
  t.equal(pnm.server(FAILED), FAILED);
  t.same(pnm.pending, []);
});

t.test("refused ports go out as no option at all, so that the stream comes within the connection", async (t) => {
  for (const [port, reason] of [
    [0, "port-zero"],
    [1023, "port-reserved"],
  ] as const) {
    const pnm = talk();
    const other = option(3, "xyz");
    t.equal(pnm.client(hello(option(1, u16(port)), other, ROBUST)), hello(other));
    t.same(pnm.reasons("refused"), [reason]);
    t.equal(pnm.balancer.related.size, 0);
  }
});

t.test("a server that names a reserved port", async (t) => {
  const pnm = talk();
  pnm.client(hello(PLAYER, ROBUST));
  t.equal(pnm.server(answer(22)), answer(0));
  t.same(pnm.reasons("refused"), ["port-reserved"]);
});

t.test("a port in other than two bytes, or named twice: nothing of the stream goes out", async (t) => {
  for (const said of [hello(option(1, "abc")), hello(option(7, "")), hello(PLAYER, option(1, u16(22)))]) {
    const pnm = talk();
    t.equal(pnm.client(said) + pnm.client("more"), "");
    t.same(pnm.reasons("refused"), ["bad-option"]);
  }
});

t.test("a greeting that is too long, too slow or cut off goes nowhere", async (t) => {
  const long = talk();
  t.equal(long.client(hello(option(3, "x".repeat(5000)), PLAYER)), "");
  t.same(long.reasons("refused"), ["hello-too-long"]);
  const slow = talk();
  slow.client(hello(PLAYER).slice(0, -1));
  slow.wait(10_000);
  t.equal(slow.heard("original"), "");
  t.equal(slow.client("\0"), "");
  t.same(slow.reasons("refused"), ["unfinished"]);
});

t.test("an answer that is shorter than one with a port goes on when its time is up", async (t) => {
  const pnm = talk();
  pnm.client(hello(PLAYER, ROBUST));
  t.equal(pnm.server("PNA\0\x0a\0\0\0"), "");
  pnm.wait(10_000);
  t.equal(pnm.heard("reply"), "PNA\0\x0a\0\0\0");
  t.equal(pnm.server("data"), "data");
});

t.test("what does not open like PNM (RTSP is heard on this port too) is left alone", async (t) => {
  const pnm = talk();
  t.equal(pnm.client("OPTIONS * RTSP/1.0\r\n\r\n"), "OPTIONS * RTSP/1.0\r\n\r\n");
  t.ok(pnm.stream.detached);
  t.same(pnm.reasons("note"), ["not-pnm"]);
  pnm.client(hello(PLAYER));
  t.equal(pnm.announced.length, 0);
});

t.test("every cut, and one byte a segment: the same entries, the same bytes", async (t) => {
  const client = hello(PLAYER, ROBUST) + BEHIND;
  const outcome = (clientPieces: readonly string[], serverPieces: readonly string[]) => {
    const pnm = talk({ seen: ({ target }) => endpoint("192.168.0.1", target.port + 1) });
    for (const piece of clientPieces) pnm.client(piece);
    for (const piece of serverPieces) pnm.server(piece);
    return [pnm.heard("original"), pnm.heard("reply"), pnm.pending];
  };
  const whole = outcome([client], [answer(7000)]);
  for (let at = 1; at < client.length; at++) {
    t.same(outcome([client.slice(0, at), client.slice(at)], [...answer(7000)]), whole);
  }
  t.same(outcome([...client], [answer(7000)]), whole);
});

t.test("behind missing bytes nothing is read", async (t) => {
  const inspector = pnm.open({} as never, { strict: false, hold: 4096 });
  inspector.gap?.("original");
  t.same(inspector.inspect(bytes(hello(PLAYER)), "original", {} as never), {
    verdict: "pass",
    consumed: hello(PLAYER).length,
  });
});

t.test("malformed greetings", async (t) => {
  for (const said of ["PNA\0\x0a", "PNA\0\x0a\0", "PNA\0\x0a\0\x03\0", "PNA\0\x0a\0\x03\xff\xffabc"]) {
    t.equal(parseGreeting(bytes(said)), null, "not complete");
  }
  t.same(parseGreeting(bytes("PNA\0\x0a\0\0rest")), { end: 7, options: [] });
  t.same(parseAnswer(bytes("PNA")), { failed: false, robust: null });
  t.same(parseAnswer(bytes(answer(7000).slice(0, 14))), { failed: false, robust: null });
});

t.test("found by how it opens", async (t) => {
  const detect = (original: string) => pnm.detect!({ original: bytes(original), reply: bytes("") });
  t.same([detect("PN"), detect("PNA\0"), detect("PNG"), detect("")], [null, true, false, false]);
});

t.test("NAT slipstreaming: an HTTP POST whose body is a greeting at the start of a segment", async (t) => {
  const post = "POST / HTTP/1.1\r\nHost: 1.2.3.4:7070\r\n\r\n";
  for (let at = 1; at <= post.length; at++) {
    // "P" alone may open PNM: it is held, and is no greeting with more behind it.
    const pnm = talk();
    pnm.client(post.slice(0, at));
    pnm.client(hello(PLAYER, ROBUST));
    t.equal(pnm.announced.length, 0, `${at}`);
  }
});

t.test("a greeting within an option, and a second one behind the first, announce nothing", async (t) => {
  const pnm = talk();
  pnm.client(hello(option(3, hello(PLAYER, ROBUST))) + hello(PLAYER, ROBUST));
  t.equal(pnm.balancer.related.size, 0);
  t.same(pnm.reasons("refused"), []);
});

t.test("the control connection closes: what waits is gone", async (t) => {
  const pnm = talk();
  pnm.client(hello(PLAYER, ROBUST));
  pnm.server(answer(7000));
  t.equal(pnm.pending.length, 3);
  pnm.close();
  t.equal(pnm.balancer.related.size, 0);
});

t.test("every code that the helper has is explained", async (t) => {
  for (const [code, text] of Object.entries(reasons)) t.ok(/^[a-z-]+$/.test(code) && text.length > 10, code);
});
