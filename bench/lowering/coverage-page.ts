/** docs/coverage.md: what the built-in engineer answers with no model, task by task, as the benchmark saw it. */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Row, Trial } from './row.ts';

const page = fileURLToPath(new URL('../../docs/coverage.md', import.meta.url));

/** Writes the page from the rows of a whole run. */
export function writeCoverage(rows: readonly Row[], gpu: string): void {
  writeFileSync(page, coveragePage(rows, gpu));
}

/** The page's text: counts for each level, then a line a task. `gpu`: whose times are modelled. */
export function coveragePage(rows: readonly Row[], gpu: string): string {
  const levels = [...new Set(rows.map(({ level }) => level))].sort((a, b) => a - b);
  const judged = rows.flatMap(({ trials }) => trials.filter(({ outcome }) => outcome !== 'lowered'));
  const dates = judged.map(({ date }) => date).sort();
  const days = [...new Set([dates[0], dates.at(-1)].map((date) => date?.slice(0, 10)))].join(' to ');
  return [
    '# What the built-in engineer covers',
    '',
    'KernelBench (its repository is not part of this one), with no model and no search: for each task its *direct translation*, a plain kernel for each operator, and where',
    'a second candidate is listed its first *template*, as the judge found them at the scale at which a task and its mutants can be tried in seconds (`loadVerified`). `correct` means every',
    'check of [the judge](../src/judge/README.md) on every call. A task whose result is random, because dropout is at work, has no right answer: it is judged',
    'in evaluation mode (`--eval`, as `model.eval()` leaves it) and says so; one that is random there too is refused with that reason.',
    'Networks whose sizes stand inside the model stay large at any scale; those that take minutes to judge are lowered and not judged.',
    '',
    `Judged on ${days}, on ${cpus().length} cores that other work shared, on the virtual GPU as \`${gpu}\`. This page is written by`,
    '',
    `    npm run bench:lowering -- DIR --level ${levels.join(',')} --candidates ${candidatesOf(rows).join(',')} --write-table`,
    '',
    '| level | tasks | correct | correct in evaluation mode | random, refused | not lowered | not judged | not found correct | seconds of judging: all | median | most |',
    '|---|---|---|---|---|---|---|---|---|---|---|',
    ...levels.map((level) => totals(level, rows)),
    ...levels.flatMap((level) => ['', ...levelTable(level, rows)]),
    '',
  ].join('\n');
}

/** The first candidate, and those others of which any was judged. */
function candidatesOf(rows: readonly Row[]): number[] {
  const judged = rows.flatMap(({ trials }) => trials.filter(({ outcome }) => outcome !== 'lowered'));
  return [...new Set([1, ...judged.map(({ candidate }) => candidate)])].sort((a, b) => a - b);
}

const isRandom = ({ refused }: Row) => refused !== undefined && /\brandom\b/.test(refused);
/** A task counts as correct when its first candidate does: the direct translation is the one that must be right whatever the shapes. */
const isCorrect = ({ trials }: Row) => trials[0]?.outcome === 'correct';

function totals(level: number, rows: readonly Row[]): string {
  const own = rows.filter((row) => row.level === level);
  const random = own.filter(isRandom).length;
  const refused = own.filter(({ refused }) => refused !== undefined).length - random;
  const [inItsMode, evaluated] = [undefined, 'eval'].map(
    (mode) => own.filter((row) => isCorrect(row) && row.mode === mode).length,
  ) as [number, number];
  const unjudged = own.filter(({ trials }) => trials[0]?.outcome === 'lowered').length;
  const judged = own.flatMap(({ trials }) => trials.filter(({ outcome }) => outcome !== 'lowered'));
  const times = judged.map(({ seconds }) => seconds).sort((a, b) => a - b);
  const all = times.reduce((sum, one) => sum + one, 0);
  const medianAndMost = times.length === 0 ? [0, 0] : [times[times.length >> 1]!, times.at(-1)!];
  const wrong = own.length - inItsMode - evaluated - random - refused - unjudged;
  const counts = [own.length, inItsMode, evaluated, random, refused, unjudged, wrong];
  return `| ${[level, ...counts, all.toFixed(0), ...medianAndMost.map((one) => one.toFixed(1))].join(' | ')} |`;
}

function levelTable(level: number, rows: readonly Row[]): string[] {
  const own = rows
    .filter((row) => row.level === level)
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  const candidates = candidatesOf(own);
  const heads = candidates.map((candidate) => (candidate === 1 ? 'direct translation' : `template ${candidate - 1}`));
  return [
    `## Level ${level}`,
    '',
    `| task | operators | ${heads.map((head) => `${head} | kernels | modelled, us | judged in, s`).join(' | ')} |`,
    `|---|---|${candidates.map(() => '---|---|---|---|').join('')}`,
    ...own.map((row) => `| ${[row.name, row.nodes ?? '', ...cells(row, candidates)].join(' | ')} |`),
  ];
}

function cells({ refused, mode, trials }: Row, candidates: readonly number[]): string[] {
  if (refused !== undefined) return [inCell(refused), ...Array<string>(4 * candidates.length - 1).fill('')];
  return candidates.flatMap((candidate) => {
    const trial = trials.find((one) => one.candidate === candidate);
    if (trial === undefined) return ['', '', '', ''];
    const time = trial.microseconds === undefined ? '' : trial.microseconds.toPrecision(3);
    const took = trial.outcome === 'lowered' ? '' : trial.seconds.toFixed(1);
    return [said(trial, mode), String(trial.kernels), time, took];
  });
}

function said({ outcome, check, reason }: Trial, mode: Row['mode']): string {
  if (outcome === 'lowered') return 'lowered, not judged';
  const there = mode === 'eval' ? ' in evaluation mode' : '';
  return outcome === 'correct' ? outcome + there : inCell(`${outcome}${there} by ${check}: ${reason}`);
}

const inCell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
