/**
 * Packets in and out, a batch at a time. TUN is one way to have them; rings that are mapped into memory (AF_PACKET,
 * AF_XDP) fit the same: they fill the columns of the batch with where packets lie in the ring.
 */
import type { Batch, Output } from "../../../core/engine/batch.ts";

export interface PacketPort {
  /** What `receive` brought. It is valid until the next call. */
  readonly batch: Batch;
  /** Takes what is there, up to a batch; returns how many packets. */
  receive(): number;
  /** Sends on what the engine let pass of the batch. */
  forward(out: Output): void;
  /** Sends the packets of the engine's own. */
  sendOwn(out: Output): void;
  /** Lets others have the processor, if anybody wants it; returns at once. */
  pause(): void;
  /** Returns when there is something to receive, after `timeout` milliseconds, or when `wake` is readable: then true. */
  wait(timeout: number): boolean;
}
