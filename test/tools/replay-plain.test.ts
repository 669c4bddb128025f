/** The short way comes to the same as the long way: a VLAN tag makes the packet take the long one. */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import t from "tap";
import { putU16, putU32 } from "../../core/wire/bytes.ts";
import { Frame } from "../../core/wire/capture/frame.ts";
import { helpers } from "../../helpers/index.ts";
import { bind } from "../../tools/replay/bindings.ts";
import { A, B } from "../../tools/replay/flows.ts";
import { type Bindings, Tracker } from "../../tools/replay/tracker.ts";

const ETHERNET = 14;

interface Sent {
  readonly ipv6: boolean;
  readonly tcp: boolean;
  readonly from: number;
  readonly to: number;
  readonly port: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: number;
  /** Bytes that the capture cut off. */
  readonly cut: number;
  /** Added to the IP packet's length. */
  readonly wrong: number;
  readonly fragment: number;
}

/** Ethernet, `tag` bytes of a VLAN tag, IP, TCP or UDP. */
function frameOf(sent: Sent, tag: 0 | 4, number: number): Frame {
  const ip = sent.ipv6 ? 40 : 20;
  const transport = sent.tcp ? 20 : 8;
  const bytes = new Uint8Array(ETHERNET + tag + ip + transport + sent.payload).fill(0x41, -sent.payload || Infinity);
  const type = sent.ipv6 ? 0x86dd : 0x0800;
  putU16(bytes, 12, tag === 0 ? type : 0x8100);
  if (tag !== 0) putU16(bytes, 16, type);
  const at = ETHERNET + tag;
  const length = Math.max(0, transport + sent.payload + sent.wrong);
  if (sent.ipv6) {
    putU16(bytes, at, 0x6000);
    putU16(bytes, at + 4, length);
    bytes[at + 6] = sent.tcp ? 6 : 17;
    putU32(bytes, at + 20, sent.from);
    putU32(bytes, at + 36, sent.to);
  } else {
    putU16(bytes, at, 0x4500);
    putU16(bytes, at + 2, 20 + length);
    putU16(bytes, at + 6, sent.fragment);
    bytes[at + 9] = sent.tcp ? 6 : 17;
    putU32(bytes, at + 12, sent.from);
    putU32(bytes, at + 16, sent.to);
  }
  putU16(bytes, at + ip, sent.port * sent.from);
  putU16(bytes, at + ip + 2, sent.port * sent.to);
  if (sent.tcp) {
    putU32(bytes, at + ip + 4, sent.sequence);
    bytes[at + ip + 12] = 0x50;
    bytes[at + ip + 13] = sent.flags;
  } else putU16(bytes, at + ip + 4, 8 + sent.payload);
  return Object.assign(new Frame(), {
    bytes,
    end: Math.max(0, bytes.length - sent.cut),
    linkType: 1,
    seconds: 1_700_000_000 + number,
    nanoseconds: 5_000,
  });
}

function flowsOf(packets: readonly Sent[], tag: 0 | 4) {
  const tracker = new Tracker(bind(helpers, []) as Bindings, helpers);
  for (const [i, sent] of packets.entries()) tracker.frame(frameOf(sent, tag, i), i + 1);
  tracker.end();
  const { flows } = tracker;
  return Array.from({ length: flows.count }, (_, row) => ({
    ends: [A, B].map((end) => `${flows.address(row, end as 1 | 2)} ${flows.port(row, end as 1 | 2)}`),
    frames: [flows.framesOf(row, A), flows.framesOf(row, B), flows.firstFrame(row), flows.lastFrame(row)],
    times: [flows.firstTime(row), flows.lastTimeOf(row, A), flows.lastTimeOf(row, B)],
    flags: [flows.flagsOf(row, A), flows.flagsOf(row, B)],
    bytes: flows.bytes(row),
    listener: flows.listener(row),
  }));
}

const packet = fc.record<Sent>({
  ipv6: fc.boolean(),
  tcp: fc.boolean(),
  from: fc.constantFrom(1, 2),
  to: fc.constantFrom(1, 2),
  port: fc.constantFrom(80, 10_000),
  flags: fc.constantFrom(0x02, 0x12, 0x10, 0x11, 0x18, 0x04),
  sequence: fc.constantFrom(1, 1000),
  payload: fc.constantFrom(0, 1, 100),
  cut: fc.constantFrom(0, 0, 0, 1, 12, 30, 60),
  wrong: fc.constantFrom(0, 0, 0, -1, -9, -30, 5, 50),
  fragment: fc.constantFrom(0, 0, 0x4000, 0x2000, 7),
});

t.test("property: a frame counts the same, and in the same flow, with and without a VLAN tag", async () => {
  fc.assert(
    fc.property(fc.array(packet, { minLength: 1, maxLength: 60 }), (packets) =>
      isDeepStrictEqual(flowsOf(packets, 0), flowsOf(packets, 4)),
    ),
    { numRuns: 300 },
  );
});
