/** The page's style. */
const DARK = `
  --paper: #10151c; --card: #18202a; --ink: #e4e9f0; --dim: #97a4b5; --line: #2b3644; --soft: #202a36;
  --accent: #55c4d6; --reply: #b99bf2; --error: #ff8f86; --good: #79d394; color-scheme: dark;
`;

export const STYLE = `
:root {
  --paper: #f6f7f9; --card: #ffffff; --ink: #1b2330; --dim: #5c6878; --line: #dfe3ea; --soft: #eef1f6;
  --accent: #0b6e7f; --reply: #6d43b8; --error: #b3261e; --good: #1d7a3d; color-scheme: light;
}
@media (prefers-color-scheme: dark) { :root:not([data-theme="light"]) {${DARK}} }
:root[data-theme="dark"] {${DARK}}
* { box-sizing: border-box; }
[hidden] { display: none; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 14px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem 1.2rem; padding: .7rem 1.25rem 0; background: var(--card); border-bottom: 1px solid var(--line); }
h1 { margin: 0; font-size: 1.15rem; color: var(--accent); }
header p { margin: 0; flex: 1 1 16rem; overflow-wrap: anywhere; }
#state { font-weight: 600; }
.dim { color: var(--dim); }
form { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem; }
input, button { font: inherit; color: inherit; padding: .25rem .6rem; border: 1px solid var(--line); border-radius: .4rem; background: var(--card); }
input { background: var(--paper); }
button { cursor: pointer; }
button[aria-pressed="true"] { background: var(--soft); border-color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
nav { flex-basis: 100%; display: flex; gap: 1.1rem; overflow-x: auto; }
nav a { padding: .3rem 0 .5rem; color: var(--dim); text-decoration: none; }
nav a:hover, nav a:focus-visible { color: var(--accent); }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: .5rem; top: .5rem; padding: .4rem; background: var(--card); color: var(--accent); }
#notice { margin: .6rem 1.25rem; min-height: 1.4em; }
main { max-width: 96rem; margin: 0 auto; padding: 0 1.25rem 2rem; }
section { margin: 0 0 1.1rem; padding: 1rem 1.1rem; background: var(--card); border: 1px solid var(--line); border-radius: .8rem; }
h2 { margin: 0 0 .6rem; font-size: 1.05rem; }
h3 { margin: .5rem 0 .4rem; font-size: .95rem; overflow-wrap: anywhere; }
.scroll { overflow: auto; max-height: 32rem; border: 1px solid var(--line); border-radius: .5rem; }
table { width: 100%; border-collapse: collapse; }
caption { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; white-space: nowrap; }
th, td { padding: .32rem .6rem; border-top: 1px solid var(--line); text-align: left; overflow-wrap: break-word; }
thead th { border: 0; background: var(--soft); white-space: nowrap; }
tbody th { font-weight: 500; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.act { display: none; gap: .3rem; white-space: nowrap; }
.act input { width: 5.5rem; }
.may .act { display: flex; }
thead .actions { visibility: hidden; }
.may thead .actions { visibility: visible; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; min-width: 0; }
.plot { min-height: 180px; overflow: hidden; }
figcaption { display: flex; flex-wrap: wrap; gap: 0 1rem; }
.accent { color: var(--accent); } .reply { color: var(--reply); } .error { color: var(--error); } .good { color: var(--good); }
.tree, .tree ul { margin: 0; padding-left: 1.2rem; list-style: none; overflow-wrap: anywhere; }
.tree { padding: 0; max-height: 32rem; overflow: auto; }
.tree ul { border-left: 2px solid var(--line); margin-left: .3rem; }
.tree li { padding: .12rem 0; }
summary { cursor: pointer; }
.awaited, .empty { color: var(--dim); }
.empty { margin: .2rem 0; }
`;
