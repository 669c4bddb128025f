/**
 * Replies as clients read them, which is not as RFC 959 has it: whatever a server sends, no client finds the
 * realserver's address in a 227 that went through the helper.
 */
import fc from "fast-check";
import t from "tap";
import { Conversation } from "../../conversation.ts";

interface Reply {
  readonly code: string;
  /** What the client looks for an address in. */
  readonly text: string;
}

type Client = (heard: string) => Reply[];

const SIX = /(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)/;

/** curl's ftp_endofresp: any three digits and a space end a reply, of which only that line is read. */
const curl: Client = (heard) =>
  heard
    .split("\n")
    .filter((line) => /^\d{3} /.test(line))
    .map((line) => ({ code: line.slice(0, 3), text: line.slice(4) }));

/** Replies of lines: a hyphen behind the code opens one that only the same code without a hyphen ends. */
function multiline(lines: readonly string[]): Reply[] {
  const replies: Reply[] = [];
  for (let at = 0; at < lines.length; at++) {
    const code = lines[at]!.slice(0, 3);
    let text = lines[at]!;
    if (text[3] === "-") {
      while (++at < lines.length) {
        text += `\n${lines[at]}`;
        if (lines[at]!.slice(0, 3) === code && lines[at]![3] !== "-") break;
      }
    }
    replies.push({ code, text });
  }
  return replies;
}

/** Python's ftplib: universal newlines, and the address anywhere in the reply. */
const ftplib: Client = (heard) => multiline(heard.split(/\r\n|\r|\n/));

/** As ftplib, but with RFC 959's line ends. */
const searching: Client = (heard) => multiline(heard.split("\n"));

/** Reads the last line of each reply (lftp, basic-ftp). */
const careful: Client = (heard) =>
  multiline(heard.split("\n")).map(({ code, text }) => ({ code, text: text.split("\n").at(-1)! }));

/** Takes NULs and two-byte telnet commands out before anything else. */
const telnet: Client = (heard) => ftplib(heard.replaceAll("\0", "").replaceAll("\xff\xf4", ""));

const clients = { curl, ftplib, searching, careful, telnet };

/** The realserver's address where `client` takes it for a data connection's. */
const leaks = (client: Client, heard: string): boolean =>
  client(heard).some(({ code, text }) => code === "227" && SIX.exec(text)?.slice(1, 5).join(".") === "192.168.0.2");

t.test("the models read what they should", async (t) => {
  for (const [name, client] of Object.entries(clients)) {
    t.ok(leaks(client, "227 (192,168,0,2,19,137)\r\n"), name);
    t.notOk(leaks(client, "227 (1,2,3,4,19,137)\r\n"), name);
    t.notOk(leaks(client, "200 (192,168,0,2,19,137)\r\n"), name);
  }
  t.ok(leaks(ftplib, "227-\r\n 192,168,0,2,19,137\r\n227 x\r\n"));
  t.ok(leaks(ftplib, "200 x\r227 192,168,0,2,19,137\r\n"));
  t.ok(leaks(curl, "230-\r\n227 192,168,0,2,19,137\r\n230 x\r\n"));
});

/** What one client or another is told of the realserver when a server says `turns`, a PASV before each. */
function told(turns: readonly string[]): string[] {
  const ftp = new Conversation().login();
  const before = ftp.heard("reply").length;
  for (const turn of turns) {
    ftp.client("PASV\r\n");
    ftp.server(turn);
  }
  ftp.server("\r\n");
  const heard = ftp.heard("reply").slice(before);
  return Object.entries(clients).flatMap(([name, client]) => (leaks(client, heard) ? [`${name}: ${heard}`] : []));
}

const ADDRESS = "192,168,0,2,19,137";

// Each was found by the property below, or by reading the clients' sources.
const found: [why: string, said: string][] = [
  ["a fourth digit", `2271 ${ADDRESS}\r\n`],
  ["a 227 that opens behind a bare CR", `\r227-\r\n${ADDRESS}\r\n`],
  ["a multi-line reply that ends behind a bare CR", `230-\r230 \r\n227-\r\n${ADDRESS}227 \r\n`],
  ["a multi-line reply whose end has a NUL before it", `227-\r\n\x00227 \r\n${ADDRESS}227 \r\n`],
  ["a 227 within another reply", `230-\r\n227 ${ADDRESS}\r\n230 x\r\n`],
  ["an address in a line of a 227 that is not its last", `227-\r\n ${ADDRESS}\r\n227 x\r\n`],
];
for (const [why, said] of found) {
  t.test(`${why}: no client is told`, async (t) => {
    t.same(told([said]), []);
  });
}

const fragment = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("227 ", "227-", "227", "230-", "230 ", "250 ", "229 ", "228-", "2271 ") },
  { weight: 5, arbitrary: fc.constantFrom("\r\n", "\r\n", "\n", "\r") },
  { weight: 4, arbitrary: fc.constantFrom(ADDRESS, `(${ADDRESS})`, `${ADDRESS},7`, "9,".concat(ADDRESS)) },
  { weight: 2, arbitrary: fc.constantFrom("192,168,0,2,", "19,137", "(", ")", ",", " ", "x", "(|||5001|)") },
  { weight: 1, arbitrary: fc.constantFrom("\0", "\xff\xf4", "2", "22", "\t") },
);

t.test("whatever a server sends, no client connects to the realserver's own address", async (t) => {
  const said = fc.array(fc.array(fragment, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 5 });
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(said, (turns) => {
        const leaking = told(turns.map((turn) => turn.join("")));
        if (leaking.length > 0) throw new Error(JSON.stringify(leaking));
      }),
      { numRuns: 4000 },
    ),
  );
});
