import t from "tap";
import { rtsp } from "../../../helpers/rtsp/helper.ts";
import { reasons } from "../../../helpers/rtsp/reasons.ts";
import { endpoint } from "../../addresses.ts";
import { holdsContract, inspect } from "../../contract.ts";
import { agreed, asSockets, failed, lines, ok, STREAM, setup, talk, UDP, UDP_AGREED } from "./talk.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const DESCRIPTION = lines(
  "v=0",
  "o=- 1 1 IN IP4 192.168.0.2",
  "c=IN IP4 192.168.0.2",
  "a=control:rtsp://192.168.0.2/a",
);

holdsContract(
  t,
  rtsp,
  [
    setup(UDP),
    agreed(UDP_AGREED),
    setup(`${UDP},RTP/AVP/TCP;interleaved=0-1`, 2),
    agreed("RTP/AVP/TCP;interleaved=0-1", 2),
    setup("RTP/AVP;unicast;client_port=4588-4589;destination=10.0.0.5", 3),
    setup("RTP/AVP;client_port=1-2", 4, "Transport: RTP/AVP;client_port=3-4"),
    agreed("RTP/AVP;multicast;destination=239.0.0.1;port=5000-5001", 5),
    lines("TEARDOWN rtsp://1.2.3.4/a RTSP/1.0", "CSeq: 6", "Session: 12345678"),
    lines("DESCRIBE rtsp://1.2.3.4/a RTSP/1.0", "CSeq: 7"),
    ok(
      7,
      "Content-Base: rtsp://192.168.0.2/a",
      "Content-Type: application/sdp",
      `Content-Length: ${DESCRIPTION.length}`,
    ) + DESCRIPTION,
    ok(8),
    lines("RTSP/1.0 454 no", "CSeq: 1"),
    "$\0\0\x05hello",
    "\r\n\r\n",
    `SETUP rtsp://h/${"x".repeat(17_000)} RTSP/1.0\r\nCSeq: 9\r\nContent-Length: 3\r\n\r\nabc`,
    `RTSP/1.0 200 OK\r\nCSeq: 9\r\nX: ${"x".repeat(17_000)}\r\n\r\n`,
    `OPTIONS * RTSP/1.0\r\nX: ${"x\r\n".repeat(6_000)}\r\n`,
    "nonsense\r\n",
    "GET /a HTTP/1.0\r\n\r\n",
  ].map(bytes),
  250,
);

t.test("a head that is not complete is held, and one message a call is consumed", async (t) => {
  const { consumed, recorder } = inspect(rtsp, bytes(setup(UDP).slice(0, -1)));
  t.same({ consumed, empty: recorder.empty }, { consumed: 0, empty: true });
  t.equal(inspect(rtsp, bytes(setup(UDP) + setup(UDP, 2))).consumed, setup(UDP).length);
});

// --- the flows of a stream -------------------------------------------------------------------------------------------

t.test("SETUP and its answer: RTP and RTCP, both ways", async (t) => {
  const rtsp = talk();
  t.equal(rtsp.client(setup(UDP)), setup(UDP), "LVS-NAT leaves the client's ports as they are");
  t.same(rtsp.pending, STREAM.slice(0, 2));
  t.equal(rtsp.server(agreed(UDP_AGREED)), agreed(UDP_AGREED));
  t.same(rtsp.pending, STREAM);
  t.same(rtsp.reasons("settled"), ["accepted"]);
});

t.test(
  "a host with ports of its own: each side is told those of its own side, and reads back what it said",
  async (t) => {
    const rtsp = talk({ seen: asSockets });
    const asked = "RTP/AVP;unicast;destination=10.0.0.5;client_port=4588-4589;mode=play";
    t.equal(
      rtsp.client(setup(asked)),
      setup("RTP/AVP;unicast;destination=192.168.0.1;client_port=24588-24589;mode=play"),
    );
    t.equal(
      rtsp.server(
        agreed(
          "RTP/AVP;unicast;destination=192.168.0.1;source=192.168.0.2;client_port=24588-24589;server_port=6256-6257;ssrc=1",
        ),
      ),
      agreed(
        "RTP/AVP;unicast;destination=10.0.0.5;source=1.2.3.4;client_port=4588-4589;server_port=16256-16257;ssrc=1",
      ),
    );
    t.equal(rtsp.pending.length, 4);
  },
);

