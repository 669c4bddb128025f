import t from "tap";
import { agreed, asSockets, lines, ok, setup, talk, UDP } from "./talk.ts";

const DESCRIPTION = lines("v=0", "o=- 1 1 IN IP4 192.168.0.2", "c=IN IP4 192.168.0.2");

/** Each message and what is said to it, in both directions. */
const DIALOGUE: [direction: "original" | "reply", said: string][] = [
  ["original", lines("DESCRIBE rtsp://1.2.3.4/a RTSP/1.0", "CSeq: 1")],
  [
    "reply",
    ok(
      1,
      "Content-Base: rtsp://192.168.0.2/a",
      "Content-Type: application/sdp",
      `Content-Length: ${DESCRIPTION.length}`,
    ) + DESCRIPTION,
  ],
  ["original", setup(`${UDP};destination=10.0.0.5`, 2)],
  [
    "reply",
    `$\0\0\x0aabc\r\n\r\nxyz${agreed(`${UDP.replaceAll("45", "245")};server_port=6256-6257;source=192.168.0.2`, 2)}`,
  ],
  ["original", `\r\n${lines("TEARDOWN rtsp://1.2.3.4/a RTSP/1.0", "CSeq: 3", "Session: 12345678")}`],
];

/** What both sides heard and what was in place before the last message, the message `cut` said as `pieces`. */
function outcome(cut: number, pieces: readonly string[]): unknown {
  const rtsp = talk({ seen: asSockets });
  const pending: string[][] = [];
  for (const [index, [direction, said]] of DIALOGUE.entries()) {
    for (const piece of index === cut ? pieces : [said]) rtsp.say(direction, piece);
    pending.push(rtsp.pending);
  }
  return { original: rtsp.heard("original"), reply: rtsp.heard("reply"), pending, faults: rtsp.reasons("fault") };
}

t.test("every cut of every message: the same entries, and the same bytes on both sides", async (t) => {
  const whole = outcome(-1, []);
  t.match(whole, {
    faults: [],
    original: /24588-24589;destination=192\.168\.0\.1/,
    reply: /server_port=16256-16257;source=1\.2\.3\.4/,
  });
  let cuts = 0;
  for (const [index, [, said]] of DIALOGUE.entries()) {
    for (let at = 1; at < said.length; at++, cuts++) {
      if (!t.same(outcome(index, [said.slice(0, at), said.slice(at)]), whole)) return;
    }
    t.same(outcome(index, [...said]), whole, "one byte a segment");
  }
  t.ok(cuts > 500);
});
