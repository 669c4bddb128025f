import t from "tap";
import { bytesOf } from "../../../core/wire/text.ts";
import { descriptionEdits, type Names, urlEdits } from "../../../helpers/rtsp/names.ts";
import { isMulticast, parseTransports } from "../../../helpers/rtsp/transport.ts";
import { cseqOf, mayOpen, parseFirstLine, parseHead, sessionOf } from "../../../helpers/rtsp/wire.ts";
import { address, endpoint } from "../../addresses.ts";

const first = (line: string) => parseFirstLine(bytesOf(`${line}\n`), line.length);

const firstLines: [line: string, read: ReturnType<typeof parseFirstLine>][] = [
  ["SETUP rtsp://h/a RTSP/1.0\r", { method: "SETUP", uri: "rtsp://h/a" }],
  ["setup rtsp://h/a rtsp/2.0", { method: "SETUP", uri: "rtsp://h/a" }],
  ["OPTIONS * RTSP/1.0", { method: "OPTIONS", uri: "*" }],
  ["SETUP  rtsp://h/a b  RTSP/1.0", { method: "SETUP", uri: "rtsp://h/a b" }],
  ["RTSP/1.0 200 OK\r", { status: 200 }],
  ["RTSP/1.0  454", { status: 454 }],
  ["GET /a HTTP/1.1\r", "http"],
  ["RTSP/1.0 2000 OK", null],
  ["RTSP/1.0 20x OK", null],
  ["RTSP/1.0", null],
  ["SETUP RTSP/1.0", null],
  ["SETUP  RTSP/1.0", null],
  ["SETUP rtsp://h/a", null],
  ["SETUP rtsp://h/a RTSP/x", null],
  [" SETUP rtsp://h/a RTSP/1.0", null],
  ["SET:UP rtsp://h/a RTSP/1.0", null],
  [`${"A".repeat(33)} rtsp://h/a RTSP/1.0`, null],
  ["", null],
];
for (const [line, read] of firstLines) {
  t.test(`first line: ${JSON.stringify(line)}`, async (t) => {
    t.same(first(line), read);
    if (read !== null) {
      for (let length = 0; length <= line.length; length++) t.ok(mayOpen(bytesOf(line.slice(0, length))), `${length}`);
    }
  });
}

t.test("what cannot become a first line is known before its end", async (t) => {
  for (const said of ["\x16\x03\x01", "220 ready", " SETUP", "SET:", "A".repeat(33), "RTXP/1.0"]) {
    t.notOk(mayOpen(bytesOf(said)), said);
  }
});

t.test("CSeq, Session without its timeout, and the length of the body", async (t) => {
  const bytes = bytesOf("RTSP/1.0 200 OK\r\nSession: 12ab ;timeout=60\r\nContent-length: 12\r\nCSeq: 3\r\n\r\n");
  const head = parseHead(bytes, bytes.length);
  t.same([cseqOf(head), sessionOf(head), head.body], [3, "12ab", 12]);
  const bare = parseHead(bytesOf("A * RTSP/1.0\n\n"), 14);
  t.same([cseqOf(bare), sessionOf(bare), bare.body], [null, "", 0]);
});

const transports = (value: string) => {
  const bytes = bytesOf(`x${value}`);
  const specs = parseTransports(bytes, { start: 1, end: bytes.length });
  if (typeof specs === "string") return specs;
  return specs.map(({ interleaved, multicast, client, server, group }) => {
    const side = ({ ports, addresses }: typeof client) =>
      [
        ...ports.map(({ port, start, end }) => `${port}=${value.slice(start - 1, end - 1)}`),
        ...addresses.map((at) => `${at.address}=${value.slice(at.start - 1, at.end - 1)}`),
      ].join(" ");
    const flags = `${interleaved ? "tcp " : ""}${multicast ? "multicast " : ""}`;
    return `${flags}${side(client)} | ${side(server)} | ${group.map(({ port }) => port)}`;
  });
};

const headers: [value: string, read: string[] | string][] = [
  ["RTP/AVP;unicast;client_port=4588-4589", ["4588=4588 4589=4589 |  | "]],
  ["RTP/AVP;unicast;client_port=4588/4589", ["4588=4588 4589=4589 |  | "]],
  ["RTP/GNSS;unicast;client_port=64945", ["64945=64945 |  | "]],
  [
    "RTP/AVP;unicast;client_port=1024-1025;server_port=58547-58548;source=192.168.0.2;destination=10.0.0.5;ssrc=AB",
    ["1024=1024 1025=1025 10.0.0.5=10.0.0.5 | 58547=58547 58548=58548 192.168.0.2=192.168.0.2 | "],
  ],
  ["RTP/AVP/TCP;unicast;interleaved=0-1", ["tcp  |  | "]],
  ["RTP/AVP;unicast;interleaved=0-1", ["tcp  |  | "]],
  [
    'RTP/AVP;multicast;destination=239.77.0.1;ttl=3;port=5002-5003;mode="PLAY"',
    ["multicast 239.77.0.1=239.77.0.1 |  | 5002,5003"],
  ],
  [
    "x-real-rdt/udp;client_port=6970;mode=play, x-pn-tng/udp;client_port=6970, rtp/avp;unicast;client_port=6970-6971, x-pn-tng/tcp",
    ["6970=6970 |  | ", "6970=6970 |  | ", "6970=6970 6971=6971 |  | ", "tcp  |  | "],
  ],
  ["RTP/AVP\r\n ;CLIENT_PORT = 1024 -1025", "bad-port"],
  ["RTP/AVP\r\n ;CLIENT_PORT = 1024-1025 ", ["1024=1024 1025=1025 |  | "]],
  [
    'RTP/AVP;dest_addr="10.0.0.5:3456"/":3457";src_addr="[2001:db8::1]:5000"/"[2001:db8::1]:5001"',
    [
      "3456=3456 3457=3457 10.0.0.5=10.0.0.5 | 5000=5000 5001=5001 2001:db8::1=[2001:db8::1] 2001:db8::1=[2001:db8::1] | ",
    ],
  ],
  ['RTP/AVP;mode="a,b;client_port=1";client_port=2000', ["2000=2000 |  | "]],
  ["RTP/AVP;destination=host.example;client_port=2000", ["2000=2000 null=host.example |  | "]],
  ["RTP/AVP;client_port", [" |  | "]],
  ["RTP/AVP;client_port=", "bad-port"],
  ["RTP/AVP;client_port=-1", "bad-port"],
  ["RTP/AVP;client_port=1-", "bad-port"],
  ["RTP/AVP;client_port=1-2-3", "bad-port"],
  ["RTP/AVP;client_port=65536", "bad-port"],
  ["RTP/AVP;client_port=99999999999999999999", "bad-port"],
  ["RTP/AVP;client_port=0x400", "bad-port"],
  ["RTP/AVP;client_port=1024-1025;client_port=22", "too-many-ports"],
  ['RTP/AVP;dest_addr=":1"/":2"/":3"', "too-many-ports"],
  ['RTP/AVP;dest_addr=":x"', "bad-port"],
  ["a,".repeat(17), "too-many-transports"],
  [" , ;, ", [" |  | "]],
];
for (const [value, read] of headers) {
  t.test(`Transport: ${JSON.stringify(value.slice(0, 90))}`, async (t) => t.same(transports(value), read));
}

