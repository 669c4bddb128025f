import fc from "fast-check";
import t from "tap";
import { port } from "../../../core/units.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { embedded, icmp, joined, route, tcp, ttlOf, udp, wrong } from "../../packets.ts";
import { Director, realserver, service } from "../director.ts";
import { Session } from "./session.ts";

const V4 = { client: "192.0.2.7", vip: "203.0.113.10", real: "10.0.0.3", router: "198.51.100.1" };
const V6 = { client: "2001:db8::7", vip: "2001:db8:1::10", real: "fd00::3", router: "2001:db8:9::1" };
type Ends = typeof V4;

const at = (address: string, port: number) => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`);
const opened = (ends: Ends, transport: "tcp" | "udp"): Director => {
  const d = new Director([service(ends.vip, [[transport, 53, 53]], [realserver(ends.real, 5353)])]);
  const from = at(ends.client, 40_000);
  d.one(transport === "tcp" ? tcp({ from, to: at(ends.vip, 53), flags: "S" }) : udp({ from, to: at(ends.vip, 53) }));
  return d;
};
const packetOf = (transport: "tcp" | "udp", from: string, to: string, payload = new Uint8Array(40)) =>
  transport === "tcp" ? tcp({ from, to, payload }) : udp({ from, to, payload });
const typeOf = (ends: Ends) => (ends === V4 ? { type: 3, code: 4 } : { type: 2, code: 0 });

for (const [family, ends] of [["IPv4", V4] as const, ["IPv6", V6] as const]) {
  for (const transport of ["tcp", "udp"] as const) {
    t.test(`${family} ${transport}: too large an answer: the realserver learns the path's MTU`, async (t) => {
      const d = opened(ends, transport);
      const about = packetOf(transport, at(ends.vip, 53), at(ends.client, 40_000));
      const judged = d.one(icmp({ from: ends.router, to: ends.vip, ...typeOf(ends), rest: 1400, about }), "CLIENT");
      t.match(judged, { verdict: "to-real", reason: "icmp-error" });
      t.equal(wrong(judged.packet), null);
      t.equal(ttlOf(judged.packet), 63);
      const expected = packetOf(transport, at(ends.real, 5353), at(ends.client, 40_000));
      t.equal(route(embedded(judged.packet)), route(expected), "the packet it sent");
      const outer = icmp({ from: ends.router, to: ends.real, ...typeOf(ends), rest: 1400, about: expected, ttl: 63 });
      t.same(judged.packet, outer);
    });

    t.test(`${family} ${transport}: a realserver's error leaves as the VIP's`, async (t) => {
      const d = opened(ends, transport);
      const about = packetOf(transport, at(ends.client, 40_000), at(ends.real, 5353));
      const expected = packetOf(transport, at(ends.client, 40_000), at(ends.vip, 53));
      const unreachable = ends === V4 ? { type: 3, code: 3 } : { type: 1, code: 4 };
      for (const from of [ends.real, ends === V4 ? "10.0.0.1" : "fd00::1"]) {
        const judged = d.one(icmp({ from, to: ends.client, ...unreachable, about }), "REAL");
        t.equal(judged.verdict, "to-client");
        t.same(judged.packet, icmp({ from: ends.vip, to: ends.client, ...unreachable, about: expected, ttl: 63 }));
      }
    });
  }

  t.test(`${family}: an error is dropped that is about nothing known here, or not for who sent it`, async (t) => {
    const d = opened(ends, "tcp");
    const error = (about: Uint8Array, to = ends.vip) => icmp({ from: ends.router, to, ...typeOf(ends), about });
    const good = packetOf("tcp", at(ends.vip, 53), at(ends.client, 40_000));
    const reasons = [
      error(packetOf("tcp", at(ends.vip, 53), at(ends.client, 40_001))),
      error(packetOf("udp", at(ends.vip, 53), at(ends.client, 40_000))),
      error(good, ends.client),
      error(good.subarray(0, ends === V4 ? 27 : 47)),
      error(good.subarray(0, 10)),
      error(packetOf("tcp", at((ends === V4 ? V6 : V4).vip, 53), at((ends === V4 ? V6 : V4).client, 40_000))),
    ].map((packet) => d.one(packet).reason);
    t.same(reasons, ["icmp-no-flow", "icmp-no-flow", "icmp-mismatch", "malformed", "malformed", "malformed"]);
    t.equal(d.one(error(good), "REAL").reason, "wrong-side");
    t.equal(
      d.one(icmp({ from: ends.router, to: ends.vip, ...typeOf(ends), about: good, ttl: 1 })).reason,
      "ttl-exceeded",
    );
  });
}