t.test("RFC 7826: dest_addr and src_addr", async (t) => {
  const rtsp = talk({ seen: asSockets });
  t.equal(
    rtsp.client(setup('RTP/AVP;unicast;dest_addr=":4588"/":4589"')),
    setup('RTP/AVP;unicast;dest_addr=":24588"/":24589"'),
  );
  t.equal(
    rtsp.server(
      agreed('RTP/AVP;dest_addr="192.168.0.1:24588"/"192.168.0.1:24589";src_addr="192.168.0.2:6256"/":6257"'),
    ),
    agreed('RTP/AVP;dest_addr="10.0.0.5:4588"/"10.0.0.5:4589";src_addr="1.2.3.4:16256"/":16257"'),
  );
  t.equal(rtsp.pending.length, 4);
});

t.test("towards a receiver of the other family an address in dest_addr has brackets", async (t) => {
  const rtsp = talk({ seen: ({ target }) => endpoint("fd00::1", target.port) });
  t.equal(rtsp.client(setup('RTP/AVP;dest_addr="10.0.0.5:4588"')), setup('RTP/AVP;dest_addr="[fd00::1]:4588"'));
});

t.test("one port: RTP alone (RTP/GNSS), and an odd base is as good as an even one", async (t) => {
  const one = talk();
  one.client(setup("RTP/GNSS;unicast;client_port=64945"));
  one.server(agreed("RTP/GNSS;unicast;client_port=64945;server_port=58547"));
  t.same(one.pending, [
    "rtsp-rtp 192.168.0.2:any -> 10.0.0.5:64945 => 10.0.0.5:64945",
    "rtsp-rtp 10.0.0.5:any -> 1.2.3.4:58547 => 192.168.0.2:58547",
  ]);
  const odd = talk();
  odd.client(setup(UDP));
  odd.server(agreed(`${UDP};server_port=58547-58548`));
  t.match(odd.pending[2], /=> 192\.168\.0\.2:58547$/);
});

// Announced twice, it took its own place, and the answer was refused.
t.test("a server that has media and reports on one port: one flow", async (t) => {
  const rtsp = talk({ seen: asSockets });
  rtsp.client(setup(UDP));
  const said = (port: number, source: string) => agreed(`${UDP};source=${source};server_port=${port}-${port}`);
  t.equal(rtsp.server(said(6256, "192.168.0.2").replaceAll("4588-4589", "24588-24589")), said(16256, "1.2.3.4"));
  t.match(rtsp.pending.slice(2), [/^rtsp-rtp .* => 192\.168\.0\.2:6256$/]);
});

t.test("0.0.0.0 as source stands for the realserver", async (t) => {
  const rtsp = talk();
  rtsp.client(setup(UDP));
  const said = (source: string) => agreed(`${UDP};source=${source};server_port=6256-6257`);
  t.equal(rtsp.server(said("0.0.0.0")), said("1.2.3.4"));
  t.equal(rtsp.pending.length, 4);
});

t.test("strict: the client's datagrams come from the port that it named", async (t) => {
  const rtsp = talk({ strict: true });
  rtsp.client(setup(UDP));
  rtsp.server(agreed(UDP_AGREED));
  t.match(rtsp.pending[2], /^rtsp-rtp 10\.0\.0\.5:4588 -> /);
});

t.test("several transports: each end once, and of them only what the answer takes up", async (t) => {
  const offers =
    "x-real-rdt/udp;client_port=6970;mode=play, x-pn-tng/udp;client_port=6970;mode=play, " +
    "RTP/AVP;unicast;client_port=6970-6971;mode=play, x-pn-tng/tcp;mode=play, RTP/AVP/TCP;unicast;mode=play";
  const rtsp = talk();
  t.equal(rtsp.client(setup(offers)), setup(offers));
  t.equal(rtsp.pending.length, 2);
  rtsp.server(agreed("x-real-rdt/udp;client_port=6970;server_port=29332"));
  t.same(rtsp.pending, [
    "rtsp-rtp 192.168.0.2:any -> 10.0.0.5:6970 => 10.0.0.5:6970",
    "rtsp-rtp 10.0.0.5:any -> 1.2.3.4:29332 => 192.168.0.2:29332",
  ]);
});

