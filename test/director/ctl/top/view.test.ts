/** What `kindred top` shows of two samples, and on how small a terminal. */
import t from "tap";
import type { RealserverState, ServiceState } from "../../../../director/control/operated.ts";
import { mostSkipped, pageOf, type Shown } from "../../../../director/ctl/top/page.ts";
import type { Sample } from "../../../../director/ctl/top/sample.ts";
import { lasted, rate, rendered, short } from "../../../../director/ctl/top/text.ts";
import { type Sort, viewOf } from "../../../../director/ctl/top/view.ts";

const START = Date.parse("2026-11-21T10:00:00.000Z");

const real = (realserver: string, control: number, more: Partial<RealserverState> = {}): RealserverState => ({
  realserver,
  condition: "up",
  sorry: false,
  weight: 1,
  method: "nat",
  active: control,
  inactive: 0,
  flows: { control, related: 0, data: 0, plain: 0 },
  ...more,
});

const service = (name: string, realservers: readonly RealserverState[]): ServiceState => ({
  name,
  vip: "203.0.113.10",
  ports: ["tcp/21"],
  helper: "ftp",
  scheduler: "wlc",
  persistence: 0,
  removed: false,
  realservers,
});

const sample = (more: Partial<Sample> = {}): Sample => ({
  at: START + 3_723_000,
  status: { path: "socket", backend: "epoll", file: "/etc/kindred/kindred.yaml", since: new Date(START).toISOString() },
  services: [
    service("ftp", [
      real("192.168.0.2:21", 2, { flows: { control: 2, related: 3, data: 0, plain: 0 } }),
      real("192.168.0.3:21", 9, { condition: "quiesced", weight: 0 }),
    ]),
    service("web", [real("192.168.0.4", 0, { condition: "down" }), real("192.168.0.5", 0, { sorry: true })]),
  ],
  counts: {},
  related: { items: [], next: null },
  ...more,
});

const text = (lines: ReturnType<typeof viewOf>["head"]): string[] =>
  lines.map((line) => rendered(line, 200, false).trimEnd());

t.test("realservers stand in columns, with their flows by role", async (t) => {
  const { head, realservers, refusals } = viewOf({ before: null, now: sample(), sort: "c" });
  t.same(text(head), [
    "kindred   socket path (epoll), up 01:02:03, /etc/kindred/kindred.yaml",
    "flows     14: 11 control, 3 related, 0 data, 0 plain",
    "a second  - connections, - announced, - of these came, - refused",
    "announced none that has not come",
  ]);
  t.same(text(realservers), [
    "SERVICE  REALSERVER      STATE      WEIGHT  FLOWS  CONTROL  RELATED  DATA  PLAIN",
    "ftp      192.168.0.2:21  up              1      5        2        3     0      0",
    "ftp      192.168.0.3:21  quiesced        0      9        9        0     0      0",
    "web      192.168.0.4     down            1      0        0        0     0      0",
    "web      192.168.0.5     up, sorry       1      0        0        0     0      0",
  ]);
  t.same(text(refusals), ["nothing was refused"]);
});

const counts = (factor: number) => ({
  "connections.control": 100 * factor,
  "expected.ftp-passive": 90 * factor,
  "refused.bounce": 3 * factor,
  "refused.no-realserver": 500,
  "related.expired": 20 * factor,
  "related.ftp-passive": 80 * factor,
});

t.test("rates are those between two looks; refusals of the moment stand first", async (t) => {
  const now = sample({ counts: counts(3) });
  const before = sample({ at: now.at - 4000, counts: counts(1) });
  const { head, refusals } = viewOf({ before, now, sort: "c" });
  t.equal(
    text(head)[2],
    "a second  50.0 connections, 45.0 announced, 40.0 of these came, 1.5 refused",
    "those that expired did not come",
  );
  t.same(text(refusals), [
    "REFUSED BECAUSE  A SECOND  SINCE IT RUNS",
    "bounce                1.5              9",
    "no-realserver         0.0            500",
  ]);
});

t.test("what is waited for is said: announcements by kind, clients, bytes", async (t) => {
  const item = { kind: "ftp-passive" } as Sample["related"]["items"][number];
  const related = { items: [item, { ...item, kind: "rtsp-rtp" }, item], next: 4 };
  const status = { ...sample().status, waiting: 7, heldBytes: 12_345 };
  t.same(text(viewOf({ before: null, now: sample({ related, status }), sort: "c" }).head).slice(3), [
    "announced 3 or more that have not come: 2 ftp-passive, 1 rtsp-rtp",
    "waiting   7 clients for their turn, 12k bytes of control connections",
  ]);
});

