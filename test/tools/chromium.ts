/** Real Chromium, where there is one. */
import { existsSync } from "node:fs";
import puppeteer, { type Browser, type Page } from "puppeteer-core";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = PLACES.find((path) => existsSync(path));

/** Why there is no browser to test with, or false. For tap's `skip`. */
export const chromiumMissing: string | false = executablePath === undefined ? "Chromium is not installed" : false;

/** Milliseconds that a busy machine may need. */
const timeout = 120_000;

export const launch = (): Promise<Browser> =>
  // Chromium refuses its sandbox to root.
  puppeteer.launch({
    timeout,
    executablePath: executablePath!,
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });

export interface Opened {
  readonly page: Page;
  /** What went wrong in it, and what it asked for beside itself. */
  readonly troubles: string[];
}

export async function open(browser: Browser, file: string): Promise<Opened> {
  const page = await browser.newPage();
  const troubles: string[] = [];
  const url = `file://${file.split("/").map(encodeURIComponent).join("/")}`;
  page.on("pageerror", (error) => troubles.push(`error: ${error.message}`));
  page.on("console", (message) => troubles.push(`console: ${message.text()}`));
  page.on("request", (request) => {
    if (request.url() !== url) troubles.push(`request: ${request.url()}`);
  });
  await page.setViewport({ width: 1400, height: 900 });
  await page.goto(url);
  return { page, troubles };
}

/** The text of each element that `selector` finds. */
export const texts = (page: Page, selector: string): Promise<string[]> =>
  page.$$eval(selector, (elements) => elements.map((element) => element.textContent ?? ""));
