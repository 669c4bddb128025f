import t from "tap";
import { ftp } from "../../../helpers/ftp/helper.ts";
import { address, endpoint } from "../../addresses.ts";
import { holdsContract, inspect } from "../../contract.ts";
import { Conversation, ftpService, makeBalancer, REAL, realserver } from "../../conversation.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const session = (options: ConstructorParameters<typeof Conversation>[0] = {}) => new Conversation(options).login();
const refused = (reason: string, code = 425) =>
  `${code} Can't open data connection: refused by the director (${reason}).\r\n`;

holdsContract(
  t,
  ftp,
  [
    "220 ready\r\n",
    "220-Welcome\r\n hello\r\n220 ready\r\n",
    "USER anonymous\r\n",
    "PASV\r\n",
    "EPSV\r\n",
    "EPSV ALL\r\n",
    "227 Entering Passive Mode (192,168,0,2,19,137)\r\n",
    "227-x (192,168,0,2,19,137)\r\n227 (192,168,0,2,19,137)\r\n",
    "229 Entering Extended Passive Mode (|||5001|)\r\n",
    "228 Long (4,4,192,168,0,2,2,19,137)\r\n",
    "PORT 10,0,0,5,4,1\r\n",
    "EPRT |1|10.0.0.5|1025|\r\n",
    "LPRT 4,4,10,0,0,5,2,4,1\r\n",
    "200 ok\r\n",
    "500 no\r\n",
    "AUTH TLS\r\n",
    "234 go\r\n",
    "\x16\x03\x01\0\x05hello",
    "\xff\xf4\xff\xf2ABOR\r\n",
    `STOR ${"x".repeat(5000)}\r\n`,
    `PORT ${"1".repeat(5000)}\r\n`,
  ].map(bytes),
);

t.test("what is shown before its line is complete is held, and nothing is decided about it", async (t) => {
  const { verdict, consumed, recorder } = inspect(ftp, bytes("220 hel"), "reply");
  t.same({ verdict, consumed, empty: recorder.empty }, { verdict: "pass", consumed: 0, empty: true });
});

t.test("one line a call is consumed, so that each decision knows its bytes", async (t) => {
  t.equal(inspect(ftp, bytes("USER x\r\nPORT 10,0,0,5,4,1\r\n")).consumed, 8);
});

// The dialects of protocols.md, each after the command that is said first.
const dialects: [command: string, reply: string, heard: string, port: number][] = [
  ["PASV", "227 Entering Passive Mode (192,168,0,2,19,137)", "227 Entering Passive Mode (1,2,3,4,19,137)", 5001],
  ["PASV", "227 Entering Passive Mode 192,168,0,2,19,137.", "227 Entering Passive Mode 1,2,3,4,19,137.", 5001],
  ["PASV", "227 Passive mode on (192,168,0,2,19,137)", "227 Passive mode on (1,2,3,4,19,137)", 5001],
  ["PASV", "227 192,168,0,2,184,244", "227 1,2,3,4,184,244", 47348],
  ["PASV", "227 =192,168,0,2,19,137", "227 =1,2,3,4,19,137", 5001],
  [
    "PASV",
    "227-listen socket created\r\n227 (192,168,0,2,19,137)",
    "227-listen socket created\r\n227 (1,2,3,4,19,137)",
    5001,
  ],
  ["PASV", "227 Mode 2 (192,168,0,2,19,137)", "227 Mode 2 (1,2,3,4,19,137)", 5001],
  ["PASV", "250 fine\r\n227 (192,168,0,2,19,137)", "250 fine\r\n227 (1,2,3,4,19,137)", 5001],
  ["PASV", "229 Entering Extended Passive Mode (|||5001|)", "229 Entering Extended Passive Mode (|||5001|)", 5001],
  ["EPSV", "229 Entering Extended Passive Mode (|||5001|)", "229 Entering Extended Passive Mode (|||5001|)", 5001],
  ["EPSV 1", "229 (!!!9447!)", "229 (!!!9447!)", 9447],
  ["EPSV", "229 (|1|192.168.0.2|5001|)", "229 (|||5001|)", 5001],
  ["EPSV", "227 Entering Passive Mode (192,168,0,2,19,137)", "227 Entering Passive Mode (1,2,3,4,19,137)", 5001],
  ["PASV", "227 (192,168,0,2,19,137) (192,168,0,2,19,137)", "227 (1,2,3,4,19,137) (1,2,3,4,19,137)", 5001],
];
for (const [command, reply, heard, port] of dialects) {
  t.test(`${command}: "${reply.replaceAll("\r\n", " / ")}"`, async (t) => {
    const ftp = session();
    ftp.client(`${command}\r\n`);
    t.equal(ftp.server(`${reply}\r\n`), `${heard}\r\n`);
    t.match(ftp.pending, [new RegExp(`1\\.2\\.3\\.4:${port} => 192\\.168\\.0\\.2:${port}$`)]);
    t.equal(ftp.pending.length, 1);
  });
}

