export type CaptureFormat = "pcap" | "pcapng";

/**
 * What nearly all records of a capture are: those of pcap with the usual header, or enhanced packet blocks of one interface.
 * Who takes millions of them where they lie, without a `Frame` filled for each, needs to know no more.
 */
export interface CommonRecords {
  readonly format: CaptureFormat;
  /** Numbers are in network byte order. */
  readonly big: boolean;
  /** Of pcapng. */
  readonly interface: number;
  /** How the time of a record is counted, and from when on: seconds since 1970-01-01 UTC. */
  readonly ticksPerSecond: number;
  readonly offset: number;
}
