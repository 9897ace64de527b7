/**
 * What the built-in engineer covers: for each task of a folder, at the scale at which its mutants can be tried, its first candidates and what the judge says of
 * them. No model, no search.
 *
 *     npm run bench:lowering -- DIR [--level 1,2,3] [--only REGEXP] [--candidates 1,2] [--backward] [--dry] [--jobs 1] [--cache FOLDER] [--keep FOLDER] [--stages] [--again | --kept] [--limit SECONDS] [--json | --write-table]
 *
 * DIR is a KernelBench checkout (folders level1, level2, ...). A task whose result is random is judged in evaluation mode (`--eval`), where it is not random there.
 * `--candidates 1,2`: which ones; 1 is the direct translation, the others templates. `--dry`: says what lowers, builds and judges nothing. `--keep`: writes the candidates
 * there. `--stages`: where the time of each judgement went. What came of a candidate is kept by its text, so that a run that was stopped goes on; `--again` judges those once
 * more that were not found correct, `--kept` judges nothing that is not kept, `--limit` gives each run of the device longer than the judge does, on a machine that is busy with
 * other things. `--write-table` puts what was seen into docs/coverage.md.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { wholeOption } from '../src/cli/whole-number.ts';
import { createVirtualDevice, type Device } from '../src/device/index.ts';
import { createBuiltinEngineer, LoweringError } from '../src/engineer/index.ts';
import { judge, limitsFor, randomOperator } from '../src/judge/index.ts';
import { floor, type LoadOptions, loadVerified, type Task, TaskError } from '../src/task/index.ts';
import { gpuTarget } from '../src/vgpu/index.ts';
import { writeCoverage } from './lowering/coverage-page.ts';
import type { Row, Trial } from './lowering/row.ts';
import { taskFiles } from './tasks/files.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    level: { type: 'string', default: '1,2' },
    only: { type: 'string' },
    candidates: { type: 'string', default: '1' },
    backward: { type: 'boolean', default: false },
    dry: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '1' },
    cache: { type: 'string', default: '.assay' },
    keep: { type: 'string' },
    gpu: { type: 'string', default: 'h100' },
    stages: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
    kept: { type: 'boolean', default: false },
    limit: { type: 'string' },
    json: { type: 'boolean', default: false },
    'write-table': { type: 'boolean', default: false },
  },
});

/** The numbers among the options; a sentence and the end of the program where one is none. */
function numbers() {
  const list = (name: 'level' | 'candidates') => options[name].split(',').map((text) => wholeOption(name, text));
  try {
    return {
      ...{ levels: list('level'), candidates: list('candidates'), jobs: wholeOption('jobs', options.jobs) },
      limit: options.limit === undefined ? undefined : wholeOption('limit', options.limit),
    };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(2);
  }
}
const { levels, candidates, jobs, limit } = numbers();

const seconds = (since: number) => (performance.now() - since) / 1000;

async function tryOut(task: Task, candidate: number, source: string, device: Device): Promise<Trial> {
  const known = { candidate, kernels: source.split('__global__').length - 1, lines: source.split('\n').length };
  const unjudged: Trial = { outcome: 'lowered', ...known, seconds: 0, date: new Date().toISOString() };
  if (options.dry) return unjudged;
  const key = createHash('sha256')
    .update(JSON.stringify([task.hash, task.scaled, options.gpu]))
    .update(source)
    .digest('hex');
  const kept = join(options.cache, 'bench-lowering', `${key}.json`);
  if (existsSync(kept)) {
    const before = JSON.parse(readFileSync(kept, 'utf8')) as Trial;
    if (before.outcome === 'correct' || !options.again) return before;
  }
  if (options.kept) return unjudged;
  const started = performance.now();
  const [cacheDir, tracesDir] = [join(options.cache, 'builds'), join(options.cache, 'traces')];
  const request = {
    task,
    candidateSource: source,
    device,
    gpu: options.gpu,
    limits: { ...limitsFor(task), ...(limit && { milliseconds: 1000 * limit }) },
    cacheDir,
    tracesDir,
  };
  const { outcome, check, reason, modelled, timings } = await judge(request);
  const trial: Trial = {
    ...{ outcome, ...(check && { check }), reason, ...known, seconds: seconds(started) },
    date: new Date().toISOString(),
    stages: timings.map(({ stage, milliseconds }) => [stage, milliseconds / 1000]),
  };
  if (modelled) trial.microseconds = modelled.microseconds;
  writeFileSync(kept, JSON.stringify(trial));
  return trial;
}

