import t from "tap";
import { AffinityMemory } from "../../../core/flow/affinity.ts";
import type { Reply, Request, Settings } from "../../../core/helper/api.ts";
import { seconds } from "../../../core/units.ts";
import { radius } from "../../../helpers/radius/helper.ts";
import { attribute, attributesFit, type Packet, readPacket } from "../../../helpers/radius/wire.ts";
import { address } from "../../addresses.ts";
import { holdsContract, inspect } from "../../contract.ts";
import { conversationOf } from "../../conversation.ts";
import { accessRequest, packet } from "./packets.ts";

const NAS = address("10.0.0.5");
const SETTINGS: Settings = { strict: false, hold: 0 };
const requests = radius.requests!;

const asked = (bytes: Uint8Array, settings = SETTINGS, client = NAS) => requests.request(bytes, client, settings);
const request = (bytes: Uint8Array, settings = SETTINGS, client = NAS) => asked(bytes, settings, client) as Request;
const reply = (bytes: Uint8Array, client = NAS) => requests.reply(bytes, client) as Reply;
const faults = (bytes: Uint8Array, direction: "original" | "reply" = "original") =>
  inspect(radius, bytes, direction).recorder.faults.map(({ code }) => code);

const short = (bytes: Uint8Array, length: number) => {
  const changed = bytes.slice();
  changed[2] = length >> 8;
  changed[3] = length & 255;
  return changed;
};

const malformed: readonly (readonly [why: string, bytes: Uint8Array, reason: string])[] = [
  ["nothing", new Uint8Array(0), "short-packet"],
  ["19 bytes", accessRequest(1).subarray(0, 19), "short-packet"],
  ["a length of 19", short(accessRequest(1), 19), "bad-length"],
  ["a length of 0", short(accessRequest(1), 0), "bad-length"],
  ["a length of 4097", new Uint8Array([...short(accessRequest(1), 4097), ...new Uint8Array(5000)]), "bad-length"],
  ["a length of 65535", short(accessRequest(1), 65535), "bad-length"],
  ["a length of one more than came", short(accessRequest(1), 26), "cut"],
];

for (const [why, bytes, reason] of malformed) {
  t.test(`malformed, and goes nowhere: ${why} (${reason})`, async (t) => {
    t.equal(readPacket(bytes), reason);
    t.equal(asked(bytes), reason);
    t.equal(requests.reply(bytes, NAS), reason);
    t.same(faults(bytes), [reason]);
  });
}

t.test("bytes behind the length are padding, and change nothing (RFC 2865 §3)", async (t) => {
  const bytes = accessRequest(7);
  const padded = new Uint8Array([...bytes, 24, 6, 1, 2, 3, 4]);
  t.same(asked(padded), asked(bytes));
});

t.test("attributes: a length of 0 or 1, and one beyond the packet, end the reading, not the packet", async (t) => {
  for (const bad of [0, 1, 7, 255]) {
    const bytes = packet(1, 1, [
      [24, "abcd"],
      [1, "bob"],
    ]);
    bytes[27] = bad;
    const read = readPacket(bytes) as Packet;
    t.equal(attribute(bytes, read, 24), "abcd", "what stands before it counts");
    t.equal(attribute(bytes, read, 1), null);
    t.equal(attributesFit(bytes, read), false);
    t.same(faults(bytes), ["bad-attribute"]);
    t.type(asked(bytes), "object", "the server is the one to reject it");
  }
});

t.test("one byte behind the last attribute does not fit", async (t) => {
  const bytes = short(new Uint8Array([...accessRequest(1), 24]), accessRequest(1).length + 1);
  t.same(faults(bytes), ["bad-attribute"]);
});

t.test("a packet of 4096 bytes full of the smallest attributes is read to its end", async (t) => {
  const bytes = new Uint8Array(4096).fill(2);
  bytes.set(short(accessRequest(1, []), 4096));
  bytes[4094] = 24;
  t.equal(attribute(bytes, readPacket(bytes) as Packet, 24), "");
  t.equal(attributesFit(bytes, readPacket(bytes) as Packet), true);
});

