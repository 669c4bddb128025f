import fc from "fast-check";
import t from "tap";
import { Address } from "../../../core/wire/address.ts";
import { Frame } from "../../../core/wire/capture/frame.ts";
import { linkTypeName } from "../../../core/wire/link.ts";
import { Packet } from "../../../core/wire/packet.ts";
import * as tcp from "../../../core/wire/tcp.ts";

const hex = (text: string): number[] => [...Buffer.from(text.replaceAll(" ", ""), "hex")];
const pair = (n: number): number[] => [n >>> 8, n & 255];

/** Ports 4660 (0x1234) and 21, five bytes of payload. */
const SEGMENT = [...hex("1234 0015 00000001 00000002 5018 ffff 0000 0000"), ...hex("50415356 0a")];
const DATAGRAM = hex("1234 0035 000b 0000 616263");

const v4 = (protocol: number, payload: readonly number[], fragment = 0, options: number[] = []): number[] => {
  const header = 20 + options.length;
  const length = pair(header + payload.length);
  const first = [0x40 | (header >> 2), 0, ...length, 0, 7, ...pair(fragment), 64, protocol, 0, 0];
  return [...first, 10, 0, 0, 1, 10, 0, 0, 2, ...options, ...payload];
};
const v6 = (next: number, payload: readonly number[], length = payload.length): number[] => [
  ...hex("60000000"),
  ...pair(length),
  next,
  64,
  ...hex("fd00 0000 0000 0000 0000 0000 0000 0001"),
  ...hex("fd00 0000 0000 0000 0000 0000 0000 0002"),
  ...payload,
];
const MACS = hex("020000000001 020000000002");
const ethernet = (type: number, payload: readonly number[]): number[] => [...MACS, ...pair(type), ...payload];
const TCP4 = v4(6, SEGMENT);
const TCP6 = v6(6, SEGMENT);

const frameOf = (bytes: readonly number[], linkType: number): Frame => {
  const frame = new Frame();
  frame.bytes = Uint8Array.from([0xee, ...bytes, 0xee]);
  frame.start = 1;
  frame.end = bytes.length + 1;
  frame.wireLength = bytes.length;
  frame.linkType = linkType;
  return frame;
};

function read(bytes: readonly number[], linkType = 1, packet = new Packet()) {
  if (!packet.read(frameOf(bytes, linkType))) return null;
  const word = (i: number) => packet.words[i]!;
  return {
    from: String(Address.ipv6(word(0), word(1), word(2), word(3))),
    to: String(Address.ipv6(word(4), word(5), word(6), word(7))),
    family: packet.family,
    protocol: packet.protocol,
    payload: Buffer.from(packet.bytes.subarray(packet.at, packet.end)).toString("hex"),
    missing: packet.wireEnd - packet.end,
  };
}

const FOUR = { from: "10.0.0.1", to: "10.0.0.2", family: 4, protocol: 6 };
const SIX = { from: "fd00::1", to: "fd00::2", family: 6, protocol: 6 };
const WHOLE = { payload: Buffer.from(SEGMENT).toString("hex"), missing: 0 };

/** A UDP datagram between these ports. */
const udp4 = (source: number, destination: number, payload: readonly number[]): number[] =>
  v4(17, [...pair(source), ...pair(destination), ...pair(8 + payload.length), 0, 0, ...payload]);
const FRAME4 = ethernet(0x0800, TCP4);

