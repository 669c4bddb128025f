/** The page of `--html`: what is in the file, and what real Chromium makes of it. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { helpers } from "../../helpers/index.ts";
import { bind } from "../../tools/replay/bindings.ts";
import { readCapture } from "../../tools/replay/file.ts";
import { LIMITS, PageBuilder, type PageData } from "../../tools/replay/html/data.ts";
import { addCapture, emptyReport, numbered } from "../../tools/replay/report.ts";
import { type Bindings, Tracker } from "../../tools/replay/tracker.ts";
import { chromiumMissing, launch, open, texts } from "./chromium.ts";
import { fileOf, Recording, replayed } from "./recording.ts";

async function pageOf(t: Test, recording: Recording, name = "test.pcap") {
  const capture = fileOf(t, recording, name);
  const file = join(dirname(capture), "page.html");
  const { status, out, err } = await replayed([capture], { html: file });
  return { file, html: readFileSync(file, "utf8"), status, out, err };
}

/** Frames 1 to 3 open, 4 to 6 log in, 7 PASV, 8 its 227, 9 to 15 the transfer, 16 its end, 17 to 19 close. */
function transfer(recording = new Recording(), user = "anonymous"): Recording {
  const control = recording.connection("10.0.0.5:40000", "192.0.2.1:21").open();
  control.server("220 ready\r\n").client(`USER ${user}\r\n`).server("230 in\r\n");
  control.client("PASV\r\n").server("227 Entering Passive Mode (192,0,2,1,200,10)\r\n");
  recording.transfer("10.0.0.5:40001", "192.0.2.1:51210", "x".repeat(500));
  control.server("226 done\r\n").close();
  return recording;
}

/** A second session, whose announced connection nobody opens. */
function hung(recording: Recording): Recording {
  recording.ftp("10.0.0.6:40000").client("PASV\r\n").server("227 (192,0,2,1,200,11)\r\n").client("LIST\r\n");
  return recording;
}

const HOSTILE = "<script>window.taken=1</script><img src=x onerror=window.taken=1>";
const HOSTILE_FILE = "a\u001b[31m\u202efdp.pcap";

