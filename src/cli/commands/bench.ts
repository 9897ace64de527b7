/**
 * `assay bench DIR`: every task of a folder through `assay optimize`, each in a process of its own, as many at once as the machine has cores; a table and
 * a page. What is finished is on disk at once, so that an interrupted bench goes on with `--resume`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { benchPage } from '../bench/page.ts';
import { BenchProgress } from '../bench/progress.ts';
import { type Row, rowOf, rowSchema } from '../bench/row.ts';
import { summaryOf } from '../bench/summary.ts';
import { head, rowLines, sumLines } from '../bench/table.ts';
import { tasksUnder } from '../bench/tasks.ts';
import type { Places } from '../places.ts';
import { printable, wrap } from '../terminal/format.ts';

export interface BenchOptions {
  /** Seconds of search a task. */
  budget: number;
  /** Elements and operations that a task is verified at. */
  scale: number;
  /** Tasks at the same time. */
  atOnce: number;
  only?: string;
  resume: boolean;
  report?: string;
  json: boolean;
}

/** What a task may take beside its search (tracing, confirmation) before it is stopped, seconds. */
const grace = 240;
/** Between asking a process to end and ending it, milliseconds. */
const patience = 15_000;

/** Runs the tasks under `folder`; `more` are options for `assay optimize`. Exit code 0, 1 where some task has no correct kernel, 130 interrupted. */
export async function bench(
  folder: string,
  more: readonly string[],
  options: BenchOptions,
  places: Places,
  signal: AbortSignal,
): Promise<number> {
  const tasks = tasksUnder(folder)
    .map((path) => ({ path, name: relative(folder, path) || basename(path), hash: hashOf(path) }))
    .filter(({ name }) => options.only === undefined || name.includes(options.only));
  if (tasks.length === 0) throw new Error(`No task under ${folder} has ${options.only} in its name.`);
  const parameters = ['--budget', String(options.budget), '--scale', String(options.scale), '--workers', '1', ...more];
  const kept = rowsKept(places, folder, parameters, options.resume);
  const rows = new Map(kept.rows.map((row) => [row.task, row]));
  const waiting = tasks.filter(({ name, hash }) => rows.get(name)?.hash !== hash);
  const say = (line: string) => {
    if (!options.json) process.stdout.write(`${line}\n`);
  };
  const about = `${options.budget} s of search each, verified at up to ${options.scale} elements and operations`;
  say(wrap(printable(`${tasks.length} tasks under ${folder}, ${options.atOnce} at once: ${about}.`), 79));
  if (waiting.length < tasks.length) say(`${tasks.length - waiting.length} of ${tasks.length} tasks are done already.`);
  if (waiting.length > 0) say(head(tasks.length));
  const progress = options.json ? undefined : new BenchProgress(waiting.length);
  const worker = async () => {
    for (let task = waiting.shift(); task && !signal.aborted; task = waiting.shift()) {
      const arguments_ = [task.path, ...parameters, ...(options.resume ? ['--resume'] : []), '--json'];
      const began = performance.now();
      progress?.begin(task.name);
      const printed = await optimized(arguments_, places, 1000 * (options.budget + grace), signal);
      if (printed === undefined) return;
      const seconds = (performance.now() - began) / 1000;
      const row = rowOf({ task: task.name, hash: task.hash, seconds }, printed);
      appendFileSync(kept.file, `${JSON.stringify(row)}\n`);
      rows.set(task.name, row);
      progress?.done(task.name, rowLines(row, tasks.filter(({ name }) => rows.has(name)).length, tasks.length));
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, worker)).finally(() => progress?.close());

  const done = tasks.flatMap(({ name }) => rows.get(name) ?? []);
  const summary = summaryOf(done, tasks.length - done.length);
  const page = options.report ?? join(kept.folder, 'report.html');
  const title = `Bench of ${basename(resolve(folder))}`;
  writeFileSync(page, benchPage({ title, about: `${tasks.length} tasks, ${about}.`, rows: done, summary }));
  if (options.json)
    process.stdout.write(`${JSON.stringify({ folder, parameters, summary, rows: done, page }, null, 2)}\n`);
  else {
    say('');
    for (const line of sumLines(summary)) say(line);
    say(`page                    ${page}`);
    if (signal.aborted) say(`\nInterrupted; nothing is lost. Go on with:\n  ${resuming(process.argv.slice(2))}`);
  }
  if (signal.aborted) return 130;
  return summary.correct === tasks.length ? 0 : 1;
}

/** The command that goes on with this one. */
function resuming(argv: readonly string[]): string {
  const at = argv.indexOf('bench') + 1;
  const all = argv.includes('--resume') ? argv : [...argv.slice(0, at), '--resume', ...argv.slice(at)];
  const quoted = (word: string) => (/^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  return ['assay', ...all].map(quoted).join(' ');
}

/** The rows of this bench (the same folder and options) that are on disk; none of them without `resume`. */
function rowsKept(places: Places, folder: string, parameters: readonly string[], resume: boolean) {
  const id = createHash('sha256')
    .update(JSON.stringify([resolve(folder), parameters]))
    .digest('hex')
    .slice(0, 12);
  const own = join(places.home, 'benches', `${basename(resolve(folder))}-${id}`);
  const file = join(own, 'rows.jsonl');
  mkdirSync(own, { recursive: true });
  if (!resume) rmSync(file, { force: true });
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  const rows: Row[] = lines.flatMap((text) => {
    const row = rowSchema.safeParse(parsed(text));
    return row.success ? [row.data] : []; // a line that a crash cut short is a task that is not done
  });
  // What follows a line cut short must not be glued to it.
  if (rows.length > 0) writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return { folder: own, file, rows };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function hashOf(path: string): string {
  const file = statSync(path).isDirectory() ? join(path, 'func_forward.py') : path;
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** What `assay optimize` prints for a task, from a process of its own; undefined where it was interrupted. */
async function optimized(
  parameters: readonly string[],
  places: Places,
  milliseconds: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const own = ['--home', places.home, '--archive', places.archive, 'optimize', ...parameters];
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...own], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const end = () => interrupt(child);
  const timer = setTimeout(end, milliseconds);
  signal.addEventListener('abort', end, { once: true });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  const code = await new Promise<number | null>((done, failed) => {
    child.on('error', failed);
    child.on('close', done);
  }).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  });
  return signal.aborted || (code === 130 && printed === '') ? undefined : printed;
}

/** Asks a process to end cleanly, and ends it where it does not. */
function interrupt(child: ChildProcess): void {
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGKILL'), patience);
  child.on('close', () => clearTimeout(timer));
}
