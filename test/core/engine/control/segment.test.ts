import fc from "fast-check";
import t from "tap";
import { lengthOf, Segment, UNSUMMED, writeSegment } from "../../../../core/engine/control/segment.ts";
import { viewOf } from "../../../../core/wire/bytes.ts";
import { pseudoHeaderSum, sumIn } from "../../../../core/wire/checksum.ts";
import { sumsUp } from "./wire.ts";

const ADDRESSES = Uint8Array.of(10, 0, 0, 5, 192, 168, 0, 2);

t.test("property: a segment is the same with its payload's sum as without, and its checksum is right", async (t) => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const segments = fc.record({
    sequence: word,
    acknowledgment: word,
    flags: fc.nat(255),
    window: fc.nat(0xffff),
    urgentPointer: fc.nat(0xffff),
    options: fc.uint8Array({ maxLength: 40 }),
    packet: fc.uint8Array({ maxLength: 120 }),
    start: fc.nat(120),
  });
  const written = (given: Given, summed: boolean): Uint8Array => {
    const segment = make(given);
    if (summed) segment.sum = sumIn(segment.view, segment.start, segment.end);
    const bytes = new Uint8Array(lengthOf(segment));
    const pseudo = pseudoHeaderSum(ADDRESSES, 0, 8, 6, bytes.length);
    t.equal(writeSegment(segment, (40_000 << 16) | 21, pseudo, viewOf(bytes), 0), bytes.length);
    return bytes;
  };
  fc.assert(
    fc.property(segments, (given) => {
      const known = written(given, true);
      t.same(known, written(given, false));
      return sumsUp(ADDRESSES, known);
    }),
  );
});

interface Given extends Pick<Segment, "sequence" | "acknowledgment" | "flags" | "window" | "urgentPointer"> {
  readonly options: Uint8Array;
  readonly packet: Uint8Array;
  readonly start: number;
}

function make({ packet, start, options, ...numbers }: Given): Segment {
  const segment = Object.assign(new Segment(), numbers);
  segment.options.set(options);
  segment.optionsLength = options.length & ~3;
  segment.carry(viewOf(packet), Math.min(start, packet.length), packet.length, UNSUMMED);
  return segment;
}
