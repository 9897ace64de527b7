/** The bench as one self-contained page: the sums, a bar of each task's share of the floor, and the table. No script, nothing from elsewhere. */
import { significant, time } from '../terminal/format.ts';
import type { Row } from './row.ts';
import { type BenchSummary, overDirect, percentOfFloor } from './summary.ts';
import { sums } from './table.ts';

export interface BenchPage {
  title: string;
  /** Which devices, in a sentence. */
  about: string;
  rows: readonly Row[];
  summary: BenchSummary;
}

const style = `
:root { color-scheme: light dark; --good: #1a7f37; --bad: #b3261e; --line: #8884; --bar: #4b7bec; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem; }
dt { font-size: .85em; opacity: .75; } dd { margin: 0; font-size: 1.3em; font-variant-numeric: tabular-nums; }
dd small { font-size: .6em; opacity: .75; display: block; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
.n { text-align: right; white-space: nowrap; } .correct { color: var(--good); } .none, .refused, .stopped { color: var(--bad); }
.bar { background: var(--line); height: .7em; width: 8rem; } .bar i { display: block; background: var(--bar); height: 100%; }
`;

export function benchPage({ title, about, rows, summary }: BenchPage): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${text(title)}</title><style>${style}</style></head>
<body><h1>${text(title)}</h1><p>${text(about)}</p>
<dl>${sums(summary)
    .map(
      ([name, value, more]) => `<div><dt>${text(name)}</dt><dd>${text(value)}<small>${text(more)}</small></dd></div>`,
    )
    .join('\n')}</dl>
<div class="scroll"><table>
<thead><tr><th>task</th><th>outcome</th><th class="n">time</th><th class="n">floor</th><th>of the floor</th>
<th class="n">over direct</th><th class="n">over baseline</th><th class="n">judged + passed over</th><th class="n">took</th></tr></thead>
<tbody>${rows.map(rowHtml).join('\n')}</tbody></table></div>
</body></html>
`;
}

function rowHtml(row: Row): string {
  const { task, outcome, reason, kind, floor, microseconds, overBaseline, baseline, judged, passedOver, seconds } = row;
  const share = percentOfFloor(row);
  const [direct, number] = [overDirect(row), (value: string) => `<td class="n">${value}</td>`];
  return [
    `<tr><td>${text(task)}${row.summary ? `<br><small>${text(row.summary)}</small>` : ''}</td>`,
    `<td class="${outcome}">${outcome}${reason ? `<br><small>${text(reason)}</small>` : ''}</td>`,
    number(microseconds === undefined ? '' : `${time(microseconds)}<br><small>${kind}</small>`),
    number(floor === undefined ? '' : time(floor)),
    `<td>${share === undefined ? '' : `${significant(share)} %<div class="bar"><i style="width:${Math.min(100, share).toFixed(1)}%"></i></div>`}</td>`,
    number(direct === undefined ? '' : `${significant(direct)} x`),
    number(
      overBaseline === undefined ? '' : `${significant(overBaseline)} x<br><small>${text(baseline ?? '')}</small>`,
    ),
    number(judged === undefined ? '' : `${judged} + ${passedOver ?? 0}`),
    number(`${significant(seconds)} s`),
    '</tr>',
  ].join('');
}

function text(raw: string): string {
  return raw.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
