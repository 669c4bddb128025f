/** The model of nf_conntrack_ftp against the kernel that runs here, dialogue by dialogue. */
import t from "tap";
import { port } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { CLIENT, type Heard, Kernel, kernelMissing, type Part, SERVER } from "../../tools/fuzz/kernel/namespaces.ts";
import { nfConntrackFtp } from "../../tools/replay/explain/models/nf-conntrack-ftp.ts";
import type { Said } from "../../tools/replay/transcript.ts";

const LOGIN: readonly Part[] = [
  ["S", "220 ready\r\n"],
  ["C", "USER anonymous\r\n"],
  ["S", "230 in\r\n"],
];
const C = CLIENT[4].replaceAll(".", ",");
const S = SERVER[4].replaceAll(".", ",");
const command = (...texts: readonly string[]): readonly Part[] => texts.map((text) => ["C", text]);
const reply = (...texts: readonly string[]): readonly Part[] => [
  ["C", "PASV\r\n"],
  ...texts.map((text): Part => ["S", text]),
];

const dialogues: readonly [name: string, parts: readonly Part[], family?: 4 | 6][] = [
  ["PORT", command(`PORT ${C},200,10\r\n`)],
  ["port in lower case", command(`port ${C},200,10\r\n`)],
  ["PORT with two blanks", command(`PORT  ${C},200,10\r\n`)],
  ["PORT with a blank behind it", command(`PORT ${C},200,10 \r\n`)],
  ["PORT that ends in a bare LF", command(`PORT ${C},200,10\n`)],
  ["PORT of a third host", command("PORT 10,9,9,9,200,10\r\n")],
  ["PORT with a number above 255", command(`PORT ${C},4,300\r\n`)],
  ["PORT with an octet above 255", command("PORT 266,77,9,1,200,10\r\n")],
  ["PORT with five numbers", command("PORT 10,77,9,1,200\r\n")],
  ["PORT with seven numbers", command(`PORT ${C},200,10,11\r\n`)],
  ["PORT with letters", command("PORT a,b,c\r\n")],
  ["PORT with the reserved port 22", command(`PORT ${C},0,22\r\n`)],
  ["PORT in two segments", command("PORT 10,77,", "9,1,200,10\r\n")],
  ["PORT in two segments, cut behind the verb", command("PORT", ` ${C},200,10\r\n`)],
  ["PORT behind another command in its segment", command(`NOOP\r\nPORT ${C},200,10\r\n`)],
  ["PORT behind a command without its line end", command("NOO", `P\r\nPORT ${C},200,10\r\n`)],
  [
    "PORT in the first segment of its direction",
    [
      ["S", "220 ready\r\n"],
      ["C", `PORT ${C},200,10\r\n`],
    ],
  ],
  ["PORT, and PORT again", command(`PORT ${C},200,10\r\n`, `PORT ${C},200,11\r\n`)],
  ["EPRT", command(`EPRT |1|${CLIENT[4]}|51210|\r\n`)],
  ["EPRT with another delimiter", command(`EPRT !1!${CLIENT[4]}!51210!\r\n`)],
  ["EPRT with port 70000", command(`EPRT |1|${CLIENT[4]}|70000|\r\n`)],
  ["EPRT of the other family", command(`EPRT |2|${CLIENT[6]}|51210|\r\n`)],
  ["EPRT over IPv6", command(`EPRT |2|${CLIENT[6]}|51210|\r\n`), 6],
  ["EPRT over IPv6 of a third host", command("EPRT |2|fd77:9::9|51210|\r\n"), 6],
  ["227", reply(`227 Entering Passive Mode (${S},200,10)\r\n`)],
  ["227 in other words, without parentheses", reply(`227 at ${S},200,10\r\n`)],
  ["227 with a digit before the numbers", reply(`227 Mode 2 (${S},200,10)\r\n`)],
  ["227 without an address", reply("227 Logout.\r\n")],
  ["227 that nobody asked for", [["S", `227 x (${S},200,10)\r\n`]]],
  ["227 of another host", reply("227 x (10,9,9,9,200,10)\r\n")],
  ["227 in two segments", reply(`227 x (${S}`, ",200,10)\r\n")],
  ["227 behind another reply in its segment", reply(`150 x\r\n227 x (${S},200,10)\r\n`)],
  ["227-continuation", reply(`227-x (${S},200,10)\r\n`)],
  ["229", reply("229 x (|||51210|)\r\n")],
  ["229 with another delimiter", reply("229 x (!!!51210!)\r\n")],
  ["229 with two delimiters", reply("229 x (|||51210!)\r\n")],
  ["229 without parentheses", reply("229 x |||51210|\r\n")],
  ["229 with port 0", reply("229 x (|||0|)\r\n")],
  ["229 over IPv6", reply("229 x (|||51210|)\r\n"), 6],
  ["227 over IPv6", reply(`227 x (${S},200,10)\r\n`), 6],
];

function modelled(family: 4 | 6, parts: readonly Part[]): Heard {
  const sequence = { C: 1001, S: 5001 };
  const said = parts.map(([by, text], index): Said => {
    const from = sequence[by];
    sequence[by] += text.length;
    const direction = by === "C" ? "original" : "reply";
    return {
      frame: index + 1,
      time: index,
      direction,
      sequence: from,
      length: text.length,
      bytes: Buffer.from(text, "latin1"),
    };
  });
  const at = (address: string, n: number) => ({ address: Address.parse(address)!, port: port(n) });
  const ends = { client: at(CLIENT[family], 40000), server: at(SERVER[family], 21) };
  let expected: string | null = null;
  for (const { opens, drops } of nfConntrackFtp.judge(ends, said)) {
    if (drops) return { expected, dropped: true };
    if (opens !== null) expected = `${opens.address} ${opens.port}`;
  }
  return { expected, dropped: false };
}

/** A part after the other; one that does not arrive ends the dialogue. The last expectation stands. */
async function play(kernel: Kernel, family: 4 | 6, parts: readonly Part[]): Promise<Heard> {
  await kernel.open(family);
  let outcome: Heard = { expected: null, dropped: false };
  for (const part of parts) {
    const heard = await kernel.say(part);
    outcome = { expected: heard.expected ?? outcome.expected, dropped: heard.dropped };
    if (heard.dropped) break;
  }
  await kernel.close();
  return outcome;
}

t.test("the kernel and the model expect the same, and drop the same", { skip: kernelMissing() }, async (t) => {
  const kernel = new Kernel();
  t.teardown(() => kernel.end());
  await kernel.start();
  for (const [name, parts, family = 4] of dialogues) {
    const whole = parts[0]![0] === "S" && parts[0]![1].startsWith("220") ? parts : [...LOGIN, ...parts];
    t.same(await play(kernel, family, whole), modelled(family, whole), name);
  }
});
