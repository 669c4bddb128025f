/** Networks and ends, as different as they come. */
import fc from "fast-check";
import type { PeerOptions } from "./peer.ts";
import type { Network, Setting } from "./talk.ts";

/** Most of them just before the numbers wrap. */
const sequences = fc.oneof(
  fc.nat(4000).map((n) => (0xffffffff - n) >>> 0),
  fc.integer({ min: 0, max: 0xffffffff }),
);

const peers: fc.Arbitrary<PeerOptions> = fc
  .record({
    isn: sequences,
    nagle: fc.boolean(),
    delayedAck: fc.boolean(),
    sack: fc.boolean(),
    timestamps: fc.boolean(),
    scale: fc.constantFrom(null, 0, 1, 7),
    mss: fc.constantFrom(100, 536, 1460),
    segment: fc.oneof(fc.constantFrom(1460, 1460, 1460, 1), fc.integer({ min: 2, max: 60 })),
    buffer: fc.oneof(fc.constantFrom(65535, 8192), fc.integer({ min: 256, max: 1000 })),
    slow: fc.option(fc.integer({ min: 1, max: 300 }), { freq: 3 }),
  })
  .filter(({ scale, buffer }) => buffer >= 256 || scale !== 7);

const networks: fc.Arbitrary<Network> = fc.record({
  loss: fc.constantFrom(0, 0, 0.02, 0.1, 0.2),
  repeat: fc.constantFrom(0, 0.05, 0.3),
  delay: fc.integer({ min: 0, max: 30 }),
  jitter: fc.constantFrom(0, 2, 40),
});

export const settings: fc.Arbitrary<Setting> = fc.record({
  seed: fc.integer(),
  client: peers,
  server: peers,
  network: networks,
  hostDelay: fc.constantFrom(0, 0, 50, 1500),
  write: fc.constantFrom(1, 7, 4096, 4096, 4096),
});
