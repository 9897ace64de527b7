/**
 * `npm run coverage -- DIR`: how much of what people and models publish does the kernel room take as it is, and what stops the rest.
 *
 *     npm run coverage -- DIR [--tasks DIR] [--filter REGEXP] [--compile] [--judge] [--gpu h100] [--cache FOLDER] [--json]
 *
 * DIR holds `.cu` files with tasks beside them (robust-kbench), Python files with `load_inline`, or CUDA-L1's JSON; `--tasks` is a KernelBench folder
 * with level1, level2, ... Without `--compile` programs are planned only; with `--judge` those that take the task's own arguments are judged, too.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createVirtualDevice } from '../src/device/index.ts';
import { createOracle, judge, limitsFor } from '../src/judge/index.ts';
import {
  BuildError,
  CandidateError,
  factsOf,
  type HostFunction,
  hostFunctions,
  interpretHost,
  prepareCandidate,
} from '../src/kernel/index.ts';
import { loadTask, loadVerified, type Signature, TaskError } from '../src/task/index.ts';
import { gpuTarget } from '../src/vgpu/index.ts';
import { type CorpusProgram, readCorpus } from './coverage-corpus.ts';
import { type Fitted, fitSignature } from './coverage-signature.ts';

/** How far one program came. */
interface Row {
  name: string;
  /** How the arguments of its functions were found; the weakest of them. */
  arguments?: Fitted['how'];
  stage: 'no task' | 'no host function' | 'not planned' | 'planned' | 'not compiled' | 'compiled' | 'judged';
  /** What stopped it, or the verdict. */
  why: string;
  milliseconds: number;
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tasks: { type: 'string' },
    filter: { type: 'string', default: '' },
    compile: { type: 'boolean', default: false },
    judge: { type: 'boolean', default: false },
    gpu: { type: 'string', default: 'h100' },
    cache: { type: 'string', default: '.assay' },
    json: { type: 'boolean', default: false },
  },
});

const target = gpuTarget(options.gpu);
const facts = factsOf(target);
/** Published tasks can be as large as a GPU's memory: the question here is what a program says, not what it needs. */
const limits = { workspaceBytes: target.memoryBytes };
const cacheDir = join(options.cache, 'coverage');
const signatures = new Map<string, Promise<Signature | string>>();

