/**
 * The evidence as one self-contained HTML page: verdict first, then why, then what it rests on. No scripts, no requests; every text that
 * came from outside (sources, messages, names) is escaped.
 */
import { gpuTargets } from '../vgpu/index.ts';
import type { Audit } from './audit.ts';
import { escapeHtml as e, errorHistogram, regionPicture, roofline, timeBar } from './evidence-plots.ts';
import type { Evidence } from './evidence-schema.ts';
import { PAGE_STYLE } from './evidence-style.ts';

const TITLES = { rejected: 'Rejected', correct: 'Correct', unjudgeable: 'Could not be judged' } as const;

/** The page of one judgement; where it was made to audit a claim, what is left of that comes first. */
export function evidencePage(evidence: Evidence, audited?: Audit): string {
  const { verdict, task } = evidence;
  const sections = [
    audited ? auditHead(audited) : '',
    head(evidence),
    why(evidence),
    findings(evidence),
    notClaimed(evidence),
    accuracy(evidence),
    time(evidence),
    checksTable(evidence),
    fullSize(evidence),
    admission(evidence),
    sources(evidence),
    circumstances(evidence),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${e(TITLES[verdict.outcome])}: ${e(task.name)} - Assay</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<main>
${sections.filter(Boolean).join('\n')}
</main>
</body>
</html>
`;
}

const AUDIT_TITLES = {
  stands: 'The claim stands',
  smaller: 'The claim is too large',
  false: 'The claim is false',
  open: 'The claim is open',
  'not judged': 'The claim is not confirmed',
};

/** What was claimed, what is left of it, and why. */
function auditHead({ claim, conclusion, headline, because }: Audit): string {
  const against =
    claim.baselineMicroseconds === undefined ? '' : ` against ${rough(claim.baselineMicroseconds)} µs for PyTorch`;
  return `<header class="${conclusion === 'false' ? 'rejected' : 'unjudgeable'} audit">
<p class="brand">Assay: audit of a claim of ${rough(claim.ratio)}x${against}</p>
<h1>${AUDIT_TITLES[conclusion]}</h1>
<p class="reason">${prose(headline)}</p>
<ul>${because.map((one) => `<li>${prose(one)}</li>`).join('')}</ul>
</header>`;
}

const section = (title: string, body: string) => (body ? `<section><h2>${e(title)}</h2>\n${body}\n</section>` : '');

/** Text with `code` in backquotes set as code. */
const prose = (words: string) => e(words).replace(/`([^`]+)`/g, '<code>$1</code>');

const table = (headings: readonly string[], rows: readonly (readonly string[])[]) =>
  rows.length === 0
    ? ''
    : `<div class="scroll"><table><thead><tr>${headings.map((h) => `<th>${e(h)}</th>`).join('')}</tr></thead><tbody>${rows
        .map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
        .join('')}</tbody></table></div>`;

/** A number of a tensor, to the nine digits that tell float32 values apart. */
const exact = (x: number | string) => (typeof x === 'string' ? x : String(Number(x.toPrecision(9))));

/** A bound or an error, to three digits. */
const rough = (x: number | string) => (typeof x === 'string' ? x : String(Number(x.toPrecision(3))));

const milliseconds = (ms: number) => (ms < 10 ? ms.toFixed(1) : Math.round(ms).toLocaleString('en-US'));

function head({ verdict, task, device, checks, admission: admitted, modelled, floor }: Evidence): string {
  const asked = new Set(checks.filter(({ status }) => status === 'passed').map(({ check }) => check)).size;
  const facts: [string, string][] = [
    ['Task', `${task.name}: ${task.outputs.map((one) => `${one.dtype}[${one.shape.join(', ')}]`).join(', ')}`],
    ['Device', device.name],
    ['Checks passed', String(asked)],
  ];
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
  return `<header class="${verdict.outcome}">
<p class="brand">Assay: evidence</p>
<h1>${TITLES[verdict.outcome]}${check}</h1>
<p class="reason">${prose(verdict.reason)}</p>
<dl>${facts.map(([name, value]) => `<div><dt>${e(name)}</dt><dd>${e(value)}</dd></div>`).join('')}</dl>
</header>`;
}

/** What was seen at the file's own shapes, of a task that was judged at smaller ones. */
function fullSize({ fullSize: seen }: Evidence): string {
  if (!seen) return '';
  const shapes = seen.tensors.map(({ name, spec }) => `${name} [${spec.shape.join(', ')}]`).join(', ');
  const dims = (sizes: readonly number[]) => sizes.join(' x ');
  const launches = seen.launches.map((one) => [
    `<code>${e(one.kernel)}</code> (line ${one.line})`,
    `${dims(one.grid)} blocks of ${dims(one.block)}`,
    `${one.ranBlocks.toLocaleString('en-US')} of ${one.totalBlocks.toLocaleString('en-US')}`,
    e(one.notChecked ?? (one.madeUp ? 'addresses only: made-up contents' : '')),
  ]);
  const outputs = seen.outputs.map(({ name, compared, rows, worst, everyElementWritten, notCompared }) => [
    e(name),
    compared === 0 ? '' : `${compared.toLocaleString('en-US')} in ${rows.length} rows`,
    worst === undefined ? '' : String(rough(worst)),
    everyElementWritten ? 'every element' : 'not known',
    e(notCompared ?? ''),
  ]);
  const said = seen.notChecked === undefined ? '' : `<p>Not checked: ${prose(seen.notChecked)}.</p>`;
  const body =
    table(['Launch', 'Shape', 'Blocks run', 'Not checked'], launches) +
    table(['Output', 'Elements compared', 'Worst error over bound', 'Written', 'Not compared'], outputs);
  return section("At the file's own shapes", `<p>${e(shapes)}</p>${said}${body}`);
}

function notClaimed({ notClaimed: items }: Evidence): string {
  return section(
    'What is not claimed',
    items.length === 0 ? '' : `<ul>${items.map((item) => `<li>${prose(item)}</li>`).join('')}</ul>`,
  );
}

function why({ verdict }: Evidence): string {
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

function findings({ findings: found, candidate }: Evidence): string {
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

/** The lines around one line, which is marked. */
function sourceExcerpt(lines: readonly string[], at: number): string {
  const from = Math.max(1, at - 2);
  const rows = lines.slice(from - 1, at + 2).map((text, i) => sourceLine(from + i, text, from + i === at));
  return `<pre>${rows.join('')}</pre>`;
}

const sourceLine = (n: number, text: string, marked: boolean) =>
  `<span class="line${marked ? ' marked' : ''}"><span class="number">${n}</span>${e(text)}\n</span>`;

function accuracy(evidence: Evidence): string {
  const { outputs, arithmetics } = evidence.tolerance;
  if (outputs.length === 0) return '';
  const rows = outputs.map(({ call, family, output, elements, wrong, worst, rms, rmsLimit }) => [
    String(call),
    e(family),
    String(output),
    elements.toLocaleString('en-US'),
    wrong === 0 ? '0' : `<b class="bad-text">${wrong.toLocaleString('en-US')}</b>`,
    worst
      ? `<code>[${worst.coordinates.join(', ')}]</code> is ${exact(worst.got)}, right is ${exact(worst.expected)} ± ${rough(worst.bound)}`
      : '',
    `${rough(rms)} of ${rough(rmsLimit)}`,
  ]);
  const basis =
    arithmetics.length === 0
      ? ''
      : `<details><summary>The bounds rest on ${arithmetics.length === 1 ? 'this honest run' : `these ${arithmetics.length} honest runs`}</summary><ul>${arithmetics.map((one) => `<li>${e(one)}</li>`).join('')}</ul></details>`;
  return section(
    'How far from right',
    `<p>Every element is compared with a float64 reference. Its bound is derived from the errors that honest kernels of this precision make on these very inputs.</p>
<figure>${errorHistogram(evidence)}<figcaption>All elements of all calls compared.</figcaption></figure>
${table(['Call', 'Inputs', 'Output', 'Elements', 'Wrong', 'Worst element', 'In norm'], rows)}${basis}`,
  );
}

function time(evidence: Evidence): string {
  const { modelled, plan, build } = evidence;
  if (!modelled) return '';
  const target = gpuTargets.find(({ id }) => id === modelled.gpu);
  const roof = target && {
    name: target.name,
    bytesPerSecond: target.memoryBandwidth,
    operationsPerSecond: target.flops.fp32,
  };
  const launches = plan?.launches.map((launch) => {
    const resources = build?.resources.find(({ entry }) => entry.includes(launch.kernel.replace(/<.*/, '')));
    return [
      `<code>${e(launch.kernel)}</code>`,
      launch.grid.join(' x '),
      launch.block.join(' x '),
      resources ? String(resources.registers) : '',
      `${((resources?.staticSharedBytes ?? 0) + launch.dynamicSharedBytes).toLocaleString('en-US')} B`,
      resources ? `${resources.spillStoreBytes + resources.spillLoadBytes} B` : '',
    ];
  });
  const picture = roof ? roofline(evidence, roof) : '';
  return section(
    'Time, modelled',
    `<p>From a performance model of ${e(target?.name ?? modelled.gpu)}, not from a clock. Limited by ${e(modelled.limitedBy)}; occupancy ${(100 * modelled.occupancy).toFixed(0)} %.</p>
<figure>${timeBar(evidence)}</figure>${picture ? `<figure>${picture}</figure>` : ''}
${table(['Launch', 'Grid', 'Block', 'Registers', 'Shared memory', 'Spills'], launches ?? [])}
${resourcesTable(modelled.resources ?? [])}
${(evidence.profile?.launches ?? []).map(({ kernel, words }) => `<p><code>${e(kernel)}</code>: ${e(words.join(' '))}</p>`).join('\n')}`,
  );
}

/** What would limit the longest launch next. */
function resourcesTable(resources: readonly { name: string; microseconds: number }[]): string {
  if (resources.length === 0) return '';
  const rows = resources.slice(0, 5).map(({ name, microseconds }) => [e(name), `${rough(microseconds)} µs`]);
  return table(['Each resource of the longest launch by itself', ''], rows);
}

function checksTable({ checks }: Evidence): string {
  const rows = checks.map(({ check, stage, status, question, said, catches, milliseconds: ms }) => [
    `<span class="${status}">${e(status)}</span>`,
    `<b>${e(check)}</b><br><span class="dim">${e(stage)}</span>`,
    `${e(question)}${said && status !== 'rejected' ? `<br><span class="dim">${prose(said)}</span>` : ''}`,
    `<span class="dim">${e(catches.join(', '))}</span>`,
    milliseconds(ms),
  ]);
  return section('Checks, in the order asked', table(['', 'Check', 'Question', 'Exists to catch', 'ms'], rows));
}

function admission({ admission: admitted }: Evidence): string {
  if (!admitted) return '';
  const rows = admitted.mutants.map((mutant) => [
    mutant.killedBy === undefined ? '<span class="rejected">alive</span>' : '<span class="passed">caught</span>',
    e(mutant.description),
    mutant.killedBy === undefined
      ? 'nothing tells it from the task'
      : `on inputs drawn as <code>${e(mutant.killedBy)}</code>`,
  ]);
  return section(
    'Is the task fit to judge by?',
    `<p>Wrong variants of the task were put to the same comparison: ${(100 * admitted.score).toFixed(0)} % were caught (${(100 * admitted.ownScore).toFixed(0)} % on inputs as the task file itself draws them).</p>
<details><summary>${admitted.mutants.length} variants</summary>${table(['', 'Variant', ''], rows)}</details>`,
  );
}

function sources({ candidate, task, findings: found }: Evidence): string {
  const marked = new Set(found.map(({ source }) => source?.line));
  const numbered = (source: string, marks: ReadonlySet<number | undefined>) =>
    `<pre>${source
      .split('\n')
      .map((text, i) => sourceLine(i + 1, text, marks.has(i + 1)))
      .join('')}</pre>`;
  return section(
    'Sources',
    `<details><summary>Candidate, SHA-256 <code>${e(candidate.hash)}</code></summary>${numbered(candidate.source, marked)}</details>
<details><summary>Task, SHA-256 <code>${e(task.hash)}</code></summary>${numbered(task.source, new Set())}</details>`,
  );
}

function circumstances({
  seeds,
  calls,
  environment,
  build,
  limits,
  timings,
  madeAt,
  device,
  printed,
}: Evidence): string {
  const facts: string[][] = [
    ['Made', e(madeAt)],
    ['Device', e(device.name)],
    ['Assay, Node, platform', `${e(environment.assay)}, ${e(environment.node)}, ${e(environment.platform)}`],
    ['Compiler', build ? `${e(build.compiler)} for ${e(build.arch)}` : 'nothing was compiled'],
    [
      'Seeds',
      seeds
        ? `<code>${e(seeds.secret)}</code>, ${e(seeds.origin)} ${seeds.frozen.length} source${seeds.frozen.length === 1 ? '' : 's'}`
        : 'none were drawn',
    ],
    [
      'Limits',
      `${limits.milliseconds.toLocaleString('en-US')} ms, ${limits.instructions.toLocaleString('en-US')} thread-instructions a call, ${(limits.memoryBytes / 1e6).toLocaleString('en-US')} MB`,
    ],
    ['Time spent', e(timings.map(({ stage, milliseconds: ms }) => `${stage} ${milliseconds(ms)} ms`).join(', '))],
  ];
  const rows = calls.map((call, i) => [
    String(i),
    e(call.family),
    e(call.purpose),
    call.resetGlobals ? 'reset' : 'kept',
    call.freshMemory ? 'fresh' : 'same',
    `<code>${e(call.inputSeed.slice(0, 12))}...</code>`,
    String(call.poisonSeed),
  ]);
  const output = printed ? `<details><summary>Printed by the kernels</summary><pre>${e(printed)}</pre></details>` : '';
  return section(
    'Circumstances',
    `${table(['', ''], facts)}<details><summary>${calls.length} calls</summary>${table(['Call', 'Inputs', 'Purpose', 'Globals', 'Memory', 'Input seed', 'Poison seed'], rows)}</details>${output}`,
  );
}
