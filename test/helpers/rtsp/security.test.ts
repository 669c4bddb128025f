import t from "tap";
import { agreed, failed, lines, ok, setup, talk, UDP, UDP_AGREED } from "./talk.ts";

const refusedSetups: [transport: string, reason: string][] = [
  ["RTP/AVP;unicast;client_port=4588-4589;destination=10.9.9.9", "bounce"],
  ["RTP/AVP;unicast;client_port=4588-4589;destination=192.168.0.2", "bounce"],
  ["RTP/AVP;unicast;client_port=4588-4589;destination=2001:db8::1", "family-mismatch"],
  ["RTP/AVP;unicast;client_port=4588-4589;destination=host.example", "bad-address"],
  ["RTP/AVP;unicast;destination=10.9.9.9", "bad-port"],
  ['RTP/AVP;unicast;dest_addr="10.9.9.9:4588"', "bounce"],
  [`${UDP},RTP/AVP;unicast;client_port=4588-4589;destination=10.9.9.9`, "bounce"],
  [`RTP/AVP;unicast;client_port=4588-4589;destination=10.9.9.9,${UDP}`, "bounce"],
  [`RTP/AVP;unicast;client_port=x,${UDP}`, "bad-port"],
  ["RTP/AVP;unicast;client_port=0-1", "port-zero"],
  ["RTP/AVP;unicast;client_port=22-23", "port-reserved"],
  ["RTP/AVP;unicast;client_port=1024-1023", "port-reserved"],
  ["RTP/AVP;unicast;client_port=65536-65537", "bad-port"],
  ["RTP/AVP;unicast;client_port=4294971884-4294971885", "bad-port"],
  ["RTP/AVP;unicast;client_port=-1", "bad-port"],
  [Array.from({ length: 9 }, (_, i) => `RTP/AVP;client_port=${2000 + i}`).join(","), "too-many-transports"],
];
for (const [transport, reason] of refusedSetups) {
  t.test(`refused, ${reason}: ${transport.slice(0, 80)}`, async (t) => {
    const rtsp = talk();
    t.equal(rtsp.client(setup(transport)), setup("x-refused"), "the server refuses it in its own words");
    t.same(rtsp.reasons("refused"), [reason]);
    t.equal(rtsp.balancer.related.size, 0);
    const no = lines("RTSP/1.0 461 Unsupported Transport", "CSeq: 1");
    t.equal(rtsp.server(no), no);
  });
}

// Found by the fuzzer: the server was asked for nothing, and its ports were let in.
t.test("an answer that takes up a SETUP that was refused opens nothing", async (t) => {
  const rtsp = talk();
  rtsp.client(setup("RTP/AVP;unicast;client_port=22-23"));
  t.equal(rtsp.server(agreed(UDP_AGREED)), failed("unsolicited"));
  t.same(rtsp.reasons("refused"), ["port-reserved", "unsolicited"]);
  t.equal(rtsp.balancer.related.size, 0);
});

t.test("1,000 SETUPs with destination= of a third party: 1,000 refusals, no entry", async (t) => {
  const rtsp = talk();
  for (let cseq = 0; cseq < 1000; cseq++) {
    rtsp.client(setup(`RTP/AVP;client_port=5000-5001;destination=10.9.${cseq >> 8}.${cseq & 255}`, cseq));
  }
  t.equal(rtsp.reasons("refused").length, 1000);
  t.equal(rtsp.balancer.related.size, 0);
});

t.test("a second Transport header hides nothing", async (t) => {
  const rtsp = talk();
  const heard = rtsp.client(setup(UDP, 4, "Transport: RTP/AVP;client_port=9000-9001;destination=10.9.9.9", "X: y"));
  t.notMatch(heard, "10.9.9.9");
  t.match(heard, /^SETUP .*\r\nCSeq: 4\r\nTransport: x-refused\r\nCSeq: 4\r\n\r\n$/);
  t.same(rtsp.reasons("refused"), ["several-transport-headers"]);
});

t.test("an answer that names another realserver as the source", async (t) => {
  const rtsp = talk();
  rtsp.client(setup(UDP));
  t.equal(rtsp.server(agreed(`${UDP_AGREED};source=192.168.0.3`)), failed("bounce"));
});

t.test("an answer that offers a reserved port, or a number that is none", async (t) => {
  for (const [ports, reason] of [
    ["22-23", "port-reserved"],
    ["70000", "bad-port"],
    ["x", "bad-port"],
  ]) {
    const rtsp = talk();
    rtsp.client(setup(UDP));
    t.equal(rtsp.server(agreed(`${UDP};server_port=${ports}`)), failed(reason!));
    t.same(rtsp.reasons("refused"), [reason]);
  }
});