t.test("interleaved makes no entry, and takes back what was offered beside it", async (t) => {
  const rtsp = talk();
  rtsp.client(
    setup("RTP/AVP/TCP;unicast;client_port=4588-4589;interleaved=0-1,RTP/AVP;multicast;client_port=5000-5001"),
  );
  t.same(rtsp.pending, []);
  rtsp.client(setup(`${UDP},RTP/AVP/TCP;unicast;interleaved=2-3`, 2));
  t.equal(rtsp.pending.length, 2);
  const odd = "RTP/AVP/TCP;unicast;destination=255.255.255.255;server_port=5004-5005;interleaved=2-3";
  rtsp.server(agreed("RTP/AVP/TCP;unicast;interleaved=0-1") + agreed(odd, 2));
  t.same(rtsp.pending, []);
  t.same(rtsp.reasons("refused"), []);
});

t.test("an answer without Transport or server_port leaves the client's ends open", async (t) => {
  for (const answer of [ok(1, "Session: 1"), agreed("RTP/AVP;unicast")]) {
    const rtsp = talk();
    rtsp.client(setup(UDP));
    rtsp.server(answer);
    t.same(rtsp.pending, STREAM.slice(0, 2));
  }
});

t.test("a server that says no: nothing stays", async (t) => {
  for (const status of ["400 Bad", "461 Unsupported Transport", "302 Moved", "500 Oops"]) {
    const rtsp = talk();
    rtsp.client(setup(UDP));
    rtsp.server(lines(`RTSP/1.0 ${status}`, "CSeq: 1"));
    t.same(rtsp.pending, [], status);
    t.same(rtsp.reasons("settled"), ["rejected"]);
  }
});

t.test("100 Continue settles nothing", async (t) => {
  const rtsp = talk();
  rtsp.client(setup(UDP));
  rtsp.server(lines("RTSP/1.0 100 Continue", "CSeq: 1"));
  t.same(rtsp.reasons("settled"), []);
  rtsp.server(agreed(UDP_AGREED));
  t.equal(rtsp.pending.length, 4);
});

t.test(
  "a host that has no ports: the client gets a failure it falls back from, the server one that it makes",
  async (t) => {
    const client = talk({ seen: (entry) => (entry.opener === "reply" ? entry.target : null) });
    client.client(setup(UDP));
    t.equal(client.server(agreed(UDP_AGREED)), failed("unavailable"));
    const server = talk({ seen: () => null });
    t.equal(server.client(setup(UDP)), setup("x-refused"));
    t.same(server.pending, []);
  },
);

// --- pairing ----------------------------------------------------------------------------------------------------------

t.test("pipelined SETUPs: answers find theirs by CSeq, in any order", async (t) => {
  const rtsp = talk();
  rtsp.client(setup(UDP, 7) + setup("RTP/AVP;unicast;client_port=4590-4591", 8));
  rtsp.server(agreed("RTP/AVP;unicast;client_port=4590-4591;server_port=7000-7001", 8));
  rtsp.server(lines("RTSP/1.0 404 Not Found", "CSeq: 7"));
  t.same(
    rtsp.pending.map((entry) => entry.slice(entry.indexOf("=> "))),
    ["=> 10.0.0.5:4590", "=> 10.0.0.5:4591", "=> 192.168.0.2:7000", "=> 192.168.0.2:7001"],
  );
});

t.test("without CSeq an answer belongs to the oldest request", async (t) => {
  const rtsp = talk();
  rtsp.client(lines("OPTIONS * RTSP/1.0") + lines("SETUP rtsp://h/a RTSP/1.0", `Transport: ${UDP}`));
  rtsp.server(lines("RTSP/1.0 200 OK") + lines("RTSP/1.0 200 OK", `Transport: ${UDP_AGREED}`));
  t.same(rtsp.pending, STREAM);
});

t.test("header names in any case, folded values, LF alone", async (t) => {
  const rtsp = talk();
  rtsp.client("setup rtsp://h/a RTSP/1.0\ncseq:1\nTRANSPORT: RTP/AVP;unicast\n ;client_port=4588-4589\n\n");
  rtsp.server(`RTSP/1.0 200 OK\ncSEQ :1\ntransport:${UDP_AGREED}\n\n`);
  t.same(rtsp.pending, STREAM);
});

