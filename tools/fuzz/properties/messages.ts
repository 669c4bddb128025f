/** What must hold of any helper but FTP's, whatever is said; and what the model knows, where it is there. */
import type { Helper } from "../../../core/helper/api.ts";
import type { Direction } from "../../../core/units.ts";
import type { Choices } from "../generate/choices.ts";
import { type Dialogue, saidBy } from "../generate/ftp/model.ts";
import type { Said } from "../generate/others/said.ts";
import { pieces, segments } from "../generate/segments.ts";
import { DatagramRun, MOST_DATAGRAM } from "../hosts/datagrams.ts";
import { PacketRun } from "../hosts/packets.ts";
import { type Place, transportOf } from "../hosts/service.ts";
import { SocketRun } from "../hosts/socket.ts";
import { textBytes } from "../hosts/text.ts";
import { described } from "../hosts/trace.ts";
import { type Violation, violation } from "./finding.ts";
import { Meter } from "./meter.ts";
import { checkHealth } from "./safety.ts";
import { checkSaid } from "./said.ts";
import { checkSame } from "./same.ts";

const SEGMENT = 1460;
const SETTINGS = { strict: false, hold: 0 };
/** The lowest port that any protocol of these names (rsh). */
const LOWEST = 512;

/** The first property that `dialogue` shows broken, or null. `model`: what must come of each of its turns, if it is known. */
export function checkMessages(
  helper: Helper,
  dialogue: Dialogue,
  choices: Choices,
  model: readonly Said[] | null,
): Violation | null {
  try {
    return check(helper, dialogue, choices, model);
  } catch (error) {
    return violation("threw", error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

function check(
  helper: Helper,
  { ends, turns }: Dialogue,
  choices: Choices,
  model: readonly Said[] | null,
): Violation | null {
  const said = turns.map((turn): Spoken => [turn.speaker, saidBy(turn)]);
  const meter = new Meter();
  const whole = new SocketRun({ helper: meter.on(helper), ends });
  const modelled = model === null ? sayAll(whole, said) : checkSaid(whole, model);
  whole.end();
  const place: Place = { helper, ends };
  const found =
    (meter.finding === null ? null : violation("stalled", meter.finding)) ??
    checkHealth(whole) ??
    modelled ??
    checkEntries(whole) ??
    cutOtherwise(place, said, choices, whole) ??
    onPackets(place, said, choices, whole) ??
    checkRequests(helper, said, whole);
  whole.close();
  return found ?? (whole.balancer.related.size > 0 ? violation("outlived", "an entry") : null);
}

type Spoken = readonly [direction: Direction, text: string];

function sayAll(run: SocketRun, said: readonly Spoken[]): null {
  for (const [direction, text] of said) if (text !== "") run.say(direction, text);
  return null;
}

/** Entries lead from one end of the control connection to the other, and to no reserved port but the service's own. */
function checkEntries({ placed, control }: SocketRun): Violation | null {
  const { client, real } = control;
  for (const entry of placed) {
    const [opener, listener] = entry.opener === "original" ? [client, real] : [real, client];
    const leads = entry.target.address.equals(listener.address) && entry.from.address?.equals(opener.address) === true;
    const free = entry.target.port >= LOWEST || entry.target.port === real.port;
    if (!leads || !free) return violation("opened", described(entry));
  }
  return null;
}

/** A datagram is whole. */
function cutOtherwise(place: Place, said: readonly Spoken[], choices: Choices, whole: SocketRun): Violation | null {
  if (transportOf(place) === "udp") return null;
  const run = new SocketRun(place);
  for (const [direction, text] of said) {
    for (const { start, end } of pieces(choices, text.length)) run.say(direction, text.slice(start, end));
  }
  run.end();
  return checkSame("segmentation", "another segmentation", whole, run);
}

/** On packets requests that are scheduled one by one are no connection, and nobody answers who was not asked. */
function onPackets(place: Place, said: readonly Spoken[], choices: Choices, whole: SocketRun): Violation | null {
  const datagrams = transportOf(place) === "udp";
  if (datagrams && !isFlow(place, said)) return null;
  const numbers = { client: choices.below(2) - 700, server: choices.below(0xffff) - 3000 };
  const run = datagrams ? new DatagramRun(place) : new PacketRun(place, numbers);
  for (const [direction, text] of said) {
    const bytes = textBytes(text);
    if (run instanceof PacketRun) run.say(direction, bytes, segments(choices, bytes.length, SEGMENT));
    else if (text !== "") run.say(direction, bytes);
  }
  run.end();
  if (run.wrong !== null) return violation("hosts", `the packet engine: ${run.wrong}`);
  const found = checkSame("hosts", "the packet engine", whole, run);
  return found && (byteByByte(place, said, whole) ?? found);
}

/** Whether it is how bytes are cut, and not who reads them. */
function byteByByte(place: Place, said: readonly Spoken[], whole: SocketRun): Violation | null {
  if (transportOf(place) === "udp") return null;
  const run = new SocketRun(place);
  for (const [direction, text] of said) for (const byte of text) run.say(direction, byte);
  run.end();
  return checkSame("segmentation", "byte by byte, the socket path", whole, run);
}

function isFlow({ helper }: Place, said: readonly Spoken[]): boolean {
  const [first] = said.filter(([, text]) => text !== "");
  return (
    helper.requests === undefined &&
    first?.[0] === "original" &&
    said.every(([, { length }]) => length <= MOST_DATAGRAM)
  );
}

/** Requests and replies are read without an exception, by those that read them one by one. */
function checkRequests({ requests }: Helper, said: readonly Spoken[], { control }: SocketRun): Violation | null {
  if (requests === undefined) return null;
  const { address } = control.client;
  for (const [, text] of said) {
    const bytes = textBytes(text);
    const read = [requests.request(bytes, address, SETTINGS), requests.opening?.(bytes, address, SETTINGS)];
    for (const request of read) {
      if (request == null || typeof request === "string") continue;
      if (request.ids.length === 0 || request.ids.length > MOST_IDS)
        return violation("grew", `${request.ids.length} ids`);
    }
    requests.reply(bytes, address);
  }
  return null;
}

const MOST_IDS = 16;
