import { isIP } from "node:net";
import fc from "fast-check";
import t from "tap";
import { Address } from "../../../core/wire/address.ts";
import { address } from "../../addresses.ts";

// RFC 5952 §4 and §5, and what it makes of the texts of RFC 4291 §2.2.
const canonical: [text: string, canonical: string][] = [
  ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
  ["2001:0DB8::0001", "2001:db8::1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["0:0:0:0:0:0:0:1", "::1"],
  ["0:0:0:0:0:0:0:0", "::"],
  ["1:0:0:0:0:0:0:0", "1::"],
  ["FE80::ABCD", "fe80::abcd"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:c000:201", "192.0.2.1"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["::1.2.3.4", "::102:304"],
  ["1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a"],
  ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
  ["255.255.255.255", "255.255.255.255"],
  ["0.0.0.0", "0.0.0.0"],
];
for (const [text, expected] of canonical) {
  t.test(`${text} is ${expected}`, async (t) => {
    t.equal(address(text).toString(), expected);
    t.equal(JSON.stringify({ at: address(text) }), `{"at":"${expected}"}`);
  });
}

const wrong = [
  "",
  "1",
  "1.2.3",
  "1.2.3.4.5",
  "1.2.3.256",
  "01.2.3.4",
  "010.0.0.1",
  "1.2.3.00",
  "1.2.3.4 ",
  " 1.2.3.4",
  "1.2.3.-4",
  "1.2.3.+4",
  "0x1.2.3.4",
  "1.2..4",
  "1.2.3.4.",
  ".1.2.3.4",
  "1.2.3.4\0",
  "1234.1.1.1",
  "١.1.1.1",
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:",
  ":1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7::8",
  "::1:2:3:4:5:6:7:8",
  "12345::",
  "g::",
  "::1%eth0",
  "[::1]",
  "1.2.3.4::",
  "1:1.2.3.4::5",
  "::1.2.3.4:5",
  "::1.2.3",
  "1:2:3:4:5:6:7:1.2.3.4",
  "::01.2.3.4",
  "::1.2.3.256",
];
for (const text of wrong) {
  t.test(`${JSON.stringify(text)} is no address`, async (t) => {
    t.equal(Address.parse(text), null);
    t.ok(isIP(text) === 0 || text.includes("%"), "and Node agrees; zones are not for a director");
  });
}

t.test("the same texts are addresses as for Node", async (t) => {
  const soup = fc.string({ unit: fc.constantFrom(..."0123456789abfF:..::"), maxLength: 24 });
  const groups = fc.array(fc.constantFrom("", "0", "1", "abcd", "00001", "1.2.3.4", "256.1.1.1", "01.1.1.1"), {
    maxLength: 10,
  });
  const text = fc.oneof(
    soup,
    groups.map((parts) => parts.join(":")),
    fc.ipV4(),
    fc.ipV6(),
  );
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(text, (one) => (Address.parse(one) !== null) === (isIP(one) !== 0)),
      { numRuns: 5000 },
    ),
  );
});

t.test("an address is its text, and its text is the address", async (t) => {
  const word = fc.oneof(fc.constant(0), fc.constantFrom(1, 0xffff, 0x10000), fc.integer({ min: 0, max: 0xffffffff }));
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), ([a, b, c, d]) => {
        const one = Address.ipv6(a, b, c, d);
        const text = one.toString();
        const bytes = new Uint8Array(16);
        for (const [i, w] of one.words.entries()) new DataView(bytes.buffer).setUint32(i * 4, w);
        return (
          isIP(text) === one.family &&
          Address.parse(text)!.equals(one) &&
          Address.parse(text)!.toString() === text &&
          Address.fromBytes(bytes, 0, 6).equals(one)
        );
      }),
      { numRuns: 2000 },
    ),
  );
});

t.test("an IPv4 address from bytes, above the sign bit too", async (t) => {
  t.equal(Address.fromBytes(Uint8Array.of(9, 192, 0, 2, 255), 1, 4).toString(), "192.0.2.255");
  t.equal(address("192.0.2.255").words[3], 0xc00002ff);
});

t.test("IPv4 and its mapped form are one address; neighbours are not", async (t) => {
  t.ok(address("::ffff:10.0.0.1").equals(address("10.0.0.1")));
  t.equal(address("::ffff:10.0.0.1").family, 4);
  t.notOk(address("::10.0.0.1").equals(address("10.0.0.1")));
  t.notOk(address("10.0.0.1").equals(address("10.0.0.2")));
  t.notOk(address("2001:db8::1").equals(address("2001:db9::1")));
});

t.test("networks: bits count in the address's own family", async (t) => {
  const networks: [string, number, string][] = [
    ["10.1.2.255", 24, "10.1.2.0"],
    ["10.1.2.255", 32, "10.1.2.255"],
    ["10.1.2.255", 0, "0.0.0.0"],
    ["255.255.255.255", 1, "128.0.0.0"],
    ["2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::"],
    ["2001:db8:ffff::", 33, "2001:db8:8000::"],
    ["2001:db8::1", 128, "2001:db8::1"],
    ["2001:db8::1", 0, "::"],
  ];
  for (const [text, prefix, network] of networks) t.equal(address(text).network(prefix).toString(), network);
});

t.test("unspecified", async (t) => {
  for (const text of ["0.0.0.0", "::", "::ffff:0.0.0.0"]) t.ok(address(text).unspecified, text);
  for (const text of ["0.0.0.1", "::1", "1::", "127.0.0.1"]) t.notOk(address(text).unspecified, text);
});
