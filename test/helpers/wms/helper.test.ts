import t from "tap";
import { wms } from "../../../helpers/wms/helper.ts";
import { reasons } from "../../../helpers/wms/reasons.ts";
import { isPacket, parseMessages } from "../../../helpers/wms/wire.ts";
import { address, endpoint } from "../../addresses.ts";
import { holdsContract } from "../../contract.ts";
import { type ConversationOptions, conversationOf, makeBalancer, realserver, serviceFor } from "../../conversation.ts";

const talk = (options: ConversationOptions = {}) => conversationOf(wms, options);
const u32 = (n: number): string => String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >>> 24) & 255);
const wide = (text: string): string => [...text].map((character) => `${character}\0`).join("");
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

const message = (id: number, body: string): string => {
  const padded = body.padEnd(Math.ceil(body.length / 8) * 8, "\0");
  return u32(padded.length / 8 + 1) + u32(id) + padded;
};
const packet = (...messages: string[]): string => {
  const body = messages.join("");
  const sealed = u32(body.length + 16) + u32(0x20534d4d) + u32((body.length + 32) / 8);
  return `\x01\0\0\0${u32(0xb00bface)}${sealed}${"\0".repeat(12)}${body}`;
};
const FIXED = u32(0) + u32(0xffffffff) + u32(0) + u32(0x00989680) + u32(2);
const funnel = (name: string, behind = "\0\0"): string => message(0x00030002, FIXED + wide(name) + behind);
const udp = (host = "10.0.0.5", port: number | string = 7000): string => packet(funnel(`\\\\${host}\\UDP\\${port}`));
const CONNECT = packet(message(0x00030001, wide("NSPlayer/7.0.0.1956; Host: 1.2.3.4")));
const CONNECTED = packet(message(0x00040002, "\0".repeat(16)));
const DISCONNECTED = packet(message(0x00040003, "\0".repeat(8)));
const data = (length: number): string => `\0\0\0\0\x02\x04${u32(length).slice(0, 2)}${"d".repeat(length - 8)}`;

/** The name in what the server hears. */
function nameIn(heard: string): string {
  const at = heard.indexOf("\\");
  return heard.slice(at, heard.indexOf("\0\0\0", at)).replaceAll("\0", "");
}

holdsContract(
  t,
  wms,
  [
    CONNECT,
    CONNECTED,
    DISCONNECTED,
    udp(),
    packet(funnel("\\\\10.0.0.5\\TCP\\1242")),
    packet(message(0x00030001, "x"), funnel("\\\\10.0.0.5\\UDP\\7000")),
    udp("10.9.9.9"),
    udp("10.0.0.5", "99999"),
    packet(message(0x00030015, "x".repeat(5000))),
    data(823),
    "nonsense",
  ].map(bytes),
);

t.test(
  "ConnectFunnel by UDP: the client's port, and its requests for lost packets go to the same realserver",
  async (t) => {
    const wms = talk();
    t.equal(wms.client(CONNECT + udp()), CONNECT + udp());
    t.same(wms.pending, ["mms-udp 192.168.0.2:any -> 10.0.0.5:7000 => 10.0.0.5:7000"]);
    t.match(wms.decisions.find(({ outcome }) => outcome === "group")?.message, /udp\/1755/);
    t.equal(wms.server(CONNECTED), CONNECTED);
    t.equal(wms.pending.length, 1);
  },
);

t.test("a name of another length: message, packet and their lengths grow by whole chunks, or stay", async (t) => {
  for (const [address, port] of [
    ["1.1.1.1", 1024],
    ["192.168.100.200", 65535],
    ["2001:db8:1234:5678:9abc:def0:1234:5678", 50000],
  ] as const) {
    const wms = talk({ seen: () => endpoint(address, port) });
    const heard = wms.client(
      packet(message(0x00030001, "x"), funnel("\\\\10.0.0.5\\UDP\\7000"), message(0x00030005, "y")),
    );
    t.equal(nameIn(heard), `\\\\${address}\\UDP\\${port}`);
    const read = bytes(heard) as Buffer;
    t.equal(read.readUInt32LE(8) + 16, heard.length);
    t.equal(read.readUInt32LE(16) * 8, heard.length);
    t.same(
      parseMessages(read)?.map(({ id }) => id),
      [0x00030001, 0x00030002, 0x00030005],
    );
  }
});

