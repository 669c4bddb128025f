import fc from "fast-check";
import t from "tap";
import { endpointText, isPort } from "../../../core/units.ts";
import {
  type Announced,
  findExtended,
  findHostPort,
  type Malformed,
  parseExtended,
  parseHostPort,
} from "../../../helpers/ftp/ends.ts";
import { putPlain, skipTelnet } from "../../../helpers/ftp/telnet.ts";
import { behindBareCr, isKnown, mayOpen, parseCommand, parseReply, verb } from "../../../helpers/ftp/wire.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** `address:port`, `*:port` for the speaker's own address; or what is wrong. */
const shown = (announced: Announced | Malformed | null): string | null =>
  announced === null || typeof announced === "string"
    ? announced
    : announced.address === null
      ? `*:${announced.port}`
      : endpointText({ address: announced.address, port: announced.port });

const commands: [line: string, verb: string | null, argument: string][] = [
  ["PASV", "PASV", ""],
  ["PASV\r", "PASV", ""],
  ["pasv \t\r", "PASV", ""],
  ["  Retr  a b \r", "RETR", "a b"],
  ["STOR x PASV\r", "STOR", "x PASV"],
  ["PWD", "PWD", ""],
  ["PASVX\r", null, ""],
  ["PAS", "PAS", ""],
  ["PASV,1", null, ""],
  ["XSHA256 f", null, ""],
  ["P@SV", null, ""],
  ["", null, ""],
  ["\r", null, ""],
  ["(PORT 1", null, ""],
];
for (const [line, word, argument] of commands) {
  t.test(`parseCommand: ${JSON.stringify(line)} is ${word ?? "no command"}`, async (t) => {
    const read = parseCommand(bytes(line), 0, line.length);
    t.equal(read.verb, word === null ? 0 : verb(word));
    if (word !== null) t.equal(line.slice(read.argument, read.end), argument);
  });
}

t.test("a command is read within its line only", async (t) => {
  const text = bytes("xxPORT 1,2\nyy");
  t.match(parseCommand(text, 2, 10), { verb: verb("PORT"), start: 2, argument: 7, end: 10 });
  t.equal(parseCommand(text, 2, 4).verb, verb("PO"), "what stands behind the end is not looked at");
});

t.test("known verbs are known in any case, others are not", async (t) => {
  for (const word of ["user", "PORT", "Epsv", "MLSD", "site"]) t.ok(isKnown(verb(word)), word);
  for (const word of ["POST", "GET", "HEAD", "EHLO", "HELO", "SETU", "PUT", ""]) t.notOk(isKnown(verb(word)), word);
});

const replies: [line: string, code: number | null, more: boolean][] = [
  ["227 x", 227, false],
  ["227-x", 227, true],
  ["227", 227, false],
  ["227\r", 227, false],
  ["227=1", 227, false],
  ["2271", null, false],
  ["22", null, false],
  ["", null, false],
  [" 227 x", null, false],
  ["22x x", null, false],
  ["-227 x", null, false],
];
for (const [line, code, more] of replies) {
  t.test(`parseReply: ${JSON.stringify(line)} is ${code ?? "no reply"}`, async (t) => {
    t.same(parseReply(bytes(line), 0, line.length), code === null ? null : { code, more });
  });
}

t.test("a reply is read within its line only", async (t) => {
  t.same(parseReply(bytes("2270"), 0, 3), { code: 227, more: false });
  t.same(parseReply(bytes("227-"), 0, 3), { code: 227, more: false });
  t.equal(parseReply(bytes("227 "), 0, 2), null);
});

const hostPorts: [text: string, result: string][] = [
  ["10,0,0,5,4,1", "10.0.0.5:1025"],
  ["010,000,000,005,004,001", "10.0.0.5:1025"],
  ["10, 0,0 ,5,4,1", "10.0.0.5:1025"],
  ["255,255,255,255,255,255", "255.255.255.255:65535"],
  ["0,0,0,0,0,0", "0.0.0.0:0"],
  ["10,0,0,5,4", "bad-argument"],
  ["10,0,0,5,4,1,1", "bad-argument"],
  ["10,0,0,5,4,1,", "bad-argument"],
  ["10,0,0,5,4,1x", "bad-argument"],
  ["10,0,0,5,,1", "bad-argument"],
  ["10.0.0.5,4,1", "bad-argument"],
  ["+10,0,0,5,4,1", "bad-argument"],
  ["10,0,0,-5,4,1", "bad-argument"],
  ["a,0,0,5,4,1", "bad-argument"],
  ["(10,0,0,5,4,1)", "bad-argument"],
  ["", "bad-argument"],
  ["256,0,0,5,4,1", "bad-octet"],
  ["10,0,0,5,4,300", "bad-octet"],
  ["10,0,0,5,4,0001", "bad-octet"],
  ["10,0,0,5,4,99999999999999999999", "bad-octet"],
];
for (const [text, result] of hostPorts) {
  t.test(`parseHostPort: "${text}" is ${result}`, async (t) => {
    t.equal(shown(parseHostPort(bytes(text), 0, text.length)), result);
  });
}

