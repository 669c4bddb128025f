import t from "tap";
import type { Helper } from "../../../core/helper/api.ts";
import { sip } from "../../../helpers/sip/helper.ts";
import { reasons } from "../../../helpers/sip/reasons.ts";
import { endpoint } from "../../addresses.ts";
import { holdsContract } from "../../contract.ts";
import { type ConversationOptions, conversationOf } from "../../conversation.ts";

const overUdp: Helper = { ...sip, transport: "udp" };
const tcp = (options: ConversationOptions = {}) => conversationOf(sip, options);
const udp = (options: ConversationOptions = {}) => conversationOf(overUdp, options);
const both = [
  ["tcp", tcp],
  ["udp", udp],
] as const;

const lines = (...said: string[]): string => said.map((line) => `${line}\r\n`).join("");
const message = (first: string, body = "", ...headers: string[]): string => {
  const described = body === "" ? [] : ["Content-Type: application/sdp"];
  return `${lines(first, "Call-ID: a@10.0.0.5", ...headers, ...described, `Content-Length: ${body.length}`)}\r\n${body}`;
};
const description = (host: string, ...streams: string[]): string =>
  lines("v=0", "o=- 1 1 IN IP4 10.9.9.9", `c=IN IP4 ${host}`, "t=0 0", ...streams);

const invite = (body = "", ...headers: string[]): string =>
  message("INVITE sip:bob@1.2.3.4 SIP/2.0", body, "CSeq: 1 INVITE", ...headers);
const answer = (status: string, body = "", method = "INVITE"): string =>
  message(`SIP/2.0 ${status}`, body, `CSeq: 1 ${method}`);

const AUDIO = "m=audio 6000 RTP/AVP 0 8";
const OFFER = description("10.0.0.5", AUDIO);
const ANSWER = description("192.168.0.2", "m=audio 16000 RTP/AVP 0");
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

holdsContract(
  t,
  sip,
  [
    invite(OFFER),
    answer("200 OK", ANSWER),
    answer("486 Busy"),
    answer("100 Trying"),
    message("BYE sip:bob@1.2.3.4 SIP/2.0", "", "CSeq: 2 BYE"),
    message("REGISTER sip:1.2.3.4 SIP/2.0", "", "CSeq: 1 REGISTER", "Contact: <sip:a@10.0.0.5>"),
    invite(description("10.0.0.5", "m=audio 22 RTP/AVP 0")),
    invite(description("10.0.0.5", "m=audio x RTP/AVP 0")),
    invite(OFFER + "a=x\r\n".repeat(4000)),
    `INVITE sip:${"x".repeat(17_000)} SIP/2.0\r\n\r\n`,
    "\r\n\r\n",
    "nonsense\0\r\n",
  ].map(bytes),
  250,
);

for (const [name, talk] of both) {
  t.test(`${name}: an offer and its answer, media and reports, open to the other side's peer`, async (t) => {
    const sip = talk();
    t.equal(sip.client(invite(OFFER)), invite(OFFER).replace("sip:bob@1.2.3.4", "sip:bob@192.168.0.2"));
    t.same(sip.pending, [
      "sip-rtp 192.168.0.2:any -> 10.0.0.5:6000 => 10.0.0.5:6000",
      "sip-rtcp 192.168.0.2:any -> 10.0.0.5:6001 => 10.0.0.5:6001",
    ]);
    t.equal(sip.server(answer("100 Trying")), answer("100 Trying"));
    t.equal(
      sip.server(answer("200 OK", ANSWER)),
      answer("200 OK", ANSWER.replace("192.168.0.2", "1.2.3.4")),
      "and Content-Length follows",
    );
    t.same(sip.pending.slice(2), [
      "sip-rtp 10.0.0.5:any -> 1.2.3.4:16000 => 192.168.0.2:16000",
      "sip-rtcp 10.0.0.5:any -> 1.2.3.4:16001 => 192.168.0.2:16001",
    ]);
  });
}

