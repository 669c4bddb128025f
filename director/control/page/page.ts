/**
 * `GET /`: a page to look at. It is the same for everybody and holds nothing of what runs; its script asks the API for
 * that, with the token that its user types. Only this script runs, only this style holds, by their hashes; and it
 * talks to this director alone.
 */
import { createHash } from "node:crypto";
import { plotFile, scriptText } from "./script.ts";
import { STYLE } from "./style.ts";

let made: { readonly text: string; readonly policy: string } | null = null;

export function page(): Response {
  made ??= makePage();
  const { text, policy } = made;
  return new Response(text, {
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": policy,
      "Referrer-Policy": "no-referrer",
      "X-Frame-Options": "DENY",
    },
  });
}

function makePage(): { readonly text: string; readonly policy: string } {
  const script = scriptText();
  const style = `${plotFile("uPlot.min.css")}${STYLE}`;
  const policy = [
    "default-src 'none'",
    `script-src '${digest(script)}'`,
    `style-src '${digest(style)}'`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; ");
  return { policy, text: htmlText(script, style) };
}

const digest = (text: string): string => `sha256-${createHash("sha256").update(text).digest("base64")}`;

const htmlText = (script: string, style: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>kindred</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<a class="skip" href="#services">To the services</a>
<header>
<h1>kindred</h1>
<p><span id="state" role="status">starting</span> <span id="about" class="dim"></span></p>
<form id="access" aria-label="Access" autocomplete="off">
<label for="token">Token</label> <input id="token" type="password" autocomplete="off" spellcheck="false">
<button type="submit">Use</button> <button type="button" id="forget">Forget</button>
<button type="button" id="pause" aria-pressed="false">Pause</button> <button type="button" id="theme">Light / dark</button>
</form>
<nav aria-label="Sections"><a href="#services">Services</a><a href="#charts">Rates</a><a href="#connections">Connections</a><a href="#refusals">Refusals</a><a href="#groups">Groups</a></nav>
</header>
<p id="notice" role="status"></p>
<main></main>
<noscript><p>This page draws itself with a script that stands in it.</p></noscript>
<script>${script}</script>
</body>
</html>
`;
