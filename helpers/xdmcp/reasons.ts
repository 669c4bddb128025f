/** What each code of this helper means. */
export const reasons: Readonly<Record<string, string>> = {
  truncated: "the datagram is shorter than what it should hold",
  "bad-version": "another version than 1",
  "bad-length": "the length in the header, or those in the body, are not those of the datagram",
  "bad-count": "as many connection types as addresses are asked for",
  "bad-address": "an address of another length than its type has",
  "bad-display": "a display number above 59535",
  "no-address": "a Request without an IPv4 or IPv6 address",
  "too-many-addresses": "a Request with more than 32 addresses",
  "unknown-opcode": "no message of this direction has this opcode",
  "forwarded-elsewhere": "a ForwardQuery whose answer would go to somebody else",
  "too-many-sessions": "more than 16 sessions on one flow; the oldest is forgotten",
};
