import t from "tap";
import { Recorder } from "../../../core/helper/recorder.ts";
import { rsh } from "../../../helpers/rsh/helper.ts";
import { parseErrorPort } from "../../../helpers/rsh/wire.ts";
import { endpoint } from "../../addresses.ts";
import { holdsContract, openFor } from "../../contract.ts";
import { conversationOf, LIMITS, makeBalancer, serviceFor } from "../../conversation.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const REST = "root\0root\0uptime\0";

holdsContract(
  t,
  rsh,
  ["1022\0root\0root\0uptime\0", "0\0", "\0root\0", "511\0", "99999\0", "12345678", "<13>syslog\n", "\0"].map(bytes),
);

t.test("the realserver may open the connection for stderr once, to a reserved port of the client", async (t) => {
  const talk = conversationOf(rsh, { client: endpoint("10.0.0.5", 1023) });
  t.equal(talk.client(`1022\0${REST}`), `1022\0${REST}`);
  t.same(talk.pending, ["rsh-stderr 192.168.0.2:any -> 10.0.0.5:1022 => 10.0.0.5:1022"]);
  const seen = endpoint("10.0.0.5", 1022);
  t.equal(talk.balancer.claim("tcp", seen, endpoint("192.168.0.3", 1021), talk.now), "wrong-address");
  t.match(talk.balancer.claim("tcp", seen, endpoint("192.168.0.2", 1021), talk.now), { related: { uses: 1 } });
  t.equal(talk.balancer.claim("tcp", seen, endpoint("192.168.0.2", 1020), talk.now), "no-related-entry");
});

t.test("the port is written as its receiver must see it, whatever follows", async (t) => {
  const talk = conversationOf(rsh, { seen: () => endpoint("192.168.0.1", 40100) });
  t.equal(talk.client(`1022\0${REST}`), `40100\0${REST}`);
});

t.test("split at every byte, and one byte a segment: the same entry, the same bytes", async (t) => {
  const said = `1022\0${REST}`;
  for (let at = 1; at < said.length; at++) {
    const talk = conversationOf(rsh);
    talk.client(said.slice(0, at));
    talk.client(said.slice(at));
    t.equal(talk.heard("original"), said);
    t.equal(talk.pending.length, 1);
  }
  const talk = conversationOf(rsh);
  for (const character of said) talk.client(character);
  t.equal(talk.heard("original"), said);
  t.equal(talk.pending.length, 1);
});

t.test("0, and nothing before the NUL, are no connection", async (t) => {
  for (const none of ["0\0", "\0", "0000000\0"]) {
    const talk = conversationOf(rsh);
    t.equal(talk.client(`${none}${REST}`), `${none}${REST}`);
    t.equal(talk.announced.length, 0);
    t.same(talk.reasons("note"), ["no-stderr"]);
  }
});

t.test("ports that rsh does not use are refused, and the command is not run", async (t) => {
  for (const [said, reason] of [
    ["511\0", "port-reserved"],
    ["22\0", "port-reserved"],
    ["65536\0", "bad-port"],
    ["9999999\0", "bad-port"],
  ] as const) {
    const talk = conversationOf(rsh);
    t.equal(talk.client(`${said}${REST}`), `65535\0${REST}`);
    t.same(talk.reasons("refused"), [reason]);
    t.same(talk.pending, []);
  }
});

t.test("what cannot be put in place is refused in the same way", async (t) => {
  const talk = conversationOf(rsh, { seen: () => null });
  t.equal(talk.client("1022\0root\0"), "65535\0root\0");
});

t.test("after the first bytes nothing is read: a second port opens nothing", async (t) => {
  const talk = conversationOf(rsh);
  talk.client(`1022\0${REST}`);
  t.equal(talk.client("1021\0root\0"), "1021\0root\0");
  t.ok(talk.stream.detached);
  t.equal(talk.announced.length, 1);
});

t.test("syslog on the same port, HTTP from a browser, a server that speaks first: let go, unread", async (t) => {
  for (const said of [
    "<13>1 2024-01-01T00:00:00Z host app - - -\n",
    "72 <34>1 x",
    "POST / HTTP/1.1\r\n1022\0",
    "12345678\0",
  ]) {
    const talk = conversationOf(rsh);
    t.equal(talk.client(said), said);
    t.ok(talk.stream.detached);
    t.same(talk.reasons("note"), ["not-rsh"]);
    t.equal(talk.announced.length, 0);
  }
  const talk = conversationOf(rsh);
  talk.server("hello");
  t.equal(talk.client("1022\0"), "1022\0");
  t.equal(talk.announced.length, 0);
});