const passive: [text: string, result: string | null][] = [
  ["Entering Passive Mode (10,0,0,3,200,10)", "10.0.0.3:51210"],
  ["Entering Passive Mode (10,0,0,3,200,10).", "10.0.0.3:51210"],
  ["Entering Passive Mode 10,0,0,3,200,10.", "10.0.0.3:51210"],
  ["Passive mode on (10,0,0,3,200,10)", "10.0.0.3:51210"],
  ["192,168,178,39,184,244", "192.168.178.39:47348"],
  ["=10,0,0,3,200,10", "10.0.0.3:51210"],
  ["Mode 2 (10,0,0,3,200,10)", "10.0.0.3:51210"],
  ["Mode 1,2,3 (10,0,0,3,200,10)", "10.0.0.3:51210"],
  ["(10,0,0,3,200,10) or (10,0,0,3,200,10)", "10.0.0.3:51210"],
  ["(10,0,0,3,200,10) or (10,0,0,3,200,11)", "ambiguous"],
  ["(10,0,0,3,200,10,7)", "bad-argument"],
  ["(10,0,0,3,200)", "bad-argument"],
  ["1,2,3,4 (10,0,0,3,200,10)", "bad-argument"],
  ["(10,0,0,3,200,256)", "bad-octet"],
  ["Logout.", null],
  ["", null],
  ["10.0.0.3:51210", null],
  ["at 1,2 or 3,4", null],
];
for (const [text, result] of passive) {
  t.test(`findHostPort: "${text}" announces ${result ?? "nothing"}`, async (t) => {
    t.equal(shown(findHostPort(bytes(text), 0, text.length)), result);
  });
}

t.test("a host-port that is told twice is found twice, so that both are rewritten", async (t) => {
  const text = "(10,0,0,3,200,10) or (10,0,0,3,200,10)";
  const found = findHostPort(bytes(text), 0, text.length);
  t.same(found !== null && typeof found === "object" && found.at, [
    { start: 1, end: 16 },
    { start: 22, end: 37 },
  ]);
});

const extended: [text: string, result: string][] = [
  ["|1|10.0.0.5|1025|", "10.0.0.5:1025"],
  ["!1!10.0.0.5!1025!", "10.0.0.5:1025"],
  ["|2|2001:db8::5|1025|", "[2001:db8::5]:1025"],
  ["|2|::ffff:10.0.0.5|1025|", "10.0.0.5:1025"],
  ["|1|::ffff:10.0.0.5|1025|", "bad-address"],
  ["|2|10.0.0.5|1025|", "bad-address"],
  ["|1|10.0.0|1025|", "bad-address"],
  ["|1||1025|", "bad-address"],
  ["|2|fe80::1%eth0|1025|", "bad-address"],
  ["|3|10.0.0.5|1025|", "bad-family"],
  ["||10.0.0.5|1025|", "bad-family"],
  ["|01|10.0.0.5|1025|", "bad-family"],
  ["|1|10.0.0.5|65536|", "bad-port"],
  ["|1|10.0.0.5|99999999999999999999|", "bad-port"],
  ["|1|10.0.0.5|1025", "bad-argument"],
  ["|1|10.0.0.5|1025!", "bad-argument"],
  ["|1|10.0.0.5||", "bad-argument"],
  ["|1|10.0.0.5|+1025|", "bad-argument"],
  ["|1|10.0.0.5|1025| ", "bad-argument"],
  ["1110.0.0.5110251", "bad-argument"],
  ["\x1f1\x1f10.0.0.5\x1f1025\x1f", "bad-argument"],
  ["\x7f1\x7f10.0.0.5\x7f1025\x7f", "bad-argument"],
  [`|1|${"1".repeat(100)}|1025|`, "bad-argument"],
  ["", "bad-argument"],
];
for (const [text, result] of extended) {
  t.test(`parseExtended: ${JSON.stringify(text.slice(0, 30))} is ${result}`, async (t) => {
    t.equal(shown(parseExtended(bytes(text), 0, text.length)), result);
  });
}

const extendedPassive: [text: string, result: string | null][] = [
  ["Entering Extended Passive Mode (|||6446|)", "*:6446"],
  ["Entering Extended Passive Mode (!!!9447!)", "*:9447"],
  ["Entering (really) Extended Passive Mode (|||6446|)", "*:6446"],
  ["|||6446|", "*:6446"],
  ["(|1|10.0.0.3|6446|)", "10.0.0.3:6446"],
  ["(|2|2001:db8::3|6446|)", "[2001:db8::3]:6446"],
  ["(|1|nowhere|6446|)", "bad-address"],
  ["(|||65536|)", "bad-port"],
  ["(|||0|)", "*:0"],
  ["(||6446|)", null],
  ["(|||6446!)", null],
  ["(||||)", null],
  ["Logout", null],
  ["(1116446 1)", null],
];
for (const [text, result] of extendedPassive) {
  t.test(`findExtended: "${text}" announces ${result ?? "nothing"}`, async (t) => {
    t.equal(shown(findExtended(bytes(text), 0, text.length)), result);
  });
}

