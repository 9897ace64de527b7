/**
 * `npm run bench:faults`: how many small mistakes does the judge see? Faults are made in the honest kernels of the corpus (src/judge/faults), each is judged as any
 * candidate is, and the mutation score is printed, with every fault that was accepted and why it counts as none, or as missed.
 *
 *     npm run bench:faults -- [FILTER] [--faults N] [--seed S] [--after KERNEL] [--processes N] [--cache FOLDER] [--json]
 *
 * `--faults`: how many a kernel, drawn evenly over the kinds (default 30; 0: all there are). `--after`: only the kernels
 * that come after this one, to go on with a run that was cut off. A kernel that is not accepted itself is said, and makes the exit code 1.
 */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type CorpusCase, corpusCases, loadCaseTask, taskKey } from '../scripts/corpus-cases.ts';
import { createVirtualDevice } from '../src/device/index.ts';
import {
  createOracle,
  type Fate,
  FaultTrial,
  limitsFor,
  type Oracle,
  planFaults,
  ptxFaults,
} from '../src/judge/index.ts';
import { factsOf, prepareCandidate } from '../src/kernel/index.ts';
import type { Task } from '../src/task/index.ts';
import { gpuTarget } from '../src/vgpu/index.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    faults: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    after: { type: 'string', default: '' },
    processes: { type: 'string', default: String(Math.min(2, cpus().length)) },
    cache: { type: 'string' },
    json: { type: 'boolean', default: false },
    worker: { type: 'string' },
  },
});

/** What became of one fault of one kernel. */
interface Row {
  kernel: string;
  kind: string;
  what: string;
  fate: Fate;
}

/** Numbers from 0 to 1 from a seed (Mulberry32). */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Items by what `key` says of them, in the order of its first answers. */
function grouped<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

/** `count` of the faults, one of each kind in turn, the kinds in a drawn order. */
function drawn<T extends { kind: string }>(faults: readonly T[], count: number, next: () => number): T[] {
  const shuffled = <U>(all: readonly U[]) =>
    all
      .map((one) => ({ one, order: next() }))
      .sort((a, b) => a.order - b.order)
      .map(({ one }) => one);
  const kinds = shuffled([...grouped(faults, ({ kind }) => kind).values()].map(shuffled));
  const chosen: T[] = [];
  for (let round = 0; chosen.length < Math.min(count, faults.length); round++) {
    for (const all of kinds) if (all[round] !== undefined && chosen.length < count) chosen.push(all[round]!);
  }
  return chosen;
}

/** Tries the kernels of one task: how to draw its inputs is found out once. */
async function tryTask(cases: readonly CorpusCase[], cacheDir: string, report: (row: Row) => void): Promise<void> {
  const { task } = await loadCaseTask(cases[0]!.task, join(cacheDir, 'traces'));
  const oracle = createOracle(task);
  for (const each of cases) await tryKernel(each, { task, oracle }, cacheDir, report);
}

async function tryKernel(
  each: CorpusCase,
  { task, oracle }: { task: Task; oracle: Oracle },
  cacheDir: string,
  report: (row: Row) => void,
): Promise<void> {
  const tracesDir = join(cacheDir, 'traces');
  const target = gpuTarget('h100');
  const candidate = await prepareCandidate(each.source, task.signature, {
    ...{ arch: target.arch, facts: factsOf(target), cacheDir: join(cacheDir, 'builds'), tracesDir, task },
  });
  const device = createVirtualDevice({ gpu: 'h100' });
  try {
    const trial = new FaultTrial({ task, oracle, device, gpu: 'h100', limits: limitsFor(task) }, candidate);
    const original = await trial.original();
    if (original.outcome !== 'correct') {
      console.error(`${each.name} is not accepted itself: ${original.reason}`);
      process.exitCode = 1;
      return;
    }
    const faults = [...planFaults(candidate), ...ptxFaults(candidate)];
    const count = Number(options.faults) || faults.length;
    const seed = createHash('sha256').update(`${options.seed} ${each.name}`).digest().readUInt32LE();
    for (const fault of drawn(faults, count, random(seed))) {
      report({ kernel: each.name, kind: fault.kind, what: fault.what, fate: await trial.fate(fault) });
    }
  } finally {
    await device.close();
  }
}

