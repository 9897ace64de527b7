/**
 * `npm run corpus [FILTER] [-- --write-table]`: cheats that must be rejected (or cannot be expressed), honest kernels that must pass.
 * Cases are CUDA C++ (.cu) or submissions in Python (.py). Each file of corpus/cheats says in its header which task it is for and what the judge must say of it.
 * Cases are judged in a few processes, by task. Prints caught, missed, accepted and falsely accused; the exit code is 1 unless all are as they must be.
 * `--write-table` (of a run without a filter) puts what was seen into corpus/README.md.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createVirtualDevice, type Device } from '../src/device/index.ts';
import {
  type Commitment,
  commit,
  createOracle,
  judge,
  limitsFor,
  type Oracle,
  sourceHash,
  type Verdict,
} from '../src/judge/index.ts';
import type { FullTask, Task } from '../src/task/index.ts';
import { ensureSnapshot } from '../src/task/trace/sandbox.ts';
import { type CorpusCase, corpusCases, loadCaseTask, taskKey } from './corpus-cases.ts';
import { expectRows, writeTable } from './corpus-table.ts';

/** Why a verdict is not what the case demands; undefined when it is. */
export function disagreement({ expect }: CorpusCase, verdict: Verdict): string | undefined {
  const said = `${verdict.outcome}${verdict.check ? ` by ${verdict.check}` : ''}: ${verdict.reason}`;
  if (verdict.outcome !== expect.outcome) return said;
  if (expect.word === undefined) return undefined;
  const place = expect.outcome === 'rejected' ? verdict.check : verdict.reason;
  return place?.includes(expect.word) ? undefined : said;
}

/** What a worker says of one case. */
interface CaseReport {
  name: string;
  fault?: string;
  said: string;
  milliseconds: number;
}

/**
 * Judges cases, one task after the other, with one device and one oracle a task. All cases are frozen before any seed is drawn, and share
 * it: inputs are drawn and references computed once for all cases of a task.
 */
export class CorpusBench {
  readonly #cacheDir: string;
  readonly #device: Device;
  readonly #gpu: string;
  readonly #commitment: Commitment;
  #known: { key: string; task: Task; full?: FullTask; oracle: Oracle } | undefined;

  /** `cacheDir` keeps traces and compiled code. `on`: what runs the kernels; absent: the virtual GPU. */
  constructor(cases: readonly CorpusCase[], cacheDir: string, on?: { device: Device; gpu: string }) {
    this.#cacheDir = cacheDir;
    this.#gpu = on?.gpu ?? 'h100';
    this.#device = on?.device ?? createVirtualDevice({ gpu: this.#gpu });
    this.#commitment = commit(cases.map(({ source }) => sourceHash(source)));
    this.#device.start?.();
  }

