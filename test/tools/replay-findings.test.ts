/** Each finding on a capture that shows it, and a capture of the same kind that does not. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import t from "tap";
import { tsharkMissing } from "../../tools/fuzz/tshark/command.ts";
import { CODES } from "../../tools/replay/findings/finding.ts";
import type { FindingRecord } from "../../tools/replay/report.ts";
import { ROOT } from "../root.ts";
import { fileOf, Recording, replayed, reportOf } from "./recording.ts";
import { CHECKS, heldAgainstTshark } from "./tshark.ts";

const fixture = (name: string) => resolve(ROOT, "fixtures", name);

type Found = Pick<FindingRecord, "code" | "severity" | "frames" | "message"> & { readonly control?: number };
const short = ({ code, severity }: Found): string => `${severity} ${code}`;

interface Case {
  readonly name: string;
  readonly record: (recording: Recording) => void;
  /** `severity code`; none: nothing is found. */
  readonly found: readonly string[];
  readonly frames?: readonly number[];
  readonly says?: RegExp;
}

const PASV = ["PASV\r\n"];
const REPLY = "227 Entering Passive Mode (192,0,2,1,200,10)\r\n";
const CLIENT = "10.0.0.5";
const SERVER = "192.0.2.1";
const DATA = `${SERVER}:51210`;

const arp = (recording: Recording, ...macs: number[]) => {
  for (const mac of macs) recording.arpReply(SERVER, mac);
};

/** RADIUS: an Access-Request or an Access-Accept without attributes. */
const access = (code: 1 | 2, id: number): string => String.fromCharCode(code, id, 0, 20).padEnd(20, "\0");

const ask = (recording: Recording, client: string, server: string, times: number, answered: boolean) => {
  for (let n = 0; n < times; n++) {
    recording.datagram(client, server, access(1, n)).wait(1);
    if (answered) recording.datagram(server, client, access(2, n));
  }
};

/** A control connection whose transfer has taken ten minutes. */
const long = (recording: Recording, closed = true) => {
  const control = recording
    .ftp()
    .client(...PASV)
    .server(REPLY);
  const data = recording.connection(`${CLIENT}:40001`, DATA).open();
  control.client("RETR x\r\n").server("150 here\r\n");
  for (let n = 0; n < 10; n++) {
    data.server("more");
    recording.wait(60);
  }
  if (closed) data.close();
  return control;
};

/** A control connection whose client downloads a file. */
const downloading = (recording: Recording) =>
  recording
    .ftp()
    .client(...PASV)
    .server(REPLY)
    .client("RETR x\r\n")
    .server("150 here\r\n");

/** The connection that it comes on. */
const dataOf = (recording: Recording) => {
  downloading(recording);
  return recording.connection(`${CLIENT}:40001`, DATA).open();
};

/** A player that has been told where its film comes from. `more`: what else the answer says. */
const rtsp = (recording: Recording, more = "") =>
  recording
    .connection(`${CLIENT}:40000`, `${SERVER}:554`)
    .open()
    .client("SETUP rtsp://x/y RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP;unicast;client_port=5000-5001\r\n\r\n")
    .server(
      "RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 7\r\n" +
        `Transport: RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001${more}\r\n\r\n`,
    );

/** XDMCP Request of display 12 (opcode 7): connection types, addresses, no authentication, no authorization. */
const xdmcpRequest = (...addresses: readonly string[]): string => {
  const short = (n: number) => String.fromCharCode(n >> 8, n & 255);
  const count = String.fromCharCode(addresses.length);
  const types = count + addresses.map(() => short(0)).join("");
  const octets = (address: string) => String.fromCharCode(...address.split(".").map(Number));
  const all = count + addresses.map((address) => short(4) + octets(address)).join("");
  const body = `${short(12)}${types}${all}${short(0)}${short(0)}\0${short(0)}`;
  return `${short(1)}${short(7)}${short(body.length)}${body}`;
};

const invite = (start: string, address: string, port: number): string => {
  const body = `v=0\r\no=x 1 1 IN IP4 ${address}\r\ns=-\r\nc=IN IP4 ${address}\r\nt=0 0\r\nm=audio ${port} RTP/AVP 0\r\n`;
  const fields = [
    "Call-ID: abc@x",
    "CSeq: 1 INVITE",
    "Content-Type: application/sdp",
    `Content-Length: ${body.length}`,
  ];
  return `${[start, ...fields].join("\r\n")}\r\n\r\n${body}`;
};

