/**
 * Lines of the Identification Protocol (RFC 1413 §6). Both name a connection by its ports: first that of the host that
 * is asked, then that of the host that asks.
 *
 *   query      6191 , 23
 *   response   6191 , 23 : USERID : UNIX : stjohns
 */
import { type ByteRange, isPort, type Port } from "../../core/units.ts";
import { CR, decimal, skipBlanks, skipDigits } from "../../core/wire/text.ts";

const COMMA = 0x2c;
const COLON = 0x3a;

export interface Line {
  /** Of the host that is asked. */
  readonly asked: Port;
  /** Of the host that asks. */
  readonly asking: Port;
  /** From the first number's first digit to the second's last. */
  readonly at: ByteRange;
  /** Between the numbers. */
  readonly between: ByteRange;
  readonly response: boolean;
}

/** A line without its LF. */
export function parseLine(line: Uint8Array): Line | "not-ident" | "bad-port" {
  const start = skipBlanks(line, 0, line.length);
  const afterFirst = skipDigits(line, start, line.length);
  const comma = skipBlanks(line, afterFirst, line.length);
  const second = skipBlanks(line, comma + 1, line.length);
  const end = skipDigits(line, second, line.length);
  const rest = skipBlanks(line, end, line.length);
  if (afterFirst === start || line[comma] !== COMMA || end === second) return "not-ident";
  const response = line[rest] === COLON;
  if (!response && rest !== line.length && line[rest] !== CR) return "not-ident";
  const asked = decimal(line, start, afterFirst);
  const asking = decimal(line, second, end);
  if (!isPort(asked) || !isPort(asking)) return "bad-port";
  return { asked, asking, at: { start, end }, between: { start: afterFirst, end: second }, response };
}
