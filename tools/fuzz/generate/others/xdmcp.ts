/** XDMCP (version 1.1): a display asks for a session, and says at which addresses it listens for windows. */
import { between, type Choices, oneIn, pick, several } from "../choices.ts";
import type { Ends } from "../ftp/model.ts";
import { type At, barred, counted, offering, packed, plain, type Said, u16, u32 } from "./said.ts";

const Opcode = {
  query: 2,
  indirect: 3,
  forward: 4,
  willing: 5,
  unwilling: 6,
  request: 7,
  accept: 8,
  decline: 9,
  manage: 10,
  refuse: 11,
  failed: 12,
  keepAlive: 13,
  alive: 14,
} as const;
/** A display's port is 6000 and its number. */
const X11 = 6000;
const STRANGERS = ["10.9.9.9", "192.168.1.7", "127.0.0.1"];

const message = (opcode: number, body: string): string => u16(1) + u16(opcode) + counted(body);
const list = (items: readonly string[]): string => String.fromCharCode(items.length) + items.join("");

interface Asking {
  readonly display: number;
  readonly session: number;
  readonly ends: Ends;
}

const familyOf = (address: string): number => (address.includes(":") ? 6 : 0);

const requestOf = (display: number, addresses: readonly string[], tail: string): string =>
  message(
    Opcode.request,
    u16(display) +
      list(addresses.map((one) => u16(familyOf(one)))) +
      list(addresses.map((one) => counted(packed(one)))) +
      tail,
  );

function request(choices: Choices, { display, ends }: Asking): Said {
  const strangers = several(choices, 3, () => pick(choices, STRANGERS));
  const names = list(["MIT-MAGIC-COOKIE-1", "XDM-AUTHORIZATION-1"].slice(choices.below(2)).map(counted));
  const tail = counted("") + counted("") + names + counted("terminal");
  if (oneIn(choices, 5)) return barred("original", "no address of its own", requestOf(display, strangers, tail));
  const at = choices.below(strangers.length + 1);
  const addresses = [...strangers.slice(0, at), ends.client, ...strangers.slice(at)];
  const port = X11 + display;
  const hears = (end: At): string => requestOf(end(port).port - X11, [end(port).address.toString()], tail);
  return offering("original", "a request", [port], requestOf(display, addresses, tail), hears);
}

type Step = (choices: Choices, asking: Asking) => Said;

const query: Step = (choices) =>
  plain(
    "original",
    "a query",
    message(pick(choices, [Opcode.query, Opcode.indirect]), list(several(choices, 2, () => counted("MIT")))),
  );
const willing: Step = () =>
  plain("reply", "willing", message(Opcode.willing, counted("") + counted("host") + counted("ok")));
const accept: Step = (_choices, { session }) =>
  plain(
    "reply",
    "accepted",
    message(
      Opcode.accept,
      u32(session) + counted("") + counted("") + counted("MIT-MAGIC-COOKIE-1") + counted("0123456789abcdef"),
    ),
  );
const decline: Step = () =>
  plain("reply", "declined", message(Opcode.decline, counted("no") + counted("") + counted("")));
const manage: Step = (_choices, { session, display }) =>
  plain(
    "original",
    "a session begins",
    message(Opcode.manage, u32(session) + u16(display) + counted("MIT-unspecified")),
  );
const refuse: Step = (choices, { session }) =>
  plain(
    "reply",
    "refused",
    message(pick(choices, [Opcode.refuse, Opcode.failed]), u32(session) + (oneIn(choices, 2) ? counted("why") : "")),
  );
const keepAlive: Step = (_choices, { session, display }) =>
  plain("original", "alive?", message(Opcode.keepAlive, u16(display) + u32(session)));
const alive: Step = (_choices, { session }) => plain("reply", "alive", message(Opcode.alive, `\x01${u32(session)}`));
const forwarded: Step = (_choices, { ends }) =>
  barred("original", "forwarded", message(Opcode.forward, counted(packed(ends.client)) + counted(u16(177)) + list([])));

const BAD = [
  u16(1),
  u16(2) + u16(7) + u16(0),
  u16(1) + u16(7) + u16(99),
  message(Opcode.request, "\0"),
  message(Opcode.request, `${u16(0)}\xff`),
  message(99, ""),
];
const bad: Step = (choices) => barred("original", "malformed", pick(choices, BAD));

/** In the order of a session; some steps left out, others in between. */
export function xdmcp(choices: Choices, ends: Ends): Said[] {
  const asking: Asking = { display: between(choices, 0, 63), session: between(choices, 1, 0xffff), ends };
  const steps: Step[] = [query, willing, request, oneIn(choices, 4) ? decline : accept, manage];
  if (oneIn(choices, 4)) steps.push(refuse);
  for (let n = choices.below(3); n > 0; n--) steps.push(keepAlive, alive);
  const kept = steps.filter(() => !oneIn(choices, 10));
  if (oneIn(choices, 4)) kept.splice(choices.below(kept.length + 1), 0, pick(choices, [bad, forwarded, keepAlive]));
  return kept.map((step) => step(choices, asking));
}