t.test("a host with ports of its own: ports, addresses and the length, whatever they become", async (t) => {
  const sip = udp({ seen: ({ target }) => endpoint("203.0.113.100", target.port + 10_000) });
  const offer = description(
    "10.0.0.5",
    AUDIO,
    "a=rtcp:6100 IN IP4 10.0.0.5",
    "m=video 6002 RTP/SAVPF 99",
    "c=IN IP4 10.0.0.5",
    "a=rtcp:6102",
  );
  const told = description(
    "203.0.113.100",
    "m=audio 16000 RTP/AVP 0 8",
    "a=rtcp:16100 IN IP4 203.0.113.100",
    "m=video 16002 RTP/SAVPF 99",
    "c=IN IP4 203.0.113.100",
    "a=rtcp:16102",
  );
  t.equal(sip.client(invite(offer)).replace("192.168.0.2", "1.2.3.4"), invite(told));
  t.same(
    sip.announced.map(({ kind, target }) => `${kind} ${target.port}`),
    ["sip-rtp 6000", "sip-rtcp 6100", "sip-rtp 6002", "sip-rtcp 6102"],
  );
});

t.test(
  "fax by UDPTL, over DTLS too, has one flow; streams that are switched off, or carried otherwise, have none",
  async (t) => {
    const sip = udp();
    sip.client(
      invite(
        description(
          "10.0.0.5",
          "m=audio 0 RTP/AVP 0",
          "m=image 6010 udptl t38",
          "m=image 6012 UDP/TLS/UDPTL t38",
          "m=message 7 TCP/MSRP *",
        ),
      ),
    );
    t.same(
      sip.announced.map(({ kind, target }) => `${kind} ${target.port}`),
      ["sip-udptl 6010", "sip-udptl 6012"],
    );
    sip.client(invite(description("10.0.0.5", "m=audio 0 RTP/AVP 0")));
    t.equal(sip.announced.length, 2);
  },
);

// A stream at 0.0.0.0 is held (RFC 3264 §8.4), which every telephone has to understand: the client's address was written in
// its place, so that the other side went on talking, and a realserver's hold was refused as a bounce, with the stream off.
t.test("hold: a stream at 0.0.0.0 (or ::) offers no end, and goes on as it is", async (t) => {
  for (const host of ["0.0.0.0", "::"]) {
    for (const side of ["original", "reply"] as const) {
      const sip = udp();
      sip.client(invite(OFFER));
      const body = description("0.0.0.0", AUDIO, "a=rtcp:6001").replaceAll(
        "IP4 0.0.0.0",
        `IP${host === "::" ? 6 : 4} ${host}`,
      );
      const said = answer("200 OK", body);
      t.equal(sip.say(side, said), said);
      t.same(sip.reasons("refused"), []);
      t.equal(sip.announced.length, 2, "the offer's");
    }
  }
});

t.test("hold of one stream, or of the reports alone: the others are offered, and written", async (t) => {
  const sip = udp();
  const body = (host: string) =>
    description(
      "0.0.0.0",
      "m=audio 6000 RTP/AVP 0",
      "m=video 6002 RTP/AVP 96",
      `c=IN IP4 ${host}`,
      "a=rtcp:9 IN IP4 0.0.0.0",
    );
  t.equal(sip.server(answer("200 OK", body("192.168.0.2"))), answer("200 OK", body("1.2.3.4")));
  t.same(sip.pending, ["sip-rtp 10.0.0.5:any -> 1.2.3.4:6002 => 192.168.0.2:6002"]);
});

