/** What each code of this helper means. */
export const reasons: Readonly<Record<string, string>> = {
  "not-rsh": "the connection does not open like rsh; it is not read any further",
  "bad-port": "a port above 65535 for stderr",
  unfinished: "a port for stderr that was not completed",
  "no-stderr": "the client wants no connection for stderr",
  "not-from-the-start": "the beginning was not captured",
};
