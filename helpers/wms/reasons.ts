/** What each code of this helper means. The README says what happens to the bytes. */
export const reasons: Readonly<Record<string, string>> = {
  "unterminated-name": "the name of a funnel that has no end",
  "bad-name": "the name of a funnel in another form than \\\\address\\UDP\\port",
  "bad-address": "the address in the name of a funnel is none",
  "bad-port": "the port in the name of a funnel is no number, or above 65535",
  "several-funnels": "more than one funnel in one packet",
  "bad-lengths": "messages that do not add up to the length of their packet",
  "packet-too-long": "a packet of the client longer than what may be held",
  unfinished: "a packet that was not completed",
  "not-mms": "the connection does not open like MMS; it is not read any further",
  "stray-bytes": "bytes that are neither messages nor data; reading goes on at the next packet",
};