// Ends announced twice in one description took one another's place, and the whole of it was refused.
t.test("media and reports on one port (RFC 5761), and streams on one port (RFC 8843), are one flow", async (t) => {
  const shared = [
    [AUDIO, "a=rtcp:6000", "a=rtcp-mux"],
    [AUDIO, "a=rtcp:6000 IN IP4 10.0.0.5", "a=rtcp-mux", "m=video 6000 RTP/AVP 96", "a=rtcp:6000", "a=rtcp-mux"],
  ];
  for (const streams of shared) {
    const sip = udp({ seen: ({ target }) => endpoint("203.0.113.100", target.port + 10_000) });
    const heard = sip.client(invite(description("10.0.0.5", ...streams)));
    const written = description("203.0.113.100", ...streams)
      .replaceAll("6000", "16000")
      .replaceAll("10.0.0.5", "203.0.113.100");
    t.equal(heard.replace("192.168.0.2", "1.2.3.4"), invite(written));
    t.same(
      sip.announced.map(({ kind, target }) => `${kind} ${target.port}`),
      ["sip-rtp 6000"],
    );
  }
});

t.test("the realserver's address goes nowhere, not even in streams that are off", async (t) => {
  const body = (host: string) => description(host, "m=audio 0 RTP/AVP 0", `c=IN IP4 ${host}`).replace("10.9.9.9", host);
  t.equal(
    udp().server(answer("200 OK", body("192.168.0.2"))),
    answer("200 OK", body("1.2.3.4")),
    "and its length follows",
  );
  const some = (host: string) =>
    description(host, AUDIO, "m=video 0 RTP/AVP 9", `c=IN IP4 ${host}`).replace("10.9.9.9", host);
  t.equal(udp().server(answer("200 OK", some("192.168.0.2"))), answer("200 OK", some("1.2.3.4")));
});

t.test("compact headers, lower case, LF alone", async (t) => {
  const sip = udp();
  const body = OFFER.replaceAll("\r", "");
  sip.client(`invite sip:b SIP/2.0\ni: x\nCSEQ: 1 INVITE\nc: application/sdp\nl: ${body.length}\n\n${body}`);
  t.equal(sip.pending.length, 2);
});

t.test("REGISTER, OPTIONS and their answers announce nothing", async (t) => {
  const sip = udp();
  sip.client(message("REGISTER sip:h SIP/2.0", "", "CSeq: 1 REGISTER", "Contact: <sip:a@10.0.0.5:5062>"));
  sip.client(message("OPTIONS sip:h SIP/2.0", OFFER, "CSeq: 2 OPTIONS"));
  sip.server(answer("200 OK", ANSWER, "OPTIONS"));
  t.equal(sip.announced.length, 0);
  t.same(sip.reasons("fault"), []);
});

t.test("BYE, CANCEL and a failed INVITE take back what the call announced, and no other call's", async (t) => {
  const ends: [by: string, said: string, direction: "original" | "reply"][] = [
    ["BYE", message("BYE sip:b SIP/2.0", "", "CSeq: 2 BYE"), "original"],
    ["BYE of the callee", message("BYE sip:b SIP/2.0", "", "CSeq: 2 BYE"), "reply"],
    ["CANCEL", message("CANCEL sip:b SIP/2.0", "", "CSeq: 1 CANCEL"), "original"],
    ["486", answer("486 Busy Here"), "reply"],
    ["401", answer("401 Unauthorized"), "reply"],
  ];
  for (const [by, said, direction] of ends) {
    const sip = udp();
    sip.client(invite(OFFER));
    sip.client(invite(OFFER.replace("6000", "7000")).replace("a@10.0.0.5", "b@10.0.0.5"));
    t.equal(sip.pending.length, 4);
    sip.say(direction, said);
    t.same(
      sip.pending.map((entry) => entry.slice(-4)),
      ["7000", "7001"],
      by,
    );
  }
});

t.test("what fails within a call that was agreed on leaves it as it was; BYE ends it", async (t) => {
  const failures: [said: string, direction: "original" | "reply"][] = [
    [answer("491 Request Pending"), "reply"],
    [answer("401 Unauthorized"), "reply"],
    [message("CANCEL sip:b SIP/2.0", "", "CSeq: 1 CANCEL"), "original"],
  ];
  for (const [said, direction] of failures) {
    const sip = udp();
    sip.client(invite(OFFER));
    sip.server(answer("200 OK", ANSWER));
    sip.client(invite(OFFER));
    sip.say(direction, said);
    t.equal(sip.pending.length, 4, said.slice(0, 20));
    sip.client(message("BYE sip:b SIP/2.0", "", "CSeq: 2 BYE"));
    t.equal(sip.pending.length, 0);
  }
});

