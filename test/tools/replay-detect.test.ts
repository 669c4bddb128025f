/** What helpers say of how their protocols begin. */
import fc from "fast-check";
import t from "tap";
import { helpers } from "../../helpers/index.ts";
import { ByInitial } from "../../tools/replay/detect.ts";

const NOTHING = new Uint8Array(0);
/** Openings whose first byte is changed. */
const OPENINGS = [
  "220 ftp.example FTP server\r\n",
  "USER joe\r\n",
  "OPTIONS rtsp://a/ RTSP/1.0\r\n\r\n",
  "RTSP/1.0 200 OK\r\n\r\n",
  "INVITE sip:a@b SIP/2.0\r\n",
  "SIP/2.0 200 OK\r\n",
  "PNA\0\u000a",
  "\u0001\0\0\0\u00ce\u00fa\u000b\u00b0\u0020\0\0\0MMS \u0004\0\0\0",
  "\r\n",
  "",
];

const said = fc
  .tuple(fc.nat(255), fc.constantFrom(...OPENINGS), fc.uint8Array({ maxLength: 600 }), fc.boolean())
  .map(([first, text, more, random]) =>
    Uint8Array.from(random ? [first, ...more] : [first, ...Buffer.from(text.slice(1), "latin1")]),
  );

t.test("property: detect finds nothing in what begins with none of the initials of its helper", async () => {
  for (const { detect, initials } of helpers) {
    if (detect === undefined || initials === undefined) continue;
    const others = said.filter(([first]) => !initials.includes(String.fromCharCode(first!)));
    fc.assert(
      fc.property(
        others,
        (bytes) =>
          detect({ original: bytes, reply: NOTHING }) === false &&
          detect({ original: NOTHING, reply: bytes }) === false,
      ),
      { numRuns: 300 },
    );
  }
});

t.test("every opening is taken by a helper that its first byte leads to", async (t) => {
  const lists = new ByInitial(helpers.filter(({ detect }) => detect !== undefined));
  for (const text of OPENINGS.slice(0, 8)) {
    const bytes = new Uint8Array(Buffer.from(text, "latin1"));
    const taken = lists
      .get(bytes[0]!)
      .some(
        ({ detect }) =>
          detect!({ original: bytes, reply: NOTHING }) !== false ||
          detect!({ original: NOTHING, reply: bytes }) !== false,
      );
    t.ok(taken, text);
  }
});

t.test("a helper that names no initials is asked of everything", async (t) => {
  const lists = new ByInitial([{ ...helpers[0]!, initials: undefined as never }]);
  for (let byte = 0; byte < 256; byte++) t.equal(lists.get(byte).length, 1);
});
