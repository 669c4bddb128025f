/** What each code of this helper means. The README says what happens to the bytes. */
export const reasons: Readonly<Record<string, string>> = {
  unsolicited: "an answer sets up flows that no SETUP asked for",
  "bad-port": "a port that is no number, or above 65535",
  "too-many-ports": "more than two ports of one side in a transport",
  "bad-address": "a destination that is no address",
  "too-many-transports": "more transports than any player offers",
  "several-transport-headers": "more than one Transport header in a SETUP",
  multicast: "flows of a multicast group do not pass the director",
  "head-too-long": "a message whose head is longer than what may be held",
  unfinished: "a message that was not completed",
  "body-too-long": "a description longer than what may be held; addresses in it are not rewritten",
  "bad-content-length": "a Content-Length that is no number; the message is read as if it had no body",
  "stray-bytes": "bytes that open no message; reading goes on at the next line that does",
  "pipeline-too-deep": "more than 64 requests without an answer; the oldest is forgotten",
  "not-rtsp": "the connection does not open like RTSP; it is not read any further",
  "http-tunnel": "RTSP within HTTP; the connection is left alone",
};
