import t from "tap";
import { port } from "../../../core/units.ts";
import { startsTls, TlsRecords } from "../../../helpers/ftp/tls.ts";
import { Conversation, ftpService, makeBalancer, ports, REAL, realserver } from "../../conversation.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const record = (text: string, type = "\x17") =>
  `${type}\x03\x03${String.fromCharCode(text.length >> 8, text.length & 255)}${text}`;
const PASSIVE = "227 (192,168,0,2,19,137)\r\n";

t.test("records are skipped, whole or in pieces, up to the first byte that is none", async (t) => {
  const stream = bytes(`${record("PORT\r\n")}${record("")}${record("x".repeat(300))}NOOP\r\n`);
  t.same(new TlsRecords().skip(stream, 0), { end: stream.length - 6, broken: false });
  const drip = new TlsRecords();
  for (let at = 0; at < stream.length - 6; at++) {
    t.same(drip.skip(stream.subarray(at, at + 1), 0), { end: 1, broken: false });
  }
  t.same(drip.skip(bytes("NOOP"), 0), { end: 0, broken: false });
});

t.test("what begins like a record and is none is broken", async (t) => {
  t.ok(new TlsRecords().skip(bytes("\x16\x02\x01\0\x05"), 0).broken, "version 2");
  t.ok(new TlsRecords().skip(bytes("\x16\x03\x01\xff\xff"), 0).broken, "longer than 2^14 + 2,048");
  t.notOk(new TlsRecords().skip(bytes("\x16\x03\x01\x48\x00"), 0).broken);
});

t.test("record types are 20 to 24", async (t) => {
  t.same([...Array(256).keys()].filter(startsTls), [20, 21, 22, 23, 24]);
});

const farm = () =>
  makeBalancer([
    ftpService({
      ports: [ports(21), ports(40000, 40100)],
      realservers: [realserver(REAL, { passivePorts: ports(40000, 40050) }), realserver("192.168.0.3")],
    }),
  ]);

const dataPort = (ftp: Conversation, n: number) =>
  ftp.balancer.admit("tcp", ftp.control.client, { ...ftp.control.virtual, port: port(n) }, ftp.now);

t.test("AUTH TLS, 234: the client's data ports lead to the same realserver, and not before", async (t) => {
  const ftp = new Conversation({ balancer: farm() }).login();
  t.equal(dataPort(ftp, 40001), "no-control-connection");
  ftp.client("AUTH TLS\r\n");
  t.equal(dataPort(ftp, 40001), "no-control-connection", "asking is not enough");
  ftp.server("234 Proceed\r\n");
  const data = dataPort(ftp, 40001);
  t.equal(typeof data === "object" && data.real.address.toString(), REAL);
  t.equal(typeof data === "object" && data.real.port, 40001);
  t.equal(dataPort(ftp, 40051), "port-not-declared", "only the ports that the realserver declares");
  t.match(ftp.decisions.find(({ outcome }) => outcome === "group")?.message, /tcp\/40000-40050/);
});

t.test("a 234 that no AUTH asked for opens nothing, and what follows is read", async (t) => {
  const ftp = new Conversation({ balancer: farm() }).login();
  ftp.server("234 Surprise\r\n");
  t.equal(dataPort(ftp, 40001), "no-control-connection");
  t.same(ftp.reasons("note"), []);
  t.match(ftp.server(PASSIVE), /^425 /);
});

t.test("implicit TLS: the data ports open when the server answers in kind", async (t) => {
  const ftp = new Conversation({ balancer: farm() });
  ftp.client(record("hello", "\x16"));
  t.equal(dataPort(ftp, 40001), "no-control-connection", "one byte of a client opens nothing");
  ftp.server(record("hello yourself", "\x16"));
  t.type(dataPort(ftp, 40001), "object");
});

t.test("a client that begins with TLS towards a plain server opens nothing, and is read", async (t) => {
  const ftp = new Conversation({ balancer: farm() });
  ftp.server("220 ready\r\n");
  ftp.client(record("hello", "\x16"));
  ftp.server("500 What?\r\n");
  t.equal(dataPort(ftp, 40001), "no-control-connection");
  t.match(ftp.server(PASSIVE), /^425 /);
});

t.test("a server that opens with TLS to a client that did not is no FTP", async (t) => {
  const ftp = new Conversation({ balancer: farm() });
  ftp.server(`${record("hello", "\x16")}\n`);
  t.same(ftp.reasons("fault"), ["not-ftp"]);
  t.equal(dataPort(ftp, 40001), "no-control-connection");
});

t.test("after CCC both directions are read again, each where its records end", async (t) => {
  const ftp = new Conversation({ balancer: farm() }).login();
  ftp.client("AUTH TLS\r\n");
  ftp.server("234 Proceed\r\n");
  ftp.client(record("CCC"));
  ftp.server(`${record("200 ok")}${record("bye", "\x15")}`);
  ftp.client(`${record("bye", "\x15")}PASV\r\n`);
  t.equal(ftp.server(PASSIVE), "227 (1,2,3,4,19,137)\r\n");
  t.same(ftp.reasons("note"), ["encrypted", "plain-again", "plain-again"]);
});

t.test("what is neither records nor text: nothing more is read, everything passes", async (t) => {
  const ftp = new Conversation({ balancer: farm() }).login();
  ftp.client("AUTH TLS\r\n");
  ftp.server("234 Proceed\r\n");
  t.equal(ftp.client("\x01\x02PASV\r\n"), "\x01\x02PASV\r\n");
  t.same(ftp.reasons("fault"), ["encryption-unknown"]);
  t.ok(ftp.stream.detached);
  t.equal(ftp.server(PASSIVE), PASSIVE);
});

t.test("AUTH GSSAPI, ADAT, 235: data ports open, and the control connection is still read", async (t) => {
  const ftp = new Conversation({ balancer: farm() }).login();
  ftp.client("AUTH GSSAPI\r\n");
  ftp.server("334 Go on\r\n");
  ftp.client("ADAT YWJj\r\n");
  ftp.server("235 ADAT=YWJj\r\n");
  t.type(dataPort(ftp, 40001), "object");
  t.same(ftp.reasons("group"), ["protected"]);
  ftp.client("PASV\r\n");
  t.equal(ftp.server(PASSIVE), "227 (1,2,3,4,19,137)\r\n");
});

t.test("the data ports close some time after the last connection that opened them", async (t) => {
  const ftp = new Conversation({ balancer: farm() }).login();
  ftp.client("AUTH TLS\r\n");
  ftp.server("234 Proceed\r\n");
  ftp.close();
  ftp.wait(299_000);
  const data = dataPort(ftp, 40001);
  t.type(data, "object");
  if (typeof data === "object") ftp.balancer.close(data, ftp.now);
  ftp.wait(300_000);
  t.equal(dataPort(ftp, 40001), "no-control-connection");
});
