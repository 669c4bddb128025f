/** RTSP messages and conversations for tests. */
import type { RelatedEntry } from "../../../core/flow/related.ts";
import { rtsp } from "../../../helpers/rtsp/helper.ts";
import { endpoint } from "../../addresses.ts";
import { type Conversation, type ConversationOptions, conversationOf } from "../../conversation.ts";

export const lines = (...said: string[]): string => `${said.join("\r\n")}\r\n\r\n`;

export const setup = (transport: string, cseq = 1, ...more: string[]): string =>
  lines("SETUP rtsp://1.2.3.4/a/1 RTSP/1.0", `CSeq: ${cseq}`, ...more, `Transport: ${transport}`);

export const ok = (cseq: number, ...more: string[]): string => lines("RTSP/1.0 200 OK", `CSeq: ${cseq}`, ...more);

export const agreed = (transport: string, cseq = 1, session = "12345678"): string =>
  ok(cseq, `Session: ${session}`, `Transport: ${transport}`);

export const failed = (reason: string, cseq = 1): string =>
  lines(`RTSP/1.0 461 Unsupported Transport: refused by the director (${reason})`, `CSeq: ${cseq}`);

export const talk = (options: ConversationOptions = {}): Conversation => conversationOf(rtsp, options);

export const UDP = "RTP/AVP;unicast;client_port=4588-4589";
export const UDP_AGREED = `${UDP};server_port=6256-6257`;

/** The flows of one stream, set up as above, on LVS-NAT. */
export const STREAM = [
  "rtsp-rtp 192.168.0.2:any -> 10.0.0.5:4588 => 10.0.0.5:4588",
  "rtsp-rtcp 192.168.0.2:any -> 10.0.0.5:4589 => 10.0.0.5:4589",
  "rtsp-rtp 10.0.0.5:any -> 1.2.3.4:6256 => 192.168.0.2:6256",
  "rtsp-rtcp 10.0.0.5:any -> 1.2.3.4:6257 => 192.168.0.2:6257",
];

/** A host that gives both sides ports of its own, as the socket path must. */
export const asSockets = (entry: RelatedEntry) =>
  entry.opener === "original"
    ? endpoint("1.2.3.4", entry.target.port + 10_000)
    : endpoint("192.168.0.1", entry.target.port + 20_000);