/** The file of a program's task. */
function taskOf({ task, taskSource }: CorpusProgram): string | undefined {
  if (taskSource === undefined) return task;
  const folder = join(cacheDir, 'tasks');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${createHash('sha256').update(taskSource).digest('hex').slice(0, 16)}.py`);
  writeFileSync(file, taskSource);
  return file;
}

function signatureOf(program: CorpusProgram): Promise<Signature | string> {
  const { direction } = program;
  const task = taskOf(program);
  if (!task) return Promise.resolve('no task of its name or number was found');
  const key = `${task} ${direction}`;
  let known = signatures.get(key);
  if (!known) {
    known = loadTask(task, { cacheDir: join(cacheDir, 'traces'), backward: direction === 'backward' }).then(
      (loaded) => loaded.signature,
      (error: unknown) => {
        if (error instanceof TaskError) return error.message;
        throw error;
      },
    );
    signatures.set(key, known);
  }
  return known;
}

/** The functions to interpret: those that Python asked for, or the one that the file's own conventions name. */
function functionsOf(program: CorpusProgram): HostFunction[] {
  const all = hostFunctions(program.source);
  const wanted = all.filter((f) => program.entries.includes(f.name));
  if (wanted.length > 0) return wanted;
  const exported = all.filter((f) => f.exported);
  const named = (exported.length > 0 ? exported : all).filter((f) => f.name.includes(program.direction));
  return named.length > 0 ? named.slice(0, 1) : exported;
}

async function measure(program: CorpusProgram): Promise<Omit<Row, 'milliseconds'>> {
  const { name, source } = program;
  const signature = await signatureOf(program);
  if (typeof signature === 'string') return { name, stage: 'no task', why: signature };
  let how: Fitted['how'] = 'own';
  let stage: Row['stage'] = 'not planned';
  try {
    const functions = functionsOf(program);
    const calls = functions.map((f) => ({ entry: f.name, ...fitSignature(f, signature) }));
    // A file that exports under another name than the function's, or nothing this tool finds: the room's own conventions decide.
    const asked = calls.length > 0 ? calls : [{ entry: undefined, signature, how: 'own' as const }];
    for (const call of asked) {
      if (call.how === 'guessed' || how === 'own') how = call.how;
      // The kernel is not compiled here: occupancy queries get a usual answer.
      interpretHost(source, call.signature, { facts, limits, entry: call.entry, occupancy: () => 2 });
    }
    stage = 'not compiled';
    if (!options.compile && !options.judge) return { name, arguments: how, stage: 'planned', why: '' };
    for (const { entry, signature: given } of asked) {
      await prepareCandidate(source, given, {
        arch: target.arch,
        cacheDir: join(cacheDir, 'builds'),
        facts,
        limits,
        entry,
      });
    }
    if (!options.judge || how !== 'own' || asked.length > 1)
      return { name, arguments: how, stage: 'compiled', why: '' };
    return { name, arguments: how, stage: 'judged', why: await verdictOf(program) };
  } catch (error) {
    if (!(error instanceof CandidateError || error instanceof BuildError)) throw error;
    // Kernels alone: Python's load_inline cannot build them either, and whoever published them fell back to PyTorch without a word.
    if (/there is no host function/.test(error.message)) return { name, stage: 'no host function', why: '' };
    return { name, arguments: how, stage, why: error.message };
  }
}

/** The verdict at the scale that a candidate is verified at. */
async function verdictOf(program: CorpusProgram): Promise<string> {
  const { direction, source } = program;
  const load = { cacheDir: join(cacheDir, 'traces'), backward: direction === 'backward' };
  const { verified: task } = await loadVerified(taskOf(program)!, load);
  const device = createVirtualDevice({ gpu: options.gpu });
  try {
    const limits = limitsFor(task);
    const given = { task, candidateSource: source, device, oracle: createOracle(task), gpu: options.gpu, limits };
    const verdict = await judge({ ...given, cacheDir: join(cacheDir, 'builds') });
    return `${verdict.outcome}${verdict.check ? ` by ${verdict.check}` : ''}: ${verdict.reason}`;
  } finally {
    await device.close();
  }
}

function print(row: Row): void {
  if (options.json) process.stdout.write(`${JSON.stringify(row)}\n`);
  else {
    const how = row.arguments ?? '';
    process.stdout.write(
      `${row.stage.padEnd(12)} ${how.padEnd(8)} ${row.name}${row.why ? `: ${row.why.split('\n')[0]!.slice(0, 240)}` : ''}\n`,
    );
  }
}

/** Counts, and what stopped programs, most frequent first: numbers and quoted names are taken out so that like falls to like. */
function printTotals(rows: readonly Row[]): void {
  const of = (...stages: Row['stage'][]): number => rows.filter((r) => stages.includes(r.stage)).length;
  const planned = of('planned', 'compiled', 'judged', 'not compiled');
  const tried = rows.length - of('no task', 'no host function');
  const share = tried > 0 ? ((100 * planned) / tried).toFixed(1) : '0';
  process.stdout.write(
    `\n${rows.length} distinct programs; ${of('no task')} without a task, ${of('no host function')} without a host function; ${planned} of ${tried} planned (${share} %)`,
  );
  if (options.compile || options.judge) {
    process.stdout.write(`; ${of('compiled', 'judged')} compiled, ${of('not compiled')} not; ${of('judged')} judged`);
  }
  process.stdout.write('\n');
  const causes = new Map<string, number>();
  for (const { stage, why } of rows) {
    if (!stage.startsWith('not') && stage !== 'no task') continue;
    const cause = `${stage}: ${why
      .split('\n')[0]!
      .replace(/^line \d+: /, '')
      .replace(/\d+/g, 'N')
      .slice(0, 110)}`;
    causes.set(cause, (causes.get(cause) ?? 0) + 1);
  }
  for (const [cause, count] of [...causes].sort((a, b) => b[1] - a[1]))
    process.stdout.write(`${String(count).padStart(5)}  ${cause}\n`);
}

async function main(): Promise<number> {
  const [directory] = positionals;
  if (!directory) {
    process.stderr.write('Which folder of candidates? npm run coverage -- DIR [--tasks KERNELBENCH] [--compile]\n');
    return 2;
  }
  mkdirSync(cacheDir, { recursive: true });
  const pattern = new RegExp(options.filter);
  const rows: Row[] = [];
  for (const program of readCorpus(directory, options.tasks).filter(({ name }) => pattern.test(name))) {
    const started = performance.now();
    const row = { ...(await measure(program)), milliseconds: Math.round(performance.now() - started) };
    rows.push(row);
    print(row);
  }
  if (!options.json) printTotals(rows);
  return 0;
}

process.exitCode = await main();