function casesAsked(): CorpusCase[] {
  return corpusCases(positionals[0] ?? '').filter(
    ({ kind, name }) => kind === 'honest' && !name.endsWith('.py') && name > options.after,
  );
}

async function run(cacheDir: string): Promise<Row[]> {
  const count = Number(options.processes);
  const rows: Row[] = [];
  const work = Array.from({ length: count }, (_, index) => {
    const child = fork(fileURLToPath(import.meta.url), [
      ...process.argv.slice(2),
      '--worker',
      String(index),
      '--cache',
      cacheDir,
    ]);
    return new Promise<void>((resolve, reject) => {
      child.on('message', (row: Row) => {
        rows.push(row);
        if (!options.json)
          console.log(
            `${row.fate.kind.padEnd(10)} ${row.kernel}: ${row.kind}${row.fate.kind === 'caught' ? ` (${row.fate.check})` : ''}`,
          );
      });
      child.on('exit', (code, by) => {
        if (code === 1) process.exitCode = 1;
        if (code === 0 || code === 1) resolve();
        else reject(new Error(`A process ended (${by ?? code}).`));
      });
    });
  });
  await Promise.all(work);
  return rows;
}

function print(rows: readonly Row[], seconds: number): void {
  const of = (kind: Fate['kind']) => rows.filter(({ fate }) => fate.kind === kind);
  const kinds = [...grouped(rows, ({ kind }) => kind)].sort(([a], [b]) => (a < b ? -1 : 1));
  console.log(`\n${'kind of fault'.padEnd(34)} made caught stopped equal missed`);
  for (const [kind, all] of kinds) {
    const n = (fate: Fate['kind']) => String(all.filter((row) => row.fate.kind === fate).length);
    console.log(
      `${kind.padEnd(34)} ${String(all.length).padStart(4)} ${n('caught').padStart(6)} ${n('stopped').padStart(7)} ${n('equivalent').padStart(5)} ${n('missed').padStart(6)}`,
    );
  }
  console.log('\nno faults, and why');
  for (const [reason, all] of grouped(of('equivalent'), ({ fate }) => (fate as { reason: string }).reason))
    console.log(`  ${String(all.length).padStart(4)} ${reason}`);
  if (of('missed').length > 0) console.log('\nmissed');
  for (const { kernel, what } of of('missed')) console.log(`  ${kernel}: ${what}`);
  const faults = rows.length - of('equivalent').length;
  const seen = of('caught').length + of('stopped').length;
  console.log(
    `\n${seen} of ${faults} faults not accepted: ${((100 * seen) / Math.max(1, faults)).toFixed(1)} % (${of('stopped').length} of them at a limit); ${of('equivalent').length} are none; ${new Set(rows.map(({ kernel }) => kernel)).size} kernels, ${seconds.toFixed(0)} s`,
  );
}

if (options.worker === undefined) {
  const cacheDir = options.cache ?? mkdtempSync(join(tmpdir(), 'assay-faults-'));
  const start = performance.now();
  try {
    const rows = await run(cacheDir);
    if (options.json) console.log(JSON.stringify(rows, null, 1));
    else print(rows, (performance.now() - start) / 1000);
  } finally {
    if (options.cache === undefined) rmSync(cacheDir, { recursive: true, force: true });
  }
} else {
  const tasks = [...grouped(casesAsked(), ({ task }) => taskKey(task)).values()];
  const mine = tasks.filter((_, i) => i % Number(options.processes) === Number(options.worker));
  for (const cases of mine) await tryTask(cases, options.cache!, (row) => void process.send!(row));
  process.disconnect();
}
