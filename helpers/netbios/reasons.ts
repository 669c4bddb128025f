/** What each code of this helper means. */
export const reasons: Readonly<Record<string, string>> = {
  truncated: "the datagram is shorter than what it should hold",
  "bad-name": "a name that is neither labels nor a pointer",
  "bad-record": "an NB record whose data is no list of addresses",
  "unknown-type": "no message of the datagram service has this type",
  "foreign-source": "the message names another source than its sender; it goes on with the sender's",
  "nothing-to-translate": "no address is translated here, so nothing needs to be read",
};
