/** What each code of this helper means. */
export const reasons: Readonly<Record<string, string>> = {
  "not-ident": "neither a query nor a response of the identification protocol; the connection is not read any further",
  "bad-port": "a port that is none",
  unsolicited: "a response to what was not asked, or a line of the wrong side",
  "too-many-queries": "more than 16 queries without a response; the oldest is forgotten",
};
