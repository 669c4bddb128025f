import t from "tap";
import type { Announcement, Connection } from "../../../core/helper/api.ts";
import { explainRefusal, judge } from "../../../core/helper/judge.ts";
import { type Direction, port } from "../../../core/units.ts";
import type { Address } from "../../../core/wire/address.ts";
import { address, endpoint } from "../../addresses.ts";

const connection: Connection = {
  transport: "tcp",
  client: endpoint("10.0.0.5", 40000),
  virtual: endpoint("1.2.3.4", 21),
  real: endpoint("192.168.0.2", 21),
};

const announcement = (
  opener: Direction,
  to: string | null,
  port = 5001,
  rest: Partial<Announcement> = {},
): Announcement => ({
  kind: "test",
  said: "SAID",
  transport: "tcp",
  opener,
  from: { address: null, port: null },
  to: { address: to === null ? null : address(to), port },
  uses: 1,
  bytes: { start: 0, end: 0 },
  instead: { start: 0, end: 0, text: () => "" },
  ...rest,
});

// Who speaks, who opens, the address that is named: an end must belong to the peer that it is said to be.
const table: [speaker: Direction, opener: Direction, to: string | null, refused: string | null][] = [
  ["reply", "original", null, null],
  ["reply", "original", "192.168.0.2", null],
  ["reply", "original", "192.168.0.3", "bounce"],
  ["reply", "original", "1.2.3.4", "bounce"],
  ["reply", "original", "10.0.0.5", "bounce"],
  ["reply", "original", "::1", "family-mismatch"],
  ["reply", "original", "::ffff:192.168.0.2", null],
  ["original", "reply", null, null],
  ["original", "reply", "10.0.0.5", null],
  ["original", "reply", "10.0.0.6", "bounce"],
  ["original", "reply", "192.168.0.2", "bounce"],
  // lftp's EPRT from ::1; it leads to the client's own address. So does vsftpd's 227 over IPv6 to the realserver's.
  ["original", "reply", "0.0.0.0", null],
  ["original", "reply", "::", "family-mismatch"],
  ["reply", "original", "0.0.0.0", null],
  ["reply", "original", "::", null],
  // RTSP: a server repeats where the client listens, a client where the server does, as it knows it.
  ["reply", "reply", "10.0.0.5", null],
  ["reply", "reply", "10.0.0.6", "bounce"],
  ["reply", "reply", "0.0.0.0", "bounce"],
  ["original", "original", "1.2.3.4", null],
  ["original", "original", "192.168.0.2", "bounce"],
];
for (const [speaker, opener, to, refused] of table) {
  t.test(`${speaker} says that ${opener} opens to ${to ?? "its own address"}: ${refused ?? "let in"}`, async (t) => {
    t.equal(judge(announcement(opener, to), speaker, connection, []), refused);
  });
}

t.test("a declared address is the realserver's to announce, not the client's", async (t) => {
  const declared: Address[] = [address("203.0.113.7")];
  t.equal(judge(announcement("original", "203.0.113.7"), "reply", connection, declared), null);
  t.equal(judge(announcement("reply", "203.0.113.7"), "original", connection, declared), "bounce");
  t.equal(judge(announcement("original", "203.0.113.7"), "original", connection, declared), "bounce");
});

t.test("who opens is checked like who is connected to", async (t) => {
  const from = { address: address("10.0.0.6"), port: null };
  t.equal(judge(announcement("original", null, 5001, { from }), "reply", connection, []), "bounce");
});

t.test("a protocol that lives on reserved ports names those, and none below", async (t) => {
  const lowest = port(512);
  t.equal(judge(announcement("reply", null, 1022, { lowest }), "original", connection, []), null);
  t.equal(judge(announcement("reply", null, 511, { lowest }), "original", connection, []), "port-reserved");
});

t.test("ports from 1024 to 65535 only, whatever a helper says", async (t) => {
  const ports: [number, string | null][] = [
    [0, "port-zero"],
    [1, "port-reserved"],
    [1023, "port-reserved"],
    [1024, null],
    [65535, null],
    [65536, "bad-port"],
    [-1, "bad-port"],
    [5001.5, "bad-port"],
    [Number.NaN, "bad-port"],
  ];
  for (const [port, refused] of ports) {
    t.equal(judge(announcement("original", null, port), "reply", connection, []), refused, `${port}`);
  }
});

t.test("the protocol's own objection comes first", async (t) => {
  t.equal(judge(announcement("original", null, 0, { objection: "epsv-all" }), "reply", connection, []), "epsv-all");
});

t.test("refusals in a sentence", async (t) => {
  const say = (reason: string, to: string | null, port?: number, opener: Direction = "original") =>
    explainRefusal(
      reason,
      `words for ${reason}`,
      announcement(opener, to, port),
      opener === "original" ? "reply" : "original",
      connection,
    );
  t.equal(say("bounce", "192.168.0.9"), "SAID names 192.168.0.9, the realserver is 192.168.0.2");
  t.equal(say("bounce", "10.9.9.9", 5001, "reply"), "SAID names 10.9.9.9, the client is 10.0.0.5");
  t.equal(say("port-zero", null, 0), "SAID names port 0");
  t.equal(say("port-reserved", null, 22), "SAID names the reserved port 22");
  t.equal(say("unsolicited", "192.168.0.2"), "SAID names 192.168.0.2 port 5001, and no command asked for it");
  t.equal(say("unsolicited", null), "SAID names port 5001, and no command asked for it");
  t.equal(say("client-limit", null), "SAID: words for client-limit");
});