t.test("227 Logout, and any 227 without an address, passes untouched and opens nothing", async (t) => {
  const ftp = session();
  t.equal(ftp.server("227 Logout.\r\n"), "227 Logout.\r\n");
  ftp.client("PASV\r\n");
  t.equal(ftp.server("227 no address today\r\n"), "227 no address today\r\n");
  t.same(ftp.pending, []);
  t.same(ftp.reasons("fault"), ["no-address"]);
});

t.test("two different addresses in one 227 are refused: clients differ in which they take", async (t) => {
  const ftp = session();
  ftp.client("PASV\r\n");
  t.equal(ftp.server("227 (192,168,0,2,19,137) (192,168,0,2,19,138)\r\n"), refused("ambiguous"));
});

// Python's ftplib looks for the address in all lines of a reply, curl takes any code and a space for the last line.
t.test("an address in a continuation of a 227 is not told, coded or not, and the last line counts", async (t) => {
  for (const line of [
    "227-first (192,168,0,2,4,5)",
    " 192,168,0,2,4,5",
    "227-1,2,3,4,5,6,7",
    "229 (192,168,0,2,4,5)",
  ]) {
    const ftp = session();
    ftp.client("PASV\r\n");
    const heard = ftp.server(`227-Passive\r\n${line}\r\n227 (192,168,0,2,19,137)\r\n`);
    t.equal(heard, "227-Passive\r\n227-\r\n227 (1,2,3,4,19,137)\r\n", line);
    t.equal(ftp.pending.length, 1);
  }
});

t.test("within a multi-line reply a refused last line keeps its code", async (t) => {
  const ftp = session();
  ftp.client("PASV\r\n");
  t.equal(ftp.server("227-Passive\r\n227 (192,168,0,9,4,5)\r\n"), `227-Passive\r\n${refused("bounce", 227)}`);
});

t.test("a 227 with an address within another reply is padded, as RFC 959 asks of servers", async (t) => {
  const ftp = session();
  ftp.client("CWD pub\r\nPASV\r\n");
  const heard = ftp.server("250-Message of the day\r\n227 (192,168,0,2,4,5)\r\n227 Logout\r\n250 ok\r\n");
  t.equal(heard, "250-Message of the day\r\n 227 (192,168,0,2,4,5)\r\n227 Logout\r\n250 ok\r\n");
  t.same(ftp.pending, []);
  ftp.server("227 (192,168,0,2,19,137)\r\n");
  t.equal(ftp.pending.length, 1, "and the PASV that waits behind it is still armed");
});