/** A task as its file leaves it; where that is random, in evaluation mode, if that is not. */
async function loaded(path: string): Promise<Pick<Row, 'mode'> & { task: Task }> {
  const load: LoadOptions = { cacheDir: join(options.cache, 'traces'), backward: options.backward };
  const { verified } = await loadVerified(path, load);
  if (randomOperator(verified) === undefined) return { task: verified };
  const { verified: evaluated } = await loadVerified(path, { ...load, mode: 'eval' });
  return randomOperator(evaluated) === undefined ? { task: evaluated, mode: 'eval' } : { task: verified };
}

async function cover(level: number, path: string, device: Device): Promise<Row> {
  const row: Row = { level, name: basename(path, '.py'), loadSeconds: 0, trials: [] };
  const started = performance.now();
  try {
    const { task: verified, mode } = await loaded(path);
    if (mode) row.mode = mode;
    row.loadSeconds = seconds(started);
    row.nodes = verified.graph.nodes.length;
    row.floorMicroseconds = floor(verified, gpuTarget(options.gpu)).microseconds;
    const proposals = await createBuiltinEngineer({ task: verified }).start();
    for (const number of candidates) {
      const source = proposals[number - 1]?.source;
      if (source === undefined) continue;
      if (options.keep) writeFileSync(join(options.keep, `${row.name}-${number}.cu`), source);
      row.trials.push(await tryOut(verified, number, source, device));
    }
  } catch (error) {
    if (!(error instanceof LoweringError) && !(error instanceof TaskError)) throw error;
    row.refused = error.message;
  }
  return row;
}

function print({ level, name, mode, refused, loadSeconds, floorMicroseconds, trials }: Row): void {
  const told = trials.map(({ outcome, check, reason, kernels, seconds: took, microseconds }) => {
    const time = microseconds === undefined ? '' : ` ${microseconds.toPrecision(3)} us`;
    const why = outcome === 'rejected' || outcome === 'unjudgeable' ? ` (${check}: ${reason})` : '';
    return `${outcome}${mode ? ' in evaluation mode' : ''}${why}, ${kernels} kernels,${time} ${took.toFixed(1)} s`;
  });
  const least = floorMicroseconds === undefined ? '' : `, floor ${floorMicroseconds.toPrecision(3)} us`;
  process.stdout.write(`${level} ${name}: ${refused ?? told.join(' | ')} [load ${loadSeconds.toFixed(1)} s${least}]\n`);
  if (!options.stages) return;
  for (const { stages = [] } of trials)
    process.stdout.write(`    ${stages.map(([stage, took]) => `${stage} ${took.toFixed(1)} s`).join(', ')}\n`);
}

function printTotals(rows: readonly Row[]): void {
  for (const level of [...new Set(rows.map((row) => row.level))].sort()) {
    const own = rows.filter((row) => row.level === level);
    const having = (outcome: Trial['outcome']) =>
      own.filter(({ trials }) => trials.some((trial) => trial.outcome === outcome));
    const bad = own.filter(({ trials }) =>
      trials.some(({ outcome }) => outcome === 'rejected' || outcome === 'unjudgeable'),
    );
    const good = options.dry ? having('lowered') : having('correct');
    const time = own.reduce((sum, { trials }) => sum + trials.reduce((all, trial) => all + trial.seconds, 0), 0);
    process.stdout.write(
      `level ${level}: ${good.length} of ${own.length} ${options.dry ? 'lowered' : 'correct'}; ${own.filter(({ refused }) => refused !== undefined).length} without a candidate; ${bad.length} with a candidate that was not found correct; ${time.toFixed(0)} s of judging\n`,
    );
    for (const { name, refused } of own) if (refused !== undefined) process.stdout.write(`  ${name}: ${refused}\n`);
    for (const { name, trials } of bad)
      for (const { outcome, check, reason } of trials)
        if (outcome !== 'correct') process.stdout.write(`  ${name}: ${outcome} by ${check}: ${reason}\n`);
  }
}

async function main(): Promise<number> {
  const [directory] = positionals;
  if (directory === undefined || !existsSync(directory)) {
    process.stderr.write('Give the folder of a KernelBench checkout: npm run bench:lowering -- DIR\n');
    return 2;
  }
  mkdirSync(join(options.cache, 'bench-lowering'), { recursive: true });
  if (options.keep) mkdirSync(options.keep, { recursive: true });
  const only = options.only === undefined ? undefined : new RegExp(options.only);
  const files = levels.flatMap((level) => taskFiles(directory, level, only));
  const rows: Row[] = [];
  const worker = async () => {
    const device = createVirtualDevice({ gpu: options.gpu });
    try {
      for (let file = files.shift(); file; file = files.shift()) {
        const row = await cover(file.level, file.path, device);
        rows.push(row);
        if (!options.json) print(row);
      }
    } finally {
      await device.close();
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  if (options.json) process.stdout.write(`${JSON.stringify(rows, null, 1)}\n`);
  else printTotals(rows);
  if (options['write-table']) writeCoverage(rows, options.gpu);
  return 0;
}

process.exitCode = await main();