t.test(
  "wherever the embedded packet was cut, the checksum of the whole is right, and so are those embedded",
  async () => {
    const how = fc.record({
      v6: fc.boolean(),
      transport: fc.constantFrom<"tcp" | "udp">("tcp", "udp"),
      inwards: fc.boolean(),
      payload: fc.uint8Array({ maxLength: 64 }),
      keep: fc.nat(64),
    });
    fc.assert(
      fc.property(how, ({ v6, transport, inwards, payload, keep }) => {
        const ends = v6 ? V6 : V4;
        const d = opened(ends, transport);
        const [from, to] = inwards
          ? [at(ends.vip, 53), at(ends.client, 40_000)]
          : [at(ends.client, 40_000), at(ends.real, 5353)];
        const whole = packetOf(transport, from, to, payload);
        const about = whole.subarray(0, (v6 ? 40 : 20) + 8 + keep);
        const error = icmp({
          from: inwards ? ends.router : ends.real,
          to: inwards ? ends.vip : ends.client,
          ...typeOf(ends),
          about,
        });
        const judged = d.one(error);
        return judged.reason === "icmp-error" && wrong(judged.packet) === null;
      }),
      { numRuns: 500 },
    );
  },
);

t.test("an error that came damaged leaves damaged", async (t) => {
  const d = opened(V4, "tcp");
  const about = packetOf("tcp", at(V4.vip, 53), at(V4.client, 40_000));
  const error = icmp({ from: V4.router, to: V4.vip, type: 3, code: 4, about });
  error[error.length - 1]! ^= 1;
  const judged = d.one(error);
  t.equal(judged.verdict, "to-real");
  t.equal(wrong(judged.packet), "ICMP checksum");
});

t.test("a datagram without a checksum is quoted without one", async (t) => {
  const d = opened(V4, "udp");
  const about = udp({ from: at(V4.vip, 53), to: at(V4.client, 40_000), unsummed: true });
  const { packet } = d.one(icmp({ from: V4.router, to: V4.vip, type: 3, code: 4, about }));
  t.equal(wrong(packet), null);
  t.same(embedded(packet).subarray(26, 28), Uint8Array.of(0, 0));
});

t.test("queries, redirects and source quenches are no errors: nobody answers them here", async (t) => {
  const d = opened(V4, "tcp");
  const about = packetOf("tcp", at(V4.vip, 53), at(V4.client, 40_000));
  for (const type of [0, 4, 5, 8])
    t.equal(d.one(icmp({ from: V4.router, to: V4.vip, type, about })).reason, "icmp-query");
  t.equal(
    d.one(joined(icmp({ from: V4.router, to: V4.vip, type: 3, about }).subarray(0, 24)).with(3, 24)).reason,
    "malformed",
  );
});

for (const damaged of [true, false]) {
  t.test(
    `a path-MTU message ${damaged ? "that came damaged says nothing" : "is believed"} about segments of our own`,
    async (t) => {
      const reals = [realserver(V4.real, null)];
      const d = new Director([service(V4.vip, [["tcp", 21, 21]], reals, { helper: ftp, controlPorts: [port(21)] })]);
      const session = new Session(d, at(V4.client, 40_000), at(V4.vip, 21), at(V4.real, 21)).open();
      session.reply("220 ready\r\n");
      const { sequence } = session.client;
      const about = tcp({ from: at(V4.client, 40_000), to: at(V4.real, 21), payload: new Uint8Array(100), sequence });
      const error = icmp({ from: V4.router, to: V4.client, type: 3, code: 4, rest: 140, about });
      if (damaged) error[error.length - 1]! ^= 1;
      d.one(error, "REAL");
      const line = `STOR ${"x".repeat(200)}\r\n`;
      t.equal(session.say(line), line);
      t.equal(
        session.server.received.every(({ length }) => length <= 100),
        !damaged,
      );
    },
  );
}

// --- what a reader has rewritten ------------------------------------------------------------------------------------

const sequenceIn = (packet: Uint8Array): number => {
  const { buffer, byteOffset } = embedded(packet);
  return new DataView(buffer, byteOffset).getUint32(24);
};

/** A session in which the realserver's words have become longer, and what it says next, as it went to the client. */
function stretched(encrypted: boolean) {
  const reals = [realserver(V4.real, null)];
  const d = new Director([service(V4.vip, [["tcp", 21, 21]], reals, { helper: ftp, controlPorts: [port(21)] })]);
  const session = new Session(d, at(V4.client, 40_000), at(V4.vip, 21), at(V4.real, 21)).open();
  session.reply("220 ready\r\n");
  session.say("PASV\r\n");
  session.reply("227 (10,0,0,3,19,137)\r\n");
  if (encrypted) {
    session.say("AUTH TLS\r\n");
    session.reply("234 go\r\n");
    session.say("\x01 is no record");
  }
  const { server } = session;
  const said = tcp({
    from: server.name,
    to: server.peer,
    flags: "AP",
    sequence: server.sequence,
    acknowledgment: server.heard,
    payload: new TextEncoder().encode("150 here it comes\r\n"),
  });
  const judged = d.one(said, "REAL");
  if ((judged.verdict === "taken") === encrypted) throw new Error(judged.verdict);
  return { d, sequence: server.sequence, packet: judged.verdict === "taken" ? d.sent[0]!.packet : judged.packet };
}

