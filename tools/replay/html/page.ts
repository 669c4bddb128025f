/**
 * `--html`: one page that needs nothing else and asks nobody: style, script and data stand in it. What came from a
 * capture is data only, written into a block that the browser does not run, and shown by `textContent`; the content
 * security policy lets nothing run but the script below, by its hash, and nothing be loaded at all.
 */
import { createHash } from "node:crypto";
import type { PageData } from "./data.ts";
import { scriptText } from "./script.ts";
import { STYLE } from "./style.ts";

export function pageText(data: PageData): string {
  const script = scriptText();
  const policy = [
    "default-src 'none'",
    `script-src '${digest(script)}'`,
    `style-src '${digest(STYLE)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>kindred replay</title>
<style>${STYLE}</style>
</head>
<body>
${HEADER}
<div id="notices"></div>
<main></main>
<noscript><p class="notice">This page draws itself with a script that stands in it.</p></noscript>
<script type="application/json" id="data">${embedded(data)}</script>
<script>${script}</script>
</body>
</html>
`;
}

const HEADER = `<header>
<div class="top">
<h1>kindred replay</h1>
<div id="about"></div>
</div>
<div class="tools">
<input id="search" type="search" placeholder="Search: address, kind, code, bytes (press /)" aria-label="Search" autocomplete="off" spellcheck="false">
<div class="severities" role="group" aria-label="Findings shown">
<button type="button" data-severity="error" aria-pressed="true">errors</button>
<button type="button" data-severity="warning" aria-pressed="true">warnings</button>
<button type="button" data-severity="info" aria-pressed="true">infos</button>
</div>
<button type="button" id="theme">light / dark</button>
</div>
<nav aria-label="Sections"><a href="#findings">Findings</a><a href="#ladder">Control connections</a><a href="#timeline">Timeline</a><a href="#related">Announced connections</a><a href="#explanations">Explanations</a><a href="#connections">All connections</a></nav>
</header>`;

const digest = (text: string): string => `sha256-${createHash("sha256").update(text).digest("base64")}`;

/** JSON within which no tag and no comment can begin or end, and no line ends that JavaScript knows and JSON does not. */
const embedded = (data: PageData): string =>
  JSON.stringify(data).replaceAll(
    /[<>&\u2028\u2029]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