t.test("a bare CR is a line's end to some peers: no reply and no PORT begins behind one", async (t) => {
  const ftp = session();
  ftp.client("PASV\r\n");
  t.equal(ftp.server("200 a\r227 (192,168,0,2,4,5)\r\n"), "200 a 227 (192,168,0,2,4,5)\r\n");
  t.equal(ftp.server("230-a\r230 (192,168,0,2,4,5)\r\n230 b\r\n"), "230-a 230 (192,168,0,2,4,5)\r\n230 b\r\n");
  ftp.client("PASV\r\nPASV\r\n");
  t.equal(ftp.server("229 (|||5001|)\r227 (192,168,0,2,4,5)\r\n"), refused("bad-argument"));
  t.equal(ftp.server("227 x\r227-\r\n"), "227 x 227-\r\n");
  t.equal(ftp.client("NOOP\rPORT 10,9,9,9,4,1\r\n"), "PORT 0,0,0,0,0,0\r\n");
  t.equal(ftp.client("NOOP\r\0PORT 10,9,9,9,4,1\r\n"), "PORT 0,0,0,0,0,0\r\n");
  t.same(ftp.reasons("refused"), ["hidden", "hidden", "bad-argument", "hidden", "hidden", "hidden"]);
  t.equal(ftp.server("200 a\rb\r\r\n"), "200 a\rb\r\r\n", "any other passes as it is");
});

t.test(
  "a reply whose code shows without NULs and telnet commands only is written so that all read the same",
  async (t) => {
    const ftp = session();
    t.equal(ftp.server("\xff\xfd\x0622\x000-a\r\n\x00220 b\r\n"), "220-a\r\n220 b\r\n");
    t.equal(ftp.server("200 \xff\xf4x\r\n"), "200 \xff\xf4x\r\n");
  },
);

t.test("2271 is 227 to some clients: with an address, it is padded", async (t) => {
  const ftp = session();
  ftp.client("PASV\r\n");
  t.equal(ftp.server("2271 (192,168,0,2,19,137)\r\n"), " 2271 (192,168,0,2,19,137)\r\n");
  t.same(ftp.reasons("refused"), ["hidden"]);
});

t.test("an address that shows when NULs or telnet commands are taken out is refused", async (t) => {
  const ftp = session();
  ftp.client("PASV\r\nEPSV\r\n");
  t.equal(ftp.server("227 (192,168,0,\xff\xf42,4,5)\r\n"), refused("bad-argument"));
  t.equal(ftp.server("22\x009 (||\0|5001|)\r\n"), refused("bad-argument"));
});

t.test("a PORT with telnet commands in it is read as without, and written anew", async (t) => {
  const ftp = session();
  t.equal(ftp.client("\xff\xf4PORT 10,0,\xff\xf40,5,4,1\r\n"), "\xff\xf4PORT 10,0,0,5,4,1\r\n");
  t.equal(ftp.pending.length, 1);
  t.equal(ftp.client("PO\0RT 10,9,9,9,4,1\r\n"), "PORT 0,0,0,0,0,0\r\n");
});

t.test("LPSV and LPRT (RFC 1639) are refused, since their addresses cannot be read", async (t) => {
  const ftp = session();
  t.equal(ftp.client("LPRT 4,4,10,0,0,5,2,4,1\r\n"), "PORT 0,0,0,0,0,0\r\n");
  ftp.client("LPSV\r\n");
  t.equal(ftp.server("228 Entering Long Passive Mode (4,4,192,168,0,2,2,19,137)\r\n"), refused("bad-family"));
  t.equal(ftp.server("228 Hm\r\n"), "228 Hm\r\n");
});

t.test("a PORT that the server refuses is withdrawn; one it accepts stays", async (t) => {
  const ftp = session();
  ftp.client("PORT 10,0,0,5,4,1\r\n");
  ftp.server("500 No\r\n");
  t.same(ftp.pending, []);
  ftp.client("EPRT |1|10.0.0.5|1026|\r\n");
  ftp.server("200 Yes\r\n");
  t.equal(ftp.pending.length, 1);
  t.same(ftp.reasons("settled"), ["rejected", "accepted"]);
});

t.test("pipelined: the replies find their commands", async (t) => {
  const ftp = session();
  ftp.client("CWD a\r\nPORT 10,0,0,5,4,1\r\nPORT 10,0,0,5,4,2\r\nTYPE I\r\n");
  ftp.server("550 no such directory\r\n200 ok\r\n501 not now\r\n200 ok\r\n");
  t.same(ftp.reasons("settled"), ["accepted", "rejected"]);
  t.match(ftp.pending, [/:1025$/]);
});

