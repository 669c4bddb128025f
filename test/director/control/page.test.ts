/** The page, in real Chromium: what it shows, what it lets be done, and what it does not let run. */
import { once } from "node:events";
import type { Socket } from "node:net";
import type { Browser, Page, SerializedAXNode } from "puppeteer-core";
import t, { type Test } from "tap";
import { FtpClient } from "../../../tools/demo/ftp-client.ts";
import { freePort } from "../../../tools/demo/realserver.ts";
import { chromiumMissing, launch, texts } from "../../tools/chromium.ts";
import { CLIENT, dial, ftpConfig, REAL_A, until, VIP } from "../live.ts";
import { announced, scripted } from "../scripted.ts";
import { ask, type OperatedDirector, operated, TOKEN } from "./operated.ts";

const HOSTILE = '<img src=x onerror="window.taken=1"><script>window.taken=1</script>';

/** A login with a transfer that runs and one that is awaited; and a refusal. */
async function farm(t: Test, more = ""): Promise<OperatedDirector & { readonly client: Socket }> {
  const real = await scripted(t, REAL_A);
  const port = await freePort(VIP);
  const director = await operated(t, ftpConfig(VIP, port, [real, { address: "192.0.2.9", port: 21, weight: 0 }]), more);
  const client = await FtpClient.login(VIP, port, CLIENT);
  await dial(t, VIP, announced(await client.command("PASV", 227)).port, CLIENT);
  await until(() => director.log.filter(({ event }) => event === "connection").length === 2, "the transfer runs");
  await client.command("PASV", 227);
  const other = await dial(t, VIP, port, CLIENT);
  await once(other, "data");
  other.write("PORT 10,9,9,9,200,10\r\n");
  await once(other, "data");
  t.teardown(() => other.destroy());
  return { ...director, client: other };
}

async function opened(browser: Browser, { tcp }: OperatedDirector, hostile = false) {
  const page = await browser.newPage();
  const troubles: string[] = [];
  const origin = `http://${tcp.host}:${tcp.port}`;
  page.on("pageerror", (error) => troubles.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (!message.text().includes("401 (Unauthorized)")) troubles.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) troubles.push(`request: ${request.url()}`);
  });
  if (hostile) await page.setRequestInterception(true);
  if (hostile) page.on("request", (request) => void spoil(request.url(), request));
  await page.setViewport({ width: 1300, height: 1250 });
  await page.goto(`${origin}/`);
  return { page, troubles };
}

/** As if a director had let through whatever somebody said. */
function spoil(url: string, request: Parameters<Parameters<Page["on"]>[1]>[0] & object): Promise<void> {
  const asked = request as unknown as { respond(with_: object): Promise<void>; continue(): Promise<void> };
  if (!url.includes("/v1/refusals")) return asked.continue();
  const item = { time: HOSTILE, level: "warn", event: HOSTILE, reason: HOSTILE, message: HOSTILE, client: HOSTILE };
  const items = [item, item];
  return asked.respond({ status: 200, contentType: "application/json", body: JSON.stringify({ items }) });
}

async function identify(page: Page): Promise<void> {
  await page.type("#token", TOKEN);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#services tbody tr");
  await page.waitForFunction(() => document.getElementById("state")!.textContent === "live");
}

