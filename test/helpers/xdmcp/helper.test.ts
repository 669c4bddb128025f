import t from "tap";
import type { Endpoint } from "../../../core/units.ts";
import { xdmcp } from "../../../helpers/xdmcp/helper.ts";
import { parseRequest } from "../../../helpers/xdmcp/wire.ts";
import { address, endpoint } from "../../addresses.ts";
import { holdsContract } from "../../contract.ts";
import {
  type Conversation,
  type ConversationOptions,
  conversationOf,
  makeBalancer,
  realserver,
  serviceFor,
} from "../../conversation.ts";

const u16 = (n: number): number[] => [(n >>> 8) & 255, n & 255];
const u32 = (n: number): number[] => [...u16(n >>> 16), ...u16(n)];
const array8 = (bytes: readonly number[]): number[] => [...u16(bytes.length), ...bytes];
const text = (name: string): number[] => array8([...Buffer.from(name)]);
const message = (opcode: number, ...body: number[]): Uint8Array =>
  Uint8Array.from([...u16(1), ...u16(opcode), ...u16(body.length), ...body]);

const OWN = [10, 0, 0, 5];
const OTHER = [10, 9, 9, 9];
const V6 = [0xfe, 0x80, ...Array(13).fill(0), 1];
const REST = [...text(""), ...text(""), 1, ...text("MIT-MAGIC-COOKIE-1"), ...text("canary")];

const request = (display: number, ...addresses: readonly (readonly number[])[]): Uint8Array =>
  message(
    7,
    ...u16(display),
    addresses.length,
    ...addresses.flatMap(({ length }) => u16(length === 16 ? 6 : 0)),
    addresses.length,
    ...addresses.flatMap(array8),
    ...REST,
  );

const QUERY = message(2, 0);
const WILLING = message(5, ...text(""), ...text("host"), ...text("1 user"));
const REQUEST = request(0, OWN);
const ACCEPT = message(8, ...u32(77), ...text(""), ...text(""), ...text("MIT-MAGIC-COOKIE-1"), ...text("secret"));
const DECLINE = message(9, ...text("no"), ...text(""), ...text(""));
const MANAGE = message(10, ...u32(77), ...u16(0), ...text("MIT-unspecified"));
const REFUSE = message(11, ...u32(77));
const FAILED = message(12, ...u32(77), ...text("cannot connect"));
const KEEP_ALIVE = message(13, ...u16(0), ...u32(77));
const ALIVE = message(14, 1, ...u32(77));
const forward = (address: readonly number[]) => message(4, ...array8(address), ...array8(u16(40000)), 0);

holdsContract(t, xdmcp, [
  ...[QUERY, WILLING, REQUEST, ACCEPT, DECLINE, MANAGE, REFUSE, FAILED, KEEP_ALIVE, ALIVE, forward(OWN)],
  request(3, OTHER, V6, OWN),
]);

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** Asked for a login, and accepted. */
function session(options: ConversationOptions = {}, asked = REQUEST): Conversation {
  const talk = conversationOf(xdmcp, options);
  talk.client(QUERY);
  talk.server(WILLING);
  talk.client(asked);
  talk.server(ACCEPT);
  return talk;
}

const X11 = "x11 192.168.0.2:any -> 10.0.0.5:6000 => 10.0.0.5:6000";

t.test("a login: windows of the realserver may open at the display, as many as will", async (t) => {
  const talk = session();
  t.equal(talk.client(MANAGE), latin1(MANAGE));
  t.same(talk.pending, [X11]);
  t.same(talk.reasons("settled"), ["accepted"]);
  const display = endpoint("10.0.0.5", 6000);
  for (let window = 0; window < 100; window++) {
    const claimed = talk.balancer.claim("tcp", display, endpoint("192.168.0.2", 40000 + window), talk.now);
    t.match(claimed, { related: { uses: "many" } });
  }
  t.equal(talk.balancer.claim("tcp", display, endpoint("192.168.0.3", 40000), talk.now), "wrong-address");
  t.equal(talk.heard("original"), latin1(QUERY) + latin1(REQUEST) + latin1(MANAGE), "nothing differs under LVS-NAT");
});