t.test("NAT slipstreaming: an HTTP request with a port at any of 65,536 offsets opens nothing", async (t) => {
  const request = new Uint8Array(65_536 + 5).fill(0x78);
  request.set(bytes("POST /"));
  const port = bytes("1022\0");
  let announced = 0;
  for (let at = 1; at <= 65_536; at++) {
    const said = request.subarray(0, at + port.length);
    said.set(port, at);
    const inspector = openFor(rsh);
    const recorder = new Recorder();
    inspector.inspect(said.subarray(0, at), "original", recorder);
    inspector.inspect(said.subarray(at), "original", recorder);
    announced += recorder.expected.length;
    said.fill(0x78, at);
  }
  t.equal(announced, 0);
});

t.test("rexec on its own port is read in the same way", async (t) => {
  const virtual = endpoint("1.2.3.4", 512);
  const talk = conversationOf(rsh, { virtual });
  t.equal(talk.client("40001\0user\0password\0uptime\0"), "40001\0user\0password\0uptime\0");
  t.same(talk.pending, ["rsh-stderr 192.168.0.2:any -> 10.0.0.5:40001 => 10.0.0.5:40001"]);
});

t.test("IPv6: no address travels, so nothing differs", async (t) => {
  const talk = conversationOf(rsh, { client: endpoint("2001:db8::5", 1023) });
  talk.client(`1022\0${REST}`);
  t.same(talk.announced[0]!.target, endpoint("2001:db8::5", 1022));
});

t.test("what is refused is not tried again: a good port behind a bad one opens nothing", async (t) => {
  for (const bad of ["22\0", "65536\0", "12345678\0", "0\0"]) {
    const talk = conversationOf(rsh);
    talk.client(`${bad}1022\0${REST}`);
    talk.client(`1021\0${REST}`);
    t.equal(talk.announced.length, 0, JSON.stringify(bad));
  }
});

t.test("1,000 connections of one client leave its limit, and others are not affected", async (t) => {
  const balancer = makeBalancer([serviceFor(rsh)], { ...LIMITS, perClient: 10 });
  let refused = 0;
  for (let n = 0; n < 1000; n++) {
    const talk = conversationOf(rsh, { balancer, client: endpoint("10.0.0.5", 2000 + n) });
    talk.client(`${2000 + n}\0${REST}`);
    refused += talk.reasons("refused").length;
  }
  t.same([balancer.related.size, refused], [10, 990]);
  const other = conversationOf(rsh, { balancer, client: endpoint("10.0.0.6", 1023) });
  t.equal(other.client(`1022\0${REST}`), `1022\0${REST}`);
});

t.test("10,000 connections of strangers to the announced port do not take the realserver's place", async (t) => {
  const talk = conversationOf(rsh);
  talk.client(`1022\0${REST}`);
  const seen = endpoint("10.0.0.5", 1022);
  for (let n = 0; n < 10_000; n++) {
    const stranger = endpoint(`10.66.${n >> 8}.${n & 255}`, 1021);
    if (talk.balancer.claim("tcp", seen, stranger, talk.now) !== "wrong-address") t.fail(`stranger ${n}`);
  }
  t.match(talk.balancer.claim("tcp", seen, endpoint("192.168.0.2", 1021), talk.now), { related: { uses: 1 } });
});

t.test("digits that never end: dropped after a minute, and the connection goes on unread", async (t) => {
  const talk = conversationOf(rsh);
  t.equal(talk.client("10"), "");
  talk.wait(60_000);
  t.same(talk.reasons("refused"), ["unfinished"]);
  t.equal(talk.client("22\0root\0"), "22\0root\0");
  t.equal(talk.announced.length, 0);
});

t.test("the control connection closes: the connection that did not come is forgotten", async (t) => {
  const talk = conversationOf(rsh);
  talk.client(`1022\0${REST}`);
  talk.close();
  t.equal(talk.balancer.related.size, 0);
});

t.test("names, passwords and commands are never told to anybody", async (t) => {
  const talk = conversationOf(rsh);
  talk.client("1022\0canary\0canary\0canary\0");
  t.notMatch(JSON.stringify(talk.decisions.map(({ message }) => message)), "canary");
});

const parsed: [text: string, value: unknown][] = [
  ["", null],
  ["1", null],
  ["1234567", null],
  ["12345678", "not-rsh"],
  ["1022\0", { port: 1022, end: 5 }],
  ["0001022\0", { port: 1022, end: 8 }],
  ["\0x", { port: 0, end: 1 }],
  ["-1\0", "not-rsh"],
  ["+1\0", "not-rsh"],
  [" 1\0", "not-rsh"],
  ["1 \0", "not-rsh"],
  ["0x10\0", "not-rsh"],
  ["1022\n", "not-rsh"],
];
for (const [text, value] of parsed) {
  t.test(`${JSON.stringify(text)} reads as ${JSON.stringify(value)}`, async (t) => {
    t.same(parseErrorPort(bytes(text)), value);
  });
}
