/** What is remembered of a control connection for the outputs, and who answers for an address on the link. */
import t from "tap";
import { port } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { Frame } from "../../core/wire/capture/frame.ts";
import * as tcp from "../../core/wire/tcp.ts";
import { bytesOf } from "../../core/wire/text.ts";
import { ftp } from "../../helpers/ftp/helper.ts";
import { TcpControl } from "../../tools/replay/control.ts";
import { A } from "../../tools/replay/flows.ts";
import { messagesOf } from "../../tools/replay/html/messages.ts";
import { Neighbours } from "../../tools/replay/neighbours.ts";
import { Transcript } from "../../tools/replay/transcript.ts";

t.test("a silence of half a minute is kept with its frames, a shorter one is not", async (t) => {
  const transcript = new Transcript(null);
  for (const [frame, time] of [
    [1, 100],
    [2, 120],
    [5, 150],
    [9, 151],
  ] as const) {
    transcript.packet("original", frame, time, 0, bytesOf(""));
  }
  t.same(transcript.silences, [{ since: 120, sinceFrame: 2, until: 150, untilFrame: 5, survived: false }]);
  t.equal(transcript.lastFrame, 9);
});

t.test("a silence is survived when both ends are heard behind it", async (t) => {
  const behind = (...packets: readonly ["original" | "reply", boolean][]) => {
    const transcript = new Transcript(null);
    transcript.packet("reply", 1, 100, 0, bytesOf(""));
    for (const [index, [direction, reset]] of packets.entries())
      transcript.packet(direction, index + 2, 200 + index, 0, bytesOf(""), reset);
    return transcript.silences[0]!.survived;
  };
  t.equal(behind(["reply", false], ["reply", false]), false);
  t.equal(behind(["reply", false], ["original", false], ["original", true]), true);
  t.equal(behind(["reply", false], ["original", true], ["reply", false]), false);
  t.equal(behind(["reply", true], ["original", false]), false);
});

t.test("segments are kept as they came, up to a budget, and the rest is counted", async (t) => {
  const budget = { bytes: 2500 };
  const transcript = new Transcript(budget);
  const segment = bytesOf("x".repeat(3000));
  transcript.packet("original", 1, 1, 77, segment);
  transcript.packet("reply", 2, 1, 78, bytesOf(""));
  transcript.packet("reply", 3, 1, 78, segment);
  segment.fill(0);
  t.match(transcript.said, [{ frame: 1, direction: "original", sequence: 77, length: 3000 }]);
  t.equal(transcript.said[0]!.bytes.length, 2048);
  t.equal(transcript.said[0]!.bytes[0], 0x78, "a copy");
  t.equal(transcript.omitted, 1);
});

function ethernet(to: number, from: number, type: number[], rest: number[]): Frame {
  const frame = new Frame();
  frame.bytes = Uint8Array.from([2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, ...type, ...rest, ...Array(40).fill(0)]);
  frame.end = frame.bytes.length;
  frame.linkType = 1;
  return frame;
}

const arp = (operation: number, from: number, address: number[], target: number[]) =>
  ethernet(
    255,
    from,
    [8, 6],
    [0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, from, ...address, 0, 0, 0, 0, 0, 0, ...target],
  );
const VIP = [203, 0, 113, 5];

t.test("ARP replies and announcements claim an address, questions do not", async (t) => {
  const neighbours = new Neighbours();
  neighbours.other(arp(1, 7, [10, 0, 0, 1], VIP), 1);
  neighbours.other(arp(2, 1, VIP, [10, 0, 0, 1]), 2);
  neighbours.other(arp(1, 2, VIP, VIP), 3);
  neighbours.other(arp(1, 9, [0, 0, 0, 0], VIP), 4);
  const tagged = arp(2, 3, VIP, [10, 0, 0, 1]);
  tagged.bytes = Uint8Array.from([...tagged.bytes.subarray(0, 12), 0x81, 0, 0, 5, ...tagged.bytes.subarray(12)]);
  neighbours.other(tagged, 5);
  t.same(
    Object.fromEntries(
      [...neighbours.claimed].map(([address, who]) => [address, [...who].map(([mac, { frame }]) => [mac, frame])]),
    ),
    {
      "203.0.113.5": [
        ["02:00:00:00:00:01", 2],
        ["02:00:00:00:00:02", 3],
        ["02:00:00:00:00:03", 5],
      ],
    },
  );
});

t.test(
  "whom a host sends to for a server is told by who sends, so that a router's copy is no second answer",
  async (t) => {
    const neighbours = new Neighbours();
    neighbours.sent(ethernet(1, 7, [8, 0], []), "203.0.113.5", 1);
    neighbours.sent(ethernet(3, 1, [8, 0], []), "203.0.113.5", 2);
    neighbours.sent(ethernet(2, 7, [8, 0], []), "203.0.113.5", 3);
    const bySender = neighbours.reached.get("203.0.113.5")!;
    t.same([...bySender.get("02:00:00:00:00:07")!.keys()], ["02:00:00:00:00:01", "02:00:00:00:00:02"]);
    t.same([...bySender.get("02:00:00:00:00:01")!.keys()], ["02:00:00:00:00:03"]);
  },
);

/** What a page shows of an FTP connection whose client says this in one segment, `missing` bytes behind its SYN. */
function shown(text: string, missing: number | null): string {
  const transcript = new Transcript({ bytes: 10_000 });
  const end = (last: number, number: number) => ({ address: Address.ipv4(0x0a000000 + last), port: port(number) });
  const control = new TcpControl(
    [ftp],
    { row: 0, clientEnd: A, client: end(1, 40_000), server: end(2, 21), transcript },
    false,
  );
  const syn = { sequence: 499, acknowledgment: 0, flags: tcp.SYN, length: 0 };
  if (missing !== null) control.segment(A, syn, bytesOf(""), 1);
  const sequence = 500 + (missing ?? 0);
  transcript.packet("original", 2, 1, sequence, bytesOf(text));
  control.segment(A, { ...syn, flags: 0, sequence, length: text.length }, bytesOf(text), 2);
  return messagesOf(control, 10)[0]!.text;
}

t.test("a page does not show the first line of a client whose beginning was not captured", async (t) => {
  t.equal(shown("USER joe\r\nSYST\r\n", 0), "USER joe\\r\\nSYST");
  t.equal(shown("unter2\r\nSYST\r\n", null), " ****\\r\\nSYST");
  t.equal(shown("unter2\r\nSYST\r\n", 6), " ****\\r\\nSYST");
});
