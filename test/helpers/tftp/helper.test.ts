import t from "tap";
import { tftp } from "../../../helpers/tftp/helper.ts";
import { parseRequest } from "../../../helpers/tftp/wire.ts";
import { endpoint } from "../../addresses.ts";
import { holdsContract, inspect } from "../../contract.ts";
import { conversationOf, LIMITS, makeBalancer, serviceFor } from "../../conversation.ts";

const packet = (opcode: number, text: string): Uint8Array =>
  Uint8Array.from([0, opcode, ...Buffer.from(text, "latin1")]);
const RRQ = packet(1, "boot/pxelinux.0\0octet\0");
const WRQ = packet(2, "crash.log\0NetASCII\0blksize\x001428\0tsize\x000\0");
const DATA = packet(3, "\0\x01abc");
const ERROR = packet(5, "\0\x01File not found\0");
const OACK = packet(6, "blksize\x001428\0");

holdsContract(t, tftp, [RRQ, WRQ, DATA, ERROR, OACK]);

for (const [name, request] of Object.entries({ RRQ, WRQ })) {
  t.test(`${name} lets the realserver answer once from any port, to where the request came from`, async (t) => {
    const talk = conversationOf(tftp);
    t.equal(talk.client(request), Buffer.from(request).toString("latin1"), "as it was");
    t.same(talk.pending, ["tftp 192.168.0.2:any -> 10.0.0.5:40000 => 10.0.0.5:40000"]);
    const seen = endpoint("10.0.0.5", 40000);
    t.equal(talk.balancer.claim("udp", seen, endpoint("192.168.0.3", 2000), talk.now), "wrong-address");
    t.match(talk.balancer.claim("udp", seen, endpoint("192.168.0.2", 2000), talk.now), { related: { kind: "tftp" } });
    t.equal(talk.balancer.claim("udp", seen, endpoint("192.168.0.2", 2001), talk.now), "no-related-entry");
  });
}

t.test("what is no request opens nothing: DATA, OACK or ERROR alone, and whatever comes from port 69", async (t) => {
  for (const payload of [DATA, OACK, ERROR]) {
    const { recorder } = inspect(tftp, payload);
    t.same(recorder.expected, []);
    t.match(recorder.faults, [{ code: "not-a-request" }]);
  }
  for (const payload of [DATA, ERROR, OACK]) t.ok(inspect(tftp, payload, "reply").recorder.empty);
});

t.test("what no server says is no answer: the request still waits for one", async (t) => {
  for (const payload of [RRQ, WRQ, packet(7, ""), Uint8Array.of(0)]) {
    const talk = conversationOf(tftp);
    talk.client(RRQ);
    talk.server(payload);
    t.same(talk.reasons("fault"), ["not-an-answer"]);
    t.equal(talk.pending.length, 1);
  }
});

t.test("a request sent again may be answered again, from another port", async (t) => {
  const talk = conversationOf(tftp);
  const seen = endpoint("10.0.0.5", 40000);
  talk.client(RRQ);
  talk.client(RRQ);
  t.equal(talk.pending.length, 1, "the second takes the place of the first");
  talk.balancer.claim("udp", seen, endpoint("192.168.0.2", 2000), talk.now);
  talk.client(RRQ);
  t.equal(talk.pending.length, 1);
});

t.test(
  "a server that answers from port 69 has its transfer here: nothing is waited for, nothing is a fault",
  async (t) => {
    const talk = conversationOf(tftp);
    talk.client(RRQ);
    talk.server(DATA);
    t.same(talk.pending, []);
    talk.client(packet(4, "\0\x01"));
    t.same(talk.reasons("fault"), []);
    talk.client(WRQ);
    t.equal(talk.pending.length, 1, "the next request is announced like the first");
    talk.client(DATA);
    t.same(talk.reasons("fault"), ["not-a-request"]);
  },
);

t.test("a client on a reserved port is answered there", async (t) => {
  const talk = conversationOf(tftp, { client: endpoint("10.0.0.5", 69) });
  talk.client(RRQ);
  t.same(talk.pending, ["tftp 192.168.0.2:any -> 10.0.0.5:69 => 10.0.0.5:69"]);
});

t.test("a request that is not let in is not forwarded, and 10,000 of one client leave its limit", async (t) => {
  const balancer = makeBalancer([serviceFor(tftp)], { ...LIMITS, perClient: 10 });
  let forwarded = 0;
  for (let n = 0; n < 10_000; n++) {
    const talk = conversationOf(tftp, { balancer, client: endpoint("10.0.0.5", 2000 + n) });
    if (talk.client(RRQ) !== "") forwarded++;
  }
  t.equal(forwarded, 10);
  t.equal(balancer.related.size, 10);
  t.ok(conversationOf(tftp, { balancer, client: endpoint("10.0.0.6", 2000) }).client(RRQ), "others are not affected");
});

