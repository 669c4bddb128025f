/** What each code of this helper means. The README says what happens to the bytes. */
export const reasons: Readonly<Record<string, string>> = {
  "bad-option": "an option that names a port in other than two bytes, or twice",
  "hello-too-long": "a greeting longer than what may be held",
  unfinished: "a greeting that was not completed",
  "not-pnm": "the connection does not open like PNM; it is not read any further",
};
