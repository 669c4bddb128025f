/** One hostile session among many changes nothing for the others, whatever the helper keeps between its calls. */
import t from "tap";
import type { Direction, Helper } from "../../core/helper/api.ts";
import { dns } from "../../helpers/dns/helper.ts";
import { ident } from "../../helpers/ident/helper.ts";
import { netbios } from "../../helpers/netbios/helper.ts";
import { pnm } from "../../helpers/pnm/helper.ts";
import { radius } from "../../helpers/radius/helper.ts";
import { rsh } from "../../helpers/rsh/helper.ts";
import { rtsp } from "../../helpers/rtsp/helper.ts";
import { sip } from "../../helpers/sip/helper.ts";
import { tftp } from "../../helpers/tftp/helper.ts";
import { endpoint } from "../addresses.ts";
import { conversationOf, describe, makeBalancer, serviceFor } from "../conversation.ts";
import { message, QR } from "./dns/messages.ts";
import { accessRequest, packet } from "./radius/packets.ts";
import { agreed, setup, UDP, UDP_AGREED } from "./rtsp/talk.ts";

type Said = readonly [Direction, string | Uint8Array];

interface Case {
  readonly helper: Helper;
  /** What is said in session `i`, in turns with all the others. */
  readonly peaceful: (i: number) => readonly Said[];
  readonly hostile: readonly Said[];
  /** A part of what the last session heard or announced, so that there is something to lose. */
  readonly holds: string;
}

/** `FILESERVER`, once asked for and once told with the realserver's address. */
const NAME = `\x20EGEJEMEFFDEFFCFGEFFCCACACACACACA\0\0\x20\0\x01`;
const ASKED = `\0\x07\x01\x10\0\x01\0\0\0\0\0\0${NAME}`;
const TOLD = `\0\x07\x85\0\0\0\0\x01\0\0\0\0${NAME}\0\0\x01\0\0\x06\0\0\xc0\xa8\0\x02`;

/** An offer of audio, of whoever is at `host`. */
function invite(host: string): string {
  const offer = `v=0\r\no=- 1 1 IN IP4 ${host}\r\nc=IN IP4 ${host}\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n`;
  const head = "INVITE sip:b@1.2.3.4 SIP/2.0\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp";
  return `${head}\r\nContent-Length: ${offer.length}\r\n\r\n${offer}`;
}