t.test("requests of the server, and the client's answers to them, announce nothing and mix nothing up", async (t) => {
  const rtsp = talk();
  rtsp.client(setup(UDP));
  rtsp.server(
    lines("ANNOUNCE rtsp://h/a RTSP/1.0", "CSeq: 1") +
      lines("SETUP rtsp://h/a RTSP/1.0", "CSeq: 2", `Transport: ${UDP}`),
  );
  rtsp.client(ok(1) + ok(2, `Transport: ${UDP_AGREED}`));
  t.same(rtsp.pending, STREAM.slice(0, 2));
  rtsp.server(agreed(UDP_AGREED));
  t.same(rtsp.pending, STREAM);
  t.same(rtsp.reasons("refused"), []);
});

// --- sessions ---------------------------------------------------------------------------------------------------------

/** Two streams in session A, one in session B, on ports 5000, 5010 and 5020. */
function threeStreams() {
  const rtsp = talk();
  for (const [cseq, session, stream] of [
    [1, "A", "a/1"],
    [2, "A", "a/2"],
    [3, "B", "b/1"],
  ] as const) {
    const transport = `RTP/AVP;unicast;client_port=${4990 + cseq * 10}`;
    rtsp.client(lines(`SETUP rtsp://h/${stream} RTSP/1.0`, `CSeq: ${cseq}`, `Transport: ${transport}`));
    rtsp.server(agreed(`${transport};server_port=${6000 + cseq}`, cseq, `${session};timeout=60`));
  }
  const clientPorts = () => rtsp.pending.filter((entry) => entry.includes("=> 10.")).map((entry) => entry.slice(-4));
  return { rtsp, clientPorts };
}
const teardown = (uri: string, session: string): string =>
  lines(`TEARDOWN ${uri} RTSP/1.0`, "CSeq: 9", `Session: ${session}`);

t.test("TEARDOWN takes back the entries of its Session only, and when the server agrees", async (t) => {
  const { rtsp, clientPorts } = threeStreams();
  t.same(clientPorts(), ["5000", "5010", "5020"]);
  rtsp.client(teardown("rtsp://h/a/", "A"));
  t.same(clientPorts(), ["5000", "5010", "5020"]);
  rtsp.server(ok(9));
  t.same(clientPorts(), ["5020"]);
  t.equal(rtsp.pending.length, 2, "both ways");
});

t.test("TEARDOWN of one stream of a Session leaves the others", async (t) => {
  const { rtsp, clientPorts } = threeStreams();
  rtsp.client(teardown("rtsp://h/a/2", "A"));
  rtsp.server(ok(9));
  t.same(clientPorts(), ["5000", "5020"]);
});

t.test("TEARDOWN that is refused, or of a Session that nobody has, takes nothing back", async (t) => {
  const { rtsp, clientPorts } = threeStreams();
  rtsp.client(teardown("rtsp://h/a", "A"));
  rtsp.server(lines("RTSP/1.0 401 Unauthorized", "CSeq: 9"));
  rtsp.client(teardown("rtsp://h/a", "C"));
  rtsp.server(ok(9));
  t.same(clientPorts(), ["5000", "5010", "5020"]);
});

// --- frames and bodies ------------------------------------------------------------------------------------------------

t.test("$ frames are passed on by their length, in parts too, and nothing of them is held", async (t) => {
  const rtsp = talk();
  rtsp.client(setup("RTP/AVP/TCP;interleaved=0-1"));
  rtsp.server(agreed("RTP/AVP/TCP;interleaved=0-1"));
  const frame = `$\0\xff\xff${"y".repeat(65_535)}`;
  t.equal(rtsp.server(frame.slice(0, 3)), "", "its length is not there yet");
  t.equal(rtsp.server(frame.slice(3, 30_000)), frame.slice(0, 30_000));
  t.equal(rtsp.server(`${frame.slice(30_000)}$\x01\0\0${ok(5)}`), `${frame.slice(30_000)}$\x01\0\0${ok(5)}`);
  t.same(rtsp.reasons("fault"), []);
});

t.test("the body of a message is passed over by its length, however long", async (t) => {
  const rtsp = talk();
  const body = setup(UDP, 3).repeat(300);
  rtsp.client(
    lines("SET_PARAMETER rtsp://h/a RTSP/1.0", "CSeq: 1", `Content-Length: ${body.length}`) + body + setup(UDP, 2),
  );
  t.equal(rtsp.announced.length, 2);
});

t.test("empty lines between messages are none", async (t) => {
  const rtsp = talk();
  t.equal(rtsp.client(`\r\n\n${setup(UDP)}`), `\r\n\n${setup(UDP)}`);
  t.equal(rtsp.pending.length, 2);
});

