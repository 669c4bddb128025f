/** Protocols of datagrams on the packet path. */
import { players } from "../players.ts";
import { routed } from "../routed.ts";
import type { Scenario } from "../scenario.ts";
import * as dns from "./dns.ts";
import * as radius from "./radius.ts";
import * as rtsp from "./rtsp.ts";
import * as sip from "./sip.ts";
import * as tftp from "./tftp.ts";
import * as xdmcp from "./xdmcp.ts";

const nat = routed(["nat"]);
const RETRIES = 30;

export const packetUdp: readonly Scenario[] = [
  {
    name: "packet-radius-spread",
    about: "200 requests of one radclient socket reach both FreeRADIUS servers",
    needs: radius.NEEDS,
    run: (sandbox) => radius.spread(sandbox, nat),
  },
  {
    name: "packet-radius-accounting",
    about: "by Calling-Station-Id, accounting reaches the FreeRADIUS server that authenticated",
    needs: radius.NEEDS,
    run: (sandbox) => radius.accounting(sandbox, nat),
  },
  {
    name: "packet-radius-dr-tunnel",
    about: "the same where one FreeRADIUS server is routed to directly, and the other in a tunnel",
    needs: [...radius.NEEDS, "python3"],
    run: (sandbox) => radius.spread(sandbox, routed(["dr", "tunnel"])),
  },
  {
    name: "packet-dns-tcp-retry",
    about: "the TCP retry of a truncated answer reaches the BIND server that gave it",
    needs: ["named", "dig"],
    run: (sandbox) => dns.retry(sandbox, nat, RETRIES),
  },
  {
    name: "packet-dns-dr-tunnel",
    about: "queries of dig reach two BIND servers, one routed to directly, one in a tunnel",
    needs: ["named", "dig", "python3"],
    run: (sandbox) => dns.spread(sandbox, routed(["dr", "tunnel"])),
  },
  {
    name: "packet-tftp",
    about: "curl reads and writes files of both tftpd-hpa servers",
    needs: ["in.tftpd", "curl"],
    run: (sandbox) => tftp.transfers(sandbox, nat, tftp.withCurl),
  },
  {
    name: "packet-xdmcp",
    about: "two Xvfb terminals, both display 0, show the login screens of two xdm; X11 comes from the VIP",
    needs: [...xdmcp.NEEDS, "xdotool", "xclock"],
    run: (sandbox) => xdmcp.logins(sandbox, nat),
  },
  {
    name: "packet-rtsp",
    about: "ffmpeg plays from both GStreamer servers, over UDP and interleaved; every picture and sample is right",
    needs: rtsp.needsOf(players["ffmpeg"]!),
    run: (sandbox) => rtsp.playThrough(sandbox, nat, 4, players["ffmpeg"]!),
  },
  {
    name: "packet-sip",
    about: "SIPp calls by UDP, and hears the echo of what it plays",
    needs: sip.NEEDS,
    run: (sandbox) => sip.calls(sandbox, nat, "udp"),
  },
];