t.test("a path that counts packets has each realserver's rates", async (t) => {
  const traffic = (n: number) => ({
    connections: 10 * n,
    packets: { original: 0, reply: 0 },
    bytes: { original: 1000 * n, reply: 5_000_000 * n },
  });
  const at = (n: number): Sample =>
    sample({
      at: START + 2000 * n,
      services: [service("ftp", [real("192.168.0.2:21", 2, { traffic: traffic(n) }), real("192.168.0.3:21", 0)])],
      counts: { "traffic.bytes.original": 1000 * n, "traffic.bytes.reply": 5_000_000 * n },
    });
  const { head, realservers } = viewOf({ before: at(1), now: at(2), sort: "c" });
  t.match(text(head)[2], / 500 bytes in, 2.5M out$/);
  t.same(text(realservers), [
    "SERVICE  REALSERVER      STATE  WEIGHT  FLOWS  CONTROL  NEW/S  IN/S  OUT/S",
    "ftp      192.168.0.2:21  up          1      2        2    5.0   500   2.5M",
    "ftp      192.168.0.3:21  up          1      0        0      -     -      -",
  ]);
});

t.test("keys sort: by flows, by state; what is alike stays as it is configured", async (t) => {
  const order = (sort: Sort): string[] =>
    text(viewOf({ before: null, now: sample(), sort }).realservers)
      .slice(1)
      .map((line) => line.split(/ +/)[1]!);
  const [a, b, c, d] = ["192.168.0.2:21", "192.168.0.3:21", "192.168.0.4", "192.168.0.5"] as const;
  t.same(order("f"), [b, a, c, d]);
  t.same(order("s"), [c, b, a, d]);
  t.same(order("n"), [a, b, c, d]);
});

const many = sample({
  services: [
    service(
      "ftp",
      Array.from({ length: 40 }, (_, i) => real(`192.168.0.${i + 1}:21`, i)),
    ),
  ],
  counts: Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`refused.reason-${i}`, i + 1])),
});
const shown: Shown = { sort: "c", paused: false, trouble: null, skipped: 0 };

t.test("any terminal is filled, and no line is longer than it", async (t) => {
  const views = [many, sample()].map((now) => viewOf({ before: null, now, sort: "c" }));
  for (const view of views) {
    for (const size of [
      { rows: 24, columns: 80 },
      { rows: 60, columns: 200 },
      { rows: 8, columns: 20 },
      { rows: 1, columns: 1 },
    ]) {
      const lines = pageOf(view, size, { ...shown, trouble: "no director is there" }, false);
      t.equal(lines.length, size.rows);
      t.ok(lines.every((line) => line.length <= size.columns));
    }
  }
});

t.test("at 80 by 24 as many realservers are shown as fit, and where the others are", async (t) => {
  const size = { rows: 24, columns: 80 };
  const view = viewOf({ before: null, now: many, sort: "c" });
  const at = (skipped: number): string[] =>
    pageOf(view, size, { ...shown, skipped }, false).map((line) => line.trimEnd());
  t.match(at(0)[6], /^ftp +192\.168\.0\.1:21/);
  t.match(at(0)[17], /^0 above, 29 below/);
  t.match(at(0).slice(19, 23), [/^REFUSED BECAUSE/, /^reason-11/, /^reason-10/, /^reason-9/]);
  t.match(at(0)[23], /^q quits {2}space pauses {2}\[c configured\] {2}f flows {2}n new\/s {2}s state$/);
  t.match(at(29)[16], /^ftp +192\.168\.0\.40:21/);
  t.match(at(29)[17], /^29 above, 0 below/);
  t.equal(mostSkipped(view), 39);
});

t.test("colours are cut with what they are of, and are none where nobody wants them", async (t) => {
  const line = [{ text: "down", sgr: 31 }, { text: " and out" }];
  t.equal(rendered(line, 6, true), "\u001b[31mdown\u001b[0m a");
  t.equal(rendered(line, 2, true), "\u001b[31mdo\u001b[0m");
  t.equal(rendered(line, 6, false), "down a");
});

t.test("numbers are as short as three digits allow, times as a clock would say them", async (t) => {
  t.same([0, 7, 999, 1000, 9940, 9950, 34_567, 999_600, 5_600_000].map(short), [
    ...["0", "7", "999", "1.0k", "9.9k", "10k", "35k", "1.0M", "5.6M"],
  ]);
  t.same([0, 0.04, 99.9, 100, 1234].map(rate), ["0.0", "0.0", "99.9", "100", "1.2k"]);
  t.same([0, 61_500, 3_600_000, 86_400_000 + 60_000].map(lasted), ["00:00:00", "00:01:01", "01:00:00", "1 d 00:01"]);
});

t.test("names that would command the terminal are shown, not obeyed", async (t) => {
  const now = sample({ services: [service("f\u001b[2Jtp", [real("192.168.0.2:21", 0)])] });
  t.match(text(viewOf({ before: null, now, sort: "c" }).realservers)[1], /^f\\u001b\[2Jtp/);
});