const cases: readonly Case[] = [
  {
    name: "a passive transfer that works is no finding",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY);
      recording.transfer(`${CLIENT}:40001`, DATA);
      control.server("226 done\r\n").close();
    },
    found: [],
  },
  {
    name: "an announced port that nobody opened",
    record: (recording) =>
      void recording
        .ftp()
        .client(...PASV)
        .server(REPLY)
        .client("LIST\r\n")
        .server("425 no\r\n"),
    found: ["error announced-not-opened"],
    frames: [8, 10],
  },
  {
    name: "the server's own words belong to what it says",
    record: (recording) =>
      void recording
        .ftp()
        .client("PORT 10,0,0,5,200,10\r\n")
        .server("200 fine\r\n")
        .client("LIST\r\n")
        .server("425 no\r\n"),
    found: ["error announced-not-opened"],
    frames: [7, 10],
    says: /the server never opened it; the server says 425 in frame 10/,
  },
  {
    name: "a transfer that the server says is done, in a capture without it",
    record: (recording) =>
      void recording
        .ftp()
        .client(...PASV)
        .server(REPLY)
        .client("LIST\r\n")
        .server("150-here it\r\n", "150 comes\r\n226 done\r\n")
        .client("QUIT\r\n"),
    found: ["info announced-not-opened"],
    frames: [8, 11],
    says: /is not in the capture; the server says 226 in frame 11/,
  },
  {
    name: "one of two transfers that is done: the other one hung",
    record: (recording) =>
      void recording
        .ftp()
        .client("EPSV\r\n")
        .server("229 x (|||51210|)\r\n")
        .client(...PASV)
        .server(REPLY)
        .client("LIST\r\n")
        .server("150 here\r\n", "226 done\r\n")
        .client("QUIT\r\n"),
    found: ["error announced-not-opened", "info announced-not-opened"],
    says: /ftp-epsv/,
  },
  {
    name: "a port that is announced to the next client after the first one hung",
    record(recording) {
      recording
        .ftp()
        .client(...PASV)
        .server(REPLY)
        .client("ABOR\r\n")
        .close();
      const next = recording
        .ftp("10.0.0.6:40000")
        .client(...PASV)
        .server(REPLY);
      recording.transfer("10.0.0.6:40001", DATA);
      next.close();
    },
    found: ["error announced-not-opened"],
    frames: [8],
  },
  {
    name: "a port that is announced to the same client again after it hung",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY)
        .client(...PASV)
        .server(REPLY);
      recording.transfer(`${CLIENT}:40001`, DATA);
      control.close();
    },
    found: ["error announced-not-opened"],
    frames: [8],
  },
  {
    name: "a port that serves one transfer after the other",
    record(recording) {
      for (const n of [1, 2]) {
        const control = recording
          .ftp(`${CLIENT}:4000${n}`)
          .client(...PASV)
          .server(REPLY);
        recording.transfer(`${CLIENT}:4010${n}`, DATA);
        control.close();
      }
    },
    found: [],
  },
  {
    name: "both sides of a director: the client's port is announced on either, and is opened on either",
    record(recording) {
      const outside = recording.ftp(`${CLIENT}:40000`, `${SERVER}:21`);
      const inside = recording.ftp(`${CLIENT}:40000`, "192.168.0.2:21");
      for (const side of [outside, inside]) side.client("PORT 10,0,0,5,200,10\r\n").server("200 fine\r\n");
      recording.transfer("192.168.0.2:20", `${CLIENT}:51210`).transfer(`${SERVER}:20`, `${CLIENT}:51210`);
      for (const side of [outside, inside]) side.close();
    },
    found: [],
  },
  {
    name: "a file that is not there needs no connection",
    record: (recording) =>
      void recording
        .ftp()
        .client("PORT 10,0,0,5,200,10\r\n")
        .server("200 fine\r\n")
        .client("RETR x\r\n")
        .server("550 no\r\n")
        .client("QUIT\r\n"),
    found: [],
  },
  {
    name: "a PORT that no transfer is asked for after",
    record: (recording) =>
      void recording
        .ftp()
        .client("PORT 10,0,0,5,200,10\r\n")
        .server("200 fine\r\n")
        .client("SIZE x\r\n")
        .server("550 no\r\n")
        .client("QUIT\r\n"),
    found: [],
  },
  {
    name: "a PORT whose transfer hangs without a word",
    record: (recording) =>
      void recording
        .ftp()
        .client("PORT 10,0,0,5,200,10\r\n")
        .server("200 fine\r\n")
        .client("LIST\r\n")
        .server("150 here\r\n")
        .client("ABOR\r\n"),
    found: ["error announced-not-opened"],
  },
  {
    name: "a wrong address in a 227, and a transfer that the server says is done",
    record: (recording) =>
      void recording
        .ftp()
        .client(...PASV)
        .server("227 (203,0,113,9,200,10)\r\n")
        .client("LIST\r\n")
        .server("150 here\r\n226 done\r\n"),
    found: ["warning reply-names-another-address"],
  },
  {
    name: "a busy capture that ends while a client is about to connect",
    record(recording) {
      recording
        .ftp()
        .client(...PASV)
        .server(REPLY)
        .client("");
      recording.transfer("10.0.0.7:40000", "192.0.2.1:80");
    },
    found: ["info announced-not-opened"],
    says: /where the capture of this connection ends/,
  },
  {
    name: "a client that says nothing any more, while the capture goes on",
    record(recording) {
      recording
        .ftp()
        .client(...PASV)
        .server(REPLY)
        .client("");
      recording.wait(10).transfer("10.0.0.7:40000", "192.0.2.1:80");
    },
    found: ["error announced-not-opened"],
  },
  {
    name: "the same at the end of the capture is worth a note only",
    record: (recording) =>
      void recording
        .ftp()
        .client(...PASV)
        .server(REPLY),
    found: ["info announced-not-opened"],
  },
  {
    name: "a PORT that the server refused need not be opened",
    record: (recording) =>
      void recording.ftp().client("PORT 10,0,0,5,200,10\r\n").server("500 no\r\n").client("QUIT\r\n"),
    found: [],
  },
  {
    name: "SYNs to the announced port that nothing answers",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY);
      recording.connection(`${CLIENT}:40001`, DATA).syn(3);
      control.client("ABOR\r\n");
    },
    found: ["error opened-not-answered"],
    says: /not answered \(3 frames\)/,
  },
  {
    name: "a reset in place of an answer",
    record(recording) {
      recording
        .ftp()
        .client(...PASV)
        .server(REPLY);
      recording.connection(`${CLIENT}:40001`, DATA).syn().reset();
    },
    found: ["error opened-not-answered"],
    says: /answered by a reset/,
  },
  {
    name: "SYNs to the announced port that the realserver answers past the director",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY);
      for (let n = 0; n < 3; n++) {
        recording.connection(`${CLIENT}:40001`, DATA).syn();
        recording.connection(`${CLIENT}:40001`, "192.168.0.2:51210").answer();
      }
      control.client("ABOR\r\n");
    },
    found: ["error opened-not-answered", "error realserver-leaked"],
    says: /was answered by 192\.168\.0\.2:51210 instead/,
  },
  {
    name: "a SYN to the announced port that a firewall refuses",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY);
      recording.connection(`${CLIENT}:40001`, DATA).syn().unreachable("10.0.0.1", 13);
      control.client("QUIT\r\n");
    },
    found: ["error opened-not-answered"],
    says: /was answered by ICMP: administratively prohibited, from 10\.0\.0\.1 in frame 10$/,
  },
  {
    name: "a passive port that is opened from another address than the client's, and is of no use",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY)
        .client("LIST\r\n");
      recording.connection("10.0.0.77:40001", DATA).open().reset();
      control.server("425 Security: Bad IP connecting.\r\n").close();
    },
    found: ["error transfer-failed", "error opened-from-another-address"],
    frames: [8, 10, 14],
    says: /10\.0\.0\.77:40001 -> 192\.0\.2\.1:51210, announced in frame 8 \(ftp-passive\), was opened and carried 0 bytes; 192\.0\.2\.1:51210 reset it; the server says 425 in frame 14/,
  },
  {
    name: "a passive port that is opened from another address, whose server does not mind",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY)
        .client("LIST\r\n")
        .server("150 here\r\n");
      recording.transfer("10.0.0.77:40001", DATA);
      control.server("226 done\r\n").close();
    },
    found: ["warning opened-from-another-address"],
    says: /comes from another address than its client's, 10\.0\.0\.5/,
  },
  {
    name: "a transfer that breaks in the middle",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY)
        .client("RETR x\r\n")
        .server("150 here\r\n");
      recording.connection(`${CLIENT}:40001`, DATA).open().server("data").reset("client");
      control.server("426 broken\r\n").close();
    },
    found: ["error transfer-failed"],
    says: /was opened and carried 4 bytes; 10\.0\.0\.5:40001 reset it; the server says 426 in frame 16/,
  },
  {
    name: "a transfer that its client breaks",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY)
        .client("RETR x\r\n")
        .server("150 here\r\n");
      const data = recording.connection(`${CLIENT}:40001`, DATA).open().server("data");
      control.client("\xff\xf4\xff\xf2ABOR\r\n");
      data.reset("client");
      control.server("426 broken\r\n", "226 aborted\r\n").close();
    },
    found: [],
  },
  {
    name: "a transfer that its client breaks, and says so without an end of the line",
    record(recording) {
      const control = downloading(recording);
      const data = recording.connection(`${CLIENT}:40001`, DATA).open().server("data");
      control.client("\xff\xf4\xff", "\xf2");
      data.reset("client");
      control.server("426 broken\r\n");
    },
    found: [],
  },
  {
    name: "a connection that is opened, and on which nothing comes until the client gives up",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY)
        .client("RETR x\r\n")
        .server("150 here\r\n");
      const data = recording.connection(`${CLIENT}:40001`, DATA).open();
      recording.wait(60);
      control.client("ABOR\r\n");
      data.reset("client");
      control.server("426 broken\r\n", "226 aborted\r\n").close();
    },
    found: ["error opened-and-silent"],
    says: /was opened, and nothing is sent on it for 60 s; the server says 426 in frame 16/,
  },
  {
    name: "the same where the server does not even answer the command",
    record(recording) {
      recording
        .ftp()
        .client(...PASV)
        .server(REPLY)
        .client("RETR x\r\n");
      recording.connection(`${CLIENT}:40001`, DATA).open();
      recording.wait(30).transfer("10.0.0.7:40000", "192.0.2.1:80");
    },
    found: ["error opened-and-silent"],
    says: /nothing is sent on it for 30 s; the server has not answered the command$/,
  },
  {
    name: "a connection that is opened early, and an empty file",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY);
      const data = recording.connection(`${CLIENT}:40001`, DATA).open();
      recording.wait(60);
      control.client("RETR x\r\n").server("150 here\r\n");
      data.close();
      control.server("226 done\r\n").close();
    },
    found: [],
  },
  {
    name: "the same over IPv6",
    record(recording) {
      const control = recording
        .ftp("[2001:db8::5]:40000", "[2001:db8::1]:21")
        .client("EPSV\r\n")
        .server("229 x (|||51210|)\r\n");
      recording.connection("[2001:db8::5]:40001", "[2001:db8::1]:51210").syn().unreachable("2001:db8::9", 4);
      control.client("QUIT\r\n");
    },
    found: ["error opened-not-answered"],
    says: /was answered by ICMP: port unreachable, from 2001:db8::9 in frame 10$/,
  },
  {
    name: "large segments that nothing lets pass, nor says so",
    record(recording) {
      const control = downloading(recording);
      recording.connection(`${CLIENT}:40001`, DATA).open().lost("x".repeat(1448), 5);
      control.client("ABOR\r\n");
    },
    found: ["error path-mtu-black-hole"],
    frames: [11, 15, 19],
    says: /192\.0\.2\.1:51210 -> 10\.0\.0\.5:40001 sends the same 1448 bytes 5 times more in 6 s \(frames 15 to 19\).* no ICMP error says why$/,
  },
  {
    name: "the same of a control connection, in the certificate of TLS, which its client ends",
    record: (recording) =>
      void recording
        .ftp()
        .client("AUTH TLS\r\n")
        .server("234 go ahead\r\n")
        .client("hello")
        .lost("x".repeat(1300), 5)
        .reset("client"),
    found: ["error path-mtu-black-hole", "warning control-encrypted"],
  },
  {
    name: "an ICMP error that its receiver does not heed",
    record: (recording) => void dataOf(recording).tooBig("10.0.0.1", 1400).lost("x".repeat(1448), 5),
    found: ["error path-mtu-black-hole"],
    says: /; ICMP tells it why: no packet passes that is larger than 1400, from 10\.0\.0\.1 in frame 14$/,
  },
  {
    name: "an ICMPv6 error that its receiver does not heed",
    record(recording) {
      recording
        .ftp("[2001:db8::5]:40000", "[2001:db8::1]:21")
        .client("EPSV\r\n")
        .server("229 x (|||51210|)\r\n")
        .client("RETR x\r\n")
        .server("150 here\r\n");
      const data = recording.connection("[2001:db8::5]:40001", "[2001:db8::1]:51210").open();
      data.tooBig("2001:db8::9", 1280).lost("x".repeat(1428), 5);
    },
    found: ["error path-mtu-black-hole"],
    says: /no packet passes that is larger than 1280, from 2001:db8::9 in frame 14$/,
  },
  {
    name: "large segments that are lost before the capture, and the small one behind them that is not",
    record(recording) {
      dataOf(recording)
        .unseen(4 * 1448)
        .server("the end")
        .acknowledge();
      recording.wait(30).datagram("10.0.0.8:5000", "10.0.0.9:5000", "x");
    },
    found: ["error path-mtu-black-hole"],
    frames: [8, 11, 15],
    says: /51210 sends 7 bytes came in small segments, the last from 5792 bytes behind its beginning, and no large one$/,
  },
  {
    name: "the same, which the server gives up",
    record(recording) {
      const control = downloading(recording);
      const data = recording.connection(`${CLIENT}:40001`, DATA).open().unseen(1448).server("the end").acknowledge();
      recording.wait(30);
      data.reset();
      control.server("426 timed out\r\n");
    },
    found: ["error path-mtu-black-hole"],
    says: /; the server says 426 in frame 17$/,
  },
  {
    name: "a transfer that is done, of which the capture has little, and one that is not done yet",
    record(recording) {
      const control = downloading(recording);
      recording.connection(`${CLIENT}:40001`, DATA).open().unseen(1448).server("the end").close();
      control.server("226 done\r\n");
      recording.wait(60);
      control.client(...PASV).server("227 (192,0,2,1,200,11)\r\n");
      control.client("RETR x\r\n").server("150 here\r\n");
      recording.connection(`${CLIENT}:40002`, `${SERVER}:51211`).open().unseen(1448).server("the end").acknowledge();
    },
    found: [],
  },
  {
    name: "small segments that all came, and a large one that filled what was missing",
    record(recording) {
      const control = downloading(recording);
      recording.connection(`${CLIENT}:40001`, DATA).open().server("line\r\n", "line\r\n").acknowledge();
      recording.wait(30);
      control
        .server("426 disk trouble\r\n")
        .client(...PASV)
        .server("227 (192,0,2,1,200,11)\r\n");
      control.client("RETR x\r\n").server("150 here\r\n");
      const data = recording.connection(`${CLIENT}:40002`, `${SERVER}:51211`).open().unseen(1448).server("the end");
      data
        .unseen(-1448 - 7)
        .server("x".repeat(1448))
        .acknowledge();
      recording.wait(30);
      control.server("426 disk trouble\r\n");
    },
    found: ["error transfer-failed", "error transfer-failed"],
  },
  {
    name: "a way that breaks in the middle of a transfer, and one that breaks before anything large is sent",
    record(recording) {
      const data = dataOf(recording);
      for (let n = 0; n < 40; n++) data.server("x".repeat(1448)).acknowledge();
      data.lost("x".repeat(1448), 5);
      recording.connection(`${CLIENT}:40100`, `${SERVER}:21`).open().lost("220 hello\r\n", 5);
    },
    found: ["error data-not-acknowledged", "error data-not-acknowledged"],
  },
  {
    name: "a way that breaks soon, behind large segments that had arrived",
    record(recording) {
      const large = "x".repeat(1448);
      dataOf(recording).server(large).acknowledge().lost(large, 5);
      recording.ftp("10.0.0.5:40100").server(large).acknowledge().lost(large, 5);
    },
    found: ["error data-not-acknowledged", "error data-not-acknowledged"],
  },
  {
    name: "losses that mend: in the middle, and of what is sent last",
    record(recording) {
      const data = dataOf(recording).lost("x".repeat(1448), 5).acknowledge().server("more");
      data.lost("x".repeat(1448), 5).acknowledge().close();
    },
    found: [],
  },
  {
    name: "a loss that mends, and whose receiver ends the connection in its own way",
    record: (recording) => void dataOf(recording).lost("x".repeat(1448), 5).acknowledge().reset("client"),
    found: [],
  },
  {
    name: "a client that says each time that it is there, up to the end of the capture",
    record: (recording) => void recording.ftp().probed(5),
    found: [],
  },
  {
    name: "a client that says each time that it takes nothing, up to the end of the capture",
    record: (recording) => void recording.ftp().full(1).probed(5, 0),
    found: ["error window-closed"],
  },
  {
    name: "a client that takes nothing any more",
    record(recording) {
      dataOf(recording).server("data").full(4);
      recording.wait(100).transfer("10.0.0.7:40000", "192.0.2.1:80");
    },
    found: ["error window-closed"],
    frames: [11, 15, 18],
    says: /10\.0\.0\.5:40001 takes nothing more from 192\.0\.2\.1:51210 \(window 0\) for 2 min$/,
  },
  {
    name: "a client that takes nothing for a while, and twice for a moment",
    record(recording) {
      const data = dataOf(recording).server("data").full(1).acknowledge().full(4).acknowledge();
      data.server("data").full(1).acknowledge().close();
    },
    found: ["warning window-closed"],
    frames: [11, 17, 20],
    says: /\(window 0\) for 15 s, and then goes on$/,
  },
  {
    name: "an ICMP message about the MTU refuses nothing",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY);
      recording.connection(`${CLIENT}:40001`, DATA).syn().unreachable("10.0.0.1", 4);
      control.client("QUIT\r\n");
    },
    found: ["error opened-not-answered"],
    says: /was not answered \(1 frame\)/,
  },
  {
    name: "a control connection that nothing answers",
    record: (recording) => void recording.connection(`${CLIENT}:40000`, `${SERVER}:21`).syn(3),
    found: ["error opened-not-answered"],
    says: /a control connection, was not answered \(3 frames\)/,
  },
  {
    name: "a scan of ports",
    record(recording) {
      for (let n = 0; n < 20; n++) recording.connection(`${CLIENT}:40000`, `192.0.2.${n}:21`).syn();
    },
    found: [],
  },
  {
    name: "a control connection that the realserver answers past the director",
    record(recording) {
      recording.connection(`${CLIENT}:40000`, `${SERVER}:21`).syn();
      recording.connection(`${CLIENT}:40000`, "192.168.0.2:21").answer();
    },
    found: ["error opened-not-answered", "error realserver-leaked"],
  },
  {
    name: "data that are not let through while the control connection is encrypted",
    record(recording) {
      const control = recording.ftp().client("AUTH TLS\r\n").server("234 go ahead\r\n").client("x");
      recording.connection(`${CLIENT}:40001`, DATA).syn().reset();
      recording.transfer(`${CLIENT}:40002`, `${SERVER}:51211`);
      control.close();
    },
    found: ["error opened-not-answered", "warning control-encrypted"],
    says: /cannot be read, was answered by a reset/,
  },
  {
    name: "a file that is asked for by TFTP, again and again",
    record(recording) {
      for (let n = 0; n < 3; n++) recording.datagram(`${CLIENT}:40000`, `${SERVER}:69`, "\0\x01a\0octet\0").wait(5);
    },
    found: ["error announced-not-opened"],
    says: /the server sends nothing/,
  },
  {
    name: "a file that is asked for by TFTP at the end of the capture, and one that comes",
    record(recording) {
      recording.datagram(`${CLIENT}:40001`, `${SERVER}:69`, "\0\x01a\0octet\0");
      recording.datagram(`${SERVER}:50000`, `${CLIENT}:40001`, "\0\x03\0\x01data").wait(9);
      recording.datagram(`${CLIENT}:40000`, `${SERVER}:69`, "\0\x01a\0octet\0");
    },
    found: [],
  },
  {
    name: "a file that comes from the realserver's own address, and that the client does not want from there",
    record(recording) {
      recording.datagram(`${CLIENT}:40001`, `${SERVER}:69`, "\0\x01a\0octet\0");
      recording.datagram("192.168.0.2:50000", `${CLIENT}:40001`, "\0\x03\0\x01data");
    },
    found: ["error realserver-leaked"],
  },
  {
    name: "a film that a player asks for, and that does not come",
    record(recording) {
      const control = rtsp(recording);
      recording.datagram(`${CLIENT}:5000`, `${SERVER}:6000`, "punch").wait(10);
      control.close();
    },
    found: ["error announced-not-opened"],
    says: /10\.0\.0\.5:5000 -> 192\.0\.2\.1:6000 asks for what was announced in frame 5 \(rtsp-rtp\)/,
  },
  {
    name: "a film that comes",
    record(recording) {
      const control = rtsp(recording);
      recording.datagram(`${CLIENT}:5000`, `${SERVER}:6000`, "punch");
      recording.datagram(`${SERVER}:6000`, `${CLIENT}:5000`, "film").wait(10);
      control.close();
    },
    found: [],
  },
  {
    name: "a film that comes from the realserver's own address",
    record(recording) {
      const control = rtsp(recording, ";source=192.168.0.2");
      recording.datagram("192.168.0.2:6000", `${CLIENT}:5000`, "film").wait(10);
      control.close();
    },
    found: ["warning realserver-leaked"],
    says: /comes from 192\.168\.0\.2:6000, the server is 192\.0\.2\.1/,
  },
  {
    name: "active data from port 20 that nobody announced",
    record(recording) {
      const control = recording.ftp();
      recording.transfer(`${SERVER}:20`, `${CLIENT}:51000`);
      control.close();
    },
    found: ["warning opened-not-announced"],
  },
  {
    name: "a connection between the same two that nobody announced is worth a note",
    record(recording) {
      const control = recording.ftp();
      recording.transfer(`${CLIENT}:40009`, `${SERVER}:50999`);
      control.close();
    },
    found: ["info opened-not-announced"],
  },
  {
    name: "other services of the server, and connections after the control connection, are none of FTP's",
    record(recording) {
      const control = recording.ftp();
      recording.transfer(`${CLIENT}:40009`, `${SERVER}:80`).transfer(`${CLIENT}:40010`, "192.0.2.7:50999");
      control.close();
      recording.transfer(`${CLIENT}:40011`, `${SERVER}:50999`);
    },
    found: [],
  },
  {
    name: "a 227 that names a public address of another host",
    record: (recording) =>
      void recording
        .ftp()
        .client(...PASV)
        .server("227 (203,0,113,9,200,10)\r\n")
        .client("LIST\r\n"),
    found: ["error reply-names-another-address"],
    frames: [8],
    says: /names 203\.0\.113\.9, the server is 192\.0\.2\.1; no connection to it was seen/,
  },
  {
    name: "a 227 that names a private address behind a public one leaks the realserver",
    record: (recording) =>
      void recording
        .ftp()
        .client(...PASV)
        .server("227 (192,168,0,2,200,10)\r\n")
        .client("LIST\r\n"),
    found: ["error reply-names-another-address", "error realserver-leaked"],
  },
  {
    name: "a client that ignores the wrong address gets its data: it works here",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server("227 (203,0,113,9,200,10)\r\n");
      recording.transfer(`${CLIENT}:40001`, DATA);
      control.server("226 done\r\n");
    },
    found: ["warning reply-names-another-address"],
    says: /ignored that and opened 10\.0\.0\.5:40001 -> 192\.0\.2\.1:51210/,
  },
  {
    name: "a client that ignores the wrong address, and is not let in at the right one",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server("227 (203,0,113,9,200,10)\r\n");
      recording.connection(`${CLIENT}:40001`, DATA).syn().reset();
      control.client("QUIT\r\n");
    },
    found: ["error reply-names-another-address"],
    says: /ignored that and opened 10\.0\.0\.5:40001 -> 192\.0\.2\.1:51210, which was answered by a reset/,
  },
  {
    name: "an X terminal that names all of its addresses, one of them the one that it asks from",
    record(recording) {
      recording.datagram(`${CLIENT}:40000`, `${SERVER}:177`, xdmcpRequest("172.16.0.5", CLIENT, "192.168.9.9"));
      recording.transfer(`${SERVER}:40001`, `${CLIENT}:6012`);
    },
    found: [],
  },
  {
    name: "an X terminal none of whose addresses is the one that it asks from",
    record(recording) {
      recording.datagram(`${CLIENT}:40000`, `${SERVER}:177`, xdmcpRequest("172.16.0.5", "192.168.9.9"));
      recording.wait(20);
      recording.datagram(`${CLIENT}:40000`, `${SERVER}:177`, xdmcpRequest("172.16.0.5", "192.168.9.9"));
    },
    found: ["error command-names-another-address"],
    says: /names 172\.16\.0\.5/,
  },
  {
    name: "a call whose media go past the proxy",
    record(recording) {
      recording.datagram(`${CLIENT}:5060`, `${SERVER}:5060`, invite("INVITE sip:b@x SIP/2.0", CLIENT, 30000));
      recording.datagram(`${SERVER}:5060`, `${CLIENT}:5060`, invite("SIP/2.0 200 OK", "192.0.2.77", 20000));
      recording.datagram(`${CLIENT}:30000`, "192.0.2.77:20000", "audio");
    },
    found: [],
  },
  {
    name: "a call whose media would go past the proxy, and are not in the capture",
    record(recording) {
      recording.datagram(`${CLIENT}:5060`, `${SERVER}:5060`, invite("INVITE sip:b@x SIP/2.0", CLIENT, 30000));
      recording.datagram(`${SERVER}:5060`, `${CLIENT}:5060`, invite("SIP/2.0 200 OK", "192.0.2.77", 20000));
    },
    found: ["info reply-names-another-address"],
  },
  {
    name: "a call that is answered with a private address behind the public one",
    record(recording) {
      recording.datagram(`${CLIENT}:5060`, `${SERVER}:5060`, invite("INVITE sip:b@x SIP/2.0", CLIENT, 30000));
      recording.datagram(`${SERVER}:5060`, `${CLIENT}:5060`, invite("SIP/2.0 200 OK", "192.168.0.2", 20000));
    },
    found: ["error reply-names-another-address", "error realserver-leaked"],
  },
  {
    name: "a PORT that names another address than the client's",
    record: (recording) => void recording.ftp().client("PORT 192,168,1,7,200,10\r\n").server("500 no\r\n"),
    found: ["error command-names-another-address"],
  },
  {
    name: "active data from port 20 is as it should be",
    record(recording) {
      const control = recording.ftp().client("PORT 10,0,0,5,200,10\r\n").server("200 fine\r\n");
      recording.transfer(`${SERVER}:20`, `${CLIENT}:51210`);
      control.close();
    },
    found: [],
  },
  {
    name: "active data from another port",
    record(recording) {
      const control = recording.ftp().client("PORT 10,0,0,5,200,10\r\n").server("200 fine\r\n");
      recording.transfer(`${SERVER}:33333`, `${CLIENT}:51210`);
      control.close();
    },
    found: ["info active-data-not-from-port-20"],
  },
  {
    name: "active data from another port that is not let through",
    record(recording) {
      recording.ftp().client("PORT 10,0,0,5,200,10\r\n").server("200 fine\r\n");
      recording.connection(`${SERVER}:33333`, `${CLIENT}:51210`).syn(2);
    },
    found: ["error opened-not-answered", "error active-data-not-from-port-20"],
  },
  {
    name: "active data from the realserver's own address",
    record(recording) {
      const control = recording.ftp().client("PORT 10,0,0,5,200,10\r\n").server("200 fine\r\n");
      recording.connection("192.168.0.2:20", `${CLIENT}:51210`).syn(2);
      control.close();
    },
    found: ["error opened-not-answered", "error realserver-leaked"],
  },
  {
    name: "AUTH TLS",
    record: (recording) => void recording.ftp().client("AUTH TLS\r\n").server("234 go ahead\r\n"),
    found: ["warning control-encrypted"],
    frames: [8],
  },
  {
    name: "AUTH TLS that the server does not know",
    record: (recording) => void recording.ftp().client("AUTH TLS\r\n").server("500 no\r\n"),
    found: [],
  },
  {
    name: "a 227 in two segments",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY.slice(0, 30), REPLY.slice(30));
      recording.transfer(`${CLIENT}:40001`, DATA);
      control.close();
    },
    found: ["warning announcement-split-over-segments"],
    frames: [8, 9],
  },
  {
    name: "a control connection that is dead when its long transfer ends",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY);
      const data = recording.connection(`${CLIENT}:40001`, DATA).open();
      for (let n = 0; n < 10; n++) {
        data.server("more");
        recording.wait(60);
      }
      data.close();
      control.server("226 done\r\n").reset("client");
    },
    found: ["error control-idle-during-transfer"],
    says: /for 10 min .* it was reset/,
  },
  {
    name: "one that survives its long transfer",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY);
      const data = recording.connection(`${CLIENT}:40001`, DATA).open();
      for (let n = 0; n < 10; n++) {
        data.server("more");
        recording.wait(60);
      }
      data.close();
      control.server("226 done\r\n").client("QUIT\r\n");
    },
    found: ["warning control-idle-during-transfer"],
  },
  {
    name: "one that survives its long transfer, and is closed with a reset at its end",
    record(recording) {
      const control = long(recording);
      control.server("226 done\r\n").client("QUIT\r\n").server("221 bye\r\n").reset("client");
    },
    found: ["warning control-idle-during-transfer"],
  },
  {
    name: "one whose client does not hear any more that its long transfer is done",
    record(recording) {
      const control = long(recording);
      for (let n = 0; n < 4; n++) {
        control.server("226 done\r\n");
        recording.wait(2 ** n);
      }
    },
    found: ["error control-idle-during-transfer"],
    says: /one end alone was heard/,
  },
  {
    name: "a long transfer that goes on when the capture ends",
    record: (recording) => void long(recording, false),
    found: ["warning control-idle-during-transfer"],
    says: /until the capture ends/,
  },
  {
    name: "a long transfer behind which nothing is said",
    record(recording) {
      long(recording);
      recording.wait(60).transfer("10.0.0.7:40000", "192.0.2.1:80");
    },
    found: ["error control-idle-during-transfer"],
    says: /nothing came on it afterwards/,
  },
  {
    name: "a user who thinks for an hour while nothing is transferred",
    record(recording) {
      const control = recording
        .ftp()
        .client(...PASV)
        .server(REPLY);
      recording.transfer(`${CLIENT}:40001`, DATA);
      recording.wait(3600);
      control.client("QUIT\r\n");
    },
    found: [],
  },
  {
    name: "the VIP claimed by two hardware addresses",
    record(recording) {
      recording.ftp().close();
      arp(recording, 1, 3, 1);
    },
    found: ["error vip-two-macs"],
    says: /192\.0\.2\.1 is claimed by 2 .*02:00:00:00:00:01 .*02:00:00:00:00:03/,
  },
  {
    name: "the VIP claimed by the director, and by a realserver to the same question",
    record(recording) {
      recording.ftp().close();
      arp(recording, 1, 3);
    },
    found: ["error vip-two-macs"],
  },
  {
    name: "the VIP taken over by another director",
    record(recording) {
      recording.ftp().close();
      arp(recording, 1, 1);
      recording.wait(5);
      arp(recording, 3, 3);
    },
    found: ["warning vip-two-macs"],
    says: /goes from one hardware address to another, as in a failover: 02:00:00:00:00:01 /,
  },
  {
    name: "the VIP claimed within two VLAN tags",
    record(recording) {
      recording.ftp().close();
      for (const mac of [1, 3, 1]) recording.arpReply(SERVER, mac, [0x88a8, 10, 0x8100, 20]);
    },
    found: ["error vip-two-macs"],
  },
  {
    name: "an IPv6 VIP advertised by two hardware addresses",
    record(recording) {
      recording.ftp("[2001:db8::5]:40000", "[2001:db8::1]:21").close();
      for (const mac of [1, 3, 1]) recording.advertisement("2001:db8::1", mac);
    },
    found: ["error vip-two-macs"],
    says: /2001:db8::1 is claimed by 2 /,
  },
  {
    name: "the VIP claimed over and over by the same",
    record(recording) {
      recording.ftp().close();
      arp(recording, 1, 1, 1);
    },
    found: [],
  },
  {
    name: "a client that sends to the VIP at another hardware address all of a sudden",
    record(recording) {
      const control = recording.ftp();
      control.mac = 4;
      control.client("NOOP\r\n");
    },
    found: ["warning vip-two-macs"],
  },
  {
    name: "a realserver that asks ident by its own address, in vain",
    record(recording) {
      const control = recording.ftp();
      recording.connection("192.168.0.2:50000", `${CLIENT}:113`).syn(3);
      control.close();
    },
    found: ["error ident-untranslated"],
    says: /whose server is 192\.0\.2\.1; nothing answers 3 SYNs/,
  },
  {
    name: "two servers that each ask their common client by their own address",
    record(recording) {
      for (const server of ["192.0.2.1", "192.0.2.2"]) {
        const control = recording.ftp(`${CLIENT}:4000${server.at(-1)}`, `${server}:21`);
        recording.transfer(`${server}:50000`, `${CLIENT}:113`, "");
        control.close();
      }
    },
    found: [],
  },
  {
    name: "an ident query that nobody answers",
    record(recording) {
      const control = recording.ftp();
      recording.connection(`${SERVER}:50000`, `${CLIENT}:113`).syn(2);
      control.close();
    },
    found: ["warning ident-untranslated"],
  },
  {
    name: "an ident query from the server's address that is refused at once costs nothing",
    record(recording) {
      const control = recording.ftp();
      recording.connection(`${SERVER}:50000`, `${CLIENT}:113`).syn().reset();
      control.close();
    },
    found: [],
  },
  {
    name: "a realserver that asks ident by its own port, and is told that nobody has such a connection",
    record(recording) {
      const control = recording.ftp();
      const ident = recording.connection(`${SERVER}:50000`, `${CLIENT}:113`).open();
      ident.client("40000 , 21", "21\r\n").server("40000 , 2121 : ERROR : NO-USER\r\n").close();
      control.close();
    },
    found: ["warning ident-untranslated"],
    frames: [1, 11],
    says: /192\.0\.2\.1:50000 asks in frame 11 about the client's port 40000 and its own 2121; the client knows that connection as 10\.0\.0\.5:40000 -> 192\.0\.2\.1:21/,
  },
  {
    name: "an ident query by the client's port before it was translated",
    record(recording) {
      const control = recording.ftp();
      recording.connection(`${SERVER}:50000`, `${CLIENT}:113`).open().client("61000, 21\r\n").close();
      control.close();
    },
    found: ["warning ident-untranslated"],
  },
  {
    name: "ident queries about connections that the client has, FTP's and another one",
    record(recording) {
      const control = recording.ftp();
      recording.transfer(`${CLIENT}:40005`, `${SERVER}:25`);
      for (const query of ["40000, 21\r\n", "40005, 25\r\n"]) {
        const ident = recording.connection(`${SERVER}:5000${query.length}`, `${CLIENT}:113`).open();
        ident.client(query).close();
      }
      recording.connection(`${SERVER}:50100`, `${CLIENT}:113`).open().client("40005, 25\r\n").close();
      control.close();
    },
    found: [],
  },
  {
    name: "a client's own choice of port, to another service or to DNS",
    record(recording) {
      const talk = (client: string, server: string, times: number) => {
        for (let n = 0; n < times; n++)
          recording.datagram(client, server, "question").datagram(server, client, "answer");
      };
      talk(`${CLIENT}:1812`, `${SERVER}:443`, 60);
      talk("10.0.0.6:1812", `${SERVER}:443`, 3);
      talk(`${CLIENT}:1645`, `${SERVER}:53`, 3);
      talk("10.0.0.6:1645", `${SERVER}:53`, 60);
    },
    found: ["info port-of-another-protocol", "info port-of-another-protocol"],
    frames: [1],
    says: /^120 datagrams do not look like radius on port 1812 \(192\.0\.2\.1:443 -> 10\.0\.0\.5:1812\), and no/,
  },
  {
    name: "a RADIUS client that keeps asking a dead server, while another answers",
    record(recording) {
      ask(recording, "10.0.0.9:1645", "192.168.0.2:1812", 3, true);
      ask(recording, "10.0.0.9:1645", "192.168.0.2:1812", 6, false);
      ask(recording, "10.0.0.8:1645", "192.168.0.3:1812", 3, true);
    },
    found: ["error udp-clients-stuck"],
    says: /10\.0\.0\.9:1645 keeps asking 192\.168\.0\.2:1812/,
  },
  {
    name: "one socket whose many requests all go to one of two servers",
    record(recording) {
      ask(recording, "10.0.0.9:1645", "192.168.0.2:1812", 60, true);
      ask(recording, "10.0.0.8:1645", "192.168.0.3:1812", 3, true);
    },
    found: ["warning udp-clients-stuck"],
  },
  {
    name: "requests spread over two servers, or one server that answers nobody",
    record(recording) {
      ask(recording, "10.0.0.9:1645", "192.168.0.2:1812", 60, true);
      ask(recording, "10.0.0.8:1645", "192.168.0.3:1812", 60, true);
      ask(recording, "10.0.0.9:999", "192.168.0.4:53", 9, false);
    },
    found: [],
  },
];

