/**
 * NAT slipstreaming (security.md): a browser is made to POST a body of which a segment begins like a control message.
 */
import t from "tap";
import type { Direction, Helper } from "../../core/helper/api.ts";
import { ControlStream } from "../../core/inspect/control.ts";
import { seconds } from "../../core/units.ts";
import { ftp } from "../../helpers/ftp/helper.ts";
import { pnm } from "../../helpers/pnm/helper.ts";
import { rtsp } from "../../helpers/rtsp/helper.ts";
import { sip } from "../../helpers/sip/helper.ts";
import { wms } from "../../helpers/wms/helper.ts";
import { endpoint } from "../addresses.ts";
import { makeBalancer, serviceFor } from "../conversation.ts";

const client = endpoint("10.0.0.5", 40000);
const OFFSETS = 65_536;

const u32 = (n: number): string => String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >>> 24) & 255);
/** ConnectFunnel of MMS: `\\10.0.0.5\UDP\7000`. */
function funnel(): string {
  const name = [..."\\\\10.0.0.5\\UDP\\7000\0"].map((character) => `${character}\0`).join("");
  const body = `${u32(0)}${u32(0xffffffff)}${u32(0)}${u32(0x00989680)}${u32(2)}${name}`;
  const padded = body.padEnd(Math.ceil(body.length / 8) * 8, "\0");
  const message = u32(padded.length / 8 + 1) + u32(0x00030002) + padded;
  const sealed = u32(message.length + 16) + u32(0x20534d4d) + u32((message.length + 32) / 8);
  return `\x01\0\0\0${u32(0xb00bface)}${sealed}${"\0".repeat(12)}${message}`;
}

const OFFER = "v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n";
const attacks: readonly (readonly [helper: Helper, port: number, message: string])[] = [
  [ftp, 21, "\r\nPORT 10,0,0,5,4,1\r\nEPRT |1|10.0.0.5|1025|\r\nREGISTER sip:x\r\nSETUP rtsp://x RTSP/1.0\r\n"],
  [rtsp, 554, "SETUP rtsp://1.2.3.4/a RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP;unicast;client_port=4588-4589\r\n\r\n"],
  [
    sip,
    5060,
    `INVITE sip:b@1.2.3.4 SIP/2.0\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: ${OFFER.length}\r\n\r\n${OFFER}`,
  ],
  [pnm, 7070, "PNA\0\x0a\0\x01\0\x02\x1b\x3a\0\0"],
  [wms, 1755, funnel()],
];

for (const [helper, port, message] of attacks) {
  const balancer = makeBalancer([serviceFor(helper)]);
  const seen = endpoint("1.2.3.4", port);
  const attack = Buffer.from(message, "latin1");
  let prepared = 0;
  let passed = 0;
  const host = {
    forward: (_: Direction, bytes: Uint8Array) => {
      passed += bytes.length;
    },
    prepare: () => {
      prepared++;
    },
    explain: () => {},
    abort: () => {},
  };
  const say = (...segments: readonly Uint8Array[]): void => {
    const entry = balancer.admit("tcp", client, seen, seconds(1));
    if (typeof entry === "string") throw new Error(entry);
    const settings = { strict: false, hold: helper.limits.hold };
    const to = { helper, settings, entry, balancer, host, onRefuse: "refuse", onFailure: "open" } as const;
    const stream = new ControlStream(to);
    for (const segment of segments) stream.feed("original", segment, seconds(1));
    balancer.close(entry, seconds(1));
  };

  t.test(
    `${helper.name}: a POST whose body is a message, at 65,536 offsets, each at the head of a segment`,
    async (t) => {
      say(attack);
      t.ok(prepared > 0, "by itself the message announces");
      prepared = 0;
      passed = 0;
      const head = `POST / HTTP/1.1\r\nHost: 1.2.3.4:${port}\r\n\r\n`;
      const filler = Buffer.from(`${head}${"x".repeat(OFFSETS)}`);
      let sent = 0;
      for (let offset = 0; offset < OFFSETS; offset++) {
        const first = filler.subarray(0, head.length + offset);
        say(first, attack);
        sent += first.length + attack.length;
      }
      t.equal(prepared, 0);
      t.equal(balancer.related.size, 0);
      t.equal(passed, sent, "and everything passed as it was");
    },
  );
}