/** Run in the page: texts whose contrast to what is behind them is below 4.5 (WCAG 2.2, 1.4.3), and how many there are. */
function contrasts(): { faint: string[]; looked: number } {
  const channels = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (colour: string): number => {
    const [r, g, b] = channels(colour).map((c) => {
      const part = c / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  const behind = (one: Element | null): string => {
    if (one === null) return "rgb(255, 255, 255)";
    const colour = getComputedStyle(one).backgroundColor;
    return channels(colour)[3] === 0 ? behind(one.parentElement) : colour;
  };
  const written = [...document.querySelectorAll("body *")].filter(
    (one) =>
      one.closest("script, .skip, caption, .u-wrap") === null &&
      one.checkVisibility({ visibilityProperty: true }) &&
      [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent!.trim() !== ""),
  );
  const faint = written.flatMap((one) => {
    const [ink, paper] = [luminance(getComputedStyle(one).color), luminance(behind(one))];
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    return ratio < 4.5 ? [`${ratio.toFixed(2)} ${one.textContent!.slice(0, 40)}`] : [];
  });
  return { faint, looked: written.length };
}

t.test("it is one file that loads nothing from elsewhere and holds nothing of what runs", async (t) => {
  const director = await farm(t);
  const { status, text, headers } = await ask(director.tcp, "/");
  t.equal(status, 200);
  const policy = String(headers["content-security-policy"]);
  t.match(policy, /^default-src 'none'; script-src 'sha256-[^' ]+'; style-src 'sha256-[^' ]+'; connect-src 'self';/);
  t.match(policy, "frame-ancestors 'none'");
  t.notMatch(policy, "unsafe");
  t.notMatch(text, /(src|href)="(https?:)?\/\/|@import|url\(/);
  t.notMatch(text, /innerHTML\s*=\s*[a-z]*\(?[`"']</, "no markup is made of text");
  for (const one of [VIP, REAL_A, CLIENT, TOKEN]) t.notOk(text.includes(one), one);
});

t.test("in Chromium", { skip: chromiumMissing }, async (t) => {
  const browser = await launch();
  t.teardown(() => browser.close());

  t.test("without the token nothing is shown; with it, services, the tree, refusals and charts are", async (t) => {
    const director = await farm(t);
    const { page, troubles } = await opened(browser, director);
    await page.waitForFunction(() => document.getElementById("state")!.textContent?.includes("token"));
    t.same(await texts(page, "tbody tr"), []);
    await identify(page);
    t.match(await texts(page, "#services h3"), [/^ftp: 127\.0\.0\.2 tcp\/\d+, read by ftp, rr$/]);
    t.match(await texts(page, "#services tbody th"), [new RegExp(`^${REAL_A}:`), "192.0.2.9:21"]);
    t.match(await texts(page, "#services tbody tr td:nth-child(2)"), ["up", "quiesced"]);
    const summaries = (await texts(page, "#connections summary")).sort();
    t.equal(summaries.length, 2);
    t.ok(summaries.some((one) => /^control tcp ftp: .*1 open, 1 awaited/.test(one)));
    t.match(await texts(page, "#connections .open"), [/^related tcp: 127\.0\.0\.3:/]);
    t.match(await texts(page, "#connections .awaited"), [/ftp-passive tcp: .*for \d+ s$/]);
    t.match(await texts(page, "#refusals td:nth-child(3)"), ["bounce"]);
    t.match(await texts(page, "#charts figcaption"), [/connections [\d.]+/, /control 2related 1data/]);
    t.equal((await page.$$("#charts canvas")).length, 2);
    const kept = await page.evaluate(() => [
      localStorage.length,
      sessionStorage.length,
      document.cookie,
      location.href,
    ]);
    t.same(kept, [0, 0, "", `http://${director.tcp.host}:${director.tcp.port}/`]);
    t.equal(await page.$eval("#token", (field) => (field as HTMLInputElement).value), "");
    const shots = process.env["KINDRED_SHOTS"];
    if (shots !== undefined) {
      for (const value of ["light", "dark"]) {
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
        await new Promise((later) => setTimeout(later, 2500));
        await page.screenshot({ path: `${shots}/${value}.png` as `${string}.png`, fullPage: true });
      }
    }
    t.same(troubles, []);
  });

  t.test(
    "who may look without a token is offered nothing that changes; with it weights change and drain",
    async (t) => {
      const director = await farm(t, ", anonymous: read");
      const { page, troubles } = await opened(browser, director);
      await page.waitForSelector("#services tbody tr");
      t.equal(await page.$eval(".act", (one) => getComputedStyle(one).display), "none");
      await identify(page);
      const weights = () => texts(page, "#services tbody tr td:nth-child(3)");
      t.same(await weights(), ["1", "0"]);
      await page.$eval(".act input", (field) => {
        (field as HTMLInputElement).value = "7";
      });
      await page.click(".act button");
      await page.waitForFunction(() => document.querySelector("#services tbody td:nth-child(3)")?.textContent === "7");
      await page.waitForFunction(() => document.getElementById("notice")?.textContent?.includes("weight 1 becomes 7"));
      await page.focus(".act button:last-child");
      await page.keyboard.press("Enter");
      await page.waitForFunction(() => document.querySelector("#services tbody td:nth-child(3)")?.textContent === "0");
      const { body } = await ask(director.socket, "/v1/services");
      t.match(body.items[0].realservers[0], { weight: 0, condition: "quiesced", flows: { control: 2, related: 1 } });
      const focused = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
      t.match(focused, /^Drain 127/, "what is shown anew leaves the focus where it was");
      await page.click("#forget");
      t.equal(await page.$eval(".act", (one) => getComputedStyle(one).display), "none");
      t.same(troubles, []);
    },
  );

  t.test("markup in what is told is shown as text", async (t) => {
    const { page, troubles } = await opened(browser, await farm(t), true);
    await identify(page);
    await page.waitForSelector("#refusals tbody tr");
    t.equal((await texts(page, "#refusals tbody td"))[1], HOSTILE);
    for (let polls = 0; polls < 2; polls++) await page.waitForResponse((one) => one.url().includes("/v1/counters"));
    t.equal((await page.$$("#refusals tbody tr")).length, 2, "two that are the same stay two");
    t.equal((await page.$$("img, main script")).length, 0);
    t.equal(await page.evaluate(() => (window as { taken?: number }).taken), undefined);
    t.same(troubles, []);
  });

  t.test("on a narrow screen all of it is there, and nothing but tables scrolls sideways", async (t) => {
    const { page } = await opened(browser, await farm(t));
    await page.setViewport({ width: 360, height: 740 });
    await identify(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    t.ok(wide <= 0, `${wide} pixels too wide`);
    const beyond = await page.$$eval("h1, h2, h3, button, input, summary, nav, .scroll, figure, .tree", (all) =>
      all
        .filter((one) => one.closest(".scroll, nav") === null || one.matches(".scroll, nav"))
        .filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5)
        .map((one) => one.outerHTML.slice(0, 80)),
    );
    t.same(beyond, []);
    const lines = await page.$$eval("#services td:nth-child(2), #refusals td:nth-child(3)", (cells) =>
      cells.map((cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return `${cell.textContent} ${range.getClientRects().length}`;
      }),
    );
    t.same(lines, ["up 1", "quiesced 1", "bounce 1"], "no word is cut");
    const shots = process.env["KINDRED_SHOTS"];
    if (shots !== undefined) await page.screenshot({ path: `${shots}/narrow.png` as `${string}.png`, fullPage: true });
  });

  t.test("what is written stands out from what it is written on, by day and by night", async (t) => {
    const { page } = await opened(browser, await farm(t));
    await identify(page);
    for (const value of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
      const { faint, looked } = await page.evaluate(contrasts);
      t.ok(looked > 50, `${looked} looked at`);
      t.same(faint, [], value);
    }
  });

  t.test("Chromium's accessibility tree has a name for all that is used, and knows what it is", async (t) => {
    const { page } = await opened(browser, await farm(t));
    await identify(page);
    const nodes: { role: string; name: string }[] = [];
    const walk = (node: SerializedAXNode): void => {
      nodes.push({ role: node.role, name: node.name ?? "" });
      for (const child of node.children ?? []) walk(child);
    };
    walk((await page.accessibility.snapshot({ interestingOnly: false }))!);
    const named = (role: string): string[] => nodes.filter((one) => one.role === role).map(({ name }) => name);
    for (const role of [
      "button",
      "textbox",
      "spinbutton",
      "link",
      "region",
      "table",
      "navigation",
      "form",
      "heading",
    ]) {
      const names = named(role);
      t.ok(names.length > 0, `there is a ${role}`);
      t.same(
        names.filter((name) => name.trim() === ""),
        [],
        `each ${role} has a name`,
      );
    }
    for (const [role, name] of [
      ["textbox", "Token"],
      ["button", new RegExp(`^Drain ${REAL_A}:`)],
      ["spinbutton", /^New weight of 127/],
      ["table", "Realservers of ftp"],
      ["region", "Services"],
      ["columnheader", "Change a second"],
      ["rowheader", "192.0.2.9:21"],
    ] as const) {
      t.ok(
        named(role).some((one) => (typeof name === "string" ? one === name : name.test(one))),
        `${role} ${name}`,
      );
    }
    const buttons = named("button");
    t.equal(new Set(buttons).size, buttons.length, "no two buttons have one name");
  });

  t.test("it can be used by keys and read aloud: landmarks, names, headers", async (t) => {
    const { page } = await opened(browser, await farm(t));
    await identify(page);
    for (const landmark of ["header", "nav[aria-label]", "main", "form[aria-label]"]) {
      t.equal((await page.$$(landmark)).length, 1, landmark);
    }
    t.equal((await page.$$('[role="status"]')).length, 2);
    const nameless = await page.$$eval(
      "section, button, input, .scroll",
      (all) =>
        all.filter((one) => {
          const name = one.getAttribute("aria-label") ?? one.getAttribute("aria-labelledby") ?? one.textContent ?? "";
          return name.trim() === "" && document.querySelector(`label[for="${one.id}"]`) === null;
        }).length,
    );
    t.equal(nameless, 0);
    t.equal(
      (await page.$$("table:not(:has(caption)), thead th:not([scope]), tbody tr:not(:has(th[scope=row]))")).length,
      0,
    );
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    const reached = new Set<string>();
    for (let n = 0; n < 30; n++) {
      await page.keyboard.press("Tab");
      reached.add(await page.evaluate(() => document.activeElement?.textContent?.slice(0, 12) ?? ""));
    }
    for (const one of ["Pause", "Drain", "Set weight", "Connections"]) t.ok(reached.has(one), `${one} by keys`);
  });
});
