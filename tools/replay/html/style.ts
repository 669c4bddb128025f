/** The page's style. */
export const STYLE = `
:root {
  --paper: #f6f7f9; --card: #ffffff; --ink: #1b2330; --dim: #5c6878; --line: #dfe3ea; --soft: #eef1f6; --shade: #b9c2cf;
  --accent: #0b6e7f; --accent-soft: #d9eff2; --original: #0b6e7f; --reply: #6d43b8;
  --error: #b3261e; --error-soft: #fbe6e4; --warning: #8a5a00; --warning-soft: #fdf0d5;
  --info: #1f5fae; --info-soft: #e2edfb; --good: #1d7a3d; --good-soft: #def3e4;
  color-scheme: light;
}
@media (prefers-color-scheme: dark) {
  :root:not([data-theme="light"]) {
    --paper: #10151c; --card: #18202a; --ink: #e4e9f0; --dim: #97a4b5; --line: #2b3644; --soft: #202a36; --shade: #54657a;
    --accent: #55c4d6; --accent-soft: #123b43; --original: #55c4d6; --reply: #b99bf2;
    --error: #ff8f86; --error-soft: #43201f; --warning: #f0bd5c; --warning-soft: #3b2d12;
    --info: #86b7f7; --info-soft: #1a2f4b; --good: #79d394; --good-soft: #17371f;
    color-scheme: dark;
  }
}
:root[data-theme="dark"] {
  --paper: #10151c; --card: #18202a; --ink: #e4e9f0; --dim: #97a4b5; --line: #2b3644; --soft: #202a36; --shade: #54657a;
  --accent: #55c4d6; --accent-soft: #123b43; --original: #55c4d6; --reply: #b99bf2;
  --error: #ff8f86; --error-soft: #43201f; --warning: #f0bd5c; --warning-soft: #3b2d12;
  --info: #86b7f7; --info-soft: #1a2f4b; --good: #79d394; --good-soft: #17371f;
  color-scheme: dark;
}
* { box-sizing: border-box; }
html { scroll-padding-top: 9.5rem; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 14px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
header { position: sticky; top: 0; z-index: 5; padding: .7rem 1.25rem 0; background: var(--card); border-bottom: 1px solid var(--line); }
.top { display: flex; flex-wrap: wrap; align-items: baseline; gap: .2rem 1rem; }
h1 { margin: 0; font-size: 1.15rem; letter-spacing: -.01em; color: var(--accent); }
#about { display: flex; flex-wrap: wrap; gap: 0 .8rem; min-width: 0; max-height: 4.5em; overflow: auto; }
#about p { margin: 0; overflow-wrap: anywhere; }
.file { font-weight: 600; }
.tools { display: flex; flex-wrap: wrap; gap: .5rem; margin: .55rem 0 .35rem; }
input, button { font: inherit; color: inherit; }
#search { flex: 1 1 16rem; min-width: 0; padding: .4rem .7rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--paper); }
.severities { display: flex; }
.severities button, #theme { padding: .4rem .75rem; border: 1px solid var(--line); background: var(--card); cursor: pointer; }
.severities button { margin-left: -1px; }
.severities button:first-child { border-radius: .5rem 0 0 .5rem; margin: 0; }
.severities button:last-child { border-radius: 0 .5rem .5rem 0; }
.severities button[aria-pressed="false"] { color: var(--dim); background: var(--soft); text-decoration: line-through; }
#theme { border-radius: .5rem; }
nav { display: flex; gap: 1.1rem; overflow-x: auto; }
nav a { padding: .3rem 0 .5rem; color: var(--dim); text-decoration: none; border-bottom: 2px solid transparent; white-space: nowrap; }
nav a:hover, nav a:focus-visible { color: var(--accent); border-color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
main { max-width: 96rem; margin: 0 auto; padding: .5rem 1.25rem 2rem; }
section { margin: 1.2rem 0; padding: 1rem 1.1rem 1.1rem; background: var(--card); border: 1px solid var(--line); border-radius: .8rem; }
h2 { margin: 0 0 .7rem; font-size: 1.05rem; }
h2 .dim { font-weight: 400; font-size: .9rem; padding: .05rem .5rem; border-radius: 1rem; background: var(--soft); }
h3 { margin: 0 0 .6rem; font-size: .95rem; font-weight: 600; overflow-wrap: anywhere; }
.dim { color: var(--dim); }
td.mono, h3 .mono, .text, .end { font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: .92em; unicode-bidi: isolate; }
.empty { color: var(--dim); margin: .4rem 0; }
.empty:empty { display: none; }
.notice { margin: .6rem 1.25rem; padding: .5rem .8rem; border-radius: .5rem; background: var(--warning-soft); color: var(--warning); }
section .notice { margin: .6rem 0 0; }
.scroll {
  overflow: auto; max-height: 36rem; border: 1px solid var(--line); border-radius: .5rem;
  /* A shadow at each side where there is more: those that move with what is shown cover those that do not. */
  background:
    linear-gradient(90deg, var(--card) 40%, transparent) 0 0 / 3rem 100% no-repeat local,
    linear-gradient(-90deg, var(--card) 40%, transparent) 100% 0 / 3rem 100% no-repeat local,
    linear-gradient(90deg, var(--shade), transparent) 0 0 / 1rem 100% no-repeat scroll,
    linear-gradient(-90deg, var(--shade), transparent) 100% 0 / 1rem 100% no-repeat scroll;
}
table { width: 100%; border-collapse: collapse; }
th { position: sticky; top: 0; z-index: 1; padding: 0; background: var(--soft); text-align: left; }
.sort { width: 100%; padding: .4rem .6rem; border: 0; background: none; font-weight: 600; text-align: inherit; white-space: nowrap; cursor: pointer; }
th[aria-sort="ascending"] .sort::after { content: " \\2191"; }
th[aria-sort="descending"] .sort::after { content: " \\2193"; }
td { padding: .32rem .6rem; border-top: 1px solid var(--line); vertical-align: top; }
td.mono { white-space: nowrap; }
td.wide { min-width: 10rem; max-width: 30rem; white-space: normal; overflow-wrap: anywhere; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; }
td > div { min-width: 8rem; }
.choice { cursor: pointer; }
.choice:hover { background: var(--soft); }
.choice[aria-selected="true"] { background: var(--accent-soft); }
.badge { display: inline-block; padding: 0 .5em; border-radius: 1em; font-size: .86em; line-height: 1.6; background: var(--soft); color: var(--dim); white-space: nowrap; }
.badge.error, .badge.rejected, .badge.refused, .badge.refusal, .badge.drops { background: var(--error-soft); color: var(--error); }
.badge.warning, .badge.unseen, .badge.misses, .badge.opens-another, .badge.count, .badge.request-not-seen, .badge.unanswered { background: var(--warning-soft); color: var(--warning); }
.badge.info, .badge.related, .badge.announcement { background: var(--info-soft); color: var(--info); }
.badge.accepted, .badge.announced, .badge.opens, .badge.seen { background: var(--good-soft); color: var(--good); }
.badge.control { background: var(--accent-soft); color: var(--accent); }
.findings { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr)); gap: .7rem; }
.finding { padding: .6rem .8rem; border: 1px solid var(--line); border-left: 4px solid var(--info); border-radius: .5rem; background: var(--card); }
.finding.error { border-left-color: var(--error); }
.finding.warning { border-left-color: var(--warning); }
.finding p { margin: .35rem 0 0; overflow-wrap: anywhere; }
.finding ul { margin: .4rem 0 .2rem; padding-left: 1.1rem; max-height: 20rem; overflow: auto; }
.finding li { overflow-wrap: anywhere; }
.findinghead { display: flex; flex-wrap: wrap; align-items: center; gap: .2rem .6rem; }
.link { padding: 0; border: 0; background: none; color: var(--accent); text-decoration: underline; cursor: pointer; }
.split { display: grid; grid-template-columns: minmax(24rem, 43%) minmax(0, 1fr); gap: 1.1rem; align-items: start; }
.detail { min-width: 0; scroll-margin-top: 9.5rem; }
.detail .finding { margin-bottom: .6rem; }
.detail .scroll { max-height: 52rem; }
.split td.mono { white-space: normal; overflow-wrap: anywhere; }
.split table td, .split table .sort { padding-left: .4rem; padding-right: .4rem; }
.ladder { display: grid; width: 100%; align-items: stretch; background: var(--card); }
.ladder > div { padding: .18rem .6rem; }
.head { position: sticky; top: 0; z-index: 2; background: var(--soft); font-weight: 600; padding: .4rem .6rem !important; }
.ends { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; }
.end { color: var(--original); }
.end:last-child { color: var(--reply); }
.frame, .time { text-align: right; color: var(--dim); font-variant-numeric: tabular-nums; white-space: nowrap; }
.head.frame, .head.time { color: var(--ink); }
.frame { grid-column: 1; }
.time { grid-column: 2; }
.middle { grid-column: 3; }
.said { grid-column: 3; position: relative; margin: 0 .6rem; border-left: 2px solid var(--original); border-right: 2px solid var(--reply); padding: .12rem 0 .42rem !important; }
.said .text { display: block; padding: 0 .55rem; overflow-wrap: anywhere; white-space: pre-wrap; }
.said.reply .text { width: fit-content; margin-left: auto; }
.arrow { position: absolute; left: 0; right: 0; bottom: .12rem; height: 0; border-top: 1px solid var(--original); opacity: .75; }
.said.reply .arrow { border-color: var(--reply); }
.arrow::after { content: ""; position: absolute; top: -4.5px; border: 4px solid transparent; }
.original .arrow::after { right: 0; border-left: 7px solid var(--original); border-right: 0; }
.reply .arrow::after { left: 0; border-right: 7px solid var(--reply); border-left: 0; }
.said.event .text { color: var(--dim); font-style: italic; text-align: center; }
.marks { display: flex; flex-wrap: wrap; gap: .25rem; margin: .15rem .5rem .3rem; }
.reply .marks { justify-content: flex-end; }
.marks .badge { font-size: .8em; white-space: normal; overflow-wrap: anywhere; }
.lane { display: flex; flex-direction: column; justify-content: center; margin: .15rem .3rem; border: 1px solid var(--info); border-radius: .45rem; background: var(--info-soft); color: var(--info); font-size: .82em; overflow: hidden; overflow-wrap: anywhere; min-width: 0; }
.lane .dim { color: inherit; opacity: .8; }
.bars { max-height: 30rem; overflow-y: auto; }
.bar { display: grid; grid-template-columns: minmax(10rem, 30%) 1fr; gap: .8rem; align-items: center; width: 100%; padding: .1rem .3rem; border: 0; background: none; text-align: left; }
button.bar:not(:disabled) { cursor: pointer; }
button.bar:not(:disabled):hover { background: var(--soft); }
.name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .84em; }
.track { position: relative; height: .8rem; background: var(--soft); border-radius: .2rem; overflow: hidden; }
.piece { position: absolute; top: 0; bottom: 0; min-width: 3px; border-radius: .2rem; background: var(--dim); }
.piece.control { background: var(--accent); }
.piece.related { background: var(--info); }
.axis { color: var(--dim); font-size: .86em; border-bottom: 1px solid var(--line); margin-bottom: .3rem; }
.ticks { display: flex; justify-content: space-between; font-variant-numeric: tabular-nums; }
@media (max-width: 60rem) {
  header { position: static; }
  html, .detail { scroll-padding-top: 0; scroll-margin-top: 0; }
  .split { grid-template-columns: minmax(0, 1fr); }
  .split > .scroll { max-height: 15rem; }
  main, header { padding-left: .7rem; padding-right: .7rem; }
  section { padding: .8rem .7rem; }
  .bar { grid-template-columns: minmax(6rem, 42%) 1fr; }
  .ladder .time { display: none; }
  .ladder .said { margin: 0 .2rem; }
  .ladder > div { padding: .18rem .35rem; }
}
@media print { header { position: static; } .scroll, .bars { max-height: none; overflow: visible; } }
`;