for (const encrypted of [false, true]) {
  t.test(
    `what was said behind longer words${encrypted ? ", and is read no more," : ""} is quoted by its sender's own number`,
    async (t) => {
      const { d, sequence, packet } = stretched(encrypted);
      const { verdict } = d.one(packet.slice());
      t.equal(verdict, "drop", "it is a packet to the client");
      for (const kept of [28, packet.length]) {
        const about = packet.subarray(0, kept);
        const error = icmp({ from: V4.router, to: V4.vip, type: 3, code: 4, rest: 1400, about });
        t.not(sequenceIn(error), sequence);
        const judged = d.one(error, "CLIENT");
        t.equal(judged.verdict, "to-real");
        t.equal(sequenceIn(judged.packet), sequence);
        t.equal(wrong(judged.packet), null);
      }
    },
  );
}

/** `packet` with its sequence number moved, as far as an error quotes it. */
function moved(packet: Uint8Array, by: number): Uint8Array {
  const other = packet.slice();
  const view = new DataView(other.buffer);
  view.setUint32(24, view.getUint32(24) + by);
  return other;
}

t.test("of a control connection that is read, errors about what is not in flight are dropped (RFC 5927)", async (t) => {
  const length = "150 here it comes\r\n".length;
  const told = (by: number, encrypted = false, type = 3, code = 4): string => {
    const { d, packet } = stretched(encrypted);
    return d.one(icmp({ from: V4.router, to: V4.vip, type, code, rest: 576, about: moved(packet, by) }), "CLIENT")
      .reason;
  };
  for (const by of [0, 1, length]) t.equal(told(by), "icmp-error", `${by}`);
  for (const by of [-1, -1000, length + 1, 100_000, 0x7fffffff]) {
    t.equal(told(by), "icmp-sequence", `${by}`);
    t.equal(told(by, false, 3, 1), "icmp-sequence", "whatever the error");
    t.equal(told(by, true), "icmp-error", "of what is not read nobody knows");
  }
});

t.test("a path-MTU message about what was never sent makes no segment smaller", async (t) => {
  const reals = [realserver(V4.real, null)];
  const d = new Director([service(V4.vip, [["tcp", 21, 21]], reals, { helper: ftp, controlPorts: [port(21)] })]);
  const session = new Session(d, at(V4.client, 40_000), at(V4.vip, 21), at(V4.real, 21)).open();
  session.reply("220 ready\r\n");
  const about = tcp({ from: at(V4.client, 40_000), to: at(V4.real, 21), sequence: session.client.sequence + 1000 });
  const error = icmp({ from: V4.router, to: V4.client, type: 3, code: 4, rest: 140, about });
  t.equal(d.one(error, "REAL").reason, "icmp-sequence");
  const line = `STOR ${"x".repeat(200)}\r\n`;
  t.equal(session.say(line), line);
  t.ok(session.server.received.some(({ length }) => length > 100));
});

t.test("errors about the SYN, which is not acknowledged yet, and its answer", async (t) => {
  const reals = [realserver(V4.real, null)];
  const d = new Director([service(V4.vip, [["tcp", 21, 21]], reals, { helper: ftp, controlPorts: [port(21)] })]);
  const syn = (sequence: number) =>
    tcp({ from: at(V4.client, 40_000), to: at(V4.real, 21), flags: "S", sequence: sequence >>> 0 });
  d.one(tcp({ from: at(V4.client, 40_000), to: at(V4.vip, 21), flags: "S", sequence: 1000 }), "CLIENT");
  const error = (about: Uint8Array) => icmp({ from: V4.router, to: V4.client, type: 3, code: 1, about });
  for (const [sequence, reason] of [
    [1000, "icmp-error"],
    [999, "icmp-sequence"],
    [1002, "icmp-sequence"],
  ] as const) {
    t.equal(d.one(error(syn(sequence)), "REAL").reason, reason, `${sequence}`);
  }
  const answer = tcp({ from: at(V4.vip, 21), to: at(V4.client, 40_000), flags: "SA", sequence: 7 });
  const about = icmp({ from: V4.router, to: V4.vip, type: 3, code: 1, about: answer });
  t.equal(d.one(about, "CLIENT").reason, "icmp-sequence", "nobody has answered");
});

t.test("an error from no host is dropped, and one from a VIP to itself", async (t) => {
  const d = opened(V4, "tcp");
  const about = packetOf("tcp", at(V4.vip, 53), at(V4.client, 40_000));
  for (const [from, reason] of [
    ["127.0.0.1", "martian-source"],
    ["255.255.255.255", "martian-source"],
    [V4.vip, "land"],
  ] as const) {
    t.equal(d.one(icmp({ from, to: V4.vip, type: 3, code: 4, about }), "CLIENT").reason, reason);
  }
});
