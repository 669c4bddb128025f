/** What each code of this helper means. */
export const reasons: Readonly<Record<string, string>> = {
  truncated: "the request ends before its filename or mode does",
  "too-long": "a request of more than 512 bytes (RFC 2347)",
  "not-a-request": "neither a read nor a write request; transfers do not come to the request port",
  "not-an-answer": "no server answers with this opcode",
  "no-filename": "the request names no file",
  "bad-mode": "the mode is none of netascii, octet and mail",
  "bad-options": "what follows the mode is no list of options and values",
};
