/** The behaviour cases that every FTP helper must hold, by their numbers. Packet-level halves of 16 are the engine's. */
import t from "tap";
import type { Direction } from "../../../core/helper/api.ts";
import { seconds } from "../../../core/units.ts";
import { endpoint } from "../../addresses.ts";
import { Conversation, ftpService, makeBalancer, REAL, realserver } from "../../conversation.ts";

const ENTERING = "227 Entering Passive Mode (192,168,0,2,19,137).\r\n";
const ENTERED = "227 Entering Passive Mode (1,2,3,4,19,137).\r\n";
const PASSIVE = "ftp-passive 10.0.0.5:any -> 1.2.3.4:5001 => 192.168.0.2:5001";
const REFUSED_COMMAND = "PORT 0,0,0,0,0,0\r\n";
const refused = (reason: string) => `425 Can't open data connection: refused by the director (${reason}).\r\n`;

const session = (options: ConstructorParameters<typeof Conversation>[0] = {}) => new Conversation(options).login();

t.test("1: a 227 after PASV opens client:any -> VIP:port => realserver:port and tells the VIP", async (t) => {
  const ftp = session();
  t.equal(ftp.client("PASV\r\n"), "PASV\r\n");
  t.equal(ftp.server(ENTERING), ENTERED);
  t.same(ftp.pending, [PASSIVE]);
  const claimed = ftp.balancer.claim("tcp", endpoint("1.2.3.4", 5001), endpoint("10.0.0.5", 50000), ftp.now);
  t.type(claimed, "object", "and the client can open it");
  t.equal(typeof claimed === "object" && claimed.connection.real.address.toString(), REAL);
});

t.test("2: a 227 that no PASV asked for is refused as unsolicited, and its address is not told", async (t) => {
  const ftp = session();
  t.equal(ftp.server(ENTERING), refused("unsolicited"));
  t.same(ftp.pending, []);
  t.same(ftp.reasons("refused"), ["unsolicited"]);
});

t.test("a 227 to a passive command that is not known here is refused as unsolicited, too", async (t) => {
  for (const command of ["P@SW", "CPSV"]) {
    const ftp = session();
    t.equal(ftp.client(`${command}\r\n`), `${command}\r\n`);
    t.equal(ftp.server(ENTERING), refused("unsolicited"), command);
  }
});

t.test("3: a 227 that names another address than the realserver's is refused as bounce", async (t) => {
  const ftp = session();
  ftp.client("PASV\r\n");
  t.equal(ftp.server("227 Entering Passive Mode (192,168,0,9,19,137)\r\n"), refused("bounce"));
  t.same(ftp.pending, []);

  const declared = realserver(REAL, { announces: [endpoint("203.0.113.7", 1).address] });
  const masquerading = session({ balancer: makeBalancer([ftpService({ realservers: [declared] })]) });
  masquerading.client("PASV\r\n");
  t.equal(masquerading.server("227 Ok (203,0,113,7,19,137)\r\n"), "227 Ok (1,2,3,4,19,137)\r\n", "unless declared");
  t.same(masquerading.pending, [PASSIVE], "and it leads to the realserver itself");
});

const badPassive: [text: string, reason: string][] = [
  ["192,168,0,2,0,0", "port-zero"],
  ["192,168,0,2,0,21", "port-reserved"],
  ["192,168,0,2,3,255", "port-reserved"],
  ["192,168,0,300,19,137", "bad-octet"],
  ["192,168,0,2,300,44", "bad-octet"],
  ["192,168,0,2,19", "bad-argument"],
  ["192,168,0,2,19,137,1", "bad-argument"],
];
for (const [text, reason] of badPassive) {
  t.test(`4: 227 (${text}) is refused as ${reason}`, async (t) => {
    const ftp = session();
    ftp.client("PASV\r\n");
    t.equal(ftp.server(`227 Entering Passive Mode (${text})\r\n`), refused(reason));
    t.same(ftp.pending, []);
  });
}

