/**
 * A whole suite of tasks put to the question: does each trace, does the reference agree with real PyTorch (where ASSAY_PYTHON, or python3, has it), is
 * the task fit to judge by, how many of its mutants does the judge catch, how long does that take.
 *
 *     npm run bench:tasks -- DIR [--level 1,2,3] [--filter REGEXP] [--jobs 2] [--cache FOLDER] [--json]
 *
 * DIR is a KernelBench checkout of any revision: folders level1, level2, ... are looked for in it. Results are kept by the content of the file and of
 * our own sources, so a run that was stopped (Ctrl-C) goes on where it was. One child process a job; tasks/row.ts is what it does.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { taskFiles } from './tasks/files.ts';
import { printRow, printTotals } from './tasks/print.ts';
import type { Row, RowRequest } from './tasks/row.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    level: { type: 'string', default: '1,2' },
    filter: { type: 'string' },
    jobs: { type: 'string', default: '2' },
    cache: { type: 'string', default: '.assay' },
    json: { type: 'boolean', default: false },
  },
});

/** Tasks that a child is given at a time: they share one start of PyTorch. */
const BATCH = 8;
/** A batch that takes longer is given up. */
const BATCH_TIMEOUT_MS = 20 * 60_000;

interface Job {
  level: number;
  name: string;
  path: string;
  kept: string;
}

/** A hash of the sources that a result depends on. */
function ownVersion(): string {
  const hash = createHash('sha256');
  for (const room of ['task', 'judge']) {
    const folder = fileURLToPath(new URL(`../src/${room}`, import.meta.url));
    const files = readdirSync(folder, { recursive: true }).map(String).sort();
    for (const file of files.filter((name) => /\.(ts|py|mjs)$/.test(name) && !name.endsWith('.test.ts')))
      hash
        .update(file)
        .update('\0')
        .update(readFileSync(join(folder, file)));
  }
  return hash.digest('hex');
}

function jobsOf(directory: string, cache: string): Job[] {
  const version = ownVersion();
  return options.level.split(',').flatMap((text) => {
    const wanted = options.filter === undefined ? undefined : new RegExp(options.filter);
    return taskFiles(directory, Number(text), wanted).map(({ level, path }): Job => {
      const hash = createHash('sha256')
        .update(version)
        .update(readFileSync(path))
        .update(process.env.ASSAY_PYTHON ?? '');
      return { level, name: basename(path, '.py'), path, kept: join(cache, `row-${hash.digest('hex')}.json`) };
    });
  });
}

function keep(file: string, row: Row): void {
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(row));
  renameSync(`${file}.${process.pid}`, file);
}

/** Runs batches of jobs in one child after another; `done` hears every row. */
async function work(
  batches: Job[][],
  traces: string,
  done: (job: Job, row: Row) => void,
  stopped: AbortSignal,
): Promise<void> {
  for (let batch = batches.shift(); batch !== undefined && !stopped.aborted; batch = batches.shift()) {
    const open = new Map(batch.map((job) => [job.path, job]));
    await new Promise<void>((resolve) => {
      const child: ChildProcess = fork(fileURLToPath(new URL('./tasks/row.ts', import.meta.url)), {
        execArgv: ['--import', 'tsx', '--max-old-space-size=3072'],
      });
      const end = () => child.kill('SIGKILL');
      const timer = setTimeout(end, BATCH_TIMEOUT_MS);
      stopped.addEventListener('abort', end);
      child.on('message', (row: Row) => {
        const job = open.get(row.path);
        if (!job) return;
        open.delete(row.path);
        done(job, row);
      });
      child.on('exit', () => {
        clearTimeout(timer);
        stopped.removeEventListener('abort', end);
        resolve();
      });
      child.send({ paths: [...open.keys()], traces } satisfies RowRequest);
    });
    for (const job of stopped.aborted ? [] : open.values())
      done(job, { path: job.path, seconds: 0, error: 'The process that looked at it ended, or took too long.' });
  }
}

async function main(): Promise<number> {
  const [directory] = positionals;
  if (directory === undefined || !existsSync(directory)) {
    process.stderr.write('Give the folder of a KernelBench checkout: npm run bench:tasks -- DIR\n');
    return 2;
  }
  const cache = join(options.cache, 'bench-tasks');
  mkdirSync(cache, { recursive: true });
  const jobs = jobsOf(directory, cache);
  const stopped = new AbortController();
  process.on('SIGINT', () => stopped.abort()).on('SIGTERM', () => stopped.abort());
  const rows = new Map<Job, Row>();
  const done = (job: Job, row: Row) => {
    rows.set(job, row);
    if (!options.json) printRow(job.level, job.name, row);
  };
  for (const job of jobs) if (existsSync(job.kept)) done(job, JSON.parse(readFileSync(job.kept, 'utf8')) as Row);
  const left = jobs.filter((job) => !rows.has(job));
  const batches = Array.from({ length: Math.ceil(left.length / BATCH) }, (_, i) =>
    left.slice(i * BATCH, (i + 1) * BATCH),
  );
  const record = (job: Job, row: Row) => {
    // What PyTorch failed to answer it is asked again the next time.
    const answered = typeof row.torch !== 'string' || !row.torch.startsWith('not compared: PyTorch');
    if (row.error === undefined ? answered : row.final) keep(job.kept, row);
    done(job, row);
  };
  await Promise.all(
    Array.from({ length: Math.max(1, Number(options.jobs) || 1) }, () =>
      work(batches, join(options.cache, 'traces'), record, stopped.signal),
    ),
  );
  const all = jobs.flatMap((job) => (rows.has(job) ? [{ level: job.level, name: job.name, ...rows.get(job)! }] : []));
  if (options.json)
    process.stdout.write(
      `${JSON.stringify(
        all.map(({ path, ...row }) => ({ ...row, file: relative(directory, path) })),
        null,
        1,
      )}\n`,
    );
  else printTotals(all, jobs.length);
  return stopped.signal.aborted ? 130 : 0;
}

process.exitCode = await main();