t.test("a Manage sent again adds nothing, a Request sent again neither: the same bytes go on", async (t) => {
  const talk = session({ seen: () => endpoint("192.168.0.1", 6042) });
  const first = talk.heard("original").slice(latin1(QUERY).length);
  t.equal(talk.client(REQUEST), first);
  talk.client(MANAGE);
  talk.client(MANAGE);
  t.equal(talk.announced.length, 1);
  t.equal(talk.pending.length, 1);
});

for (const [name, end] of Object.entries({ DECLINE, REFUSE, FAILED })) {
  t.test(`${name} takes the entry back`, async (t) => {
    const talk = conversationOf(xdmcp);
    talk.client(REQUEST);
    if (end !== DECLINE) talk.server(ACCEPT);
    t.equal(talk.pending.length, 1);
    t.equal(talk.server(end), latin1(end));
    t.same(talk.pending, []);
    talk.client(REQUEST);
    t.equal(talk.pending.length, 1, "and the display may ask again");
  });
}

t.test("Refuse and Failed of a session that is not known take nothing back", async (t) => {
  const talk = session();
  talk.server(message(11, ...u32(78)));
  talk.server(message(12, ...u32(0), ...text("")));
  t.same(talk.pending, [X11]);
});

t.test("of several addresses the sender's own goes on, the others are left out", async (t) => {
  const talk = session({}, request(3, V6, OTHER, OWN));
  t.same(talk.pending, ["x11 192.168.0.2:any -> 10.0.0.5:6003 => 10.0.0.5:6003"]);
  t.equal(talk.heard("original"), latin1(QUERY) + latin1(request(3, OWN)));
  t.same(talk.reasons("refused"), []);
});

t.test("a Request that names only others opens nothing, and does not go on", async (t) => {
  for (const [asked, reason] of [
    [request(0, OTHER), "bounce"],
    [request(0, V6), "family-mismatch"],
    [request(0, OTHER, V6), "bounce"],
  ] as const) {
    const talk = conversationOf(xdmcp);
    t.equal(talk.client(asked), "");
    t.same(talk.reasons("refused"), [reason]);
    t.equal(talk.balancer.related.size, 0);
  }
});

t.test("1,000 Requests for others leave no entry, and as many refusals", async (t) => {
  const talk = conversationOf(xdmcp);
  for (let n = 0; n < 1000; n++) talk.client(request(n, [10, 9, n >>> 8, n & 255]));
  t.equal(talk.balancer.related.size, 0);
  t.equal(talk.reasons("refused").length, 1000);
});

t.test("two clients that are both display 0 get display numbers of the director's", async (t) => {
  const balancer = makeBalancer([serviceFor(xdmcp)]);
  const talks = [40000, 40001].map((port) =>
    session({ balancer, client: endpoint("10.0.0.5", port), seen: () => endpoint("192.168.0.1", port) }),
  );
  for (const [index, talk] of talks.entries()) {
    const display = 34000 + index;
    const asked = request(display, [192, 168, 0, 1]);
    t.equal(talk.heard("original"), latin1(QUERY) + latin1(asked));
    t.equal(talk.client(MANAGE), latin1(message(10, ...u32(77), ...u16(display), ...text("MIT-unspecified"))));
    t.equal(talk.client(KEEP_ALIVE), latin1(message(13, ...u16(display), ...u32(77))));
    t.equal(talk.server(ALIVE), latin1(ALIVE));
  }
});

// `slice()` of a Node Buffer shares its memory: whatever came next in it was taken for the same Request said again.
t.test("a Request is remembered as it was said, whatever its buffer holds later", async (t) => {
  const talk = conversationOf(xdmcp);
  const buffer = Buffer.from(REQUEST);
  talk.client(buffer);
  buffer.set(request(1, OWN));
  t.equal(talk.client(buffer), latin1(request(1, OWN)));
  t.equal(talk.pending.length, 2);
});

t.test("an IPv6 realserver is told an IPv6 address, whatever the client has", async (t) => {
  const talk = session({ seen: () => endpoint("fd00::1", 6001) });
  const address = [0xfd, 0, ...Array(13).fill(0), 1];
  t.equal(talk.heard("original"), latin1(QUERY) + latin1(request(1, address)));
});