t.test("the service's names: the VIP to the client, the realserver to it; what a digest covers stays", async (t) => {
  const said = (host: string) =>
    message(
      `OPTIONS sip:${host}:5060;lr SIP/2.0`,
      "",
      `Via: SIP/2.0/UDP ${host}:5060;branch=1`,
      `Record-Route: <sip:${host};lr>`,
      `Service-Route: <sip:${host}:5060;lr>, <sip:${host};lr>`,
      `Path: <sip:${host};lr>`,
      `Contact: "x" <sip:a@${host}:7000>`,
      `From: <sip:a@${host}>;tag=1`,
      'Authorization: Digest uri="sip:192.168.0.2", realm="1.2.3.4"',
      "X-Other: 192.168.0.2 1.2.3.4",
      "To: <sip:b@192.168.0.20>",
    );
  t.equal(udp().server(said("192.168.0.2")), said("1.2.3.4"));
  t.equal(udp().client(said("1.2.3.4")), said("192.168.0.2"));
});

// --- refused ----------------------------------------------------------------------------------------------------------

const refused: [stream: string, host: string, reason: string, written: string][] = [
  ["m=audio 6000 RTP/AVP 0", "10.9.9.9", "bounce", "m=audio 0000 RTP/AVP 0"],
  ["m=audio 6000 RTP/AVP 0", "2001:db8::1", "family-mismatch", "m=audio 0000 RTP/AVP 0"],
  ["m=audio 1023 RTP/AVP 0", "10.0.0.5", "port-reserved", "m=audio 0000 RTP/AVP 0"],
  ["m=audio 6000/2 RTP/AVP 0\r\na=rtcp:22", "10.0.0.5", "port-reserved", "m=audio 0000/2 RTP/AVP 0\r\na=rtcp:22"],
  ["m=audio 6000 RTP/AVP 0\r\na=rtcp:0", "10.0.0.5", "port-zero", "m=audio 0000 RTP/AVP 0\r\na=rtcp:0"],
  ["m=audio 65535 RTP/AVP 0", "10.0.0.5", "bad-port", "m=audio 00000 RTP/AVP 0"],
  [
    "m=audio 6000 RTP/AVP 0\r\nm=video 80 RTP/AVP 9",
    "10.0.0.5",
    "port-reserved",
    "m=audio 0000 RTP/AVP 0\r\nm=video 00 RTP/AVP 9",
  ],
];
for (const [stream, host, reason, written] of refused) {
  t.test(`refused, ${reason}: ${stream.replaceAll("\r\n", " / ")} at ${host}`, async (t) => {
    const sip = udp();
    const heard = sip.client(invite(description(host, stream)));
    t.equal(heard.slice(heard.indexOf("m=")), `${written}\r\n`, "in as many bytes");
    t.same(sip.reasons("refused"), [reason]);
    t.equal(sip.balancer.related.size, 0);
  });
}

t.test("a description that cannot be read becomes none, in as many bytes", async (t) => {
  const many = Array.from({ length: 17 }, (_, i) => `m=audio ${6000 + 2 * i} RTP/AVP 0`);
  for (const [streams, host, reason] of [
    [["m=audio 70000 RTP/AVP 0"], "10.0.0.5", "bad-port"],
    [["m=audio 0x400 RTP/AVP 0"], "10.0.0.5", "bad-port"],
    [["m=audio"], "10.0.0.5", "bad-port"],
    [["m=audio 6000 RTP/AVP 0", "a=rtcp:99999"], "10.0.0.5", "bad-port"],
    [["m=audio 6000 RTP/AVP 0"], "host.example", "bad-address"],
    [many, "10.0.0.5", "too-many-streams"],
  ] as const) {
    const sip = udp();
    const body = description(host, ...streams);
    const heard = sip.client(invite(body));
    t.same(sip.reasons("refused"), [reason]);
    t.notMatch(heard, "m=");
    t.equal(heard.replace("192.168.0.2", "1.2.3.4").length, invite(body).length);
  }
});

