/** What each code of this helper means. The README says what happens to the bytes. */
export const reasons: Readonly<Record<string, string>> = {
  "short-packet": "shorter than the header of a RADIUS packet",
  "bad-length": "a length below 20 or above 4096",
  cut: "shorter than the length that it gives",
  "bad-attribute": "an attribute whose length is below 2, or goes beyond the packet",
  "not-a-request": "a code that no client sends",
  "not-a-reply": "a code that no server replies with",
  "unknown-code": "a code that is neither a request nor a reply",
};