t.test(
  "a retransmission has the same identifier and authenticator; one of the two other is a new request",
  async (t) => {
    const first = request(accessRequest(7, [], 1));
    t.equal(request(accessRequest(7, [[1, "x"]], 1)).same, first.same);
    t.not(request(accessRequest(7, [], 2)).same, first.same);
    t.not(request(accessRequest(8, [], 1)).same, first.same);
    t.same(first.ids, ["7"], "a response has the identifier");
  },
);

t.test("each code goes the way that it may", async (t) => {
  for (const code of [1, 4, 12, 40, 43]) {
    const bytes = packet(code, 9, [[4, new Uint8Array([10, 0, 0, 9])]]);
    t.equal(request(bytes).code, code);
    t.equal(requests.reply(bytes, NAS), "not-a-reply");
    t.same(faults(bytes, "reply"), ["not-a-reply"]);
  }
  for (const code of [2, 3, 5, 11, 41, 42, 44, 45]) {
    t.same(reply(packet(code, 9)).id, "9");
    t.equal(asked(packet(code, 9)), "not-a-request");
    t.same(faults(packet(code, 9)), ["not-a-request"]);
    t.same(faults(packet(code, 9), "reply"), []);
  }
  for (const code of [0, 6, 13, 255]) {
    t.equal(asked(packet(code, 9)), "not-a-request");
    t.equal(requests.reply(packet(code, 9), NAS), "not-a-reply");
    t.same(faults(packet(code, 9)), ["unknown-code"]);
  }
});

t.test("a Request with the State of a Challenge finds the realserver that gave it", async (t) => {
  const memory = new AffinityMemory<string>(10);
  const challenge = reply(
    packet(11, 7, [
      [79, "eap"],
      [24, "\0state\xff"],
    ]),
  );
  memory.remember(challenge.remember!, "b", challenge.ttl!, seconds(0));
  const next = request(
    packet(1, 8, [
      [1, "bob"],
      [24, "\0state\xff"],
    ]),
  );
  t.equal(memory.recall(next.affinity!.recall, seconds(119)), "b");
  t.equal(memory.recall(request(packet(1, 8, [[24, "other"]])).affinity!.recall, seconds(1)), null);
  const stranger = request(packet(1, 8, [[24, "\0state\xff"]]), SETTINGS, address("10.0.0.6"));
  t.equal(memory.recall(stranger.affinity!.recall, seconds(1)), null, "another NAS may have the same State");
});

t.test("only a Challenge is remembered: State in an Accept is for a later session (RFC 2865 §5.24)", async (t) => {
  for (const code of [2, 3]) t.equal(reply(packet(code, 7, [[24, "s"]])).remember, undefined);
  t.equal(reply(packet(11, 7, [[79, "eap"]])).remember, undefined);
});

t.test("without a key, a request without State is scheduled like any other", async (t) => {
  t.equal(request(accessRequest(1, [[31, "aa-bb"]])).affinity, null);
});

t.test("by key: authentication and accounting of one session have one memory, others another", async (t) => {
  const settings = { ...SETTINGS, key: ["Calling-Station-Id", "User-Name"] };
  const memory = new AffinityMemory<string>(10);
  const login = request(
    accessRequest(1, [
      [1, "bob"],
      [31, "aa-bb"],
    ]),
    settings,
  ).affinity!;
  memory.remember(login.remember!, "b", login.ttl!, seconds(0));
  const start = request(
    packet(4, 1, [
      [44, "s1"],
      [31, "aa-bb"],
    ]),
    settings,
    address("10.0.0.6"),
  ).affinity!;
  t.equal(memory.recall(start.recall, seconds(3599)), "b");
  t.equal(start.hash, login.hash, "and one place where clients are hashed");
  const other = request(
    packet(4, 1, [
      [31, "aa-bc"],
      [1, "bob"],
    ]),
    settings,
  ).affinity!;
  t.equal(memory.recall(other.recall, seconds(1)), null, "the first name that the packet has decides");
  const named = request(packet(4, 1, [[1, "aa-bb"]]), settings).affinity!;
  t.equal(memory.recall(named.recall, seconds(1)), null, "a value is taken for what it is a value of");
  t.equal(request(packet(4, 1, [[44, "s1"]]), settings).affinity, null, "none of them: scheduled");
});

