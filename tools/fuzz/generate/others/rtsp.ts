/** RTSP (RFC 2326): sessions as state machines, with transports that players offer and servers take up. */
import { between, type Choices, oneIn, pick } from "../choices.ts";
import type { Ends } from "../ftp/model.ts";
import { barred, instead, lines, offering, plain, type Said } from "./said.ts";

const HOST = "media.example.com";
const url = (track: number): string => `rtsp://${HOST}/film/track${track}`;

/** A session, and the CSeq of its next request. */
interface Session {
  readonly ends: Ends;
  readonly id: string;
  readonly cseq: number;
}

const evenPort = (choices: Choices): number => between(choices, 512, 0x7ffe) * 2;

const request = (session: Session, method: string, target: string, ...more: readonly string[]): string =>
  lines(`${method} ${target} RTSP/1.0`, `CSeq: ${session.cseq}`, ...more, "");
const answer = (session: Session, status: string, ...more: readonly string[]): string =>
  lines(`RTSP/1.0 ${status}`, `CSeq: ${session.cseq}`, ...more, "");

const PROFILES = ["RTP/AVP;unicast", "RTP/AVP/UDP;unicast", "x-real-rdt/udp", "rtp/avp;UNICAST"];

/** A SETUP of two ports, and what the server makes of it. */
function stream(choices: Choices, session: Session, track: number): Said[] {
  const [own, theirs] = [evenPort(choices), evenPort(choices)];
  const profile = pick(choices, PROFILES);
  const written = (rtp: number, rtcp: number): string => `${profile};client_port=${rtp}-${rtcp}`;
  const asked = (rtp: number, rtcp: number): string =>
    request(session, "SETUP", url(track), `Transport: ${written(rtp, rtcp)}`);
  const setup = offering("original", "SETUP", [own, own + 1], asked(own, own + 1), (at) =>
    asked(at(own).port, at(own + 1).port),
  );
  if (oneIn(choices, 6)) return [setup, plain("reply", "461", answer(session, "461 Unsupported Transport"))];
  const { ends } = session;
  const names = oneIn(choices, 2);
  const agreed = (rtp: number, rtcp: number, source: string): string =>
    answer(
      session,
      "200 OK",
      `Session: ${session.id}`,
      `Transport: ${written(own, own + 1)};server_port=${rtp}-${rtcp}${names ? `;source=${source}` : ""}`,
    );
  const taken = offering(
    "reply",
    "what SETUP comes to",
    [theirs, theirs + 1],
    agreed(theirs, theirs + 1, ends.real),
    (at) => agreed(at(theirs).port, at(theirs + 1).port, ends.virtual),
  );
  return [setup, taken];
}

/** Both within the connection. */
function interleaved(session: Session, track: number): Said[] {
  const transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1";
  return [
    plain("original", "SETUP, interleaved", request(session, "SETUP", url(track), transport)),
    plain("reply", "200, interleaved", answer(session, "200 OK", `Session: ${session.id}`, transport)),
    plain("reply", "a frame", `$\0\0\x20SETUP rtsp://x/ RTSP/1.0\r\nabcd\r\n`),
  ];
}

/** What no director lets in, as the server hears it. */
function forbidden(choices: Choices, session: Session, track: number): Said[] {
  const { ends } = session;
  const stranger = ends.client.includes(":") ? "2001:db8::99" : "10.9.9.9";
  const bad = pick(choices, [
    "client_port=0-1",
    "client_port=80-81",
    "client_port=65535-65536",
    "client_port=99999",
    `client_port=5000-5001;destination=${stranger}`,
    "client_port=5000-5001;destination=nowhere",
  ]);
  const said = (transport: string): string => request(session, "SETUP", url(track), `Transport: ${transport}`);
  const setup = instead("original", "SETUP of what may not be", said(`RTP/AVP;unicast;${bad}`), said("x-refused"));
  if (oneIn(choices, 2)) return [setup, plain("reply", "461", answer(session, "461 Unsupported Transport"))];
  const transport = `Transport: RTP/AVP;unicast;${bad};server_port=6970-6971`;
  return [setup, barred("reply", "200 to what was refused", answer(session, "200 OK", "Session: 9", transport))];
}

/** An answer that sets up what nobody asked for. */
const unsolicited = (choices: Choices, session: Session): Said[] => [
  barred(
    "reply",
    "unsolicited",
    answer(
      session,
      "200 OK",
      "Session: 9",
      `Transport: RTP/AVP;unicast;client_port=5000-5001;server_port=${evenPort(choices)}-9`,
    ),
  ),
];

/** The realserver's name for itself becomes the virtual service's. */
function described(session: Session): Said[] {
  const { ends } = session;
  const sdp = (address: string): string =>
    lines(
      "v=0",
      `o=- 1 1 IN IP${address.includes(":") ? 6 : 4} ${address}`,
      "s=-",
      "t=0 0",
      "m=audio 0 RTP/AVP 0",
      "a=control:track1",
    );
  const said = (address: string): string =>
    answer(session, "200 OK", "Content-Type: application/sdp", `Content-Length: ${sdp(address).length}`) + sdp(address);
  return [
    plain("original", "DESCRIBE", request(session, "DESCRIBE", `rtsp://${HOST}/film`)),
    instead("reply", "a description", said(ends.real), said(ends.virtual)),
  ];
}

const simple =
  (method: string) =>
  (session: Session): Said[] => [
    plain("original", method, request(session, method, `rtsp://${HOST}/film`, `Session: ${session.id}`)),
    plain("reply", `200 to ${method}`, answer(session, "200 OK", `Session: ${session.id}`)),
  ];
const [options, play, teardown] = ["OPTIONS", "PLAY", "TEARDOWN"].map(simple) as [
  (session: Session) => Said[],
  (session: Session) => Said[],
  (session: Session) => Said[],
];

/** OPTIONS, DESCRIBE, SETUP of each track, PLAY and TEARDOWN; some left out, and what may not be in between. */
export function rtsp(choices: Choices, ends: Ends): Said[] {
  let session: Session = { ends, id: String(between(choices, 1, 99_999_999)), cseq: 1 };
  const said: Said[] = [];
  const step = (part: readonly Said[]): void => {
    said.push(...part);
    session = { ...session, cseq: session.cseq + 1 };
  };
  step(options(session));
  if (oneIn(choices, 2)) step(described(session));
  for (let track = between(choices, 1, 3); track > 0; track--) {
    const shape = choices.below(6);
    if (shape === 4) step(interleaved(session, track));
    else if (shape === 5) step(forbidden(choices, session, track));
    else step(stream(choices, session, track));
  }
  if (oneIn(choices, 8)) step(unsolicited(choices, session));
  if (oneIn(choices, 2)) step(play(session));
  if (oneIn(choices, 2)) step(teardown(session));
  return said;
}