// What was written in Via, Contact and o= was written only where nothing was refused: the client had the realserver's address.
for (const [name, talk] of both) {
  for (const [what, said, heard] of [
    ["media at a port below 1024", description("192.168.0.2", "m=audio 22 RTP/AVP 0"), "m=audio 00 RTP/AVP 0"],
    ["media of another realserver", description("192.168.0.3", AUDIO), "m=audio 0000 RTP/AVP 0 8"],
    ["what cannot be read", description("192.168.0.2", "m=audio x RTP/AVP 0"), ""],
  ] as const) {
    t.test(`${name}: an answer that is refused names no realserver to the client: ${what}`, async (t) => {
      const sip = talk();
      sip.client(invite(OFFER));
      const told = (host: string, body: string): string =>
        message(
          "SIP/2.0 200 OK",
          body,
          "CSeq: 1 INVITE",
          "Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9",
          `Contact: <sip:bob@${host}>`,
          `Record-Route: <sip:${host};lr>`,
        );
      const answered = sip.server(told("192.168.0.2", said.replace("10.9.9.9", "192.168.0.2")));
      t.notMatch(answered, /192\.168/);
      const body =
        heard === "" ? "\r\n".padStart(said.length + 3) : description("1.2.3.4", heard).replace("10.9.9.9", "1.2.3.4");
      t.equal(answered, told("1.2.3.4", body), "and is a whole message");
      t.equal(sip.reasons("refused").length, 1);
    });
  }
}

t.test("an offer that is refused reaches the realserver under the realserver's name", async (t) => {
  const sip = udp();
  const refused = invite(description("10.0.0.5", "m=audio 22 RTP/AVP 0"));
  t.equal(sip.client(refused), refused.replace("1.2.3.4", "192.168.0.2").replace("audio 22", "audio 00"));
});

t.test("an answer that names another realserver, or a port below 1024", async (t) => {
  for (const body of [description("192.168.0.3", AUDIO), description("192.168.0.2", "m=audio 22 RTP/AVP 0")]) {
    const sip = udp();
    sip.server(answer("200 OK", body));
    t.equal(sip.reasons("refused").length, 1);
    t.equal(sip.balancer.related.size, 0);
  }
});

// --- datagrams ----------------------------------------------------------------------------------------------------------

t.test("keep-alives are no messages, other bytes are a fault", async (t) => {
  const sip = udp();
  for (const said of ["\r\n\r\n", "\0\0\0\0", "nonsense"]) t.equal(sip.client(said), said);
  t.same(sip.reasons("fault"), ["not-sip"]);
});

t.test("a Content-Length that the datagram does not keep: read whole, or in strict mode as it says", async (t) => {
  const wrong = invite(OFFER).replace(/Content-Length: \d+/, "Content-Length: 20");
  const lenient = udp();
  lenient.client(wrong);
  t.equal(lenient.pending.length, 2);
  t.same(lenient.reasons("fault"), ["bad-content-length"]);
  const strict = udp({ strict: true });
  strict.client(wrong);
  t.equal(strict.announced.length, 0);
  const none = udp();
  none.client(invite(OFFER).replace(/Content-Length: \d+\r\n/, ""));
  t.equal(none.pending.length, 2);
  t.same(none.reasons("fault"), []);
});

// --- streams ------------------------------------------------------------------------------------------------------------