  async judge({ task: wanted, source }: CorpusCase): Promise<Verdict> {
    const tracesDir = join(this.#cacheDir, 'traces');
    const key = taskKey(wanted);
    if (this.#known?.key !== key) {
      const loaded = await loadCaseTask(wanted, tracesDir);
      this.#known = { key, ...loaded, oracle: createOracle(loaded.task, this.#cacheDir) };
    }
    const { task, full, oracle } = this.#known;
    return judge({
      ...{ task, full, oracle, tracesDir, candidateSource: source },
      ...{ device: this.#device, gpu: this.#gpu, limits: limitsFor(task) },
      cacheDir: join(this.#cacheDir, 'builds'),
      commitment: this.#commitment,
    });
  }

  close(): Promise<void> {
    return this.#device.close();
  }
}

/** One more than cores: a judgement waits for processes to start, and for its own device, a tenth of its time. */
const JOBS = availableParallelism() + 1;

/** Most cases that a worker is given at once: a task with many is shared out, one with few stays whole. */
const MOST_AT_ONCE = 16;

/** The cases in portions of one task each. */
function portions(cases: readonly CorpusCase[]): CorpusCase[][] {
  return [...new Set(cases.map(({ task }) => taskKey(task)))].flatMap((key) => {
    const all = cases.filter(({ task }) => taskKey(task) === key);
    const size = Math.ceil(all.length / Math.ceil(all.length / MOST_AT_ONCE));
    return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
  });
}

/** A process of its own: judges the portions that it is sent, and reports case by case. An empty report asks for the next portion. */
async function work(filter: string, cacheDir: string): Promise<void> {
  const cases = corpusCases(filter);
  const bench = new CorpusBench(cases, cacheDir);
  process.on('message', async (names: readonly string[]) => {
    for (const name of names) {
      const each = cases.find((one) => caseName(one) === name)!;
      const before = performance.now();
      const verdict = await bench.judge(each);
      const said = verdict.outcome === 'correct' ? 'correct' : `${verdict.outcome} by ${verdict.check}`;
      const report: CaseReport = {
        ...{ name, said, fault: disagreement(each, verdict) },
        milliseconds: performance.now() - before,
      };
      process.send!(report);
    }
    process.send!({});
  });
  process.on('disconnect', () => bench.close());
  process.send!({});
}

const caseName = ({ kind, name }: CorpusCase) => `${kind}/${name}`;

/** Judges all cases in some processes and prints each verdict as it comes. Rejects where a process ends early. */
async function judgeAll(cases: readonly CorpusCase[], filter: string, jobs: number): Promise<CaseReport[]> {
  const cacheDir = mkdtempSync(join(tmpdir(), 'assay-corpus-'));
  // Made once for all: each worker would make its own.
  await ensureSnapshot(join(cacheDir, 'traces'));
  const waiting = portions(cases);
  // Much is allocated that lives for a moment: in the usual nursery, which begins with 2 MiB, a tenth of the time goes into sweeping it.
  const execArgv = [...process.execArgv, '--min-semi-space-size=64', '--max-semi-space-size=64'];
  const reports: CaseReport[] = [];
  const workers = Array.from({ length: Math.min(jobs, waiting.length) }, () => {
    const child = fork(fileURLToPath(import.meta.url), ['--worker', filter, cacheDir], { execArgv });
    return { child, done: followWorker(child, waiting, (report) => void reports.push(printed(report))) };
  });
  try {
    await Promise.all(workers.map(({ done }) => done));
    return reports;
  } finally {
    for (const { child } of workers) child.kill();
    rmSync(cacheDir, { recursive: true, force: true });
  }
}

/** Takes the next portion: of the same task where there is one, for its references are known to that worker; else of the task with the most left. */
function nextPortion(waiting: CorpusCase[][], before: readonly CorpusCase[] | undefined): CorpusCase[] | undefined {
  const keyOf = (portion: readonly CorpusCase[]) => taskKey(portion[0]!.task);
  const same = before === undefined ? -1 : waiting.findIndex((portion) => keyOf(portion) === keyOf(before));
  if (same >= 0) return waiting.splice(same, 1)[0];
  const left = new Map<string, number>();
  for (const portion of waiting) left.set(keyOf(portion), (left.get(keyOf(portion)) ?? 0) + portion.length);
  const most = Math.max(...left.values());
  const at = waiting.findIndex((portion) => left.get(keyOf(portion)) === most);
  return at < 0 ? undefined : waiting.splice(at, 1)[0];
}

/** Gives a worker one portion after the other until none is left. */
function followWorker(
  child: ChildProcess,
  waiting: CorpusCase[][],
  onReport: (report: CaseReport) => void,
): Promise<void> {
  let portion: CorpusCase[] | undefined;
  return new Promise((resolve, reject) => {
    child.on('message', (message: CaseReport | Record<string, never>) => {
      if ('name' in message) return onReport(message as CaseReport);
      portion = nextPortion(waiting, portion);
      if (portion) child.send(portion.map(caseName));
      else child.disconnect();
    });
    child.on('error', reject);
    child.on('exit', (code, by) => (code === 0 ? resolve() : reject(new Error(`A worker ended (${by ?? code}).`))));
  });
}

function printed(report: CaseReport): CaseReport {
  const { name, fault, said, milliseconds } = report;
  process.stdout.write(
    `${fault ? 'WRONG' : 'ok   '} ${milliseconds.toFixed(0).padStart(6)} ms  ${name}: ${fault ?? said}\n`,
  );
  return report;
}

async function main(filter: string, jobs: number, tabulate: boolean): Promise<number> {
  const started = performance.now();
  const cases = corpusCases(filter);
  expectRows(cases);
  const reports = await judgeAll(cases, filter, jobs);
  const count = (kind: CorpusCase['kind'], wrong: boolean) =>
    reports.filter(({ name, fault }) => name.startsWith(`${kind}/`) && (fault !== undefined) === wrong).length;
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const [missed, accused] = [count('cheats', true), count('honest', true)];
  process.stdout.write(
    `\ncheats: ${count('cheats', false)} caught, ${missed} missed; honest: ${count('honest', false)} accepted, ${accused} falsely accused; ${seconds} s\n`,
  );
  if (tabulate) {
    const day = new Date().toISOString().slice(0, 10);
    const entries = cases.map((each) => {
      const report = reports.find(({ name }) => name === caseName(each));
      return {
        each,
        said: report?.said ?? 'not judged',
        asExpected: report !== undefined && report.fault === undefined,
      };
    });
    writeTable(
      entries,
      `Measured on ${day}: the whole corpus in ${seconds} s, in ${jobs} processes on ${cpus().length} cores, on the virtual GPU.`,
    );
  }
  return missed + accused === 0 && reports.length === cases.length ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [first, filter = '', cacheDir] = process.argv.slice(2);
  if (first === '--worker') await work(filter, cacheDir!);
  else if (first === '--write-table') process.exitCode = await main('', JOBS, true);
  else process.exitCode = await main(first ?? '', JOBS, false);
}
