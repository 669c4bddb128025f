/** SIP over TCP and UDP (RFC 3261, 3264): calls as state machines, with descriptions that either side offers. */
import type { Direction } from "../../../../core/units.ts";
import { between, type Choices, oneIn, pick } from "../choices.ts";
import type { Ends } from "../ftp/model.ts";
import { barred, lines, offering, plain, type Said } from "./said.ts";
import { description, type Stream } from "./sdp.ts";

const DOMAIN = "example.com";
const bracketed = (address: string): string => (address.includes(":") ? `[${address}]` : address);

interface Call {
  readonly ends: Ends;
  readonly id: string;
  readonly compact: boolean;
}

/** A message with its Content-Length. What is named in it is nobody's of the realserver's, so that it stays as it is. */
function messageOf({ ends, id, compact }: Call, first: string, method: string, body: string): string {
  const [via, from, to, type, length] = compact
    ? ["v", "f", "t", "c", "l"]
    : ["Via", "From", "To", "Content-Type", "Content-Length"];
  return (
    lines(
      first,
      `${via}: SIP/2.0/${ends.transport === "udp" ? "UDP" : "TCP"} ${bracketed(ends.client)}:5060;branch=z9hG4bK1`,
      `${from}: <sip:a@${DOMAIN}>;tag=1`,
      `${to}: <sip:b@${DOMAIN}>`,
      `Call-ID: ${id}`,
      `CSeq: 1 ${method}`,
      ...(body === "" ? [] : [`${type}: application/sdp`]),
      `${length}: ${body.length}`,
      "",
    ) + body
  );
}

const streamsOf = (choices: Choices): Stream[] =>
  Array.from({ length: between(choices, 1, 2) }, (_, i): Stream => {
    // Apart, so that none is another's.
    const rtp = 1024 + 4 * between(choices, 0, 7000) + 30_000 * i;
    return { rtp, rtcp: oneIn(choices, 4) ? rtp + 2 : null };
  });

const reportsOf = ({ rtp, rtcp }: Stream): number => rtcp ?? rtp + 1;
const portsOf = (streams: readonly Stream[]): number[] => streams.flatMap((one) => [one.rtp, reportsOf(one)]);

/** A message whose description offers its speaker's streams. */
function offer(choices: Choices, call: Call, speaker: Direction, first: string, method: string): Said {
  const { client, virtual, real } = call.ends;
  const [own, shown] = speaker === "original" ? [client, client] : [real, virtual];
  const written = description(choices);
  const streams = streamsOf(choices);
  const said = (origin: string, address: string, all: readonly Stream[]): string =>
    messageOf(call, first, method, written(origin, address, all));
  const plainly = said(own, own, streams);
  return offering(speaker, `${first.slice(0, 8)} with a description`, portsOf(streams), plainly, (at) =>
    said(
      shown,
      at(streams[0]!.rtp).address.toString(),
      streams.map(({ rtp, rtcp }) => ({ rtp: at(rtp).port, rtcp: rtcp === null ? null : at(rtcp).port })),
    ),
  );
}

/** What may not be offered: another's address, or a reserved port. */
function forbidden(choices: Choices, call: Call, first: string): Said {
  const { client } = call.ends;
  const stranger = client.includes(":") ? "2001:db8::99" : "10.9.9.9";
  const [address, rtp] = oneIn(choices, 2) ? [stranger, 5000] : [client, pick(choices, [1, 80, 1022])];
  const body = description(choices)(client, address, [{ rtp, rtcp: null }]);
  return barred("original", "a description that may not be", messageOf(call, first, "INVITE", body));
}

const silent = (call: Call, speaker: Direction, first: string, method: string): Said =>
  plain(speaker, first.slice(0, 12), messageOf(call, first, method, ""));

/** INVITE, its answers, ACK, and BYE or CANCEL. */
function call(choices: Choices, held: Call): Said[] {
  const invite = `INVITE sip:b@${DOMAIN} SIP/2.0`;
  const said = [
    oneIn(choices, 6) ? forbidden(choices, held, invite) : offer(choices, held, "original", invite, "INVITE"),
  ];
  if (oneIn(choices, 2)) said.push(silent(held, "reply", "SIP/2.0 180 Ringing", "INVITE"));
  if (oneIn(choices, 6)) return [...said, silent(held, "original", `CANCEL sip:b@${DOMAIN} SIP/2.0`, "CANCEL")];
  if (oneIn(choices, 6)) return [...said, silent(held, "reply", "SIP/2.0 486 Busy Here", "INVITE")];
  said.push(offer(choices, held, "reply", "SIP/2.0 200 OK", "INVITE"));
  said.push(silent(held, "original", `ACK sip:b@${DOMAIN} SIP/2.0`, "ACK"));
  if (oneIn(choices, 3)) said.push(plain("original", "a keep-alive", "\r\n\r\n"));
  if (oneIn(choices, 2))
    said.push(silent(held, pick(choices, ["original", "reply"]), `BYE sip:b@${DOMAIN} SIP/2.0`, "BYE"));
  return said;
}

export function sip(choices: Choices, ends: Ends): Said[] {
  const said: Said[] = [];
  for (let n = between(choices, 1, 2); n > 0; n--) {
    const held: Call = { ends, id: `${n}@${bracketed(ends.client)}`, compact: oneIn(choices, 4) };
    if (oneIn(choices, 4)) said.push(silent(held, "original", `REGISTER sip:${DOMAIN} SIP/2.0`, "REGISTER"));
    said.push(...call(choices, held));
  }
  return said;
}
