/** Replies of FTP (RFC 959 §4.2), as far as a check reads them: their codes. */

const LF = 10;
const HYPHEN = 45;
const SPACE = 32;

/** The codes of the replies that are whole, in order; null: what came is no FTP. */
export function replyCodes(bytes: Uint8Array): number[] | null {
  const codes: number[] = [];
  /** Of the reply of several lines that is not over. */
  let open: number | null = null;
  for (let start = 0; ; ) {
    const end = bytes.indexOf(LF, start);
    if (end < 0) return codes;
    const code = codeAt(bytes, start);
    const hyphen = bytes[start + 3] === HYPHEN;
    if (open === null && code === null) return null;
    if (open === null && hyphen) open = code;
    else if (open === null || (code === open && !hyphen && isOver(bytes[start + 3]!))) {
      codes.push(code!);
      open = null;
    }
    start = end + 1;
  }
}

/** A line of a longer reply may begin with the same digits; its last has a space, or nothing, behind them. */
const isOver = (byte: number): boolean => byte <= SPACE;

function codeAt(bytes: Uint8Array, at: number): number | null {
  let code = 0;
  for (let i = at; i < at + 3; i++) {
    const digit = (bytes[i] ?? 0) - 48;
    if (digit < 0 || digit > 9) return null;
    code = code * 10 + digit;
  }
  return code;
}