t.test("what is written anew is another packet: that of the client stays as it came", async (t) => {
  const said = bytes(udp());
  talk({ seen: () => endpoint("192.168.100.200", 65535) }).client(said);
  t.same(said, bytes(udp()));
});

t.test("left-overs behind the name (VLC has some) mean nothing", async (t) => {
  const wms = talk();
  const said = packet(funnel("\\\\10.0.0.5\\UDP\\7000", "\0\x000\0\0\0"));
  t.equal(wms.client(said), said);
  t.equal(wms.pending.length, 1);
});

t.test("ConnectFunnel by TCP makes no entry, whatever address it names", async (t) => {
  const wms = talk();
  const said = packet(funnel("\\\\192.168.0.1\\TCP\\1242"));
  t.equal(wms.client(said), said);
  t.equal(wms.announced.length, 0);
  const stream = data(823) + data(8) + data(60_000) + CONNECTED;
  t.equal(wms.server(CONNECTED + stream), CONNECTED + stream);
  t.same(wms.reasons("fault"), []);
});

t.test("ConnectFunnel of an IPv6 client", async (t) => {
  const wms = talk({ seen: ({ target }) => target });
  wms.client(udp("2001:db8::5"));
  t.same(wms.reasons("refused"), ["family-mismatch"], "on an IPv4 connection");
});

t.test("the server cannot connect the funnel: the entry is taken back", async (t) => {
  const wms = talk();
  wms.client(udp());
  t.equal(wms.server(DISCONNECTED), DISCONNECTED);
  t.same(wms.pending, []);
});

const refused: [why: string, said: string, reason: string][] = [
  ["another client's address", udp("10.9.9.9"), "bounce"],
  ["the server's own address", udp("1.2.3.4"), "bounce"],
  ["port 0", udp("10.0.0.5", 0), "port-zero"],
  ["a reserved port", udp("10.0.0.5", 1023), "port-reserved"],
  ["a port above 65535", udp("10.0.0.5", 65536), "bad-port"],
  ["a port that wraps", udp("10.0.0.5", "4294971884"), "bad-port"],
  ["a port that is none", udp("10.0.0.5", "7x"), "bad-port"],
  ["no port", udp("10.0.0.5", ""), "bad-port"],
  ["an address that is none", udp("010.0.0.5"), "bad-address"],
  ["a host name", udp("host"), "bad-address"],
  ["another protocol", packet(funnel("\\\\10.0.0.5\\HTTP\\7000")), "bad-name"],
  ["a fifth part", packet(funnel("\\\\10.0.0.5\\UDP\\7000\\x")), "bad-name"],
  ["no backslashes", packet(funnel("10.0.0.5\\UDP\\7000")), "bad-name"],
  ["a name that is overlong", packet(funnel(`\\\\${"1".repeat(70)}\\UDP\\7000`)), "bad-name"],
  ["characters that are none of ASCII", packet(funnel("\\\\10.0.0.5\\U\u0101P\\7000")), "bad-name"],
  ["an unterminated name", packet(funnel("\\\\10.0.0.5\\UDP\\700", "")), "unterminated-name"],
  ["no name at all", packet(u32(2) + u32(0x00030002) + u32(0) + u32(0)), "unterminated-name"],
];
for (const [why, said, reason] of refused) {
  t.test(`refused, ${reason}: ${why}`, async (t) => {
    const wms = talk();
    const heard = wms.client(said);
    t.same(wms.reasons("refused"), [reason]);
    t.equal(wms.balancer.related.size, 0);
    t.equal(heard.length, said.length, "in as many bytes");
    t.notMatch(nameIn(heard), /[1-9]/, "no address or port that could be sent to");
    t.equal(wms.client(CONNECT), CONNECT, "and the next packet is found");
  });
}

