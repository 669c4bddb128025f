import fc from "fast-check";
import t from "tap";
import type { Event } from "../../../director/control/events.ts";
import { type Column, coloured, type Format, print } from "../../../director/ctl/output.ts";
import { eventLine } from "../../../director/ctl/watch.ts";
import { inert, inertJson } from "../../../director/inert.ts";

const HOSTILE = "\u001b[2J\u001b]0;owned\u0007\u202eevil\u2066\u009b31m\r\nforged line\u0000";
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not come through
const ACTIVE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

function printed(items: readonly string[], format: Format, colour = false): string {
  let text = "";
  const columns: readonly Column<string>[] = [
    { name: "name", cell: (item) => item, colour: () => 31 },
    { name: "more", cell: () => null, wide: true },
  ];
  print(items, columns, format, { write: (piece: string) => (text += piece) }, colour);
  return text;
}

t.test("names that would command a terminal are read by it, in every format", async (t) => {
  for (const format of ["table", "wide", "json", "ndjson"] as const) {
    const text = printed([HOSTILE], format);
    t.notMatch(text, ACTIVE, format);
    t.match(text, /\\u001b\[2J/);
  }
  t.equal(printed([HOSTILE], "table").split("\n").length, 3, "a row is a line");
  t.same(JSON.parse(printed([HOSTILE], "json")), [HOSTILE], "JSON is still what it was");
  t.same(JSON.parse(printed([HOSTILE], "ndjson")), HOSTILE);
  const event = { time: "", level: "warn", event: "refusal", reason: "x", message: HOSTILE } as unknown as Event;
  t.notMatch(eventLine(event), ACTIVE);
  t.notMatch(eventLine(event), "\n");
});

t.test("whatever is said, nothing active is printed, and JSON stays JSON", async (t) => {
  const property = fc.property(fc.string({ unit: "binary" }), (text) => {
    const isJson = JSON.stringify(JSON.parse(inertJson({ text })).text) === JSON.stringify(text);
    return isJson && !ACTIVE.test(inert(text)) && !ACTIVE.test(inertJson({ text })) && !inert(text).includes("\n");
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 2000 }));
});

t.test("CSV is RFC 4180, and no formula", async (t) => {
  t.equal(printed(['a"b,c', "=1+1", "@x", "-5"], "csv"), 'name,more\r\n"a""b,c",\r\n\'=1+1,\r\n\'@x,\r\n-5,\r\n');
});

t.test("columns stand below one another; wide ones are shown when asked for", async (t) => {
  t.equal(printed(["a", "longer"], "table"), "NAME\na\nlonger\n");
  t.equal(printed(["a", "longer"], "wide"), "NAME    MORE\na       -\nlonger  -\n");
});

t.test("colours at a terminal that wants them, and nowhere else", async (t) => {
  const screen = (isTTY?: boolean) => ({ write: () => {}, isTTY });
  t.equal(coloured(screen(true), {}), true);
  for (const [tty, env] of [
    [undefined, {}],
    [false, {}],
    [true, { NO_COLOR: "1" }],
    [true, { TERM: "dumb" }],
  ] as const) {
    t.equal(coloured(screen(tty), env), false);
  }
  t.equal(printed(["a"], "table", true), "NAME\n\u001b[31ma\u001b[0m\n");
});

t.test("events are lines as of `conntrack -E`", async (t) => {
  const line = (event: string, fields: object): string =>
    eventLine({ time: "2026-01-01T00:00:00.000Z", level: "info", event, ...fields } as Event);
  const [client, virtual, real] = ["198.51.100.7:40112", "203.0.113.10:21", "192.168.0.2:21"];
  t.equal(
    line("connection", { id: 1, service: "ftp", role: "control", client, virtual, real }),
    "[NEW]      control  198.51.100.7:40112 -> 203.0.113.10:21 => 192.168.0.2:21  id=1 service=ftp",
  );
  t.equal(
    line("related", {
      control: 1,
      related: 2,
      kind: "ftp-passive",
      from: "198.51.100.7:any",
      seen: "203.0.113.10:50017",
      to: real,
    }),
    "[EXPECT]   ftp-passive 198.51.100.7:any -> 203.0.113.10:50017 => 192.168.0.2:21  control=1 related=2",
  );
  t.equal(line("closed", { id: 1, original: 5, error: null }), "[DESTROY]  id=1 original=5");
  t.equal(line("changed", { changes: ["one", "two"] }), "[CHANGED]  changes=one; two");
});