t.test("State goes before the key, and the key is remembered with it", async (t) => {
  const settings = { ...SETTINGS, key: ["User-Name"] };
  const { recall, remember } = request(
    accessRequest(1, [
      [1, "bob"],
      [24, "s"],
    ]),
    settings,
  ).affinity!;
  t.equal(recall.length, 2);
  t.same(remember, [recall[1]]);
  t.same(recall.slice(0, 1), request(accessRequest(1, [[24, "s"]])).affinity!.recall);
});

t.test("Status-Server is scheduled by no key: it asks after the server that gets it (RFC 5997 §4.1)", async (t) => {
  const settings = { ...SETTINGS, key: ["User-Name"] };
  t.equal(request(packet(12, 1, [[1, "bob"]]), settings).affinity, null);
});

t.test("Disconnect and CoA of a realserver go to the NAS that they name", async (t) => {
  const four = request(
    packet(43, 3, [
      [4, new Uint8Array([10, 0, 0, 9])],
      [44, "s1"],
    ]),
  );
  t.equal(String(four.to), "10.0.0.9");
  const bytes = new Uint8Array(16);
  bytes.set([0x20, 1, 0xd, 0xb8]);
  bytes[15] = 7;
  t.equal(String(request(packet(40, 3, [[95, bytes]])).to), "2001:db8::7");
  t.equal(request(packet(40, 3, [[32, "nas"]])).to, null);
  t.equal(request(packet(40, 3, [[4, "abc"]])).to, null, "an address of three bytes is none");
});

t.test("nothing is announced, and no byte of it is rewritten: the authenticators cover all of it", async (t) => {
  const { recorder, verdict, consumed } = inspect(
    radius,
    packet(11, 7, [
      [24, "s"],
      [80, "0123456789abcdef"],
    ]),
    "reply",
  );
  t.same([verdict, consumed, recorder.empty], ["pass", 20 + 3 + 18, true]);
});

t.test("each attribute that may be a key is known by its number, and by no other", async (t) => {
  const numbers = { "User-Name": 1, "Called-Station-Id": 30, "Calling-Station-Id": 31, "NAS-Identifier": 32 };
  for (const [name, number] of Object.entries({ ...numbers, "Acct-Session-Id": 44 })) {
    const settings = { ...SETTINGS, key: [name] };
    const { recall } = request(packet(1, 1, [[number, "same"]]), settings).affinity!;
    t.same(request(packet(4, 2, [[number, "same"]]), settings).affinity!.recall, recall, name);
    t.not(request(packet(4, 2, [[number, "other"]]), settings).affinity!.recall[0], recall[0]);
    for (const other of [1, 2, 24, 25, 30, 31, 32, 33, 44, 79, 80]) {
      if (other === number) continue;
      t.notOk(request(packet(1, 1, [[other, "same"]]), settings).affinity?.recall.includes(recall[0]!), `${other}`);
    }
  }
});

t.test("names, passwords and State are never told to anybody, whatever is wrong with the packet", async (t) => {
  const whole = accessRequest(1, [
    [1, "canary-name"],
    [2, "canary-password!"],
    [24, "canary-state"],
  ]);
  const bent = whole.slice();
  bent[21] = 0;
  const cut = whole.subarray(0, whole.length - 1);
  const talk = conversationOf(radius);
  for (const said of [whole, bent, cut, whole.with(0, 99), whole.with(0, 2), whole.with(0, 11)]) {
    talk.client(said);
    talk.server(said);
  }
  t.same(
    [...new Set(talk.reasons("fault"))].sort(),
    ["bad-attribute", "cut", "not-a-reply", "not-a-request", "unknown-code"],
    "each was told",
  );
  t.notMatch(JSON.stringify(talk.decisions.map(({ message }) => message)), "canary");
});

t.test("the contract", async (t) => {
  holdsContract(t, radius, [
    accessRequest(1),
    packet(11, 1, [
      [24, "state"],
      [79, "eap"],
    ]),
    packet(4, 2, [[44, "s1"]]),
    packet(43, 3, [[4, new Uint8Array([10, 0, 0, 9])]]),
  ]);
});