for (const { name, record, found, frames, says } of cases) {
  t.test(name, async (t) => {
    const recording = new Recording();
    record(recording);
    const { findings } = await reportOf(t, recording);
    t.same(findings.map(short), found);
    if (frames !== undefined) t.same(findings[0]!.frames, frames);
    if (says !== undefined) t.match(findings[0]!.message, says);
    for (const { remedy } of findings) t.match(remedy, /^[A-Z].*\.$/);
  });
}

// The captures are made by hand, and read by our own reader.
for (const { name, record, found } of cases) {
  if (!found.some((one) => one.split(" ")[1]! in CHECKS)) continue;
  t.test(`tshark sees it, too: ${name}`, { skip: tsharkMissing() }, async (t) => {
    const recording = new Recording();
    record(recording);
    const { findings } = await reportOf(t, recording);
    heldAgainstTshark(t, fileOf(t, recording), findings);
  });
}

t.test("every code is found by a case above and explained in the README", async (t) => {
  const readme = readFileSync(resolve(ROOT, "tools/replay/findings/README.md"), "utf8");
  for (const code of CODES) {
    t.ok(
      cases.some(({ found }) => found.some((one) => one.endsWith(code))),
      code,
    );
    t.ok(readme.includes(`| \`${code}\` |`), `${code} in the README`);
  }
});

