/** Why a packet got its verdict. The names are the labels of the metrics; the order is that of the codes. */
export const reasons = [
  "established",
  "opened",
  "icmp-error",
  "fragment",
  "control-payload",
  // What follows is dropped.
  "malformed",
  "tcp-flags",
  "ttl-exceeded",
  "protocol",
  "no-flow",
  "wrong-side",
  "no-service",
  "no-realserver",
  "no-control-connection",
  "port-not-declared",
  "family-mismatch",
  "clash",
  "table-full",
  "icmp-query",
  "icmp-mismatch",
  "icmp-no-flow",
  "fragment-tiny",
  "fragment-overlap",
  "fragment-repeated",
  "fragment-early",
  "related-address",
  "related-port",
  "not-announced",
] as const;

export type ReasonName = (typeof reasons)[number];

export const Reason = {
  ESTABLISHED: 0,
  OPENED: 1,
  ICMP_ERROR: 2,
  FRAGMENT: 3,
  CONTROL_PAYLOAD: 4,
  MALFORMED: 5,
  TCP_FLAGS: 6,
  TTL_EXCEEDED: 7,
  PROTOCOL: 8,
  NO_FLOW: 9,
  WRONG_SIDE: 10,
  NO_SERVICE: 11,
  NO_REALSERVER: 12,
  NO_CONTROL_CONNECTION: 13,
  PORT_NOT_DECLARED: 14,
  FAMILY_MISMATCH: 15,
  CLASH: 16,
  TABLE_FULL: 17,
  ICMP_QUERY: 18,
  ICMP_MISMATCH: 19,
  ICMP_NO_FLOW: 20,
  FRAGMENT_TINY: 21,
  FRAGMENT_OVERLAP: 22,
  FRAGMENT_REPEATED: 23,
  FRAGMENT_EARLY: 24,
  RELATED_ADDRESS: 25,
  RELATED_PORT: 26,
  NOT_ANNOUNCED: 27,
} as const;

/** Why an entry left the table. */
export const endings = ["expired", "evicted", "reopened"] as const;
export const Ending = { EXPIRED: 0, EVICTED: 1, REOPENED: 2 } as const;
