/** The style sheet of the evidence page: one column, light and dark by the reader's preference, readable when printed. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;--bg:#fbfaf8;--panel:#fff;--ink:#1d1d1f;--dim:#6b6b70;--rule:#e2dfda;--code:#f3f1ed;
--good:#1d7a46;--good-bg:#e6f4ec;--bad:#b3261e;--bad-bg:#fbe9e7;--warn:#8a5a00;--warn-bg:#fdf1da;--accent:#2b5fb3;--area:#dfe9e2;--s1:#c2571a;--s2:#7a3fa0;--s3:#0d7f86;--s4:#a88400;--s5:#b03a6b;--s6:#5b6b2f}
@media (prefers-color-scheme:dark){:root{--bg:#141517;--panel:#1c1d20;--ink:#e8e6e3;--dim:#9a9aa0;--rule:#34353a;--code:#26272b;
--good:#6fcf97;--good-bg:#16301f;--bad:#ff8a80;--bad-bg:#3a1a18;--warn:#f2c46d;--warn-bg:#35280f;--accent:#82aef5;--area:#22332a;--s1:#f0995f;--s2:#c79be6;--s3:#5fc9cf;--s4:#e0c25a;--s5:#f08fb5;--s6:#b5c77f}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem}
header{background:var(--panel);border:1px solid var(--rule);border-top:6px solid var(--warn);border-radius:8px;padding:1.2rem 1.5rem}
header.audit{margin-bottom:1.2rem}header.rejected{border-top-color:var(--bad)}header.correct{border-top-color:var(--good)}
.brand{margin:0;color:var(--dim);font-size:.85rem}
h1{margin:.1rem 0 .5rem;font-size:2rem;line-height:1.2}
header.rejected h1{color:var(--bad)}header.correct h1{color:var(--good)}header.unjudgeable h1{color:var(--warn)}
.check{font:600 1rem ui-monospace,monospace;color:var(--dim);white-space:nowrap}
.reason{font-size:1.1rem;margin:.4rem 0 1rem;max-width:52rem;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:.6rem 1.5rem;margin:0}
dt{color:var(--dim);font-size:.8rem}dd{margin:0;font-weight:600;overflow-wrap:anywhere}
section{margin-top:2rem}h2{font-size:1.2rem;margin:0 0 .6rem}
ul,ol{padding-left:1.3rem;margin:.4rem 0}li{margin:.3rem 0}
.scroll{overflow-x:auto;background:var(--panel);border:1px solid var(--rule);border-radius:8px;margin:.6rem 0}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th{text-align:left;color:var(--dim);font-weight:600;font-size:.8rem}
th,td{padding:.45rem .7rem;vertical-align:top;border-bottom:1px solid var(--rule)}tr:last-child td{border-bottom:0}
thead:not(:has(th:not(:empty))){display:none}
.dim{color:var(--dim);font-size:.85rem}.bad-text{color:var(--bad)}
td .passed,td .rejected,td .not-asked,td .unjudgeable{font-weight:600;white-space:nowrap}
td .passed{color:var(--good)}td .rejected{color:var(--bad)}td .not-asked,td .unjudgeable{color:var(--warn)}
code,pre{font:.87em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{background:var(--code);border-radius:4px;padding:.05em .3em;overflow-wrap:anywhere}
pre{background:var(--code);border-radius:8px;padding:.6rem 0;overflow-x:auto;margin:.5rem 0}
.line{display:block;padding:0 .8rem;white-space:pre}.number{display:inline-block;width:3.2em;color:var(--dim);user-select:none}
.marked{background:var(--bad-bg);box-shadow:inset 3px 0 var(--bad)}
summary{cursor:pointer;padding:.3rem 0}
figure{margin:.6rem 0;background:var(--panel);border:1px solid var(--rule);border-radius:8px;padding:1rem}
figure{text-align:center}figcaption{color:var(--dim);font-size:.85rem;margin-top:.3rem}
svg{display:block;width:100%;height:auto;margin:0 auto;font:13px system-ui,sans-serif}
svg text{fill:var(--ink)}svg .tiny{font-size:11px;fill:var(--dim)}svg .small{font-size:13px;font-weight:600}
svg .ok{fill:var(--accent)}svg .bad{fill:var(--bad)}svg .good-area{fill:var(--area)}svg .frame{fill:none;stroke:var(--dim)}
svg .axis{stroke:var(--dim)}svg .limit{stroke:var(--bad);stroke-dasharray:4 3}svg .roof{stroke:var(--ink);stroke-width:2}
svg .interval{fill:var(--accent);opacity:.35}svg .point{fill:var(--accent)}svg .forbidden{fill:var(--bad);opacity:.18}
svg .grid{stroke:var(--rule)}svg .noise{fill:var(--dim);opacity:.22}svg .stripe{fill:var(--dim);opacity:.09}svg .same{stroke:var(--dim);stroke-dasharray:4 3}
svg .bar{stroke-width:3;stroke-linecap:round}svg .bar.gain{stroke:var(--good)}svg .bar.loss{stroke:var(--bad)}svg .bar.neither{stroke:var(--dim)}
svg .dot{opacity:.8}svg .dot.gain{fill:var(--good)}svg .dot.loss{fill:var(--bad)}svg .dot.neither{fill:var(--dim)}svg .s0{fill:var(--accent)}
${[1, 2, 3, 4, 5, 6].map((n) => `svg .s${n}{fill:var(--s${n})}`).join('')}
.speed{font-size:1.1rem;font-weight:600;margin:-.4rem 0 1rem;max-width:52rem}
.banner{background:var(--warn-bg);border-left:4px solid var(--warn);padding:.5rem .8rem;border-radius:4px;font-weight:600}
@media print{body{background:#fff}details>*{display:block}}
`;
