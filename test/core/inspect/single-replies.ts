/** An FTP session that asks for passive ports only, whose every answer is one line, well-formed or bent. */
import type { Direction } from "../../../core/units.ts";
import { oneIn, type Random } from "../../../tools/fuzz/generate/choices.ts";
import { LineMaker } from "../../../tools/fuzz/generate/ftp/lines.ts";
import type { Ends } from "../../../tools/fuzz/generate/ftp/model.ts";
import { textBytes } from "../../../tools/fuzz/hosts/text.ts";

export type Said = readonly [direction: Direction, bytes: Uint8Array];

export function singleReplies(random: Random, ends: Ends, count: number): readonly Said[] {
  const maker = new LineMaker(random, ends);
  const said: Said[] = [
    ["reply", textBytes("220 ready\r\n")],
    ["original", textBytes("USER a\r\n")],
    ["reply", textBytes("230 ok\r\n")],
  ];
  for (let i = 0; i < count; i++) {
    said.push(["original", textBytes(oneIn(random, 2) ? "EPSV\r\n" : "PASV\r\n")]);
    if (oneIn(random, 3)) maker.bend();
    else maker.make();
    said.push(["reply", maker.buffer.slice(0, maker.length)]);
  }
  return said;
}
