/** What each code of this helper means. The README says what happens to the bytes. */
export const reasons: Readonly<Record<string, string>> = {
  "short-header": "shorter than the header of a DNS message",
  "not-a-query": "an answer (QR set) where a query belongs",
  "not-an-answer": "a query (QR not set) where an answer belongs",
  "bad-pointer": "a compression pointer in the first question, where there is nothing to point to",
  "bad-label": "a label longer than 63 bytes",
  "long-name": "a name longer than 255 bytes",
  "not-dns": "the first datagram is no DNS message; nothing is read any more",
  cut: "the message ends within its first question",
};