t.test("the file is one page that loads nothing and lets nothing run but its own script", async (t) => {
  const { html, status, out } = await pageOf(t, transfer());
  t.equal(status, 0);
  t.match(out, /ftp-passive/, "the tree is printed as well");
  t.match(html, /default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'/);
  t.notMatch(html, /https?:|src=|@import|url\(/);
  t.equal(html.split("<script").length - 1, 2);
});

t.test("hostile text is inert in the file: no tag, no control character, no bidirectional mark", async (t) => {
  const { html } = await pageOf(t, transfer(new Recording(), `${HOSTILE}\u001b]0;x\u0007`), HOSTILE_FILE);
  t.equal(html.split("<script").length - 1, 2);
  t.notOk(html.includes("<img"));
  for (const mark of ["\u001b", "\u202e", "\u0007"]) t.notOk(html.includes(mark));
  t.ok(html.includes("\\\\u{202e}fdp.pcap"), "the file's name is written out");
});

t.test("no password is in it", async (t) => {
  const recording = new Recording();
  recording.ftp().client("PASS hun", "ter2\r\n").server("230 in\r\n").client("PORT 10,0,0,5,200,10\r\n");
  const { html } = await pageOf(t, recording);
  t.notMatch(html, /hun|ter2/);
});

t.test("a page that cannot be written is an error with its place", async (t) => {
  const { status, err } = await replayed([fileOf(t, transfer())], { html: "/nowhere/page.html" });
  t.equal(status, 2);
  t.match(err, /\/nowhere\/page\.html: ENOENT/);
});

t.test("of a large capture the page says what it leaves out", async (t) => {
  const recording = transfer();
  for (let n = 0; n < 3100; n++) recording.datagram(`10.1.${n >> 8}.${n & 255}:5000`, "10.0.0.1:6000", "");
  const { html } = await pageOf(t, recording);
  t.match(html, /3000 of 3102 connections are shown/);
});

/** The page of a capture, with room for so much. */
async function limited(t: Test, recording: Recording, limits: Partial<typeof LIMITS>): Promise<PageData> {
  const tracker = new Tracker(bind(helpers, []) as Bindings, helpers, true);
  const { capture } = await readCapture(fileOf(t, recording), [] as never, tracker, () => {});
  const found = numbered(tracker, 0);
  const report = emptyReport(true);
  addCapture(report, capture, tracker, found);
  const page = new PageBuilder({ ...LIMITS, ...limits });
  page.add(report, tracker, found);
  return page.data();
}

// A flood of SYNs to port 21 is two million control connections: the page was longer than any string can be.
t.test(
  "of more control connections than a page has room for it shows those with findings, the worst first",
  async (t) => {
    const recording = new Recording();
    for (let n = 0; n < 20; n++)
      recording
        .connection(`10.0.1.1:${2000 + n}`, "192.0.2.1:21")
        .open()
        .server("220 hi\r\n");
    transfer(recording);
    hung(recording);
    for (let n = 0; n < 20; n++)
      recording
        .connection(`10.0.1.1:${3000 + n}`, "192.0.2.1:21")
        .open()
        .server("220 hi\r\n");
    const page = await limited(t, recording, { controls: 3, ladders: 2, connections: 3 });
    t.match(page.controls, [{ client: "10.0.1.1:2000" }, { client: "10.0.1.1:2001" }, { client: "10.0.0.6:40000" }]);
    t.same(
      page.controls.map(({ messages }) => messages === null),
      [false, true, false],
    );
    t.same(
      page.related.map(({ control }) => control),
      [22],
    );
    t.match(page.connections, [{ role: "control" }, { role: "control" }, { role: "control", from: "10.0.0.6:40000" }]);
    t.same(page.notices, [
      "3 of 42 control connections are shown, those with findings first; --json and --ndjson have all.",
      "2 of 42 ladders of control connections are shown, those with findings first; --json and --ndjson have all.",
      "3 of 43 connections are shown.",
      "1 of 2 announced connections are shown.",
    ]);
  },
);

t.test("in Chromium", { skip: chromiumMissing }, async (t) => {
  const browser = await launch();
  t.teardown(() => browser.close());

  t.test("the ladder of a PASV transfer shows its frames, what was said, and the connection beside it", async (t) => {
    const { page, troubles } = await open(browser, (await pageOf(t, transfer())).file);
    t.same(await texts(page, ".ladder > .frame:not(.head)"), ["4", "5", "6", "7", "8", "9", "15", "16"]);
    t.same(await texts(page, ".ladder .said.original .text"), ["USER anonymous", "PASV"]);
    t.match(await texts(page, ".ladder .said.reply .badge"), ["ftp-passive 192.0.2.1:51210 accepted"]);
    t.match(await texts(page, ".ladder .lane"), [/ftp-passive192\.0\.2\.1:512107 frames, 500 B/]);
    t.same(await texts(page, ".ladder .end"), ["10.0.0.5:40000", "192.0.2.1:21"]);
    t.same(await texts(page, ".timeline .bars .name"), [
      "10.0.0.5:40000 → 192.0.2.1:21",
      "10.0.0.5:40001 → 192.0.2.1:51210",
    ]);
    t.same(troubles, [], "no error, no request");
  });

  t.test("what is found is marked in the ladder of its connection, which is shown first", async (t) => {
    const { page } = await open(browser, (await pageOf(t, hung(transfer()))).file);
    t.same(await texts(page, "#findings .finding strong"), ["announced-not-opened"]);
    t.match(await texts(page, ".detail h3"), [/10\.0\.0\.6:40000/]);
    t.same(await texts(page, ".ladder .badge.error"), ["announced-not-opened"]);
  });

  t.test("a connection on which nothing was said tells so, and has no empty ladder", async (t) => {
    const recording = new Recording();
    recording.connection("10.0.0.5:40000", "192.0.2.1:21").open().reset();
    const { page } = await open(browser, (await pageOf(t, recording)).file);
    t.same(await texts(page, ".detail .empty"), ["Nothing was said on it: 4 frames, opened and reset by the server."]);
    t.same(await texts(page, ".ladder"), []);
  });

  t.test(
    "a message of several lines is shown in lines, and what only looks like a line's end is not one",
    async (t) => {
      const recording = new Recording();
      const control = recording.connection("10.0.0.5:40000", "192.0.2.1:21").open();
      control.server("220-one\r\n220 two\r\n").client("RETR C:\\new\r\n");
      const { page } = await open(browser, (await pageOf(t, recording)).file);
      t.same(await texts(page, ".ladder .said .text"), ["220-one\n220 two", "RETR C:\\\\new"]);
    },
  );

  t.test("a ladder without other connections gives frame numbers no more room than they need", async (t) => {
    const { page } = await open(browser, (await pageOf(t, hung(new Recording()))).file);
    const columns = await page.$eval(".ladder", (ladder) => getComputedStyle(ladder).gridTemplateColumns.split(" "));
    t.equal(columns.length, 3);
    t.ok(Number.parseFloat(columns[0]!) < 100, columns.join(" "));
  });

  t.test("captures of different days begin at 0 each, and those of the same time have one clock", async (t) => {
    const recordings = [0, 1e6, 1e6 + 0.1].map((later) => transfer(new Recording().wait(later)));
    const files = recordings.map((recording, index) => fileOf(t, recording, `${index}.pcap`));
    const file = join(dirname(files[0]!), "page.html");
    await replayed(files, { html: file });
    const { page } = await open(browser, file);
    const starts = await texts(page, "#connections tbody td:nth-child(7)");
    t.same(
      starts.filter((_start, index) => index % 2 === 0),
      ["+0.0 ms", "+0.0 ms", "+100.0 ms"],
    );
    t.same(await texts(page, ".timeline .ticks span:last-child"), ["280.0 ms"]);
    t.match(await texts(page, "#ladder tbody td:nth-child(5)"), ["0.pcap", "1.pcap", "2.pcap"]);
  });

  t.test("the worst of all captures is shown first", async (t) => {
    const quiet = new Recording();
    quiet.ftp().client("PASV\r\n").server("227 (192,0,2,1,200,11)\r\n");
    const files = [fileOf(t, quiet), fileOf(t, hung(new Recording()))];
    const file = join(dirname(files[0]!), "page.html");
    await replayed(files, { html: file });
    const { page } = await open(browser, file);
    t.match(await texts(page, ".detail h3"), [/10\.0\.0\.6:40000/]);
  });

  t.test("search narrows every part, Escape takes it back", async (t) => {
    const { page, troubles } = await open(browser, (await pageOf(t, hung(transfer()))).file);
    const shown = async () => [
      (await page.$$("#ladder tbody tr")).length,
      (await page.$$("#related tbody tr")).length,
      (await page.$$("#connections tbody tr")).length,
      (await page.$$("#timeline .bars .bar")).length,
    ];
    t.same(await shown(), [2, 2, 3, 3]);
    await page.keyboard.press("/");
    await page.keyboard.type("10.0.0.6 40000");
    t.same(await shown(), [1, 0, 1, 1]);
    t.same(await texts(page, "#ladder h2 .dim"), ["1"]);
    await page.keyboard.press("Escape");
    t.same(await shown(), [2, 2, 3, 3]);
    t.same(troubles, []);
  });

  t.test("a severity that is switched off hides its findings", async (t) => {
    const { page } = await open(browser, (await pageOf(t, hung(transfer()))).file);
    await page.click('button[data-severity="error"]');
    t.same(await texts(page, "#findings .finding"), []);
    t.equal(await page.$eval('button[data-severity="error"]', (one) => one.getAttribute("aria-pressed")), "false");
    await page.click('button[data-severity="error"]');
    t.equal((await texts(page, "#findings .finding")).length, 1);
  });

  t.test("a click on a heading sorts, another one turns the order round", async (t) => {
    const { page } = await open(browser, (await pageOf(t, hung(transfer()))).file);
    const bytes = () => texts(page, "#related tbody td:last-child");
    const press = () => page.$eval("#related th:last-child button", (one) => (one as HTMLElement).click());
    await press();
    t.same(await bytes(), ["0 B", "500 B"]);
    await press();
    t.same(await bytes(), ["500 B", "0 B"]);
    t.equal(await page.$eval("#related th:last-child", (one) => one.getAttribute("aria-sort")), "descending");
  });

  t.test("the keyboard chooses a connection", async (t) => {
    const { page } = await open(browser, (await pageOf(t, hung(transfer()))).file);
    await page.focus("#ladder tbody tr:last-child");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    t.match(await texts(page, ".detail h3"), [/10\.0\.0\.5:40000/]);
  });

  t.test("a capture made to hurt shows as what it is and runs nothing", async (t) => {
    const { file } = await pageOf(t, transfer(new Recording(), HOSTILE), HOSTILE_FILE);
    const { page, troubles } = await open(browser, file);
    t.same(await texts(page, ".ladder .said.original .text"), [`USER ${HOSTILE}`, "PASV"]);
    t.match(await texts(page, ".file"), [/a\\u\{1b\}\[31m\\u\{202e\}fdp\.pcap$/]);
    t.equal(await page.$("img"), null);
    t.equal(await page.evaluate(() => (globalThis as { taken?: number }).taken), undefined);
    t.same(troubles, []);
  });

  t.test("a script that got in all the same would not run", async (t) => {
    const { page, troubles } = await open(browser, (await pageOf(t, transfer())).file);
    await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "window.taken = 1";
      document.body.append(script);
    });
    t.equal(await page.evaluate(() => (globalThis as { taken?: number }).taken), undefined);
    t.match(troubles, [/Content Security Policy/]);
  });

  t.test("light or dark as the system says, and as the button says", async (t) => {
    const { page } = await open(browser, (await pageOf(t, transfer())).file);
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
    const light = await paper();
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
    const dark = await paper();
    t.not(light, dark);
    await page.click("#theme");
    t.equal(await paper(), light);
    await page.click("#theme");
    t.equal(await paper(), dark);
  });

  t.test("on a narrow screen nothing is wider than the screen", async (t) => {
    const { page } = await open(browser, (await pageOf(t, hung(transfer()))).file);
    await page.setViewport({ width: 390, height: 800 });
    t.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
  });
});