t.test("an odd length: what is half a character further on is no name", async (t) => {
  const name = wide("\\\\10.0.0.5\\UDP\\7000");
  for (let at = 1; at < name.length; at += 2) {
    const wms = talk();
    wms.client(packet(message(0x00030002, `${FIXED}${name.slice(0, at)}x${name.slice(at)}\0\0`)));
    t.same(wms.reasons("refused"), ["bad-name"], `${at}`);
  }
});

t.test("two funnels in one packet, or lengths that do not add up: the packet goes nowhere", async (t) => {
  const two = packet(funnel("\\\\10.0.0.5\\TCP\\1"), funnel("\\\\10.0.0.5\\UDP\\7000"));
  const lying = packet(u32(9) + u32(0x00030002) + FIXED);
  const zero = packet(u32(0) + u32(0x00030002) + FIXED);
  for (const [said, reason] of [
    [two, "several-funnels"],
    [lying, "bad-lengths"],
    [zero, "bad-lengths"],
  ] as const) {
    const wms = talk();
    t.equal(wms.client(said + CONNECT), CONNECT);
    t.same(wms.reasons("refused"), [reason]);
  }
  const server = talk();
  t.equal(server.server(lying), lying);
  t.same(server.reasons("fault"), ["bad-lengths"]);
});

t.test(
  "a packet of the client that is too long goes nowhere, one of the server goes on; nothing is held",
  async (t) => {
    const long = packet(message(0x00030015, "x".repeat(5000)));
    const client = talk();
    t.equal(client.client(long.slice(0, 300)) + client.client(`${long.slice(300)}${CONNECT}`), CONNECT);
    t.same(client.reasons("refused"), ["packet-too-long"]);
    const server = talk();
    t.equal(server.server(long + CONNECTED), long + CONNECTED);
  },
);

t.test("a packet that never ends is not let out when its time is up; its rest is not either", async (t) => {
  const wms = talk();
  wms.client(CONNECT + udp().slice(0, 100));
  wms.wait(60_000);
  t.equal(wms.heard("original"), CONNECT);
  t.equal(wms.client(udp().slice(100) + CONNECT), CONNECT);
  t.same(wms.reasons("refused"), ["unfinished"]);
});

t.test("what does not open like MMS is not read", async (t) => {
  for (const opening of ["SETUP rtsp://h RTSP/1.0\r\n", "\x01\0\0\0nonsense", "\x16\x03\x01"]) {
    const wms = talk();
    t.equal(wms.client(opening), opening);
    wms.client(udp());
    t.same(wms.reasons("fault"), ["not-mms"]);
    t.equal(wms.announced.length, 0);
  }
});

t.test("bytes that are no packet: reading goes on at the next one", async (t) => {
  const wms = talk();
  wms.client(CONNECT);
  t.equal(wms.client(`junk\x01\0\0\0junk${udp()}`), `junk\x01\0\0\0junk${udp()}`);
  t.equal(wms.pending.length, 1);
  t.same(wms.reasons("fault"), ["stray-bytes"]);
});

t.test("every cut, and one byte a segment: the same entries, the same bytes", async (t) => {
  const client = CONNECT + packet(message(0x00030001, "x"), funnel("\\\\10.0.0.5\\UDP\\7000")) + CONNECT;
  const outcome = (pieces: readonly string[]) => {
    const wms = talk({ seen: () => endpoint("192.168.100.200", 65535) });
    for (const piece of pieces) wms.client(piece);
    return [wms.heard("original"), wms.pending];
  };
  const whole = outcome([client]);
  for (let at = 1; at < client.length; at++) t.same(outcome([client.slice(0, at), client.slice(at)]), whole);
  t.same(outcome([...client]), whole);
});