t.test("strict: the data connection must come from the port before the control port", async (t) => {
  const ftp = session({ strict: true });
  ftp.client("PORT 10,0,0,5,4,1\r\n");
  const to = endpoint("10.0.0.5", 1025);
  t.equal(ftp.balancer.claim("tcp", to, endpoint(REAL, 4000), ftp.now), "wrong-port");
  t.type(ftp.balancer.claim("tcp", to, endpoint(REAL, 20), ftp.now), "object");
});

t.test("a PORT towards a realserver of the other family becomes an EPRT; a 227 cannot, and is refused", async (t) => {
  let next = 3000;
  const ftp = session({ seen: () => endpoint("2001:db8::1", next++) });
  t.equal(ftp.client("PORT 10,0,0,5,4,1\r\n"), "EPRT |2|2001:db8::1|3000|\r\n");
  ftp.server("200 ok\r\n");
  ftp.client("PASV\r\n");
  t.equal(ftp.server("227 (192,168,0,2,19,137)\r\n"), refused("family-mismatch"));
  t.equal(ftp.pending.length, 1, "and what was put in place for it is gone");
});

t.test("IPv6: EPRT and EPSV", async (t) => {
  const client = endpoint("2001:db8::5", 40000);
  const virtual = endpoint("2001:db8::1", 21);
  const service = ftpService({ address: virtual.address, realservers: [realserver("2001:db8:1::2")] });
  const ftp = session({ balancer: makeBalancer([service]), client, virtual });
  t.equal(ftp.client("EPRT |2|2001:DB8:0::5|1025|\r\n"), "EPRT |2|2001:db8::5|1025|\r\n");
  ftp.server("200 ok\r\n");
  ftp.client("EPSV 2\r\n");
  ftp.server("229 ok (|||5001|)\r\n");
  t.same(ftp.pending, [
    "ftp-eprt 2001:db8:1::2:any -> [2001:db8::5]:1025 => [2001:db8::5]:1025",
    "ftp-epsv 2001:db8::5:any -> [2001:db8::1]:5001 => [2001:db8:1::2]:5001",
  ]);
});

/** A client that is reached as `near`, and a realserver by the other family. */
function acrossFamilies(near: 4 | 6) {
  const [client, virtual] = near === 4 ? ["10.0.0.5", "1.2.3.4"] : ["2001:db8::5", "2001:db8::1"];
  const service = ftpService({
    address: address(virtual!),
    realservers: [realserver(near === 4 ? "2001:db8:1::2" : REAL)],
  });
  const ends = { client: endpoint(client!, 40000), virtual: endpoint(virtual!, 21) };
  return session({ balancer: makeBalancer([service]), ...ends });
}

// wget over IPv6 says EPSV 2, to which vsftpd says 522 where the director reaches it by IPv4.
t.test(
  "EPSV for the client's network protocol is EPSV for the realserver's; another is left to the server",
  async (t) => {
    for (const [near, own, other] of [
      [4, "1", "2"],
      [6, "2", "1"],
    ] as const) {
      const ftp = acrossFamilies(near);
      t.equal(ftp.client(`epsv ${own} \r\n`), `epsv ${other} \r\n`);
      ftp.server("229 Entering Extended Passive Mode (|||5001|)\r\n");
      t.equal(ftp.pending.length, 1);
      for (const said of [`EPSV ${other}\r\n`, "EPSV\r\n", "EPSV ALL\r\n", `EPSV ${own}1\r\n`])
        t.equal(ftp.client(said), said);
    }
    const same = session();
    t.equal(same.client("EPSV 1\r\nEPSV 2\r\n"), "EPSV 1\r\nEPSV 2\r\n");
  },
);

// vsftpd's answer to a PASV that came by IPv6; every client takes it for the server that says it.
t.test("0.0.0.0 in a 227 stands for the realserver", async (t) => {
  for (const ftp of [session(), acrossFamilies(4)]) {
    ftp.client("PASV\r\n");
    const heard = ftp.server("227 Entering Passive Mode (0,0,0,0,19,137).\r\n");
    t.equal(heard, "227 Entering Passive Mode (1,2,3,4,19,137).\r\n");
    t.match(ftp.pending, [/^ftp-passive 10\.0\.0\.5:any -> 1\.2\.3\.4:5001 => .*:5001$/]);
  }
  const none = acrossFamilies(6);
  none.client("PASV\r\n");
  t.equal(none.server("227 ok (0,0,0,0,19,137)\r\n"), refused("family-mismatch"));
});

