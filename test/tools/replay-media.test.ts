/** Streams and calls in captures of our own, and a call that passes a proxy. */
import { resolve } from "node:path";
import t from "tap";
import type { Announcement } from "../../core/helper/api.ts";
import { helpers } from "../../helpers/index.ts";
import { directionOf } from "../../tools/replay/detect.ts";
import { type Related, saidFirst } from "../../tools/replay/match.ts";
import type { Report } from "../../tools/replay/report.ts";
import { runReplay } from "../../tools/replay.ts";
import { address } from "../addresses.ts";
import { ROOT } from "../root.ts";

async function told(name: string): Promise<string[]> {
  let out = "";
  const io = { stdout: { write: (text: string) => (out += text) }, stderr: { write: () => true } };
  await runReplay([resolve(ROOT, "fixtures", name)], { json: true }, io);
  const { controls, related, faults }: Report = JSON.parse(out);
  return [
    ...controls.map(({ helper, transport }) => `${helper} over ${transport}`),
    ...related.map(
      ({ announcedFrame, kind, from, to, state, observed }) =>
        `${announcedFrame} ${kind} ${from.address ?? "any"}:${from.port ?? "any"} -> ${to.address}:${to.port} ${state} ${observed}`,
    ),
    ...faults.map(({ code }) => code),
  ];
}

t.test("RTSP: two streams, RTP and RTCP each, from the server's ports and in the frames of the answers", async (t) => {
  t.same(await told("rtsp-own-udp-ffmpeg.pcap"), [
    "rtsp over tcp",
    "11 rtsp-rtp 10.77.1.20:60192 -> 10.77.0.10:5666 accepted true",
    "11 rtsp-rtcp 10.77.1.20:60193 -> 10.77.0.10:5667 accepted true",
    "13 rtsp-rtp 10.77.1.20:34104 -> 10.77.0.10:5668 accepted true",
    "13 rtsp-rtcp 10.77.1.20:34105 -> 10.77.0.10:5669 accepted true",
  ]);
});

t.test("SIP: the ends of both sides of a call, and nobody is said to send", async (t) => {
  t.same(await told("sip-own-udp-rtp.pcap"), [
    "sip over udp",
    "1 sip-rtp any:any -> 10.77.0.10:6000 announced true",
    "1 sip-rtcp any:any -> 10.77.0.10:6001 announced false",
    "3 sip-rtp any:any -> 10.77.1.20:16000 announced true",
    "3 sip-rtcp any:any -> 10.77.1.20:16001 announced false",
  ]);
});

t.test("MMS: the funnel; PNM: a greeting without a port", async (t) => {
  t.same(await told("mms-own-vlc-udp.pcap"), [
    "wms over tcp",
    "8 mms-udp 10.77.1.20:any -> 10.77.0.10:7000 announced true",
  ]);
  t.same(await told("pnm-own-client-hello.pcap"), ["pnm over tcp"]);
});

const said = (frame: number, port: number, identity?: string): Related => {
  const announcement = { kind: "sip-rtp", ...(identity === undefined ? {} : { identity }) } as Announcement;
  return { observed: { announcement, frame }, to: { address: address("10.0.0.5"), port } } as Related;
};

t.test("what is said again about one call is listed where it was said first, on whatever connection", async (t) => {
  const frames = (related: readonly Related[][]) =>
    saidFirst(related).map((own) => own.map((one) => one.observed.frame));
  t.same(
    frames([
      [said(5, 6000, "a"), said(9, 6000, "a")],
      [said(4, 6000, "a"), said(6, 7000, "a")],
    ]),
    [[], [4, 6]],
  );
  t.same(frames([[said(1, 6000, "a"), said(2, 6000, "b")]]), [[1, 2]], "another call");
  t.same(frames([[said(1, 6000), said(2, 6000)]]), [[1, 2]], "what belongs to nothing is each time another");
});

t.test("a first datagram tells which end is the server", async (t) => {
  const sip = helpers.find(({ name }) => name === "sip")!;
  const direction = (text: string) => directionOf(sip, Buffer.from(text, "latin1"));
  t.same([direction("INVITE sip:b SIP/2.0\r\n"), direction("SIP/2.0 200 OK\r\n")], ["original", "reply"]);
  t.same([direction("INVITE sip:b"), direction("\x80\x08media")], [null, null]);
});