const cases: readonly Case[] = [
  {
    helper: rtsp,
    holds: "10.1.3.231:4588",
    peaceful: () => [
      ["original", setup(UDP).slice(0, 30)],
      ["original", setup(UDP).slice(30)],
      ["reply", agreed(UDP_AGREED)],
    ],
    hostile: [
      ["original", `SETUP rtsp://h RTSP/1.0\r\nCSeq: ${"9".repeat(9000)}`],
      ["reply", agreed(UDP_AGREED)],
      ["original", `$\0\xff\xff${setup(UDP)}`],
    ],
  },
  {
    helper: sip,
    holds: "10.1.3.231:6000",
    peaceful: (i) => [
      ["original", invite(`10.1.${i >> 8}.${i & 255}`).slice(0, 50)],
      ["original", invite(`10.1.${i >> 8}.${i & 255}`).slice(50)],
      ["reply", "SIP/2.0 100 Trying\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"],
    ],
    hostile: [
      ["original", invite("10.9.9.9")],
      ["original", `INVITE sip:${"x".repeat(9000)}`],
      ["reply", invite("192.168.0.2")],
    ],
  },
  {
    helper: pnm,
    holds: "10.1.3.231:6970",
    peaceful: () => [
      ["original", "PNA\0\x0a\0\x01"],
      ["original", "\0\x02\x1b\x3a\0\0"],
      ["reply", "PNA\0\x0a\0\0"],
    ],
    hostile: [
      ["original", "PNA\0\x0a\0\x01\0\x02\0\x16\0\0"],
      ["reply", `PNA\0\x0a${"\0\x07\xff\xff".repeat(300)}`],
      ["original", `\0\x01\xff\xff${"x".repeat(5000)}`],
    ],
  },
  {
    helper: tftp,
    holds: "tftp 192.168.0.2:any -> 10.1.3.231:40000",
    peaceful: (i) => [
      ["original", `\0\x01boot/${i}\0octet\0`],
      ["original", `\0\x01boot/${i}\0octet\0`],
      ["original", `\0\x02log/${i}\0octet\0`],
    ],
    hostile: [
      ["original", `\0\x01${"a".repeat(600)}\0octet\0`],
      ["reply", "\0\x05\0\0\0"],
      ["original", "\0\x01a\0octet\0\0\0\0"],
    ],
  },
  {
    helper: rsh,
    holds: "rsh-stderr 192.168.0.2:any -> 10.1.3.231:2023",
    peaceful: (i) => [
      ["original", `${(1024 + i).toString().slice(0, 2)}`],
      ["original", `${(1024 + i).toString().slice(2)}\0root\0`],
      ["original", "root\0uptime\0"],
    ],
    hostile: [
      ["original", "9999999"],
      ["original", "\x001022\0"],
      ["reply", "1022\0"],
    ],
  },
  {
    helper: ident,
    holds: "2023 , 23 : USERID : UNIX : u999",
    peaceful: (i) => [
      ["reply", `${1024 + i} , `],
      ["reply", "23\r\n"],
      ["original", `${1024 + i},23 : USERID : UNIX : u${i}\r\n`],
    ],
    hostile: [
      ["reply", "1 , 1\r\n".repeat(100)],
      ["original", `${"1".repeat(2000)}\r\n`],
      ["reply", "GET / HTTP/1.1\r\n\r\n"],
    ],
  },
  {
    helper: netbios,
    holds: "\\u0001\\u0002\\u0003\\u0004",
    peaceful: () => [
      ["original", Buffer.from(ASKED, "latin1")],
      ["reply", Buffer.from(TOLD, "latin1")],
      ["reply", Buffer.from(TOLD, "latin1")],
    ],
    hostile: [
      ["reply", "\0\x07\x85\0\0\0\xff\xff\0\0\0\0"],
      ["original", Buffer.from(TOLD, "latin1")],
      ["reply", "\xc0\x0c".repeat(300)],
    ],
  },
  {
    helper: { ...dns, transport: "udp" },
    holds: "www999",
    peaceful: (i) => [
      ["original", message(i, 0x0100, `www${i}`)],
      ["reply", message(i, QR, `www${i}`)],
      ["original", message(i + 1, 0x0100, `ftp${i}`)],
    ],
    hostile: [
      ["original", message(1, 0x0100, "www3").with(12, 0xc0)],
      ["reply", message(3, 0x0100, "www3")],
      ["original", new Uint8Array(512).fill(0xff)],
    ],
  },
  {
    helper: radius,
    holds: "state999",
    peaceful: (i) => [
      ["original", accessRequest(i & 255, [[1, `user${i}`]])],
      ["reply", packet(11, i & 255, [[24, `state${i}`]])],
      ["original", accessRequest(i & 255, [[24, `state${i}`]], 7)],
    ],
    hostile: [
      ["original", packet(1, 1, [[24, "state3"]]).with(21, 0)],
      ["reply", packet(1, 1)],
      ["original", new Uint8Array(4096).fill(0xff)],
    ],
  },
];

const SESSIONS = 1000;
const HOSTILE = 500;

/** What each of the others heard, what was announced for it, and what was said of it. */
function othersOf({ helper, peaceful, hostile }: Case, attack: boolean): string[] {
  const balancer = makeBalancer([serviceFor(helper)], { perClient: 10, total: 10_000 });
  const all = Array.from({ length: SESSIONS }, (_, i) =>
    conversationOf(helper, { balancer, client: endpoint(`10.1.${i >> 8}.${i & 255}`, 40000) }),
  );
  for (const turn of [0, 1, 2]) {
    for (const [i, talk] of all.entries()) {
      if (i !== HOSTILE) talk.say(...peaceful(i)[turn]!);
      else if (attack) talk.say(...hostile[turn]!);
    }
  }
  const told = all.map((talk) =>
    JSON.stringify([
      talk.heard("original"),
      talk.heard("reply"),
      talk.announced.map(describe),
      talk.decisions.map(({ outcome, reason }) => `${outcome} ${reason}`),
    ]),
  );
  return told.toSpliced(HOSTILE, 1);
}

for (const one of cases) {
  t.test(
    `${one.helper.name}: of 1,000 sessions in turns one is hostile, and the other 999 do not differ`,
    async (t) => {
      const without = othersOf(one, false);
      t.ok(without.at(-1)!.includes(one.holds), one.holds);
      t.notMatch(without.join(), "fault ", "and nothing was wrong with them");
      t.ok(othersOf(one, true).join("\n") === without.join("\n"));
    },
  );
}
