import fc from "fast-check";
import t from "tap";
import { Headers } from "../../../core/wire/headers.ts";
import { EMBEDDED, isError } from "../../../core/wire/icmp.ts";
import { embedded, fragments, icmp, joined, tcp, udp } from "../../packets.ts";

const V4 = { from: "192.0.2.7:40000", to: "203.0.113.10:80" };
const V6 = { from: "[2001:db8::7]:40000", to: "[2001:db8:1::10]:80" };
const read = (packet: Uint8Array, end = packet.length, whole = true) => {
  const headers = new Headers();
  return headers.read(packet, 0, end, whole) ? headers : null;
};

t.test("the transport header is found behind IPv4 options", async (t) => {
  const headers = read(tcp({ ...V4, options: Uint8Array.of(1, 1, 1, 0) }))!;
  t.match({ ...headers }, { family: 4, protocol: 6, transport: 24, end: 44, fragment: false });
});

t.test("the transport header is found behind IPv6 extension headers", async (t) => {
  const hopByHop = Uint8Array.of(60, 0, 1, 4, 0, 0, 0, 0);
  const destination = Uint8Array.of(17, 1, ...new Uint8Array(14));
  const headers = read(udp({ ...V6, options: joined(hopByHop, destination), next: 0 }))!;
  t.match({ ...headers }, { family: 6, protocol: 17, transport: 64, end: 72, fragment: false });
});

t.test("the link's padding is no part of the packet", async (t) => {
  t.equal(read(joined(udp(V4), new Uint8Array(18)))!.end, 28);
});

t.test("fragments are told from whole packets, an atomic IPv6 fragment is whole", async (t) => {
  const [first, last] = fragments(udp({ ...V4, payload: new Uint8Array(24) }), [16]);
  t.match({ ...read(first!)! }, { fragment: true, fragmentOffset: 0, moreFragments: true, identification: 0x1234 });
  t.match({ ...read(last!)! }, { fragment: true, fragmentOffset: 16, moreFragments: false, transport: 20 });
  const atomic = Uint8Array.of(17, 0, 0, 0, 0, 0, 0, 9);
  t.match({ ...read(udp({ ...V6, options: atomic, next: 44 }))! }, { fragment: false, protocol: 17, transport: 48 });
  const later = Uint8Array.of(17, 0, 0, 8, 0, 0, 0, 9);
  t.match(
    { ...read(udp({ ...V6, options: later, next: 44 }))! },
    { fragment: true, fragmentOffset: 8, identification: 9 },
  );
});

const malformed: [why: string, packet: Uint8Array][] = [
  ["nothing", new Uint8Array(0)],
  ["neither version 4 nor 6", tcp(V4).with(0, 0x55)],
  ["an IPv4 header shorter than 20 bytes", tcp(V4).with(0, 0x44)],
  ["an IPv4 header longer than the packet", tcp(V4).with(0, 0x4f).with(3, 40)],
  ["a total length short of the header", tcp(V4).with(3, 19)],
  ["a total length beyond what came", tcp(V4).with(3, 41)],
  ["an IPv6 payload length beyond what came", tcp(V6).with(5, 21)],
  ["an IPv6 header cut short", tcp(V6).subarray(0, 39)],
  [
    "an extension header beyond the packet's end",
    udp({ ...V6, options: Uint8Array.of(17, 9, 0, 0, 0, 0, 0, 0), next: 60 }),
  ],
  [
    "an extension header cut short",
    udp({ ...V6, next: 60 })
      .subarray(0, 44)
      .with(5, 4),
  ],
  [
    "more extension headers than anyone needs",
    udp({
      ...V6,
      options: joined(...Array.from({ length: 9 }, () => Uint8Array.of(60, 0, 0, 0, 0, 0, 0, 0))),
      next: 60,
    }),
  ],
  [
    "a fragment header within a fragment",
    udp({ ...V6, options: Uint8Array.of(44, 0, 0, 1, 0, 0, 0, 1, 17, 0, 0, 1, 0, 0, 0, 1), next: 44 }),
  ],
];
for (const [why, packet] of malformed) {
  t.test(`refused: ${why}`, async (t) => {
    t.equal(read(packet), null);
  });
}

t.test("a packet embedded in an error may be cut anywhere behind its header", async (t) => {
  const error = icmp({ from: "198.51.100.1", to: "192.0.2.7", type: 3, about: tcp(V4).subarray(0, 28) });
  t.same(embedded(error), error.subarray(20 + EMBEDDED));
  t.match({ ...read(embedded(error), 28, false)! }, { protocol: 6, transport: 20, end: 28 });
  t.equal(read(embedded(error)), null, "which one that is forwarded may not");
});

t.test("whatever the bytes, the transport header lies within the packet", async () => {
  const sample = fc.constantFrom(
    tcp(V4),
    udp(V6),
    udp({ ...V6, options: Uint8Array.of(17, 0, 0, 1, 0, 0, 0, 9), next: 44 }),
  );
  const bent = fc
    .tuple(sample, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
    .map(([packet, bends]) => bends.reduce((bytes, [at, byte]) => bytes.with(at % bytes.length, byte), packet));
  fc.assert(
    fc.property(fc.oneof(bent, fc.uint8Array({ maxLength: 120 })), fc.boolean(), (packet, whole) => {
      const headers = read(packet, packet.length, whole);
      return (
        headers === null ||
        (headers.transport >= 20 && headers.transport <= headers.end && headers.end <= packet.length)
      );
    }),
    { numRuns: 2000 },
  );
});

t.test(
  "errors are told from other messages; a redirect, or source quench (RFC 6633), is none that follows a flow",
  async (t) => {
    const errors = (family: 4 | 6) => [...Array(256).keys()].filter((type) => isError(family, type));
    t.same(errors(4), [3, 11, 12]);
    t.same(errors(6), [1, 2, 3, 4]);
  },
);