t.test("no end to be had, or one that is no display: the Request does not go on, and may be said again", async (t) => {
  const ends: (Endpoint | null)[] = [null, endpoint("192.168.0.1", 5999), endpoint("192.168.0.1", 6000)];
  const talk = conversationOf(xdmcp, { seen: () => ends.shift()! });
  t.equal(talk.client(REQUEST), "");
  t.equal(talk.client(REQUEST), "");
  t.equal(talk.client(REQUEST), latin1(request(0, [192, 168, 0, 1])));
  t.equal(talk.pending.length, 1);
});

t.test("from Query to KeepAlive one realserver serves a client, also when its flow was forgotten", async (t) => {
  const spec = { realservers: [realserver("192.168.0.2"), realserver("192.168.0.3"), realserver("192.168.0.4")] };
  const balancer = makeBalancer([serviceFor(xdmcp, spec)]);
  const virtual = endpoint("1.2.3.4", 177);
  const serverOf = (client: Endpoint, payload: Uint8Array, now: number) => {
    const entry = balancer.admit("udp", client, virtual, now as never, xdmcp.affinity!(payload, client));
    if (typeof entry === "string") throw new Error(entry);
    balancer.close(entry, now as never);
    return entry.realserver;
  };
  const HOUR = 3_600_000;
  for (let n = 1; n <= 20; n++) {
    const client = endpoint(`10.0.1.${n}`, 2000 + n);
    const first = serverOf(client, QUERY, n);
    for (const [hours, said] of [REQUEST, MANAGE, KEEP_ALIVE, KEEP_ALIVE].entries()) {
      t.equal(serverOf({ ...client, port: (3000 + hours) as never }, said, n + (hours + 1) * 5 * HOUR), first);
    }
  }
  t.equal(new Set([1, 2, 3].map((n) => serverOf(endpoint(`10.0.2.${n}`, 1024), QUERY, HOUR))).size, 3, "others spread");
});

t.test("the flow ends: what it announced is gone", async (t) => {
  const talk = session();
  talk.close();
  t.equal(talk.balancer.related.size, 0);
});

t.test("a ForwardQuery is answered to whoever sent it, or not at all", async (t) => {
  const talk = conversationOf(xdmcp);
  t.equal(talk.client(forward(OWN)), latin1(forward(OWN)));
  t.equal(talk.client(forward(OTHER)), "");
  t.equal(talk.client(message(4, ...array8([1, 2, 3]), ...array8([]), 0)), "");
  t.same(talk.reasons("refused"), ["forwarded-elsewhere", "truncated"]);
});

t.test("messages of the wrong direction and unknown ones open nothing, and pass", async (t) => {
  const talk = conversationOf(xdmcp);
  for (const said of [ACCEPT, WILLING, message(99)]) t.equal(talk.client(said), latin1(said));
  for (const said of [REQUEST, MANAGE, QUERY]) t.equal(talk.server(said), latin1(said));
  t.equal(talk.announced.length, 0);
  t.same(new Set(talk.reasons("fault")), new Set(["unknown-opcode"]));
  t.equal(talk.reasons("fault").length, 6);
});

t.test("a seventeenth session forgets the first", async (t) => {
  const talk = conversationOf(xdmcp);
  for (let n = 0; n < 17; n++) {
    talk.client(request(n, OWN));
    talk.server(message(8, ...u32(n), ...text(""), ...text(""), ...text(""), ...text("")));
  }
  t.same(talk.reasons("fault"), ["too-many-sessions"]);
  t.equal(talk.pending.length, 4, "and the limit of entries holds");
});