const wrappings: [why: string, bytes: number[], linkType: number, ends: typeof FOUR | typeof SIX][] = [
  ["Ethernet", ethernet(0x0800, TCP4), 1, FOUR],
  ["Ethernet padded to 60 bytes", [...ethernet(0x0800, TCP4), 0, 0, 0, 0], 1, FOUR],
  ["Ethernet, IPv6", ethernet(0x86dd, TCP6), 1, SIX],
  ["802.3 with LLC and SNAP", [...MACS, ...pair(8 + TCP4.length), ...hex("aaaa03 000000 0800"), ...TCP4], 1, FOUR],
  ["a VLAN tag", ethernet(0x8100, [...hex("0007 0800"), ...TCP4]), 1, FOUR],
  ["two VLAN tags", ethernet(0x88a8, [...hex("0007 8100 0008 86dd"), ...TCP6]), 1, SIX],
  ["PPPoE", ethernet(0x8864, [...hex("1100 0001 0040 0021"), ...TCP4]), 1, FOUR],
  ["two MPLS labels", ethernet(0x8847, [...hex("00001040 00002140"), ...TCP6]), 1, SIX],
  ["NULL, little endian", [...hex("02000000"), ...TCP4], 0, FOUR],
  ["NULL, macOS's AF_INET6", [...hex("1e000000"), ...TCP6], 0, SIX],
  ["LOOP, OpenBSD's AF_INET6", [...hex("00000018"), ...TCP6], 108, SIX],
  ["RAW", TCP6, 101, SIX],
  ["RAW, as BSD numbers it", TCP4, 12, FOUR],
  ["IPV4", TCP4, 228, FOUR],
  ["cooked", [...hex("0000 0001 0006 0200000000010000 0800"), ...TCP4], 113, FOUR],
  ["cooked, version 2", [...hex("86dd 0000 00000002 0001 00 06 0200000000010000"), ...TCP6], 276, SIX],
  ["PPP with address and control", [...hex("ff03 0021"), ...TCP4], 50, FOUR],
  ["PPP, compressed protocol", [...hex("57"), ...TCP6], 9, SIX],
  ["Cisco HDLC", [...hex("0f00 0800"), ...TCP4], 104, FOUR],
  ["IP in IP", v4(4, TCP4), 101, FOUR],
  ["6in4", v4(41, TCP6), 101, SIX],
  ["4in6", v6(4, TCP4), 101, FOUR],
  ["GRE", v4(47, [...hex("0000 0800"), ...TCP4]), 101, FOUR],
  ["GRE with checksum, key and sequence", v4(47, [...hex("b000 86dd 00000000 00000001 00000002"), ...TCP6]), 101, SIX],
  ["GRE with Ethernet", v4(47, [...hex("0000 6558"), ...ethernet(0x0800, TCP4)]), 101, FOUR],
  ["PPTP", v4(47, [...hex("3081 880b 0020 0001 00000001 00000001 ff03 0021"), ...TCP4]), 101, FOUR],
  ["NVGRE", v4(47, [...hex("2000 6558 00000100"), ...FRAME4]), 101, FOUR],
  ["ERSPAN, the first", v4(47, [...hex("0000 88be"), ...FRAME4]), 101, FOUR],
  ["ERSPAN II", v4(47, [...hex("1000 88be 00000001 1000000000000001"), ...FRAME4]), 101, FOUR],
  ["ERSPAN III", v4(47, [...hex("1000 22eb 00000001 20000000 00000000 00000000"), ...FRAME4]), 101, FOUR],
  [
    "ERSPAN III with a subheader",
    v4(47, [...hex("1000 22eb 00000001 20000000 00000000 00000001 0000000000000000"), ...FRAME4]),
    101,
    FOUR,
  ],
  [
    "a provider backbone bridge",
    ethernet(0x88e7, [...hex("00000001"), ...ethernet(0x8100, [...hex("0007 0800"), ...TCP4])]),
    1,
    FOUR,
  ],
  ["VXLAN", udp4(50_000, 4789, [...hex("08000000 00000100"), ...FRAME4]), 101, FOUR],
  [
    "VXLAN on Linux's port, with a VLAN tag",
    udp4(50_000, 8472, [...hex("08000000 00000100"), ...ethernet(0x8100, [...hex("0007 86dd"), ...TCP6])]),
    101,
    SIX,
  ],
  ["VXLAN GPE with Ethernet", udp4(50_000, 4790, [...hex("0c000003 00000100"), ...FRAME4]), 101, FOUR],
  ["VXLAN GPE with IPv6", udp4(50_000, 4790, [...hex("0c000002 00000100"), ...TCP6]), 101, SIX],
  ["Geneve with options", udp4(50_000, 6081, [...hex("01006558 00000100 01020000"), ...FRAME4]), 101, FOUR],
  ["Geneve with IPv6", udp4(6081, 50_000, [...hex("000086dd 00000100"), ...TCP6]), 101, SIX],
  ["GTP-U", udp4(2152, 2152, [...hex("30ff 002d 00000001"), ...TCP4]), 101, FOUR],
  [
    "GTP-U with an extension header",
    udp4(2152, 50_000, [...hex("36ff 002d 00000001 0001 00 85 01100000"), ...TCP6]),
    101,
    SIX,
  ],
  ["L2TP with a length", udp4(1701, 1701, [...hex("4002 0000 0001 0001 ff03 0021"), ...TCP4]), 101, FOUR],
  [
    "L2TP with all there is",
    udp4(1701, 1701, [...hex("4a02 0000 0001 0001 0000 0000 0002 eeee ff03 0057"), ...TCP6]),
    101,
    SIX,
  ],
  ["Teredo", udp4(3544, 50_000, TCP6), 101, SIX],
  [
    "Teredo with authentication and origin",
    udp4(50_000, 3544, [...hex("0001 00 00 0000000000000000 00 0000 1111 22222222"), ...TCP6]),
    101,
    SIX,
  ],
  [
    "VXLAN in GRE in IPv6",
    v6(47, [...hex("0000 0800"), ...udp4(50_000, 4789, [...hex("08000000 00000100"), ...FRAME4])]),
    101,
    FOUR,
  ],
  ["PPP with a direction", [...hex("00 ff03 0021"), ...TCP4], 204, FOUR],
  ["NFLOG", [...hex("02000001 0500 0a00 78 000000"), ...[TCP4.length + 4, 0, 9, 0], ...TCP4], 239, FOUR],
  ["IPv4 options", v4(6, SEGMENT, 0, [1, 1, 1, 0]), 101, FOUR],
  ["total length 0, as before segmentation by the interface", TCP4.with(2, 0).with(3, 0), 101, FOUR],
  [
    "hop-by-hop, routing and destination options",
    v6(0, [...hex("2b00 010400000000 3c00 000000000000 0600 010400000000"), ...SEGMENT]),
    101,
    SIX,
  ],
  ["an authentication header", v6(51, [...hex("0601 0000 00000001 00000001"), ...SEGMENT]), 101, SIX],
  ["an atomic fragment", v6(44, [...hex("0600 0000 00000001"), ...SEGMENT]), 101, SIX],
  ["a jumbogram", v6(0, [...hex("0600 c204 00000021"), ...SEGMENT], 0), 101, SIX],
];
for (const [why, bytes, linkType, ends] of wrappings) {
  t.test(`${why} (${linkTypeName(linkType)}) leads to the TCP segment`, async (t) => {
    t.same(read(bytes, linkType), { ...ends, ...WHOLE });
    for (let length = 0; length < bytes.length - 30; length++) read(bytes.slice(0, length), linkType);
  });
}