t.test("5: a 227 split at every byte, and one byte a segment, gives the same entry and the same bytes", async (t) => {
  for (let at = 0; at <= ENTERING.length; at++) {
    const ftp = session();
    ftp.client("PASV\r\n");
    const heard = ftp.server(ENTERING.slice(0, at)) + ftp.server(ENTERING.slice(at));
    if (heard !== ENTERED || ftp.pending.join() !== PASSIVE) t.fail(`split at ${at}: ${heard}`);
  }
  const drip = session();
  drip.client("PASV\r\n");
  t.equal([...ENTERING].map((byte) => drip.server(byte)).join(""), ENTERED);
  t.same(drip.pending, [PASSIVE]);
});

t.test("6: two PASVs before the first 227 make two entries, in order", async (t) => {
  const ftp = session();
  ftp.client("PASV\r\nPASV\r\n");
  ftp.server("227 (192,168,0,2,19,137)\r\n227 (192,168,0,2,19,138)\r\n");
  t.same(ftp.pending, [PASSIVE, PASSIVE.replaceAll("5001", "5002")]);
});

t.test("7: STOR x PASV does not arm", async (t) => {
  const ftp = session();
  ftp.client("STOR x PASV\r\n");
  t.equal(ftp.server(ENTERING), refused("unsolicited"));
  t.same(ftp.pending, []);
});

t.test("8: PASV and LIST in one segment: armed, LIST untouched", async (t) => {
  const ftp = session();
  t.equal(ftp.client("PASV\r\nLIST\r\n"), "PASV\r\nLIST\r\n");
  t.equal(ftp.server(`${ENTERING}150 Here it comes\r\n`), `${ENTERED}150 Here it comes\r\n`);
  t.same(ftp.pending, [PASSIVE]);
});

t.test(
  "9: two realservers, the same passive port: two VIP ports, or a refusal; never a crossed transfer",
  async (t) => {
    const two = () => makeBalancer([ftpService({ realservers: [realserver(REAL), realserver("192.168.0.3")] })]);
    const announce = (balancer: ReturnType<typeof two>, seenPorts: readonly [number, number]) =>
      [
        { client: endpoint("10.0.0.5", 40000), seen: seenPorts[0] },
        { client: endpoint("10.0.0.6", 40000), seen: seenPorts[1] },
      ].map(({ client, seen }) => {
        const ftp = session({ balancer, client, seen: () => endpoint("1.2.3.4", seen) });
        ftp.client("EPSV\r\n");
        return { ftp, heard: ftp.server("229 Entering Extended Passive Mode (|||5001|)\r\n") };
      });

    const apart = two();
    announce(apart, [5001, 5002]);
    const first = apart.claim("tcp", endpoint("1.2.3.4", 5001), endpoint("10.0.0.5", 50000), seconds(1000));
    const second = apart.claim("tcp", endpoint("1.2.3.4", 5002), endpoint("10.0.0.6", 50000), seconds(1000));
    t.equal(typeof first === "object" && first.related.target.address.toString(), "192.168.0.2");
    t.equal(typeof second === "object" && second.related.target.address.toString(), "192.168.0.3");

    const [one, other] = announce(two(), [5001, 5001]);
    t.equal(one!.ftp.pending.length, 1);
    t.equal(other!.heard, refused("unavailable"), "the port is taken");
    t.same(other!.ftp.pending, []);
  },
);

t.test("10: the control connection closes: pending entries are gone, an open transfer lives on", async (t) => {
  const ftp = session();
  ftp.client("PASV\r\nPASV\r\n");
  ftp.server("227 (192,168,0,2,19,137)\r\n227 (192,168,0,2,19,138)\r\n");
  const claimed = ftp.balancer.claim("tcp", endpoint("1.2.3.4", 5001), endpoint("10.0.0.5", 50000), ftp.now);
  ftp.close();
  t.equal(ftp.balancer.related.size, 0);
  t.equal(
    ftp.balancer.claim("tcp", endpoint("1.2.3.4", 5002), endpoint("10.0.0.5", 50001), ftp.now),
    "no-related-entry",
  );
  t.ok(typeof claimed === "object" && ftp.balancer.connections.get(claimed.connection.handle), "the transfer is there");
});

