import t from "tap";
import { type Segment, streams } from "../../../tools/lab/capture.ts";
import { proveDialogue, proveHidden } from "../../../tools/lab/dialogue.ts";

const CLIENT = "10.77.1.2";
const VIP = "10.77.1.100";
const expected = { mode: "pasv", client: CLIENT, vip: VIP, hidden: "10.77.2.", transfers: 1 } as const;

const segment = (from: string, to: string, text: string, more: Partial<Segment> = {}): Segment => {
  const [fromPort, toPort] = from === CLIENT ? [40_000, 21] : [21, 40_000];
  return { from, fromPort, to, toPort, sequence: 1, opens: false, payload: Buffer.from(text, "latin1"), ...more };
};
const opening = (port: number): Segment =>
  segment(CLIENT, VIP, "", { fromPort: 40_001, toPort: port, opens: true, sequence: 7 });

const command = segment(CLIENT, VIP, "PASV\r\n");
const reply = (text: string, more?: Partial<Segment>): Segment => segment(VIP, CLIENT, `${text}\r\n`, more);
const good = reply("227 Entering Passive Mode (10,77,1,100,195,80).");

t.test("an announcement that names the VIP and is connected to is proof", async (t) => {
  t.equal(proveDialogue([command, good, opening(50_000)], expected), 1);
});

const refuted: [why: string, segments: Segment[], message: RegExp][] = [
  ["nothing was announced", [command], /0 announcements for 1/],
  ["nobody connected to what was announced", [command, good, opening(50_001)], /never connected .* port 50000/],
  [
    "the realserver's address stands in a 227",
    [command, reply("227 Entering Passive Mode (10,77,2,2,195,80)."), opening(50_000)],
    /"10,77,2," came to the client/,
  ],
  [
    "the realserver's address stands in a greeting",
    [reply("220 ftp at 10.77.2.2", { sequence: 1 }), command],
    /"10\.77\.2\." came to the client/,
  ],
  [
    "the address is split over two segments",
    [segment(VIP, CLIENT, "220 at 10.7"), segment(VIP, CLIENT, "7.2.2\r\n", { sequence: 12 })],
    /"10\.77\.2\." came to the client/,
  ],
  ["a packet came from the realserver itself", [segment("10.77.2.2", CLIENT, "")], /a packet from 10\.77\.2\.2/],
  [
    "the 227 names neither",
    [command, reply("227 Entering Passive Mode (192,0,2,1,195,80)."), opening(50_000)],
    /should name 10\.77\.1\.100/,
  ],
  [
    "the client fell back to another mode",
    [segment(CLIENT, VIP, "EPSV\r\nPASV\r\n"), good, opening(50_000)],
    /asked for PASV, the client said EPSV/,
  ],
];
for (const [why, segments, message] of refuted) {
  t.test(`no proof: ${why}`, async (t) => {
    t.throws(() => proveDialogue(segments, expected), { message });
  });
}

t.test("a datagram gives a realserver away by its sender, or by what it says", async (t) => {
  const datagram = (from: string, text: string) => ({ ...segment(from, CLIENT, text), fromPort: 5060 });
  const [honest, said, sent] = [datagram(VIP, "c=IN IP4 10.77.1.100"), datagram(VIP, "at 10.77.2.3"), "10.77.2.3"];
  t.doesNotThrow(() => proveHidden([], expected, [honest, { ...said, to: VIP }]));
  t.throws(() => proveHidden([], expected, [honest, said]), { message: /"10\.77\.2\." came to the client/ });
  t.throws(() => proveHidden([], expected, [datagram(sent, "")]), { message: /a packet from 10\.77\.2\.3/ });
});

t.test("EPRT on IPv6 names the client and is connected to from the VIP", async (t) => {
  const [client, vip] = ["fd77:1::2", "fd77:1::100"];
  const eprt = segment(client, vip, `EPRT |2|${client}|40001|\r\n`, { fromPort: 40_000, toPort: 21 });
  const connected = segment(vip, client, "", { fromPort: 20, toPort: 40_001, opens: true });
  const wanted = { mode: "eprt", client, vip, hidden: "fd77:2::", transfers: 1 } as const;
  t.equal(proveDialogue([eprt, connected], wanted), 1);
  t.throws(() => proveDialogue([eprt], wanted), { message: /never connected/ });
});

t.test("a stream is put in order, and what was sent twice counts once", async (t) => {
  const first = segment(VIP, CLIENT, "abc", { sequence: 0xffff_fffe });
  const second = segment(VIP, CLIENT, "def", { sequence: 1 });
  const [whole] = streams([first, second, first, second]);
  t.equal(whole?.bytes.toString(), "abcdef", "over the wrap of the sequence numbers");
  t.throws(() => streams([first, { ...second, sequence: 2 }]), { message: /lacks 1 bytes/ });
});
