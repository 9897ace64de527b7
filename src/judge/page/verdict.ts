/** The verdict and why: what is read first. */
import type { Audit } from '../audit.ts';
import type { Evidence } from '../evidence-schema.ts';
import { speedInWords } from '../timed.ts';
import { escapeHtml as e, prose, rough, section, table } from './html.ts';
import { regionPicture } from './plots/errors.ts';
import { sourceExcerpt } from './source-text.ts';

const TITLES = { rejected: 'Rejected', correct: 'Correct', unjudgeable: 'Could not be judged' } as const;

/** The verdict in a word or three. */
export function titleOf({ verdict, timing }: Evidence): string {
  return timing?.claim ? 'Correct and faster' : TITLES[verdict.outcome];
}

const AUDIT_TITLES = {
  stands: 'The claim stands',
  smaller: 'The claim is too large',
  false: 'The claim is false',
  open: 'The claim is open',
  'not judged': 'The claim is not confirmed',
};

/** What was claimed, what is left of it, and why. */
export function auditHead({ claim, conclusion, headline, because }: Audit): string {
  const against =
    claim.baselineMicroseconds === undefined ? '' : ` against ${rough(claim.baselineMicroseconds)} µs for PyTorch`;
  const tone = {
    stands: 'correct',
    smaller: 'rejected',
    false: 'rejected',
    open: 'unjudgeable',
    'not judged': 'unjudgeable',
  }[conclusion];
  return `<header class="${tone} audit">
<p class="brand">Assay: audit of a claim of ${rough(claim.ratio)}x${against}</p>
<h1>${AUDIT_TITLES[conclusion]}</h1>
<p class="reason">${prose(headline)}</p>
<ul>${because.map((one) => `<li>${prose(one)}</li>`).join('')}</ul>
</header>`;
}

export function head(evidence: Evidence): string {
  const { verdict, task, device, hardware, checks, admission: admitted, modelled, floor, timing } = evidence;
  const asked = new Set(checks.filter(({ status }) => status === 'passed').map(({ check }) => check)).size;
  const facts: [string, string][] = [
    ['Task', `${task.name}: ${task.outputs.map((one) => `${one.dtype}[${one.shape.join(', ')}]`).join(', ')}`],
    ...(task.mode === 'eval' ? [['Mode', 'evaluation: model.eval()'] satisfies [string, string]] : []),
    ['Device', device.name],
    ...(hardware ? [['GPU', hardware.name] satisfies [string, string]] : []),
    ['Checks passed', String(asked)],
  ];
  const [first] = timing?.report?.comparisons ?? [];
  if (timing?.report && first && timing.report.source === 'measured')
    facts.push(['Times', `${timing.report.outcome}, measured on ${timing.report.facts.device}`]);
  if (modelled)
    facts.push([
      `Modelled time, ${modelled.gpu}`,
      `${rough(modelled.microseconds)} µs (${rough(modelled.low)} to ${rough(modelled.high)})`,
    ]);
  if (modelled && floor)
    facts.push([
      'Of the speed of light',
      `${((100 * floor.microseconds) / modelled.microseconds).toFixed(0)} % (modelled)`,
    ]);
  if (admitted)
    facts.push([
      'Mutation score',
      `${(100 * admitted.score).toFixed(0)} % of ${admitted.mutants.length} wrong variants caught`,
    ]);
  const check = verdict.check ? ` <span class="check">${e(verdict.check)}</span>` : '';
  const speed = timing ? `<p class="speed">${prose(speedInWords(timing))}</p>` : '';
  return `<header class="${verdict.outcome}">
<p class="brand">Assay: evidence</p>
<h1>${e(titleOf(evidence))}${check}</h1>
<p class="reason">${prose(verdict.reason)}</p>${speed}
<dl>${facts.map(([name, value]) => `<div><dt>${e(name)}</dt><dd>${e(value)}</dd></div>`).join('')}</dl>
</header>`;
}

export function why({ verdict }: Evidence): string {
  const details = Object.entries(verdict.details ?? {}).map(([name, value]) => [
    e(name),
    `<code>${e(typeof value === 'string' ? value : JSON.stringify(value))}</code>`,
  ]);
  const picture = verdict.picture
    ? `<figure>${regionPicture(verdict.picture)}<figcaption>${e(verdict.picture.title)}, marked in red.</figcaption></figure>`
    : '';
  const body = picture + table(['Proof', ''], details);
  return section('Why', body);
}

export function findings({ findings: found, candidate }: Evidence): string {
  const lines = candidate.source.split('\n');
  const items = found.slice(0, 20).map((finding) => {
    const at = finding.source === undefined ? '' : ` line ${finding.source.line}`;
    const excerpt = finding.source === undefined ? '' : sourceExcerpt(lines, finding.source.line);
    const times = finding.count > 1 ? `, ${finding.count.toLocaleString('en-US')} times` : '';
    return `<li><b>${e(finding.kind)}</b> in <code>${e(finding.kernel)}</code>${at}${times}: ${prose(finding.message)}${excerpt}</li>`;
  });
  const more = found.length > items.length ? `<p>${found.length - items.length} more in the JSON.</p>` : '';
  return section('Findings of the device', items.length === 0 ? '' : `<ol>${items.join('')}</ol>${more}`);
}

export function notClaimed({ notClaimed: items }: Evidence): string {
  return section(
    'What is not claimed',
    items.length === 0 ? '' : `<ul>${items.map((item) => `<li>${prose(item)}</li>`).join('')}</ul>`,
  );
}