t.test("the flow of the request is over: the answer that did not come is forgotten", async (t) => {
  const talk = conversationOf(tftp);
  talk.client(RRQ);
  talk.close();
  t.equal(talk.balancer.related.size, 0);
});

t.test("10,000 datagrams of strangers do not take the answer's place", async (t) => {
  const talk = conversationOf(tftp);
  talk.client(RRQ);
  const seen = endpoint("10.0.0.5", 40000);
  for (let n = 0; n < 10_000; n++) {
    const stranger = endpoint(`10.66.${n >> 8}.${n & 255}`, 1024 + n);
    if (talk.balancer.claim("udp", seen, stranger, talk.now) !== "wrong-address") t.fail(`stranger ${n}`);
  }
  t.match(talk.balancer.claim("udp", seen, endpoint("192.168.0.2", 2000), talk.now), { related: { kind: "tftp" } });
});

t.test("a request at any place of a datagram but the first byte opens nothing", async (t) => {
  const body = new Uint8Array(600).fill(0x78);
  for (let at = 1; at <= 512; at++) {
    const said = body.slice(0, at + RRQ.length);
    said.set(RRQ, at);
    t.same(inspect(tftp, said).recorder.expected, []);
  }
});

t.test("IPv6: no address travels, so nothing differs", async (t) => {
  const client = endpoint("2001:db8::5", 40000);
  const talk = conversationOf(tftp, { client });
  talk.client(RRQ);
  t.equal(talk.announced[0]!.target.address.toString(), "2001:db8::5");
});

const malformed: [why: string, payload: Uint8Array, fault: string][] = [
  ["a single byte", Uint8Array.of(0), "truncated"],
  ["an opcode and nothing else", packet(1, ""), "truncated"],
  ["an opcode of 257", Uint8Array.from([1, 1, 0x61, 0, ...Buffer.from("octet\0")]), "not-a-request"],
  ["an opcode of 0", packet(0, "a\0octet\0"), "not-a-request"],
  ["an empty filename", packet(1, "\0octet\0"), "no-filename"],
  ["a filename without its NUL", packet(1, "a"), "truncated"],
  ["a mode without its NUL", packet(1, "a\0octet"), "truncated"],
  ["no mode", packet(1, "a\0"), "truncated"],
  ["an empty mode", packet(1, "a\0\0"), "bad-mode"],
  ["an unknown mode", packet(1, "a\0ebcdic\0"), "bad-mode"],
  ["a mode of 400 bytes", packet(1, `a\0${"octet".repeat(80)}\0`), "bad-mode"],
  ["more than 512 bytes", packet(2, `${"a".repeat(510)}\0octet\0`), "too-long"],
];
for (const [why, payload, fault] of malformed) {
  t.test(`${why}: passed on, counted as ${fault}, nothing opened`, async (t) => {
    const talk = conversationOf(tftp);
    t.equal(talk.client(payload), Buffer.from(payload).toString("latin1"));
    t.same(talk.reasons("fault"), [fault]);
    t.equal(talk.announced.length, 0);
  });
}

const options: [text: string, whole: boolean][] = [
  ["", true],
  ["blksize\x001428\0", true],
  ["tsize\0\0", true],
  ["blksize\0", false],
  ["blksize\x001428", false],
  ["\x001428\0", false],
  ["blksize\x001428\0x\0", false],
];
for (const [text, optionsWhole] of options) {
  t.test(`options ${JSON.stringify(text)} are ${optionsWhole ? "" : "not "}whole; the request counts`, async (t) => {
    t.same(parseRequest(packet(1, `a\0octet\0${text}`)), { operation: "RRQ", optionsWhole });
    const talk = conversationOf(tftp);
    talk.client(packet(1, `a\0octet\0${text}`));
    t.equal(talk.pending.length, 1);
    t.same(talk.reasons("fault"), optionsWhole ? [] : ["bad-options"]);
  });
}

t.test(
  "a filename with escape sequences, markup or a command of another protocol is never told to anybody",
  async (t) => {
    for (const name of ["\x1b[2J", "<script>", "PORT 10,0,0,9,4,1\r\n", "\u202e".repeat(3)]) {
      const talk = conversationOf(tftp);
      talk.client(packet(1, `${name}\0octet\0`));
      t.equal(talk.pending.length, 1);
      t.notMatch(JSON.stringify(talk.decisions.map(({ message }) => message)), name);
    }
  },
);
