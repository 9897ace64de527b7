/** Sources, seeds, calls, versions: what is needed to do it again. */
import type { Evidence } from '../evidence-schema.ts';
import { escapeHtml as e, milliseconds, section, table } from './html.ts';
import { sourceLine } from './source-text.ts';

export function sources({ candidate, task, findings: found }: Evidence): string {
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

export function circumstances({
  seeds,
  calls,
  environment,
  build,
  limits,
  timings,
  madeAt,
  device,
  hardware,
  printed,
}: Evidence): string {
  const facts: string[][] = [
    ['Made', e(madeAt)],
    ['Device', e(device.name)],
    ...(hardware ? [['GPU', e(gpuText(hardware))]] : []),
    ...(hardware?.profile
      ? [['What limits it there', e([`By ${hardware.profile.by}:`, ...hardware.profile.words].join(' '))]]
      : []),
    ['Assay, Node, platform', `${e(environment.assay)}, ${e(environment.node)}, ${e(environment.platform)}`],
    ['Compiler', build ? `${e(build.compiler)} for ${e(build.arch)}` : 'nothing was compiled'],
    ['Walls around them', e(wallsText(environment.walls))],
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

const WALLED = { compiler: 'compiler', device: "device's process", hardware: "GPU's process" } as const;

function wallsText(walls: Evidence['environment']['walls'] = {}): string {
  const noted = Object.entries(WALLED).flatMap(([part, words]) => {
    const wall = walls[part as keyof typeof WALLED];
    return wall === undefined ? [] : [`${words}: ${wall}`];
  });
  return noted.join('; ') || 'not noted';
}

function gpuText({ name, capability, multiprocessors, cuda, driver, uuid, calls }: NonNullable<Evidence['hardware']>) {
  const facts = [
    `compute capability ${capability.join('.')}`,
    `${multiprocessors} multiprocessors`,
    `CUDA ${cuda}`,
    ...(driver === undefined ? [] : [`driver ${driver}`]),
    uuid,
  ];
  return `${name} (${facts.join(', ')}); ${calls} calls to see whether it is right there too`;
}
