import fc from "fast-check";
import t from "tap";
import { Line } from "../../../helpers/ftp/line.ts";
import { putPlain } from "../../../helpers/ftp/telnet.ts";
import { behindBareCr } from "../../../helpers/ftp/wire.ts";

/** Bytes that peers differ about, and others. */
const said = fc.array(fc.constantFrom(0, 13, 65, 66, 32, 44, 0xfa, 0xf0, 0xfb, 0xfe, 0xff, 10), { maxLength: 12 });

t.test("a line is simple if there is nothing to take out of it and no CR but its last byte", async (t) => {
  const line = new Line();
  fc.assert(
    fc.property(said, said, (bytes, behind) => {
      const raw = new Uint8Array(bytes);
      line.show(new Uint8Array([...bytes, ...behind]), bytes.length);
      const text = new Uint8Array(raw.length).fill(1);
      const length = putPlain(raw, raw.length, text);
      t.equal(line.simple, length === raw.length && behindBareCr(raw, 0) < 0, `${bytes}`);
      t.equal(line.telnet, length !== raw.length);
      t.same(
        line.text.subarray(0, line.textEnd),
        text.subarray(0, length),
        "and what telnet shows of it is the same either way",
      );
      t.same(line.raw.subarray(0, line.end), raw);
    }),
    { numRuns: 2000 },
  );
});

t.test("of the line before nothing stays", async (t) => {
  const line = new Line();
  line.show(new Uint8Array([0, 65, 13, 66]), 4);
  t.match(line, { simple: false, end: 4, textEnd: 3 });
  line.show(new Uint8Array([65, 13]), 2);
  t.match(line, { simple: true, end: 2, textEnd: 2, telnet: false });
  t.equal(line.text, line.raw);
});
