/** What must hold of any helper, whatever is said: for those whose dialogues nobody models. */
import type { Helper } from "../../../core/helper/api.ts";
import type { Choices } from "../generate/choices.ts";
import type { Ends } from "../generate/ftp/model.ts";
import type { Spoken } from "../generate/messages.ts";
import { pieces } from "../generate/segments.ts";
import { transportOf } from "../hosts/service.ts";
import { SocketRun } from "../hosts/socket.ts";
import { textBytes } from "../hosts/text.ts";
import { described, firstDifference, firstDifferentByte, toldOf } from "../hosts/trace.ts";
import { type Violation, violation } from "./finding.ts";
import { Meter } from "./meter.ts";
import { checkHealth } from "./safety.ts";

export const MESSAGE_ENDS: Ends = { client: "10.0.0.5", virtual: "1.2.3.4", real: "192.168.0.2" };
const SETTINGS = { strict: false, hold: 0 };
/** The lowest port that any protocol of these names (rsh). */
const LOWEST = 512;

/** The first property that what is `said` shows broken, or null. */
export function checkMessages(helper: Helper, said: readonly Spoken[], choices: Choices): Violation | null {
  try {
    return check(helper, said, choices);
  } catch (error) {
    return violation("threw", error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

function check(helper: Helper, said: readonly Spoken[], choices: Choices): Violation | null {
  const meter = new Meter();
  const whole = new SocketRun({ helper: meter.on(helper), ends: MESSAGE_ENDS });
  for (const [direction, text] of said) if (text !== "") whole.say(direction, text);
  whole.end();
  const cut = transportOf(helper) === "tcp" ? cutOtherwise(helper, said, choices, whole) : null;
  const found =
    (meter.finding === null ? null : violation("stalled", meter.finding)) ??
    checkHealth(whole) ??
    checkEntries(whole) ??
    cut ??
    checkRequests(helper, said, whole);
  whole.close();
  return found ?? (whole.balancer.related.size > 0 ? violation("outlived", "an entry") : null);
}

/** Entries lead from one end of the control connection to the other, and to no reserved port. */
function checkEntries({ placed, control }: SocketRun): Violation | null {
  const { client, real } = control;
  for (const entry of placed) {
    const [opener, listener] = entry.opener === "original" ? [client, real] : [real, client];
    const leads = entry.target.address.equals(listener.address) && entry.from.address?.equals(opener.address) === true;
    if (!leads || entry.target.port < LOWEST) return violation("opened", described(entry));
  }
  return null;
}

function cutOtherwise(helper: Helper, said: readonly Spoken[], choices: Choices, whole: SocketRun): Violation | null {
  const run = new SocketRun({ helper, ends: MESSAGE_ENDS });
  for (const [direction, text] of said) {
    for (const { start, end } of pieces(choices, text.length)) run.say(direction, text.slice(start, end));
  }
  run.end();
  const decided = firstDifference(toldOf(whole.decisions), toldOf(run.decisions));
  if (decided !== null) return violation("segmentation", decided);
  for (const direction of ["original", "reply"] as const) {
    const heard = firstDifferentByte(whole.heard(direction), run.heard(direction));
    if (heard !== null) return violation("segmentation", `${direction} ${heard}`);
  }
  return null;
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