t.test("11: PORT opens realserver:any -> client:port, leaving as the VIP", async (t) => {
  const ftp = session();
  t.equal(ftp.client("PORT 10,0,0,5,4,1\r\n"), "PORT 10,0,0,5,4,1\r\n", "LVS-NAT leaves the client's address");
  t.same(ftp.pending, ["ftp-active 192.168.0.2:any -> 10.0.0.5:1025 => 10.0.0.5:1025"]);
  const claimed = ftp.balancer.claim("tcp", endpoint("10.0.0.5", 1025), endpoint(REAL, 20), ftp.now);
  t.equal(typeof claimed === "object" && claimed.connection.virtual.address.toString(), "1.2.3.4");

  const told = session({ seen: () => endpoint("192.168.0.1", 45678) });
  t.equal(told.client("PORT 10,0,0,5,4,1\r\n"), "PORT 192,168,0,1,178,110\r\n", "the socket path tells its own");
});

for (const said of ["port 10,0,0,5,4,1", "PoRT   10,0,0,5,4,1", "PORT 10,0,0,5,4,1  ", "  PORT\t10,0,0,5,4,1 \t"]) {
  t.test(`12: "${said}" is accepted`, async (t) => {
    const ftp = session();
    ftp.client(`${said}\r\n`);
    t.same(ftp.pending, ["ftp-active 192.168.0.2:any -> 10.0.0.5:1025 => 10.0.0.5:1025"]);
  });
}
for (const numbers of ["10,0,0,5,4", "10,0,0,5,4,1,1", "10,0,0,5,256,1", "10,0,0,5,-1,1", "10,0,0,5,a,1", "", "x"]) {
  t.test(`12: PORT ${numbers} is refused`, async (t) => {
    const ftp = session();
    t.match(ftp.client(`PORT ${numbers}\r\n`), /^PORT 0,0,0,0,0,0 ?\r\n$/);
    t.same(ftp.pending, []);
    t.equal(ftp.reasons("refused").length, 1);
  });
}

t.test("13: 500 PORTs to third hosts: no entry, each answered by the realserver's own refusal", async (t) => {
  const ftp = session();
  for (let host = 0; host < 500; host++) {
    t.equal(ftp.client(`PORT 10,9,${host >> 8},${host & 255},4,1\r\n`), REFUSED_COMMAND);
  }
  t.equal(ftp.balancer.related.size, 0);
  t.same(new Set(ftp.reasons("refused")), new Set(["bounce"]));
});

const badExtended: [argument: string, reason: string][] = [
  ["|2|2001:db8::5|1025|", "family-mismatch"],
  ["|3|10.0.0.5|1025|", "bad-family"],
  ["|1|10.0.0.5|81813|", "bad-port"],
  ["|1|10.0.0.5|65536|", "bad-port"],
  ["|1|10.0.0.5|4294968321|", "bad-port"],
  ["|1|10.0.0.5|0|", "port-zero"],
  ["|1|10.0.0.5|1023|", "port-reserved"],
  ["|1|10.0.0.6|1025|", "bounce"],
  ["|1|010.0.0.5|1025|", "bad-address"],
  ["|1|10.0.0.5|1025", "bad-argument"],
  ["|1|10.0.0.5|1025|x", "bad-argument"],
];
for (const [argument, reason] of badExtended) {
  t.test(`14: EPRT ${argument} is refused as ${reason}`, async (t) => {
    const ftp = session();
    t.equal(ftp.client(`EPRT ${argument}\r\n`), REFUSED_COMMAND);
    t.same(ftp.reasons("refused"), [reason]);
    t.same(ftp.pending, []);
  });
}

t.test("15: after EPSV ALL, PORT, PASV and EPRT are refused, and EPSV still works", async (t) => {
  const ftp = session();
  ftp.client("epsv all\r\n");
  ftp.server("200 EPSV ALL ok\r\n");
  t.equal(ftp.client("PORT 10,0,0,5,4,1\r\n"), REFUSED_COMMAND);
  ftp.server("500 Illegal PORT\r\n");
  t.equal(ftp.client("EPRT |1|10.0.0.5|1025|\r\n"), REFUSED_COMMAND);
  ftp.server("500 Illegal PORT\r\n");
  ftp.client("PASV\r\n");
  t.equal(ftp.server(ENTERING), refused("epsv-all"));
  t.same(ftp.reasons("refused"), ["epsv-all", "epsv-all", "epsv-all"]);
  ftp.client("EPSV\r\n");
  t.equal(ftp.server("229 Ok (|||5001|)\r\n"), "229 Ok (|||5001|)\r\n");
  t.equal(ftp.pending.length, 1);

  const other = session();
  other.client("EPSV ALL\r\n");
  other.server("501 What?\r\n");
  other.client("PASV\r\n");
  t.equal(other.server(ENTERING), ENTERED, "unless the server did not take it");
});