t.test("every cut, and one byte a segment: the same entries, the same bytes", async (t) => {
  const said = `\r\n\r\n${invite(OFFER)}${message("BYE sip:b SIP/2.0", "", "CSeq: 2 BYE")}${invite(OFFER)}`;
  const outcome = (pieces: readonly string[]) => {
    const sip = tcp({ seen: ({ target }) => endpoint("203.0.113.100", target.port + 10_000) });
    for (const piece of pieces) sip.client(piece);
    return [sip.heard("original"), sip.pending, sip.announced.length, sip.reasons("fault")];
  };
  const whole = outcome([said]);
  t.match(whole, [/16000/, [], 4, []]);
  for (let at = 1; at < said.length; at++) t.same(outcome([said.slice(0, at), said.slice(at)]), whole);
  t.same(outcome([...said]), whole);
  for (let at = 1; at < 40; at++) {
    const sip = tcp();
    sip.server(answer("200 OK", ANSWER).slice(0, at));
    sip.server(answer("200 OK", ANSWER).slice(at));
    t.equal(sip.pending.length, 2, `an answer cut at ${at}`);
  }
});

t.test("a description longer than what may be held goes nowhere; another body does", async (t) => {
  const long = "a=x\r\n".repeat(4000);
  const described = tcp();
  t.equal(described.client(invite(OFFER + long) + invite()), invite().replace("1.2.3.4", "192.168.0.2"));
  t.same(described.reasons("refused"), ["message-too-long"]);
  const other = tcp();
  const body = `${lines("MESSAGE sip:b SIP/2.0", `Content-Length: ${long.length}`)}\r\n${long}`;
  t.equal(other.client(body + body), body + body);
  t.same(other.reasons("fault"), ["message-too-long", "message-too-long"]);
});

t.test("a head without an end, and a message whose rest does not come, go nowhere", async (t) => {
  const endless = tcp();
  t.equal(endless.client(`INVITE sip:b SIP/2.0\r\nX: ${"x".repeat(17_000)}`) + endless.client("\r\n\r\n"), "");
  t.same(endless.reasons("refused"), ["message-too-long"]);
  const slow = tcp();
  slow.client(invite(OFFER).slice(0, -10));
  slow.wait(60_000);
  t.equal(slow.heard("original"), "");
  t.equal(slow.client(invite(OFFER).slice(-10) + invite()), invite().replace("1.2.3.4", "192.168.0.2"));
});

// Found by the contract: in one piece the line was another protocol's, and passed; in two it was endless.
t.test("a first line longer than what may be held is endless in one piece, too", async (t) => {
  const long = `INVITE sip:${"x".repeat(16_500)}\nx SIP/2.0\r\n\r\n${invite()}`;
  for (const at of [long.length, 16_385, 16_384, 16_000]) {
    const sip = tcp();
    t.equal(
      sip.client(invite() + long.slice(0, at)) + sip.client(long.slice(at)),
      invite().replace("1.2.3.4", "192.168.0.2"),
    );
    t.same(sip.reasons("refused"), ["message-too-long"], `cut at ${at}`);
  }
});

// Found by the fuzzer: the attribute at the end of the body was read on into what had come behind it.
t.test("a description that ends within an attribute is read to its end, whatever has come behind it", async (t) => {
  const said = `${invite(`${OFFER}a=rtcp`)}:22\r\n`;
  for (const at of [said.length, said.length - 5, said.length - 4, 20]) {
    const sip = tcp();
    sip.client(said.slice(0, at));
    sip.client(said.slice(at));
    t.same(sip.reasons("refused"), [], `cut at ${at}`);
    t.equal(sip.announced.length, 2);
  }
});

t.test("NAT slipstreaming: an HTTP POST whose body is a SIP message", async (t) => {
  const post = "POST / HTTP/1.1\r\nHost: 1.2.3.4:5060\r\n\r\n";
  for (let at = 1; at <= post.length; at++) {
    const sip = tcp();
    sip.client(post.slice(0, at));
    sip.client(invite(OFFER));
    if (sip.announced.length > 0) t.fail(`an entry at ${at}`);
  }
  const sip = tcp();
  sip.client(post + invite(OFFER));
  t.ok(sip.stream.detached);
  t.equal(sip.announced.length, 0);
});