const with_ = (bytes: Uint8Array, at: number, ...values: number[]): Uint8Array => {
  const changed = bytes.slice();
  changed.set(values, at);
  return changed;
};
const malformed: [why: string, payload: Uint8Array, code: string][] = [
  ["its length is too small", with_(REQUEST, 4, ...u16(REQUEST.length - 7)), "bad-length"],
  ["its length is too large", with_(REQUEST, 4, ...u16(REQUEST.length)), "bad-length"],
  ["it is of version 2", with_(REQUEST, 0, 0, 2), "bad-version"],
  ["it is cut off", REQUEST.subarray(0, 5), "truncated"],
  ["it has no body", message(7), "truncated"],
  ["its display number is 59536", request(59_536, OWN), "bad-display"],
  ["it has more types than addresses", with_(request(0, OWN, OTHER), 13, 1), "bad-count"],
  [
    "it has more addresses than types",
    message(7, 0, 0, 1, 0, 0, 2, ...array8(OWN), ...array8(OWN), ...REST),
    "bad-count",
  ],
  ["an IPv4 address has five bytes", message(7, 0, 0, 1, 0, 0, 1, ...array8([...OWN, 1]), ...REST), "bad-address"],
  ["an IPv6 address has four bytes", message(7, 0, 0, 1, 0, 6, 1, ...array8(OWN), ...REST), "bad-address"],
  ["an address runs past its end", message(7, 0, 0, 1, 0, 0, 1, 0, 200, 10), "truncated"],
  ["it has none", request(0), "no-address"],
  ["its addresses are of other families", message(7, 0, 0, 1, 0, 5, 1, ...array8([1, 2]), ...REST), "no-address"],
  ["it has 33 addresses", request(0, ...Array(33).fill(OWN)), "too-many-addresses"],
  ["something follows its end", message(7, ...REQUEST.subarray(6), 0), "bad-length"],
  ["its names run past its end", message(7, ...REQUEST.subarray(6, REQUEST.length - 1)), "bad-length"],
];
for (const [why, payload, code] of malformed) {
  t.test(`a Request is refused as ${code} when ${why}`, async (t) => {
    const talk = conversationOf(xdmcp);
    t.equal(talk.client(payload), "");
    t.same(talk.reasons("refused"), [code]);
    t.equal(talk.announced.length, 0);
  });
}

t.test("other malformed datagrams pass, counted", async (t) => {
  for (const payload of [Uint8Array.of(), message(8, 1), message(10, 0), message(13), Uint8Array.of(0, 1, 0)]) {
    if (payload.length === 0) continue;
    const talk = conversationOf(xdmcp);
    t.equal(talk.server(payload), latin1(payload));
    t.same(talk.reasons("fault"), ["truncated"]);
  }
});

t.test("display 59535 is port 65535", async (t) => {
  t.match(parseRequest(request(59_535, OWN)), { display: 59_535 });
  t.same(session({}, request(59_535, OWN)).pending, ["x11 192.168.0.2:any -> 10.0.0.5:65535 => 10.0.0.5:65535"]);
});

t.test("names and cookies are never told to anybody", async (t) => {
  const talk = session();
  t.notMatch(JSON.stringify(talk.decisions.map(({ message }) => message)), /canary|secret|COOKIE/);
});

t.test(
  "every query and its answers pass unread: BroadcastQuery, Query, IndirectQuery, Willing, Unwilling",
  async (t) => {
    const talk = conversationOf(xdmcp);
    for (const opcode of [1, 2, 3]) t.equal(talk.client(message(opcode, 0)), latin1(message(opcode, 0)));
    const unwilling = message(6, ...text("host"), ...text("too busy"));
    for (const said of [WILLING, unwilling]) t.equal(talk.server(said), latin1(said));
    t.equal(talk.announced.length, 0);
    t.same(talk.reasons("fault"), []);
  },
);

t.test("over IPv6: windows open at the display's IPv6 address (connection type 6)", async (t) => {
  const spec = { address: address("2001:db8::4"), realservers: [realserver("2001:db8::2")] };
  const own = [0x20, 1, 0x0d, 0xb8, ...Array(11).fill(0), 5];
  const talk = session(
    {
      balancer: makeBalancer([serviceFor(xdmcp, spec)]),
      client: endpoint("2001:db8::5", 40000),
      virtual: endpoint("2001:db8::4", 177),
    },
    request(2, OWN, own),
  );
  t.equal(talk.heard("original"), latin1(QUERY) + latin1(request(2, own)));
  t.match(talk.pending, [/^x11 2001:db8::2:any -> .*2001:db8::5\]?:6002$/]);
});

t.test("an Accept that nobody asked for, or said twice, opens nothing more", async (t) => {
  const early = conversationOf(xdmcp);
  t.equal(early.server(ACCEPT), latin1(ACCEPT));
  t.equal(early.announced.length, 0);
  const twice = session();
  twice.server(ACCEPT);
  t.same(twice.pending, [X11]);
  t.same(twice.reasons("settled"), ["accepted"]);
});
