/**
 * Scenes of a dialogue: a few commands and all of their replies, so that after each nothing is open between the two. What
 * comes of a message then depends on its scene alone, and on what a dialogue keeps: `EPSV ALL`, encryption.
 */
import { between, type Choices, oneIn, pick, several } from "../choices.ts";
import { active, inactive, named, plain } from "./commands.ts";
import { sixOf } from "./ends.ts";
import { client, type Ends, type Message, refused, same, server, type Turn } from "./model.ts";
import { extended, lineEnd, none, passive, prose, unwelcome, welcome } from "./replies.ts";

export type Scene = (choices: Choices, ends: Ends) => readonly Turn[];

/** PASV or EPSV, whichever `reply` answers. */
const asking = ({ said }: Message, choices: Choices): Message => {
  const verb = said.startsWith("229") ? "EPSV" : "PASV";
  return same(`${oneIn(choices, 6) ? verb.toLowerCase() : verb}${lineEnd(choices)}`, verb);
};

const OK = ["200 ok", "250 Done.", '257 "/" is here', "215 UNIX Type: L8", "502 No."];
const ok = (choices: Choices): Message => same(`${pick(choices, OK)}\r\n`, "an answer");
const done = (): Message => same("226 Transfer complete.\r\n", "an answer");
const begun = (): Message => same("150 Here it comes (12 bytes).\r\n", "an answer");

const transfer: Scene = (choices, ends) => {
  const reply = welcome(choices, ends);
  return [client(asking(reply, choices)), server(reply), client(named(choices)), server(begun(), done())];
};

const opened: Scene = (choices, ends) => [
  client(active(choices, ends)),
  server(same("200 PORT command successful.\r\n", "an answer")),
  client(named(choices)),
  server(begun(), done()),
];

const refusedPassive: Scene = (choices, ends) => {
  const reply = unwelcome(choices, ends);
  return [client(asking(reply, choices)), server(reply)];
};

const refusedActive: Scene = (choices, ends) => [
  client(inactive(choices, ends)),
  server(same("500 Illegal PORT command.\r\n", "an answer")),
];

/** Nobody asked, or only a name did. */
const unsolicited: Scene = (choices, ends) => {
  const { said } = welcome(choices, ends);
  const late = refused(said, "an end that nobody asked for");
  return oneIn(choices, 2) ? [server(late)] : [client(named(choices)), server(late)];
};

const twice: Scene = (choices, ends) => {
  const reply = welcome(choices, ends);
  const { said } = welcome(choices, ends);
  return [client(asking(reply, choices)), server(reply, refused(said, "a second answer to one question"))];
};

const declined: Scene = (choices) => [client(same("PASV\r\n", "PASV")), server(none(choices))];

const chat: Scene = (choices) => [client(plain(choices)), server(ok(choices))];

const misleading: Scene = (choices) => [
  client(named(choices)),
  server(oneIn(choices, 2) ? prose(choices) : ok(choices)),
];

/** All questions before the first answer (RFC 1123 §4.1.2.5 forbids it; lftp does it). */
const pipelined: Scene = (choices, ends) => {
  const pairs = Array.from({ length: between(choices, 2, 6) }, (): readonly [Message, Message] => {
    if (oneIn(choices, 3)) return [plain(choices), same("200 ok\r\n", "an answer")];
    const reply = welcome(choices, ends);
    return [asking(reply, choices), reply];
  });
  return [client(...pairs.map(([question]) => question)), server(...pairs.map(([, answer]) => answer))];
};

/** RFC 959 §4.2: only the last line is the reply; there are clients that look at all of them. */
const multiline: Scene = (choices, ends) => {
  const reply = welcome(choices, ends);
  const code = reply.said.slice(0, 3);
  const six = sixOf("192.168.0.2", 5000).join(",");
  const inner = code === "229" ? "(|||5000|)" : `(${six})`;
  const line = (): Message =>
    oneIn(choices, 3)
      ? refused(`${pick(choices, ["", " ", `${code}-`, "230 "])}${inner}\r\n`, "an address within a multi-line reply")
      : same(`${pick(choices, [" a line", "", `${code}-and more`, "230 not the last one", "  1,2"])}\r\n`, "a line");
  const lines = several(choices, 3, line);
  return [client(asking(reply, choices)), server(same(`${code}-Entering\r\n`, "a first line"), ...lines, reply)];
};

/** Lines of other multi-line replies. */
const features: Scene = (choices) => [
  client(same("FEAT\r\n", "FEAT")),
  server(
    same("211-Features:\r\n", "a first line"),
    ...several(choices, 3, () =>
      oneIn(choices, 3)
        ? refused("227 (192,168,0,2,19,137)\r\n", "a 227 within another reply")
        : same(
            `${pick(choices, [" PASV", " MLST type*;size*;", " PORT 1,2,3,4,5,6", "227 no end", ""])}\r\n`,
            "a line",
          ),
    ),
    same("211 End\r\n", "an answer"),
  ),
];

const hidden: Scene = (choices, ends) => {
  const { said } = ends.real.includes(":") ? extended(choices, ends) : passive(choices, ends);
  return [client(plain(choices)), server(refused(`200 ok\r${said}`, "a 227 behind a bare CR"))];
};

const long: Scene = (choices) => [
  client(same(`SITE ${"x".repeat(between(choices, 90, 3000))}\r\n`, "a long line")),
  server(same(`200 ${"y".repeat(between(choices, 90, 4600))}\r\n`, "a long line")),
];

/** A 250 before the 227, as some servers send it. */
const preceded: Scene = (choices, ends) => {
  const reply = welcome(choices, ends);
  return [client(asking(reply, choices)), server(same("250 CWD ok\r\n", "an answer too many"), reply)];
};

export const SCENES: readonly Scene[] = [
  transfer,
  opened,
  refusedPassive,
  refusedActive,
  unsolicited,
  twice,
  declined,
  chat,
  misleading,
  pipelined,
  multiline,
  features,
  hidden,
  long,
  preceded,
];

/** RFC 2428 §4: from here on the client may use nothing but EPSV. */
export function barred(turns: readonly Turn[]): Turn[] {
  return turns.map(({ speaker, messages }) => ({
    speaker,
    messages: messages.map((message) =>
      message.offers === undefined || message.offers.kind === "ftp-epsv"
        ? message
        : refused(message.said, `${message.about} after EPSV ALL`),
    ),
  }));
}

const record = (type: string, text: string): string =>
  `${type}\x03\x03${String.fromCharCode(text.length >> 8, text.length & 255)}${text}`;

/** Nothing is read any more; what looks like an announcement is none. */
export const secured: Scene = (choices) => [
  client(same("AUTH TLS\r\n", "AUTH")),
  server(same("234 Proceed with negotiation.\r\n", "an answer")),
  client(same(record("\x16", "hello\r\nPORT 10,9,9,9,19,137\r\n"), "a TLS record")),
  server(same(record("\x16", "hello") + record("\x17", "z".repeat(choices.below(2000))), "TLS records")),
  client(same(record("\x17", "PASV\r\n"), "a TLS record")),
  server(same(record("\x17", "227 (192,168,0,2,19,137)\r\n"), "a TLS record")),
];
