/** What each code of this helper means. The README says what happens to the bytes. */
export const reasons: Readonly<Record<string, string>> = {
  "bad-port": "a port that is no number, or above 65535",
  "bad-address": "a stream whose address is none",
  "too-many-streams": "more streams than any telephone offers",
  "bad-content-length": "a Content-Length that is no number, or other than what the datagram has",
  "message-too-long": "a message longer than what may be held",
  unfinished: "a message that was not completed",
  "not-sip": "bytes that open no message of SIP",
};
