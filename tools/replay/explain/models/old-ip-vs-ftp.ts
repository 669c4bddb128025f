/**
 * ip_vs_ftp of Linux 2.2 and 2.4, as documented, not run: it wants the exact words `227 Entering Passive Mode (`, finds
 * them and `PORT ` anywhere in a segment, and knows neither EPRT nor EPSV nor IPv6.
 */
import { isDigit, type Judgement, type Model, opens, passes, textOf, wrapping } from "./model.ts";

const WORDS = "227 Entering Passive Mode (";

export const oldIpVsFtp: Model = {
  name: "ip_vs_ftp (before 2.6)",
  judge(control, said) {
    let armed = false;
    return said.map((segment): Judgement => {
      const { frame, direction } = segment;
      if (control.client.address.family === 6) return passes(frame, "it knows no IPv6");
      const text = textOf(segment);
      const upper = text.toUpperCase();
      if (direction === "original" && upper.includes("PASV\r\n")) {
        armed = true;
        return passes(frame, "it takes the segment for PASV");
      }
      if (direction === "original")
        return sixNumbers(frame, text, "PORT ", "\r") ?? passes(frame, "no whole PORT stands in the segment");
      if (!armed) return passes(frame, "no PASV went before it");
      const found = sixNumbers(frame, text, WORDS, ")");
      if (found === null)
        return passes(frame, `"${WORDS}" with six numbers does not stand in the segment; it goes on as it is`);
      armed = false;
      return found;
    });
  },
};

/** The first place where the pattern, in any case, six numbers and `end` stand. */
function sixNumbers(frame: number, text: string, pattern: string, end: string): Judgement | null {
  const upper = text.toUpperCase();
  const wanted = pattern.toUpperCase();
  for (let at = upper.indexOf(wanted); at >= 0; at = upper.indexOf(wanted, at + 1)) {
    const octets = octetsAt(text, at + pattern.length, end);
    if (octets !== null) return opens(frame, wrapping(octets), octets[4]! * 256 + octets[5]!);
  }
  return null;
}

function octetsAt(text: string, start: number, end: string): number[] | null {
  const octets = [0];
  for (let at = start; at < text.length; at++) {
    const character = text[at]!;
    if (isDigit(character)) octets.push((octets.pop()! * 10 + Number(character)) & 255);
    else if (character === "," && octets.length < 6) octets.push(0);
    else return octets.length === 6 && character === end ? octets : null;
  }
  return null;
}