t.test("behind missing bytes reading goes on at the next packet", async (t) => {
  const calls: string[] = [];
  const inspector = wms.open({ virtual: endpoint("1.2.3.4", 1755) } as never, { strict: false, hold: 4096 });
  inspector.gap?.("original");
  const actions = { expect: () => calls.push("expect"), rewrite: () => {}, group: () => {} } as never;
  const said = bytes(`lost${udp()}`);
  const { consumed } = inspector.inspect(said, "original", actions);
  inspector.inspect(said.subarray(consumed), "original", actions);
  t.same(calls, ["expect"]);
});

t.test("found by how it opens", async (t) => {
  const detect = (original: string) => wms.detect!({ original: bytes(original), reply: bytes("") });
  t.same([detect(CONNECT.slice(0, 9)), detect(CONNECT), detect("SETUP"), detect("")], [null, true, false, false]);
  t.equal(isPacket(bytes(data(30))), false);
});

t.test("1,000 funnels to third parties: 1,000 refusals, no entry", async (t) => {
  const wms = talk();
  for (let n = 0; n < 1000; n++) wms.client(udp(`10.9.${n >> 8}.${n & 255}`));
  t.same(wms.reasons("refused"), Array(1000).fill("bounce"));
  t.equal(wms.balancer.related.size, 0);
});

t.test("1,000 funnels of one connection: ten wait at most", async (t) => {
  const wms = talk();
  for (let n = 0; n < 1000; n++) wms.client(udp("10.0.0.5", 2000 + n));
  t.equal(wms.pending.length, 10);
  t.match(wms.pending.at(-1), /:2999$/);
});

t.test("NAT slipstreaming: an HTTP POST whose body is a funnel at the start of a segment", async (t) => {
  const post = "POST / HTTP/1.1\r\nHost: 1.2.3.4:1755\r\n\r\n";
  for (let at = 1; at <= post.length; at++) {
    const wms = talk();
    wms.client(post.slice(0, at));
    wms.client(udp());
    t.equal(wms.announced.length, 0, `${at}`);
  }
});

t.test("a funnel within another message, and one that the server says, announce nothing", async (t) => {
  const wms = talk();
  wms.client(packet(message(0x00030005, udp())));
  t.equal(wms.server(udp()), udp());
  t.equal(wms.announced.length, 0);
  t.same(wms.reasons("fault"), []);
});

t.test("messages within the stream's data are data: nothing is taken back", async (t) => {
  const wms = talk();
  wms.client(udp());
  const carried = data(8 + DISCONNECTED.length).slice(0, 8) + DISCONNECTED;
  t.equal(wms.server(CONNECTED + carried), CONNECTED + carried);
  t.equal(wms.pending.length, 1);
});

t.test("over IPv6: the client's port at its IPv6 address", async (t) => {
  const spec = { address: address("2001:db8::4"), realservers: [realserver("2001:db8::2")] };
  const v6 = talk({
    balancer: makeBalancer([serviceFor(wms, spec)]),
    client: endpoint("2001:db8::5", 40000),
    virtual: endpoint("2001:db8::4", 1755),
  });
  t.equal(v6.client(udp("2001:db8::5")), udp("2001:db8::5"));
  t.match(v6.pending, [/^mms-udp 2001:db8::2:any -> .*2001:db8::5\]?:7000$/]);
});

t.test("the control connection closes: what waits is gone", async (t) => {
  const wms = talk();
  wms.client(udp());
  t.equal(wms.pending.length, 1);
  wms.close();
  t.equal(wms.balancer.related.size, 0);
});

t.test("every code that the helper has is explained", async (t) => {
  for (const [code, text] of Object.entries(reasons)) t.ok(/^[a-z-]+$/.test(code) && text.length > 10, code);
});