// Found by `kindred fuzz ftp --lines --seed 51`: curl takes them, and would have been told an end that nobody announced.
t.test("a delimiter that RFC 2428 does not know, and clients take, is malformed; blanks are prose", async (t) => {
  const read = (delimiter: number): string | null => {
    const d = String.fromCharCode(delimiter);
    return shown(findExtended(bytes(`(${d}${d}${d}6446${d})`), 0, 10));
  };
  for (const delimiter of [0x01, 0x7f, 0x80, 0xff]) t.equal(read(delimiter), "bad-argument");
  for (const delimiter of [0x09, 0x20]) t.equal(read(delimiter), null);
});

t.test("any delimiter of RFC 2428 (ASCII 33 to 126) but a digit", async (t) => {
  for (let code = 0; code < 256; code++) {
    const d = String.fromCharCode(code);
    const text = `${d}${d}${d}6446${d}`;
    const allowed = code >= 33 && code <= 126 && !(code >= 0x30 && code <= 0x39);
    if ((shown(findExtended(bytes(`(${text})`), 0, text.length + 2)) === "*:6446") !== allowed) t.fail(`byte ${code}`);
  }
});

const telnet: [line: string, plain: string, skipped: number][] = [
  ["\xff\xf4\xff\xf2ABOR", "ABOR", 4],
  ["\xff\xfd\x06PASV", "PASV", 3],
  ["PA\xff\xf4SV", "PASV", 0],
  ["a\xff\xffb", "a\xffb", 0],
  ["\xff\xfa\x18\0xterm\xff\xf0PASV", "PASV", 11],
  ["\xff\xfa\x18 never ends", "", 14],
  ["\0\0PASV", "PASV", 2],
  ["P\0ASV", "PASV", 0],
  ["PASV\xff", "PASV", 0],
  ["\xff\xfb", "", 2],
];
for (const [line, text, skipped] of telnet) {
  t.test(`telnet: ${JSON.stringify(line)} reads ${JSON.stringify(text)}`, async (t) => {
    const out = Buffer.alloc(line.length);
    const length = putPlain(bytes(line), line.length, out);
    t.equal(out.toString("latin1", 0, length), text);
    t.equal(skipTelnet(bytes(line), line.length), skipped);
  });
}

t.test("telnet: what stands behind the end of the line is not looked at", async (t) => {
  const out = Buffer.alloc(8);
  t.equal(putPlain(bytes("a\xff\xffb"), 2, out), 1, "an IAC that may still become a command");
  t.equal(putPlain(bytes("a\xff\xfa \xff\xf0b"), 5, out), 1, "a subnegotiation that has not ended");
  t.equal(skipTelnet(bytes("\0\0PASV"), 1), 1);
  t.equal(skipTelnet(bytes("\xff\xfb\x06PASV"), 2), 2);
});

t.test("behind which bare CRs a line could begin", async (t) => {
  const line = bytes("a\rb\rc\r");
  t.same(
    [behindBareCr(line, 0), behindBareCr(line, 2), behindBareCr(line, 4)],
    [2, 4, -1],
    "the last one ends the line",
  );
  t.equal(behindBareCr(bytes("abc\r"), 0), -1);
});

t.test("the beginning of a line may still become a word, or not any more", async (t) => {
  for (const text of ["", "P", "po", "POR", "PORT", "E", "LPR"])
    t.ok(mayOpen(bytes(text), 0, ["PORT", "EPRT", "LPRT"]));
  for (const text of ["PA", "X", "PORX", "QUIT", "PO "]) t.notOk(mayOpen(bytes(text), 0, ["PORT", "EPRT", "LPRT"]));
});

t.test("no parser reads beyond its end, or throws, whatever the bytes", async (t) => {
  const parsers = [parseCommand, parseReply, parseHostPort, parseExtended, findHostPort, findExtended];
  const digits = fc.string({ unit: fc.constantFrom(..."0123456789,|()- \rPORTpasv227"), maxLength: 60 }).map(bytes);
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.oneof(digits, fc.uint8Array({ maxLength: 60 })), fc.nat(60), (text, cut) => {
        const end = Math.min(cut, text.length);
        for (const parse of parsers) {
          const alone = JSON.stringify(parse(text.slice(0, end), 0, end));
          if (JSON.stringify(parse(text, 0, end)) !== alone) throw new Error(parse.name);
        }
      }),
    ),
  );
});

t.test("what is announced in six numbers is what they say", async (t) => {
  const octet = fc.nat(255);
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.tuple(octet, octet, octet, octet, octet, octet), (n) => {
        const text = n.join(",");
        const port = n[4] * 256 + n[5];
        return shown(parseHostPort(bytes(text), 0, text.length)) === `${n.slice(0, 4).join(".")}:${port}`;
      }),
    ),
  );
  t.notOk(isPort(0));
});
