/** What goes into the engine and what comes out: columns over one arena, so that nothing is allocated for a packet. */
import * as rows from "../flow/rows.ts";
import { Sent } from "./sent.ts";

const { ORIGINAL } = rows;

const OWN_PACKETS = 1024;
const OWN_BYTES = 0x100000;

/** Packets staged together: as many cache misses overlap. */
export const STAGE = 16;

/** Where a packet came from. A host that cannot tell says ANYWHERE. */
export const Side = { ANYWHERE: 0, CLIENT: 1, REAL: 2 } as const;

/** May a packet that goes `direction` come from `side`? Only realservers send replies; nobody else may pass for one. */
export const fits = (side: number, direction: number): boolean =>
  side === Side.ANYWHERE || side === (direction === ORIGINAL ? Side.CLIENT : Side.REAL);

/** In `offload`: the checksum of the transport header is a partial one (`adjustPartial`). */
export const NEEDS_CSUM = 1;
/** In `offload`: many segments as one (TSO), which will be cut to fit on the way. */
export const SEGMENTED = 2;

/** IP packets, translated in place. */
export interface Batch {
  readonly bytes: Uint8Array;
  /** Of the same bytes: what every packet needs is read and written by words, at a third of the cost. */
  readonly view: DataView;
  /** Of each packet's IP header in `bytes`. */
  readonly offset: Int32Array;
  readonly length: Int32Array;
  readonly side: Uint8Array;
  readonly offload: Uint8Array;
  /** Packets there are now. */
  count: number;
}

/**
 * - `DROP`       the packet goes nowhere. It is as it came.
 * - `TO_REAL`    it was translated, and goes to a realserver.
 * - `TO_CLIENT`  it was translated, and goes to a client.
 * - `DIRECT`     it goes to the realserver `destination` as it is, still for the VIP: direct routing. The host sends it
 *                to that realserver's link address.
 * - `TAKEN`      it goes nowhere itself. What it brought goes on in packets of the engine's own: segments of a control
 *                connection, or the packet in a tunnel.
 */
export const Verdict = { DROP: 0, TO_REAL: 1, TO_CLIENT: 2, DIRECT: 3, TAKEN: 4 } as const;

/** Of a packet that was translated. */
export const verdictOf = (direction: number): number => (direction === ORIGINAL ? Verdict.TO_REAL : Verdict.TO_CLIENT);

/** For each packet of the batch. */
export interface Output {
  readonly verdict: Uint8Array;
  /** See reason.ts. */
  readonly reason: Uint8Array;
  /** For `DIRECT`: which realserver; see `Flows.destination`. */
  readonly destination: Int32Array;
  /** Packets of the engine's own. */
  readonly sent: Sent;
}

export const createBatch = (packets: number, arena: Uint8Array): Batch => ({
  bytes: arena,
  view: new DataView(arena.buffer, arena.byteOffset, arena.byteLength),
  offset: new Int32Array(packets),
  length: new Int32Array(packets),
  side: new Uint8Array(packets),
  offload: new Uint8Array(packets),
  count: 0,
});

/** `own`: bytes for packets of the engine's own. */
export const createOutput = (packets: number, own = OWN_BYTES): Output => ({
  verdict: new Uint8Array(packets),
  reason: new Uint8Array(packets),
  destination: new Int32Array(packets),
  sent: new Sent(OWN_PACKETS, new Uint8Array(own)),
});
