import fc from "fast-check";
import t from "tap";
import { Address } from "../../../core/wire/address.ts";
import { answeredBy, arpRequest, hardwareBytes, hardwareText } from "../../../director/doctor/arp-frame.ts";
import { covers } from "../../../director/doctor/checks/nftables.ts";
import { isTranslated } from "../../../director/doctor/gather.ts";
import { readRuleset } from "../../../director/doctor/nft.ts";
import { RULESET } from "./scenes.ts";

const at = (text: string): Address => Address.parse(text)!;
const VIP = at("203.0.113.10");
const OWN = hardwareBytes("02:00:00:00:00:07")!;

/** The answer of `hardware` to `request` (RFC 826). */
function answer(request: Uint8Array, hardware: Uint8Array): Uint8Array {
  const frame = request.slice();
  frame.set(request.subarray(6, 12), 0);
  frame.set(hardware, 6);
  frame[21] = 2;
  frame.set(hardware, 22);
  frame.set(request.subarray(38, 42), 28);
  frame.set(request.subarray(22, 32), 32);
  return frame;
}

t.test("a question goes to all, with both ends' addresses where RFC 826 has them", async (t) => {
  const frame = arpRequest(OWN, at("203.0.113.7"), VIP);
  const hex = Buffer.from(frame).toString("hex");
  t.equal(hex, "ffffffffffff020000000007080600010800060400010200000000" + "07cb007107000000000000cb00710a");
});

t.test(
  "an answer tells whose hardware address it is; a question, another address and other frames do not",
  async (t) => {
    const request = arpRequest(OWN, at("203.0.113.7"), VIP);
    const frame = answer(request, hardwareBytes("02:00:00:00:00:09")!);
    t.equal(answeredBy(frame, VIP), "02:00:00:00:00:09");
    t.equal(answeredBy(request, VIP), null);
    t.equal(answeredBy(frame, at("203.0.113.11")), null);
    t.equal(answeredBy(frame.subarray(0, 41), VIP), null, "cut off");
    t.equal(answeredBy(frame.with(12, 0x86), VIP), null, "another protocol");
    t.equal(answeredBy(frame.with(18, 8), VIP), null, "another kind of hardware");
  },
);

t.test("any bytes at all are read without a throw", async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => answeredBy(bytes, VIP) === null));
});

t.test("hardware addresses are read as they are written", async (t) => {
  t.equal(hardwareText(hardwareBytes("02:0a:ff:00:10:09")!), "02:0a:ff:00:10:09");
  for (const text of ["", "02:0a", "02:0a:ff:00:10:0g", "02:0a:ff:00:10:09:11"])
    t.equal(hardwareBytes(text), null, text);
});

t.test("rules are read with their destination, and whether anything else narrows them", async (t) => {
  const chains = readRuleset(RULESET);
  const [prerouting] = chains;
  t.match(prerouting, { table: "nat", family: "ip", hook: "prerouting", policy: "accept" });
  t.same(prerouting!.rules, [
    { verdict: "translates", addresses: ["203.0.113.10"], ports: [{ first: 21, last: 21 }], narrowed: false },
    {
      verdict: "translates",
      addresses: ["203.0.113.0/24"],
      ports: [
        { first: 25, last: 25 },
        { first: 40000, last: 40050 },
      ],
      narrowed: false,
    },
    { verdict: "translates", addresses: [], ports: [{ first: 21, last: 21 }], narrowed: true },
    { verdict: "translates", addresses: [], ports: [{ first: 21, last: 21 }], narrowed: true },
  ]);
  t.match(
    chains.find(({ name }) => name === "forward"),
    { hook: "forward", policy: "drop" },
  );
  t.equal(chains.find(({ name }) => name === "jumped")!.hook, null);
});

t.test("what is no ruleset has no chains", async (t) => {
  for (const text of ["", "{}", "[]", '{"nftables": 3}', "null", '{"nftables": [{"rule": {"expr": 7}}]}']) {
    t.same(readRuleset(text), [], text);
  }
});

t.test("a VIP is covered by itself and its networks, of its own family", async (t) => {
  for (const text of ["203.0.113.10", "203.0.113.0/24", "0.0.0.0/0"]) t.ok(covers(text, VIP), text);
  for (const text of ["203.0.113.11", "203.0.112.0/24", "::/0", "203.0.113.1-203.0.113.20", "@set"]) {
    t.notOk(covers(text, VIP), text);
  }
});

t.test("an entry of conntrack is translated when its reply comes from somebody else", async (t) => {
  const line = (from: string): string =>
    `tcp      6 431999 ESTABLISHED src=198.51.100.7 dst=203.0.113.10 sport=40112 dport=21 src=${from} dst=198.51.100.7 sport=21 dport=40112 [ASSURED] mark=0 use=1`;
  t.equal(isTranslated(line("192.168.0.2"), VIP), true);
  t.equal(isTranslated(line("203.0.113.10"), VIP), false);
  t.equal(isTranslated("", VIP), false);
});