// --- addresses --------------------------------------------------------------------------------------------------------

const described = (base: string, description: string): string =>
  ok(
    1,
    `Content-Base: ${base}`,
    "Content-Type: application/sdp; charset=utf-8",
    `Content-Length: ${description.length}`,
    "X-Behind: x",
  ) + description;

t.test("a description names the VIP, and Content-Length follows", async (t) => {
  const rtsp = talk();
  rtsp.client(lines("DESCRIBE rtsp://1.2.3.4/a RTSP/1.0", "CSeq: 1"));
  const heard = DESCRIPTION.replaceAll("192.168.0.2", "1.2.3.4");
  t.equal(heard.length, DESCRIPTION.length - 12);
  t.equal(rtsp.server(described("rtsp://192.168.0.2/a/", DESCRIPTION)), described("rtsp://1.2.3.4/a/", heard));
  t.equal(rtsp.server(ok(2)), ok(2), "and the next message is found");
});

t.test("a description that names nobody here goes on as it is, and one that is too long, with a fault", async (t) => {
  const rtsp = talk();
  const other = lines("v=0", "c=IN IP4 0.0.0.0");
  t.equal(rtsp.server(described("a/", other)), described("a/", other));
  const long = DESCRIPTION + "a=x\r\n".repeat(4000);
  t.equal(rtsp.server(described("rtsp://192.168.0.2/a/", long)), described("rtsp://1.2.3.4/a/", long));
  t.same(rtsp.reasons("fault"), ["body-too-long"]);
  t.equal(rtsp.server(ok(2)), ok(2));
});

t.test("a client that announces a description names the realserver, where it means the VIP", async (t) => {
  const said = (host: string) => {
    const body = lines("v=0", "o=- 1 1 IN IP4 10.0.0.5", `c=IN IP4 ${host}`);
    return `${lines("ANNOUNCE rtsp://1.2.3.4/a RTSP/1.0", "CSeq: 1", "Content-Type: application/sdp", `Content-Length: ${body.length}`)}${body}`;
  };
  t.equal(talk().client(said("1.2.3.4")), said("192.168.0.2"));
});

t.test("Location and RTP-Info name the VIP; the request's own URI stays, which a digest covers", async (t) => {
  const rtsp = talk();
  const moved = (host: string) => lines("RTSP/1.0 302 Moved", "CSeq: 1", `Location: rtsp://${host}:554/b`);
  t.equal(rtsp.server(moved("192.168.0.2")), moved("1.2.3.4").replace(":554", ""));
  const info = (host: string) => ok(2, `RTP-Info: url=rtsp://${host}/a;seq=1, url=rtsp://${host}/b;seq=2`);
  t.equal(rtsp.server(info("192.168.0.2")), info("1.2.3.4"));
  const play = lines("PLAY rtsp://1.2.3.4/a RTSP/1.0", "CSeq: 3");
  t.equal(rtsp.client(play), play);
});

// --- what it is not ---------------------------------------------------------------------------------------------------

t.test("RTSP within HTTP is recognised, and left alone", async (t) => {
  const rtsp = talk();
  rtsp.client("GET /a HTTP/1.0\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n");
  t.ok(rtsp.stream.detached);
  t.same(rtsp.reasons("note"), ["http-tunnel"]);
  t.same(rtsp.reasons("fault"), []);
});

t.test("found by how it opens, on any port: a request or an answer, and nothing else", async (t) => {
  const detect = (original: string, reply = "") => rtsp.detect!({ original: bytes(original), reply: bytes(reply) });
  t.equal(detect("OPTIONS * RTSP/1.0\r\n"), true);
  t.equal(detect("", "RTSP/1.0 200 OK\r\n"), true);
  t.equal(detect("RTSP/1.0 200 OK\r\n"), false, "a client does not answer first");
  t.equal(detect("", "OPTIONS * RTSP/1.0\r\n"), false);
  t.equal(detect("OPTIONS rtsp://h"), null);
  t.equal(detect("GET / HTTP/1.1\r\n"), false);
  t.equal(detect("\x16\x03"), false);
  t.equal(detect("", "220 ready\r\n"), false);
  t.equal(detect(`OPTIONS ${"x".repeat(600)}`), false);
});

t.test("every code that the helper has is explained", async (t) => {
  for (const [code, text] of Object.entries(reasons)) t.ok(/^[a-z-]+$/.test(code) && text.length > 10, code);
});