t.test("multicast addresses of both families", async (t) => {
  t.same(["224.0.0.1", "239.255.0.1", "ff02::1"].map(address).map(isMulticast), [true, true, true]);
  t.same(["223.0.0.1", "240.0.0.1", "fe80::1"].map(address).map(isMulticast), [false, false, false]);
});

const NAMES: Names = { own: endpoint("192.168.0.2", 554), shown: endpoint("1.2.3.4", 554) };
const OTHER_PORT: Names = { own: endpoint("192.168.0.2", 8554), shown: endpoint("1.2.3.4", 10554) };
const SIXTH: Names = { own: endpoint("192.168.0.2", 554), shown: endpoint("2001:db8::4", 554) };

function edited(text: string, edits: readonly { start: number; end: number; text: string }[]): string {
  let out = "";
  let from = 0;
  for (const { start, end, text: by } of edits) {
    out += text.slice(from, start) + by;
    from = end;
  }
  return out + text.slice(from);
}

const urls: [text: string, names: Names, written: string][] = [
  ["rtsp://192.168.0.2/a/", NAMES, "rtsp://1.2.3.4/a/"],
  ["rtsp://192.168.0.2:554/a/", NAMES, "rtsp://1.2.3.4/a/"],
  ["RTSPU://192.168.0.2", NAMES, "RTSPU://1.2.3.4"],
  ["url=rtsp://192.168.0.2/a;seq=1,url=rtsp://192.168.0.2/b", NAMES, "url=rtsp://1.2.3.4/a;seq=1,url=rtsp://1.2.3.4/b"],
  ["rtsp://192.168.0.2:8554/a/", OTHER_PORT, "rtsp://1.2.3.4:10554/a/"],
  ["rtsp://192.168.0.2:7070/a/", OTHER_PORT, "rtsp://1.2.3.4:7070/a/"],
  ["rtsp://192.168.0.2/a/", OTHER_PORT, "rtsp://1.2.3.4/a/"],
  ["rtsp://192.168.0.2/a/", SIXTH, "rtsp://[2001:db8::4]/a/"],
  ["rtsp://192.168.0.20/a/", NAMES, "rtsp://192.168.0.20/a/"],
  ["rtsp://192.168.0.3/192.168.0.2", NAMES, "rtsp://192.168.0.3/192.168.0.2"],
  ["http://192.168.0.2/a/", NAMES, "http://192.168.0.2/a/"],
  ["trackID=3;x=://", NAMES, "trackID=3;x=://"],
  [`rtsp://[${"1".repeat(100)}`, NAMES, `rtsp://[${"1".repeat(100)}`],
];
for (const [text, names, written] of urls) {
  t.test(`URL: ${text.slice(0, 60)}`, async (t) => {
    t.equal(edited(text, urlEdits(bytesOf(text), { start: 0, end: text.length }, names)), written);
  });
}

t.test("a description: o=, c= and a=control where they name the server, and nothing else", async (t) => {
  const text = [
    "v=0",
    "o=- 1 1 IN IP4 192.168.0.2",
    "s=192.168.0.2 IN IP4 192.168.0.2",
    "c=IN IP4 192.168.0.2/127",
    "a=control:rtsp://192.168.0.2/a",
    "a=x:rtsp://192.168.0.2/a",
    "c=IN IP4 0.0.0.0",
    "c=IN",
    "o=IN IP4 192.168.0.2",
    "",
  ].join("\r\n");
  const written = (names: Names) =>
    edited(text, descriptionEdits(bytesOf(text), { start: 0, end: text.length }, names));
  const changed = (names: Names) =>
    written(names)
      .split("\r\n")
      .filter((line) => !text.split("\r\n").includes(line));
  t.same(changed(NAMES), ["o=- 1 1 IN IP4 1.2.3.4", "c=IN IP4 1.2.3.4/127", "a=control:rtsp://1.2.3.4/a"]);
  t.same(changed(SIXTH).slice(0, 2), ["o=- 1 1 IN IP6 2001:db8::4", "c=IN IP6 2001:db8::4/127"]);
});