t.test("a finding names its control connection, its file and its frames", async (t) => {
  const { out } = await replayed([fixture("ftp-own-loopback.pcap"), fixture("ftp-own-pasv-masq-client-fixes.pcap")], {
    json: true,
  });
  t.match(JSON.parse(out).findings, [
    { code: "reply-names-another-address", severity: "warning", control: 4, frames: [18, 19], file: /masq/ },
  ]);
});

t.test("--ndjson prints findings as lines of their own", async (t) => {
  const { out } = await replayed([fixture("ftp-own-pasv-masq-client-fixes.pcap")], { ndjson: true });
  const lines = out.trimEnd().split("\n");
  t.match(JSON.parse(lines.at(-1)!), { type: "finding", code: "reply-names-another-address", control: 1 });
});

t.test("the tree tells the findings of one code apart by their severity", async (t) => {
  const recording = new Recording();
  const control = recording.ftp();
  control.client(...PASV).server("227 (203,0,113,9,200,10)\r\n");
  recording.transfer(`${CLIENT}:40001`, DATA);
  control
    .client(...PASV)
    .server("227 (203,0,113,9,200,11)\r\n")
    .close();
  const { out } = await replayed([fileOf(t, recording)]);
  t.match(
    out,
    /^ {2}error {4}reply-names-another-address\n {5}1 .*:51211.*\n {5}remedy: .*\n {2}warning {2}reply-names-another-address\n {5}1 .*:51210/m,
  );
});

t.test("a remedy of FTP's is none of other protocols'", async (t) => {
  const recording = new Recording();
  recording.datagram(`${CLIENT}:40000`, `${SERVER}:177`, xdmcpRequest("172.16.0.5"));
  const { findings } = await reportOf(t, recording);
  t.notMatch(findings[0]!.remedy, /passive/);
});

t.test("the tree tells findings first, three of each code, and the remedy once", async (t) => {
  const recording = new Recording();
  const control = recording.ftp();
  for (let n = 0; n < 5; n++) control.client("PASV\r\n").server(`227 (192,0,2,1,200,${n})\r\n`);
  control.close();
  const { out } = await replayed([fileOf(t, recording)]);
  const lines = out.split("\n");
  t.match(lines[1], /^ {2}error {4}announced-not-opened$/);
  t.match(
    lines[2],
    /^ {5}1 {2}ftp-passive 192\.0\.2\.1:51200 was announced in frame 8, and the client never opened it$/,
  );
  t.equal(lines[5], "     and 2 more");
  t.match(lines[6], /^ {5}remedy: /);
  t.match(lines[7], /^ {2}1 {2}ftp {2}10\.0\.0\.5:40000/);
  t.notOk(out.includes("\u001b"), "no colour where there is no terminal");
});