t.test("UDP is found too, other protocols are not", async (t) => {
  t.match(read(ethernet(0x0800, v4(17, DATAGRAM))), { protocol: 17, payload: "12340035000b0000616263" });
  t.equal(read(ethernet(0x0800, v4(1, DATAGRAM))), null, "ICMP, and the packet that it quotes");
  t.equal(read(ethernet(0x0806, TCP4)), null, "ARP");
  t.equal(read(ethernet(0x0800, TCP4), 105), null, "a link type that is not read");
});

const NO_TUNNEL: [why: string, datagram: number[]][] = [
  ["VXLAN without its flag", udp4(50_000, 4789, [...hex("00000000 00000100"), ...FRAME4])],
  ["half a VXLAN header", udp4(50_000, 4789, hex("08000000"))],
  ["VXLAN with ARP in it", udp4(50_000, 4789, [...hex("08000000 00000100"), ...ethernet(0x0806, TCP4)])],
  ["VXLAN with half a TCP header", udp4(50_000, 4789, [...hex("08000000 00000100"), ...FRAME4.slice(0, 40)])],
  ["from VXLAN's port", udp4(4789, 50_000, [...hex("08000000 00000100"), ...FRAME4])],
  ["VXLAN GPE with something else", udp4(50_000, 4790, [...hex("0c000004 00000100"), ...FRAME4])],
  ["a later Geneve", udp4(50_000, 6081, [...hex("40006558 00000100"), ...FRAME4])],
  ["a GTP echo request", udp4(2152, 2152, hex("3201 0004 00000000 00000000"))],
  ["an endless GTP extension header", udp4(2152, 2152, [...hex("34ff 002d 00000001 0001 00 85 00000000"), ...TCP4])],
  ["an L2TP control message", udp4(1701, 1701, [...hex("c802 0014 0001 0001 0000 0000"), ...TCP4])],
  ["an L2TP offset that leads out", udp4(1701, 1701, hex("0202 0001 0001 ffff"))],
  ["Teredo with IPv4 in it", udp4(3544, 50_000, TCP4)],
];
for (const [why, datagram] of NO_TUNNEL) {
  t.test(`${why}: the datagram is a flow like any other`, async (t) => {
    const payload = Buffer.from(datagram.slice(20)).toString("hex");
    t.same(read(datagram, 101), { ...FOUR, protocol: 17, payload, missing: 0 });
  });
}

t.test("what a snap length cut off is counted as missing", async (t) => {
  t.match(read(ethernet(0x0800, TCP4).slice(0, -3), 1), { missing: 3 });
});

const broken: [why: string, bytes: number[]][] = [
  ["IPv4 of version 5", TCP4.with(0, 0x55)],
  ["an IPv4 header of 16 bytes", TCP4.with(0, 0x44)],
  ["IPv4 options that are not there", v4(6, []).with(0, 0x4f)],
  ["a total length shorter than the header", TCP4.with(3, 19)],
  ["a TCP header of 16 bytes", v4(6, SEGMENT.with(12, 0x40))],
  ["TCP options that are not there", v4(6, SEGMENT.slice(0, 20).with(12, 0xf0))],
  ["half a TCP header", v4(6, SEGMENT.slice(0, 10))],
  ["half a UDP header", v4(17, DATAGRAM.slice(0, 7))],
  ["an extension header longer than the packet", v6(0, hex("06ff 0000 0000 0000"))],
  ["half an extension header", v6(60, hex("0600"))],
  ["half a fragment header", v6(44, hex("0600"))],
  ["GRE with a source route", v4(47, [...hex("4000 0800 00000000"), ...TCP4])],
  ["GRE of version 2", v4(47, [...hex("0002 0800"), ...TCP4])],
];
for (const [why, bytes] of broken) {
  t.test(`${why}: no packet`, async (t) => {
    t.equal(read(bytes, 101), null);
  });
}

