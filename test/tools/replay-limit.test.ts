/** A capture of more flows than there is memory for is read as far as there is, and said to be. */
import t from "tap";
import { helpers } from "../../helpers/index.ts";
import { bind } from "../../tools/replay/bindings.ts";
import { type FrameSink, readCapture } from "../../tools/replay/file.ts";
import { Memory, newMemory } from "../../tools/replay/memory.ts";
import { addCapture, emptyReport } from "../../tools/replay/report.ts";
import { type Bindings, Tracker } from "../../tools/replay/tracker.ts";
import { Recording } from "./recording.ts";

/** One that has so many pages of memory for its flows. */
const limited = (pages: number) =>
  new Tracker(bind(helpers, []) as Bindings, helpers, false, new Memory(newMemory(pages)));

/** The same, that is shown a frame after the other. */
const longWay = (tracker: Tracker): FrameSink => ({
  get limit() {
    return tracker.limit;
  },
  frame: (frame, number) => tracker.frame(frame, number),
  end: () => tracker.end(),
});

/** A transfer, and datagrams of so many clients, with ARP between, which goes the long way. */
function crowd(clients: number): Uint8Array {
  const recording = new Recording();
  const control = recording.ftp().client("PASV\r\n").server("227 Entering Passive Mode (192,0,2,1,200,10)\r\n");
  recording.transfer("10.0.0.5:40001", "192.0.2.1:51210");
  control.close();
  for (let n = 0; n < clients; n++) {
    if (n % 50 === 0) recording.arpReply("192.0.2.1", 1);
    recording.datagram(`10.1.${n >>> 8}.${n & 255}:7000`, "192.0.2.9:7", "x");
  }
  return recording.bytes();
}

async function read(bytes: Uint8Array, tracker: Tracker, sink: FrameSink = tracker) {
  const chunks = async function* () {
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
  };
  const { capture } = await readCapture("-", chunks(), sink, () => {});
  const report = emptyReport();
  addCapture(report, capture, tracker);
  const { captures, ...found } = report;
  return { capture, found, flows: tracker.flows.count };
}

// With 17 pages there is memory for more rows, and none for the table of slots that they need.
for (const [pages, most] of [
  [3, 1408],
  [17, 8191],
] as const) {
  t.test(`where memory ends at ${most} flows, what was read is reported, and what was not is said`, async (t) => {
    const bytes = crowd(most + 500);
    const { capture, found, flows } = await read(bytes, limited(pages));
    t.equal(flows, most);
    t.equal(found.related[0]?.observed, true);
    t.equal(capture.truncated, false);
    const byte = Number(/\(at byte (\d+)\)/.exec(capture.error ?? "")?.[1]);
    const said = `${most} flows are as many as there is memory for: packet ${capture.packets + 1} and what follows is not read`;
    t.ok(capture.error?.startsWith(`${said} (at byte ${byte}); read it in parts (editcap -c)`), capture.error ?? "");

    const before = await read(bytes.subarray(0, byte), limited(pages));
    t.same(before, { capture: { ...capture, error: null }, found, flows }, "a capture that ends there is whole");

    const tracker = limited(pages);
    t.same(await read(bytes, tracker, longWay(tracker)), { capture, found, flows }, "a frame after the other");
  });
}

t.test(
  "where little room is left in the heap, reading ends with the piece of the file after which that is seen",
  async (t) => {
    const bytes = crowd(30_000);
    let asked = 0;
    const memory = new Memory(newMemory(64), () => asked++ === 1);
    const { capture, found } = await read(bytes, new Tracker(bind(helpers, []) as Bindings, helpers, false, memory));
    t.equal(found.related[0]?.observed, true, "what was read is reported");
    const said = `there is no memory for more control connections, and what they say: packet ${capture.packets + 1}`;
    t.ok(capture.error?.startsWith(said), capture.error ?? "");
    const byte = Number(/\(at byte (\d+)\)/.exec(capture.error ?? "")?.[1]);
    t.ok(byte > 1_599_000 && byte <= 1_600_000, `sixteen pieces of 100,000 bytes: ${byte}`);

    const whole = await read(bytes.subarray(0, byte), limited(64));
    t.equal(whole.capture.packets, capture.packets, "each packet of it was read");
  },
);