t.test("onRefuse forward: what is refused passes as it is, counted, and opens nothing", async (t) => {
  const ftp = session({ onRefuse: "forward" });
  t.equal(ftp.client("PORT 10,9,9,9,4,1\r\n"), "PORT 10,9,9,9,4,1\r\n");
  t.equal(ftp.client("PORT x\r\n"), "PORT x\r\n");
  const long = `PORT ${" ".repeat(5000)}10,0,0,5,4,1\r\n`;
  t.equal(ftp.client(long.slice(0, 4500)) + ftp.client(long.slice(4500)), long, "all of it, or none");
  t.same(ftp.reasons("refused"), ["bounce", "bad-argument", "line-too-long"]);
  t.same(ftp.pending, []);
});

t.test("a line that is too long and announces goes nowhere, however it comes", async (t) => {
  const port = `PORT ${" ".repeat(5000)}10,0,0,5,4,1\r\n`;
  const padded = `${" ".repeat(5000)}PORT 10,0,0,5,4,1\r\n`;
  // Behind more blanks than are held it could be any command: the same is decided, however much of it has come.
  for (const line of [port, padded, `${" ".repeat(5000)}PASV\r\n`]) {
    for (const cuts of [[], [4097], [4096, 4098], [1, 2, 3, 4999, 5006]]) {
      const ftp = session();
      const heard = [0, ...cuts].map((from, i) => ftp.client(line.slice(from, cuts[i]))).join("");
      t.equal(heard, "PORT 0,0,0,0,0,0\r\n", `cut at ${cuts}`);
      t.equal(ftp.client("NOOP\r\n"), "NOOP\r\n", "and the next line passes");
      t.same(ftp.pending, []);
    }
  }
  const ftp = session();
  ftp.client("PASV\r\n");
  t.equal(ftp.server(`227 ${"x".repeat(5000)} (192,168,0,2,19,137)\r\n`), refused("line-too-long"));
  t.equal(ftp.server("200 ok\r\n"), "200 ok\r\n");
});

t.test("a long PASV is still a PASV, and a long reply still answers", async (t) => {
  const ftp = session();
  ftp.client(`PASV ${" ".repeat(5000)}\r\n`);
  ftp.server("227 (192,168,0,2,19,137)\r\n");
  t.equal(ftp.pending.length, 1);
  ftp.client("PORT 10,0,0,5,4,1\r\n");
  ftp.server(`500 ${"x".repeat(5000)}\r\n`);
  t.same(ftp.reasons("settled"), ["rejected"]);
});

t.test("a stream that ends with telnet commands and no line behind them is refused nothing", async (t) => {
  // As lftp does after a failed EPRT (fixtures/ftp-own-loopback.pcap, frames 74 and 75).
  const ftp = session();
  ftp.client("NOOP\r\n");
  ftp.client("\xff\xf4\xff");
  ftp.client("\xf2");
  ftp.stream.end("original");
  t.same(ftp.reasons("refused"), []);
  t.match(ftp.heard("original"), /\xff\xf4\xff\xf2$/);
});

t.test("a stream that ends in the middle of an announcement does not let it out", async (t) => {
  const ftp = session();
  ftp.client("PORT 10,9,9,9,4,1");
  ftp.server("226 Bye");
  ftp.stream.end("original");
  ftp.stream.end("reply");
  t.notMatch(ftp.heard("original"), /10,9/);
  t.match(ftp.heard("reply"), /226 Bye$/, "anything else goes out");

  const passive = session();
  passive.client("PASV\r\n");
  passive.server("227 (192,168,0,2,19,137");
  passive.stream.end("reply");
  t.notMatch(passive.heard("reply"), /192,168/);
});
