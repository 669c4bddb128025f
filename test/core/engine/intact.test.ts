import fc from "fast-check";
import t from "tap";
import { isIntact, isIntactSegment } from "../../../core/engine/intact.ts";
import { putU16, viewOf } from "../../../core/wire/bytes.ts";
import { pseudoHeaderSum, sumIn, sumOf } from "../../../core/wire/checksum.ts";

const TCP = 6;
const CHECKSUM = 16;

/** Where in a packet its addresses and its segment are. */
interface Shape {
  readonly first: number;
  readonly addresses: readonly [number, number];
  readonly transport: number;
}

const shapes: readonly Shape[] = [
  { first: 0x45, addresses: [12, 20], transport: 20 },
  { first: 0x47, addresses: [12, 20], transport: 28 },
  { first: 0x60, addresses: [8, 40], transport: 40 },
  { first: 0x60, addresses: [8, 40], transport: 48 },
];

t.test("property: a segment whose payload was added up before is intact when it is by the whole sum", async () => {
  const packet = fc.record({
    shape: fc.constantFrom(...shapes),
    header: fc.uint8Array({ minLength: 48, maxLength: 48 }),
    options: fc.nat(3),
    segment: fc.uint8Array({ minLength: 32, maxLength: 90 }),
    before: fc.nat(3),
    damage: fc.option(fc.nat(), { nil: null }),
  });
  fc.assert(
    fc.property(packet, ({ shape, header, options, segment, before, damage }) => {
      const { first, addresses, transport } = shape;
      const bytes = Uint8Array.of(...new Uint8Array(before), ...header.subarray(0, transport), ...segment);
      bytes[before] = first;
      const at = before + transport;
      const length = segment.length;
      putU16(bytes, at + CHECKSUM, 0);
      const pseudo = pseudoHeaderSum(bytes, before + addresses[0], before + addresses[1], TCP, length);
      putU16(bytes, at + CHECKSUM, ~sumOf(bytes, at, bytes.length, pseudo));
      if (damage !== null) bytes[at + (damage % length)]! ^= 1 << (damage & 7);
      const view = viewOf(bytes);
      const from = at + 20 + options * 4;
      const payload = sumIn(view, from, bytes.length);
      const known = isIntactSegment(view, before, at, from, bytes.length, payload);
      return known === isIntact(view, before, at, bytes.length, TCP) && known === (damage === null);
    }),
    { numRuns: 1000 },
  );
});