t.test("behind bytes that are no message reading goes on at the next one", async (t) => {
  const sip = tcp();
  sip.client(invite());
  sip.client("non\0sense\r\n");
  sip.client(invite(OFFER));
  t.equal(sip.pending.length, 2);
  t.same(sip.reasons("fault"), ["not-sip"]);
});

t.test("found by its first message, whose direction it tells", async (t) => {
  const detect = (original: string, reply = "") => sip.detect!({ original: bytes(original), reply: bytes(reply) });
  t.same([detect("INVITE sip:b SIP/2.0\r\n"), detect("", "SIP/2.0 200 OK\r\n")], [true, true]);
  t.same([detect("SIP/2.0 200 OK\r\n"), detect("", "INVITE sip:b SIP/2.0\r\n")], [false, false]);
  t.same([detect("INVITE sip:b"), detect("GET / HTTP/1.1\r\n"), detect("\x80\x08")], [null, false, false]);
});

t.test("1,000 INVITEs whose streams go to third parties: 1,000 refusals, no entry", async (t) => {
  const sip = udp();
  for (let n = 0; n < 1000; n++) sip.client(invite(description(`10.9.${n >> 8}.${n & 255}`, AUDIO)));
  t.same(sip.reasons("refused"), Array(1000).fill("bounce"));
  t.equal(sip.balancer.related.size, 0);
});

t.test("1,000 calls of one client: 48 entries wait at most", async (t) => {
  const sip = udp();
  for (let n = 0; n < 1000; n++) {
    sip.client(invite(OFFER.replace("6000", `${6000 + 2 * n}`)).replace("a@10.0.0.5", `${n}@10.0.0.5`));
  }
  t.equal(sip.pending.length, 48);
});

t.test("a message within another's body, a header or a reason phrase announces nothing", async (t) => {
  const sip = tcp();
  const hidden = invite(OFFER);
  const body = `${lines("MESSAGE sip:b SIP/2.0", "X: INVITE sip:b SIP/2.0", `Content-Length: ${hidden.length}`)}\r\n${hidden}`;
  t.equal(sip.client(body), body);
  sip.server(answer("486 INVITE sip:b SIP/2.0"));
  t.equal(sip.announced.length, 0);
  t.same(sip.reasons("fault"), []);
});

t.test("a bare CR ends no line: a stream behind it is of the line before", async (t) => {
  const sip = udp();
  sip.client(invite(`${lines("v=0", "c=IN IP4 10.0.0.5")}s=x\rm=audio 6000 RTP/AVP 0\r\n`));
  t.equal(sip.announced.length, 0);
});

t.test("what a telephone proves itself with is told to nobody, not even when its streams are refused", async (t) => {
  const sip = udp();
  const proof = 'Authorization: Digest username="canary", response="canary"';
  sip.client(message("REGISTER sip:1.2.3.4 SIP/2.0", "", "CSeq: 1 REGISTER", proof));
  sip.client(invite(OFFER, proof));
  sip.client(invite(description("10.9.9.9", AUDIO), proof));
  t.same(sip.reasons("refused"), ["bounce"]);
  t.notMatch(JSON.stringify(sip.decisions.map(({ message, reason }) => [message, reason])), /canary/);
});

t.test("the connection closes: what waits is gone", async (t) => {
  const sip = tcp();
  sip.client(invite(OFFER));
  sip.server(answer("200 OK", ANSWER));
  t.equal(sip.pending.length, 4);
  sip.close();
  t.equal(sip.balancer.related.size, 0);
});

t.test("every code that the helper has is explained", async (t) => {
  for (const [code, text] of Object.entries(reasons)) t.ok(/^[a-z-]+$/.test(code) && text.length > 10, code);
});
