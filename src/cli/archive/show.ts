/** A task, a run or a candidate of the archive, for people and as JSON. */
import type { Archive, JudgedCandidate, RunRecord, TaskSummary, TimeRecord } from '../../archive/index.ts';
import { printable, significant, time, wrap } from '../terminal/format.ts';
import { table } from '../terminal/table.ts';
import type { Found } from './find.ts';

/** Candidates of a task that are shown. */
const bestShown = 5;

/** What `show --json` prints, and the lines that `show` prints. */
export interface Shown {
  json: unknown;
  lines: readonly string[];
}

export async function show(archive: Archive, found: Found, gpu: string): Promise<Shown> {
  switch (found.kind) {
    case 'task':
      return showTask(archive, found.task, gpu);
    case 'run':
      return showRun(archive, found.run);
    case 'candidate':
      return showCandidate(archive, found.candidate);
  }
}

/** A stored time in words: `3.91 us modelled on h100`. */
export function timeInWords({ kind, device, microseconds }: TimeRecord): string {
  return `${time(microseconds)} ${kind} on ${device}`;
}

export function candidateRows(candidates: readonly JudgedCandidate[]): string[] {
  return table(
    [
      { name: '#', right: true },
      { name: 'outcome' },
      { name: 'time', right: true },
      { name: 'by' },
      { name: 'what it is', rest: true },
    ],
    candidates.map(({ number, verdict, engineer, summary }) => {
      const [best] = verdict?.times ?? [];
      const outcome = verdict ? (verdict.check ?? verdict.outcome) : 'not judged';
      return [String(number), outcome, best ? time(best.microseconds) : '', engineer, summary];
    }),
  );
}

async function showTask(archive: Archive, task: TaskSummary, gpu: string): Promise<Shown> {
  const runs = await archive.runs(task.hash);
  const best = await archive.best(task.hash, 'modelled', gpu, bestShown);
  const lines = [
    `task ${printable(task.name)}   ${task.hash.slice(0, 12)}`,
    `${task.candidates} candidates, ${task.correct} correct, in ${task.runs} runs${money(task.dollars)}`,
    '',
    ...runRows(runs),
    '',
    ...(best.length > 0 ? [`best modelled times on ${gpu}`, ...bestRows(best)] : [`nothing correct on ${gpu} yet`]),
  ];
  return { json: { task, runs, best }, lines };
}

function runRows(runs: readonly RunRecord[]): string[] {
  return table(
    [
      { name: 'run', rest: true },
      { name: 'on' },
      { name: 'engineers' },
      { name: 'seed', right: true },
      { name: 'started' },
      { name: '' },
    ],
    runs.map(({ id, gpu, device, engineer, seed, started, finished }) => [
      id,
      device === 'cuda' ? `${gpu}, measured` : gpu,
      engineer,
      String(seed),
      started.slice(0, 16).replace('T', ' '),
      finished === null ? 'cut off' : '',
    ]),
  );
}

export function bestRows(best: readonly JudgedCandidate[]): string[] {
  return table(
    [{ name: 'time', right: true }, { name: 'candidate' }, { name: 'by' }, { name: 'what it is', rest: true }],
    best.map(({ id, verdict, engineer, summary }) => [time(verdict!.times[0]!.microseconds), id, engineer, summary]),
  );
}

async function showRun(archive: Archive, run: RunRecord): Promise<Shown> {
  const candidates = await archive.candidates(run.id);
  const spent = await archive.spent(run.id);
  const lines = [
    `run ${printable(run.id)}   on ${run.gpu}, by ${printable(run.engineer)}, seed ${run.seed}`,
    `started ${run.started}, ${run.finished === null ? 'cut off' : `ended ${run.finished}`}${money(spent.dollars)}`,
    '',
    ...candidateRows(candidates),
  ];
  return { json: { run, spent, candidates: candidates.map(withoutSource) }, lines };
}

const withoutSource = ({ source: _, ...rest }: JudgedCandidate) => rest;

async function showCandidate(archive: Archive, candidate: JudgedCandidate): Promise<Shown> {
  const { id, run, generation, engineer, strategy, summary, parents, verdict, source } = candidate;
  const calls = (await archive.calls(run)).filter((call) => call.candidate === id);
  const line = await lineage(archive, candidate);
  const row = (name: string, text: string) => `${name.padEnd(11)}${wrap(printable(text), 68, ' '.repeat(11))}`;
  const lines = [
    `candidate ${printable(id)}`,
    row('what it is', summary),
    row('made by', `${engineer}, ${strategy}; generation ${generation}`),
    row('parents', parents.length > 0 ? parents.join(', ') : 'none'),
    row(
      'verdict',
      verdict ? [verdict.outcome, verdict.check, verdict.reason].filter(Boolean).join(': ') : 'not judged',
    ),
    ...(verdict?.times ?? []).map((own) => row('time', timeInWords(own))),
    ...(verdict ? [row('judged in', `${significant(verdict.milliseconds / 1000)} s`)] : []),
    ...calls.map(({ model, inputTokens, outputTokens, dollars }) =>
      row(
        'model',
        `${model}: ${inputTokens ?? '?'} tokens in, ${outputTokens ?? '?'} out${dollars === null ? '' : money(dollars)}`,
      ),
    ),
    '',
    'lineage, the latest first',
    ...line.map((own) => `  ${printable(own.id)}  ${printable(own.summary)}`),
    '',
    ...source.split('\n').map(printable),
  ];
  const evidence = (await archive.evidence(id)) ?? null;
  return { json: { candidate, lineage: line.map(withoutSource), calls, evidence }, lines };
}

/** A candidate, its main parent, and so on to the beginning. */
async function lineage(archive: Archive, candidate: JudgedCandidate): Promise<JudgedCandidate[]> {
  const line = [candidate];
  const met = new Set([candidate.id]);
  for (let parent = candidate.parents[0]; parent !== undefined && !met.has(parent); ) {
    met.add(parent);
    const next = await archive.candidate(parent);
    if (!next) break;
    line.push(next);
    parent = next.parents[0];
  }
  return line;
}

function money(dollars: number): string {
  return dollars > 0 ? `, $${dollars.toFixed(2)} for models` : '';
}