t.test("IPv4 headers in one another, and tags, are followed to a limit", async (t) => {
  let nested = TCP4;
  for (let depth = 0; depth < 7; depth++) nested = v4(4, nested);
  t.ok(read(nested, 101));
  t.equal(read(v4(4, nested), 101), null);
  let datagrams = udp4(1, 2, []);
  for (let depth = 0; depth < 40; depth++) datagrams = udp4(3544, 2152, [...hex("30ff 0000 00000001"), ...datagrams]);
  t.match(read(datagrams, 101), { protocol: 17 }, "tunnels in UDP too: the deepest that is looked at");
  const tags = (n: number) => ethernet(0x8100, [...Array(n - 1).fill(hex("0001 8100")), hex("0001 0800"), TCP4].flat());
  t.ok(read(tags(7)));
  t.equal(read(tags(8)), null);
});

t.test("fragments make one packet, of either family and in a tunnel", async (t) => {
  const whole = [...SEGMENT.slice(0, 20), ...Array(28).fill(0x41)];
  const halves4 = [v4(6, whole.slice(0, 24), 0x2000), v4(6, whole.slice(24), 3)];
  const halves6 = [
    v6(44, [...hex("0600 0001 00000009"), ...whole.slice(0, 24)]),
    v6(44, [...hex("0600 0018 00000009"), ...whole.slice(24)]),
  ];
  const tunnel = v4(47, [...hex("0000 0800"), ...v4(6, whole)]).slice(20);
  const halvesOfTunnel = [v4(47, tunnel.slice(0, 40), 0x2000), v4(47, tunnel.slice(40), 5)];
  const inVxlan = halves4.map((half) => udp4(1, 4789, [...hex("08000000 00000100"), ...ethernet(0x0800, half)]));
  for (const halves of [halves4, halves6, halves4.map((half) => v4(4, half)), halvesOfTunnel]) {
    const packet = new Packet();
    t.equal(read(halves[1]!, 101, packet), null);
    t.match(read(halves[0]!, 101, packet), { protocol: 6, payload: Buffer.from(whole).toString("hex"), missing: 0 });
  }
  const receiver = new Packet();
  t.match(read(inVxlan[1]!, 101, receiver), { protocol: 17 }, "of a tunnel in UDP the datagram is seen until then");
  t.match(read(inVxlan[0]!, 101, receiver), { protocol: 6, payload: Buffer.from(whole).toString("hex") });
  const packet = new Packet();
  t.equal(read(halves4[1]!, 101, packet), null);
  t.equal(read(halves4[0]!.slice(0, -1), 101, packet), null, "a fragment that was cut short completes nothing");
});

t.test("the TCP view reads the fields of the header", async (t) => {
  const bytes = Uint8Array.from(SEGMENT);
  t.equal(tcp.sourcePort(bytes, 0), 0x1234);
  t.equal(tcp.destinationPort(bytes, 0), 21);
  t.equal(tcp.sequence(bytes, 0), 1);
  t.equal(tcp.acknowledgment(bytes, 0), 2);
  t.equal(tcp.headerLength(bytes, 0), 20);
  t.equal(tcp.flags(bytes, 0), tcp.ACK | 8);
});

t.test(
  "property: whatever the bytes and the link type, nothing is thrown and nothing lies outside the frame",
  async () => {
    const linkTypes = fc.constantFrom(0, 1, 9, 12, 50, 101, 104, 108, 113, 204, 228, 229, 239, 276);
    const bent = fc
      .tuple(fc.constantFrom(...wrappings), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }))
      .map(([[, bytes, linkType], changes]) => {
        const changed = [...bytes];
        for (const [at, byte] of changes) changed[at % changed.length] = byte;
        return [changed, linkType] as const;
      });
    const noise = fc.tuple(fc.array(fc.nat(255), { maxLength: 120 }), linkTypes);
    fc.assert(
      fc.property(fc.oneof(noise, bent), ([bytes, linkType]) => {
        const packet = new Packet();
        const frame = frameOf(bytes, linkType);
        if (!packet.read(frame)) return true;
        return (
          packet.at >= 0 && packet.at <= packet.end && packet.end <= frame.end && packet.end <= packet.bytes.length
        );
      }),
      { numRuns: 2000 },
    );
  },
);
