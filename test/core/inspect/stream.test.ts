import fc from "fast-check";
import t from "tap";
import { ObservedStream, type StreamLimits } from "../../../core/inspect/stream.ts";

/** What a stream told, in order: text with its frame, holes, and the end. */
class Told {
  readonly events: string[] = [];
  bytes = "";

  data(bytes: Uint8Array, frame: number): void {
    const text = Buffer.from(bytes).toString("latin1");
    this.bytes += text;
    this.events.push(`${text}@${frame}`);
  }

  gap(length: number): void {
    this.events.push(`gap ${length}`);
  }

  end(): void {
    this.events.push("end");
  }
}

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "latin1"));

function observed(initial = 999, limits?: StreamLimits): { told: Told; stream: ObservedStream } {
  const told = new Told();
  const stream = new ObservedStream(told, limits);
  stream.open(initial);
  return { told, stream };
}

t.test("segments in order are told as they come, with their frames", async (t) => {
  const { told, stream } = observed();
  stream.segment(1000, bytes("PASV"), 4);
  stream.segment(1004, bytes("\r\n"), 6);
  stream.finish(1006);
  t.same(told.events, ["PASV@4", "\r\n@6", "end"]);
});

t.test("bytes that came before those in front of them keep their own frame", async (t) => {
  const { told, stream } = observed();
  stream.segment(1003, bytes("def"), 5);
  stream.segment(1000, bytes("abc"), 9);
  t.same(told.events, ["abc@9", "def@5"]);
});

t.test("retransmissions and keep-alive probes tell nothing", async (t) => {
  const { told, stream } = observed();
  stream.segment(1000, bytes("abc"), 1);
  stream.segment(1000, bytes("abc"), 2);
  stream.segment(1002, bytes("c"), 3);
  stream.segment(1002, bytes("cd"), 4);
  t.same(told.events, ["abc@1", "d@4"]);
});

t.test("where segments overlap the bytes that came first win, in order or not", async (t) => {
  const { told, stream } = observed();
  stream.segment(1000, bytes("ab"), 1);
  stream.segment(1004, bytes("EF"), 2);
  stream.segment(1001, bytes("xcdxxg"), 3);
  t.same(told.events, ["ab@1", "cd@3", "EF@2", "g@3"]);
});

t.test("sequence numbers wrap", async (t) => {
  const { told, stream } = observed(0xfffffffc);
  stream.segment(1, bytes("ef"), 2);
  stream.segment(0xfffffffd, bytes("abcd"), 1);
  stream.finish(3);
  t.same(told.events, ["abcd@1", "ef@2", "end"]);
});

t.test("without a SYN the stream begins with the first bytes seen", async (t) => {
  const told = new Told();
  const stream = new ObservedStream(told);
  t.notOk(stream.started);
  stream.segment(7_000, bytes("x"), 1);
  stream.segment(6_990, bytes("old"), 2);
  t.ok(stream.started);
  t.same(told.events, ["x@1"]);
});

t.test("a hole is jumped when the receiver acknowledges what lies behind it", async (t) => {
  const { told, stream } = observed();
  stream.segment(1000, bytes("ab"), 1);
  stream.segment(1005, bytes("fg"), 3);
  stream.acknowledged(1002);
  t.same(told.events, ["ab@1"], "not by one for what stands before it");
  stream.acknowledged(1005);
  t.same(told.events, ["ab@1"], "the hole itself may be a segment that comes again");
  stream.acknowledged(1007);
  t.same(told.events, ["ab@1", "gap 3", "fg@3"]);
  stream.segment(1002, bytes("cde"), 9);
  t.same(told.events, ["ab@1", "gap 3", "fg@3"], "too late");
});

t.test("an acknowledgment captured before its segment opens no hole", async (t) => {
  const { told, stream } = observed();
  stream.acknowledged(1003);
  stream.segment(1000, bytes("abc"), 2);
  t.same(told.events, ["abc@2"]);
});

t.test("several holes are jumped by one acknowledgment, up to it", async (t) => {
  const { told, stream } = observed();
  stream.segment(1002, bytes("c"), 1);
  stream.segment(1004, bytes("e"), 2);
  stream.segment(1006, bytes("g"), 3);
  stream.acknowledged(1005);
  t.same(told.events, ["gap 2", "c@1", "gap 1", "e@2"]);
  stream.close();
  t.same(told.events.slice(4), ["gap 1", "g@3"]);
});

t.test("a hole in front of the FIN is jumped too", async (t) => {
  const { told, stream } = observed();
  stream.finish(1005);
  stream.acknowledged(1005);
  t.same(told.events, []);
  stream.acknowledged(1006);
  t.same(told.events, ["gap 5", "end"]);
  stream.segment(1000, bytes("abcde"), 3);
  t.same(told.events, ["gap 5", "end"], "nothing follows the end");
});