t.test("16: rewrites that lengthen and shorten, one after the other, leave what is between them whole", async (t) => {
  const ends = [endpoint("1.2.3.4", 1025), endpoint("123.123.123.123", 65535), endpoint("1.2.3.4", 5001)];
  const ftp = session({ seen: () => ends.shift()! });
  ftp.client("PASV\r\nNOOP\r\nPASV\r\nPASV\r\n");
  t.equal(
    ftp.server(`${ENTERING}200 (192,168,0,2)\r\n${ENTERING}${ENTERING}`),
    "227 Entering Passive Mode (1,2,3,4,4,1).\r\n200 (192,168,0,2)\r\n" +
      `227 Entering Passive Mode (123,123,123,123,255,255).\r\n${ENTERED}`,
  );
});

t.test("17: telnet IP and SYNCH before ABOR, then PASV: armed", async (t) => {
  const ftp = session();
  t.equal(ftp.client("\xff\xf4\xff\xf2ABOR\r\nPASV\r\n"), "\xff\xf4\xff\xf2ABOR\r\nPASV\r\n", "untouched");
  ftp.server("226 Aborted\r\n");
  t.equal(ftp.server(ENTERING), ENTERED);
});

t.test("18: AUTH TLS: blind after 234, reading on after 5xx, reading again after CCC", async (t) => {
  const tls = session();
  tls.client("AUTH TLS\r\n");
  tls.server("234 Go\r\n");
  t.same(tls.reasons("note"), ["encrypted"]);
  t.same(tls.reasons("group"), ["tls"]);
  const record = (text: string) => `\x17\x03\x03\0${String.fromCharCode(text.length)}${text}`;
  t.equal(tls.client(record("PORT 10,9,9,9,4,1\r\n")), record("PORT 10,9,9,9,4,1\r\n"), "what is encrypted is nothing");
  t.equal(tls.server(record(ENTERING)), record(ENTERING));
  tls.client("PASV\r\n");
  t.equal(tls.server(ENTERING), ENTERED, "plain again");

  const plain = session();
  plain.client("AUTH TLS\r\n");
  plain.server("502 No\r\n");
  plain.client("PASV\r\n");
  t.equal(plain.server(ENTERING), ENTERED);
  t.same(plain.reasons("group"), []);
});

t.test("19: a 10 kB line without CRLF is not held, is counted, and the session goes on, read", async (t) => {
  const ftp = session();
  const line = `STOR ${"x".repeat(10_000)}`;
  t.equal(ftp.client(line), line);
  t.same(ftp.reasons("fault"), ["line-too-long"]);
  ftp.client("\r\nPASV\r\n");
  ftp.server("553 Name too long\r\n");
  t.equal(ftp.server(ENTERING), ENTERED);
});

const odd: [why: string, direction: Direction, bytes: string][] = [
  ["a NUL in a command", "original", "NO\0OP\r\n"],
  ["a NUL behind a CR", "original", "NOOP\r\0\r\n"],
  ["a bare CR in a command", "original", "NOOP\rx\r\n"],
  ["a bare LF", "original", "NOOP\n"],
  ["a NUL in a reply", "reply", "200 a\0b\r\n"],
  ["a bare CR in a reply", "reply", "200 a\rb\r\n"],
  ["a bare LF at a reply's end", "reply", "200 a\n"],
];
for (const [why, direction, bytes] of odd) {
  t.test(`20: ${why} passes as it is and the dialogue stays in step`, async (t) => {
    const ftp = session();
    if (direction === "reply") ftp.client("NOOP\r\n");
    t.equal(ftp.say(direction, bytes), bytes);
    if (direction === "original") ftp.server("200 ok\r\n");
    ftp.client("PASV\r\n");
    t.equal(ftp.server(ENTERING), ENTERED);
    t.same(ftp.pending, [PASSIVE]);
    t.same(ftp.server(ENTERING), refused("unsolicited"), "and only once");
  });
}