t.test("an answer that nobody asked for sets nothing up, and its body stays its body", async (t) => {
  const rtsp = talk();
  t.equal(rtsp.server(agreed(UDP_AGREED, 77)), failed("unsolicited", 77));
  rtsp.client(lines("OPTIONS * RTSP/1.0", "CSeq: 1"));
  t.equal(rtsp.server(agreed(UDP_AGREED)), agreed(UDP_AGREED), "nor does one to another request");
  t.equal(rtsp.balancer.related.size, 0);
  const withBody = ok(9, `Transport: ${UDP_AGREED}`, "Content-Length: 4");
  t.equal(
    rtsp.server(`${withBody}body${ok(10)}`),
    `${failed("unsolicited", 9).trimEnd()}\r\nContent-Length: 4\r\n\r\nbody${ok(10)}`,
  );
});

t.test("a multicast group is no flow of the director", async (t) => {
  const rtsp = talk();
  rtsp.client(setup("RTP/AVP;multicast"));
  t.equal(rtsp.server(agreed("RTP/AVP;multicast;destination=239.77.0.1;ttl=3;port=5002-5003")), failed("multicast"));
  t.equal(rtsp.balancer.related.size, 0);
});

t.test("SETUP within a $ frame is data, at every offset", async (t) => {
  const rtsp = talk();
  rtsp.client(setup("RTP/AVP/TCP;interleaved=0-1"));
  for (let offset = 0; offset < 64; offset++) {
    const data = "x".repeat(offset) + setup(UDP);
    rtsp.client(`$\0\0${String.fromCharCode(data.length)}${data}`);
  }
  t.equal(rtsp.announced.length, 0);
  t.same(rtsp.reasons("fault"), []);
});

t.test(
  "NAT slipstreaming: an HTTP POST whose body is a SETUP at the start of a segment, whatever went before",
  async (t) => {
    const post = `POST / HTTP/1.1\r\nHost: 1.2.3.4:554\r\n\r\n${"x".repeat(1500)}`;
    for (let offset = 1; offset <= post.length; offset++) {
      const rtsp = talk();
      rtsp.client(post.slice(0, offset));
      rtsp.client(setup(UDP));
      // Cut within its first line that is one line with SETUP behind it, which is none.
      if (rtsp.announced.length > 0) t.fail(`an entry at offset ${offset}`);
    }
    const whole = talk();
    whole.client(post + setup(UDP));
    t.ok(whole.stream.detached);
    t.equal(whole.announced.length, 0);
  },
);

t.test("what does not open like RTSP is not read, in either direction", async (t) => {
  for (const opening of ["\x16\x03\x01\0\x05hello", "220 ready\r\n", "USER x\r\n"]) {
    const rtsp = talk();
    t.equal(rtsp.client(opening), opening);
    rtsp.client(setup(UDP));
    t.same(rtsp.reasons("fault"), ["not-rtsp"]);
    t.equal(rtsp.announced.length, 0);
  }
});

t.test("bytes that are no message: reading goes on at the next line that opens one", async (t) => {
  const rtsp = talk();
  rtsp.client(lines("OPTIONS * RTSP/1.0", "CSeq: 1"));
  t.equal(rtsp.client("nonsense \0\xff\r\nmore\r\n"), "nonsense \0\xff\r\nmore\r\n");
  rtsp.client(setup(UDP, 2));
  t.equal(rtsp.pending.length, 2);
  t.same(rtsp.reasons("fault"), ["stray-bytes"]);
});

t.test("a head of more bytes than may be held: a SETUP or an answer goes nowhere, anything else goes on", async (t) => {
  const filler = `X: ${"x".repeat(20_000)}\r\n`;
  const client = talk();
  const heard = client.client(`SETUP rtsp://h/a RTSP/1.0\r\nCSeq: 5\r\n${filler}`);
  t.equal(heard, "SETUP * RTSP/1.0\r\nCSeq: 5\r\nTransport: x-refused\r\n\r\n");
  t.equal(client.client(`Transport: ${UDP}\r\n\r\n${setup(UDP, 6)}`), setup(UDP, 6), "the rest is erased");
  t.same(client.reasons("refused"), ["head-too-long"]);

  const server = talk();
  t.equal(server.server(`RTSP/1.0 200 OK\r\nCSeq: 5\r\n${filler}`), failed("head-too-long", 5));
  t.equal(server.server(`X: y\r\n\r\n${ok(6)}`), ok(6));

  const options = talk();
  const long = `OPTIONS * RTSP/1.0\r\nContent-Length: 2\r\n${filler}\r\nab`;
  t.equal(options.client(long + setup(UDP)), long + setup(UDP));
  t.same(options.reasons("fault"), ["head-too-long"]);
  t.equal(options.pending.length, 2);
});