t.test("what is held is bounded in bytes and in pieces", async (t) => {
  const byBytes = observed(999, { held: 4, pieces: 100 });
  byBytes.stream.segment(1001, bytes("bcd"), 1);
  t.same(byBytes.told.events, []);
  byBytes.stream.segment(1010, bytes("kl"), 2);
  t.same(byBytes.told.events, ["gap 1", "bcd@1"]);

  const byPieces = observed(999, { held: 100, pieces: 2 });
  for (const at of [2, 4, 6]) byPieces.stream.segment(1000 + at, bytes("x"), at);
  t.same(byPieces.told.events, ["gap 2", "x@2"]);
});

t.test("the end of the capture tells what is held, and is no end of the stream", async (t) => {
  const { told, stream } = observed();
  stream.segment(1003, bytes("d"), 1);
  stream.close();
  t.same(told.events, ["gap 3", "d@1"]);
});

/** A text, and segments that together cover it, in some order, repeated and overlapping. */
const transmission = fc
  .record({ length: fc.integer({ min: 1, max: 60 }), initial: fc.constantFrom(0, 999, 0xffffffe0, 0x7fffffff) })
  .chain(({ length, initial }) => {
    const part = fc.tuple(fc.nat(length - 1), fc.integer({ min: 1, max: 12 }));
    return fc.record({
      length: fc.constant(length),
      initial: fc.constant(initial),
      parts: fc.array(part, { maxLength: 30 }),
      cuts: fc.array(fc.nat(length), { maxLength: 10 }),
      order: fc.array(fc.nat(), { minLength: 50, maxLength: 50 }),
    });
  })
  .map(({ length, initial, parts, cuts, order }) => {
    const text = Array.from({ length }, (_, i) => String.fromCharCode(33 + (i % 90))).join("");
    const edges = [0, ...cuts.sort((a, b) => a - b), length];
    const cover = edges.slice(1).map((end, i) => [edges[i]!, end - edges[i]!] as const);
    const all = [...cover, ...parts].map(([at, count], i) => ({
      at,
      text: text.slice(at, at + count),
      order: order[i]!,
    }));
    all.sort((one, another) => one.order - another.order);
    return { text, initial, segments: all.filter((segment) => segment.text !== "") };
  });

t.test(
  "property: any segmentation, order and repetition gives the text, each byte once, and the frame that brought it first",
  async () => {
    fc.assert(
      fc.property(transmission, ({ text, initial, segments }) => {
        const first = new Map<number, number>();
        const { told, stream } = observed(initial);
        for (const [frame, { at, text: part }] of segments.entries()) {
          for (let i = 0; i < part.length; i++) if (!first.has(at + i)) first.set(at + i, frame);
          stream.segment((initial + 1 + at) >>> 0, bytes(part), frame);
        }
        stream.finish((initial + 1 + text.length) >>> 0);
        let offset = 0;
        const frames = told.events.slice(0, -1).every((event) => {
          const split = event.lastIndexOf("@");
          const right = [...event.slice(0, split)].every(
            (_, i) => first.get(offset + i) === Number(event.slice(split + 1)),
          );
          offset += split;
          return right;
        });
        return told.bytes === text && told.events.at(-1) === "end" && frames;
      }),
      { numRuns: 500 },
    );
  },
);

t.test("property: where bytes conflict, those of the earlier segment are told", async () => {
  const conflicting = fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 8 })), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(conflicting, (parts) => {
      const model = new Map<number, string>();
      const { told, stream } = observed(0);
      for (const [index, [at, length]] of parts.entries()) {
        const letter = String.fromCharCode(65 + index);
        for (let i = at; i < at + length; i++) if (!model.has(i)) model.set(i, letter);
        stream.segment(1 + at, bytes(letter.repeat(length)), index);
      }
      stream.close();
      const expected = [...model.keys()].sort((a, b) => a - b).map((at) => model.get(at)!);
      return told.bytes === expected.join("");
    }),
    { numRuns: 500 },
  );
});

t.test("property: whatever comes, what is held stays within the limits and nothing is thrown", async () => {
  const event = fc.tuple(fc.constantFrom("segment", "ack", "fin"), fc.nat(0xffffffff), fc.integer({ min: 0, max: 40 }));
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const told = new Told();
      const stream = new ObservedStream(told, { held: 64, pieces: 4 });
      for (const [kind, sequence, length] of events) {
        if (kind === "segment") stream.segment(sequence, new Uint8Array(length), 1);
        else if (kind === "ack") stream.acknowledged(sequence);
        else stream.finish(sequence);
      }
      stream.close();
      return told.events.filter((text) => text === "end").length <= 1;
    }),
  );
});