t.test("a SETUP that never ends is not let out when its time is up, nor at the end of the stream", async (t) => {
  const slow = talk();
  slow.client(setup(UDP).slice(0, -2));
  slow.wait(60_000);
  t.equal(slow.heard("original"), "SETUP * RTSP/1.0\r\nCSeq: 1\r\nTransport: x-refused\r\n\r\n");
  t.equal(slow.client(`\r\n${ok(3)}`), ok(3));
  const ended = talk();
  ended.client("SETUP rtsp://h/a RTS");
  ended.stream.end("original");
  t.equal(ended.heard("original"), "SETUP * RTSP/1.0\r\nTransport: x-refused\r\n\r\n");
  t.same(ended.reasons("refused"), ["unfinished"]);
});

t.test("a description whose rest does not come goes on, and what follows it is found", async (t) => {
  const rtsp = talk();
  const head = ok(1, "Content-Type: application/sdp", "Content-Length: 10");
  rtsp.server(`${head}v=0`);
  t.equal(rtsp.heard("reply"), "");
  rtsp.wait(60_000);
  t.equal(rtsp.heard("reply"), `${head}v=0`);
  t.equal(rtsp.server(`\r\n12345${ok(2)}`), `\r\n12345${ok(2)}`);
  t.same(rtsp.reasons("fault"), ["message-too-slow", "unfinished"]);
});

t.test("a Content-Length that is no number, or two that differ, is counted", async (t) => {
  const rtsp = talk();
  rtsp.client(lines("OPTIONS * RTSP/1.0", "Content-Length: -5") + setup(UDP));
  rtsp.client(lines("OPTIONS * RTSP/1.0", "Content-Length: 0", "Content-Length: 7"));
  t.same(rtsp.reasons("fault"), ["bad-content-length", "bad-content-length"]);
  t.equal(rtsp.pending.length, 2);
});

t.test("10,000 SETUPs without an answer: bounded entries, bounded memory of requests", async (t) => {
  const rtsp = talk();
  for (let cseq = 1; cseq <= 10_000; cseq++) rtsp.client(setup(`RTP/AVP;client_port=${1024 + 2 * cseq}`, cseq));
  t.equal(rtsp.pending.length, 32, "the limit of the helper");
  t.equal(rtsp.reasons("fault").filter((reason) => reason === "pipeline-too-deep").length, 10_000 - 64);
  t.equal(rtsp.server(agreed("RTP/AVP;client_port=1026;server_port=5000", 1)), failed("unsolicited", 1), "forgotten");
});

t.test("the control connection closes: what waits is gone", async (t) => {
  const rtsp = talk();
  rtsp.client(setup(UDP));
  rtsp.server(agreed(UDP_AGREED));
  t.equal(rtsp.pending.length, 4);
  rtsp.close();
  t.equal(rtsp.balancer.related.size, 0);
});

t.test("a bare CR ends no line, and a NUL no message: what stands behind them in a line is of that line", async (t) => {
  const rtsp = talk();
  const hidden = `OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: a\r\rSETUP rtsp://h/a RTSP/1.0\rTransport: ${UDP}\r\0\r\n\r\n`;
  t.equal(rtsp.client(hidden), hidden);
  t.equal(rtsp.announced.length, 0);
  t.equal(rtsp.client(setup(UDP, 2)), setup(UDP, 2), "and the next message is found");
  t.equal(rtsp.pending.length, 2);
});

t.test("SETUP in a URI, in a header, in a reason phrase and in a description sets nothing up", async (t) => {
  const rtsp = talk();
  const line = `SETUP rtsp://h/a RTSP/1.0 Transport: ${UDP}`;
  rtsp.client(lines(`DESCRIBE rtsp://h/${line} RTSP/1.0`, "CSeq: 1", `User-Agent: ${line}`));
  const body = setup(UDP);
  rtsp.server(`${lines(`RTSP/1.0 200 ${line}`, "CSeq: 1", `Content-Length: ${body.length}`)}${body}`);
  t.equal(rtsp.balancer.related.size, 0);
  t.same(rtsp.reasons("fault"), []);
});

t.test("a second answer to one SETUP sets nothing up", async (t) => {
  const rtsp = talk();
  rtsp.client(setup(UDP));
  rtsp.server(agreed(UDP_AGREED));
  t.equal(rtsp.server(agreed(`${UDP};server_port=7000-7001`)), failed("unsolicited"));
  t.equal(rtsp.pending.length, 4);
});

t.test("what a client proves itself with is told to nobody, not even when its SETUP is refused", async (t) => {
  const rtsp = talk();
  const proof = 'Authorization: Digest username="canary", response="canary"';
  rtsp.client(setup(UDP, 1, proof));
  rtsp.server(lines("RTSP/1.0 401 Unauthorized", "CSeq: 1", 'WWW-Authenticate: Digest nonce="canary"'));
  rtsp.client(setup("RTP/AVP;client_port=22", 2, proof));
  t.same(rtsp.reasons("refused"), ["port-reserved"]);
  t.notMatch(JSON.stringify(rtsp.decisions.map(({ message, reason }) => [message, reason])), /canary/);
});
