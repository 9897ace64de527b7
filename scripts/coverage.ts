/**
 * `npm run coverage -- DIR`: how much of what people and models publish does the kernel room take as it is, and what stops the rest.
 *
 *     npm run coverage -- DIR [--tasks DIR] [--filter REGEXP] [--compile] [--judge] [--gpu h100] [--cache FOLDER] [--json]
 *
 * DIR holds `.cu` files with tasks beside them (robust-kbench), Python files with `load_inline`, or CUDA-L1's JSON; `--tasks` is a KernelBench folder
 * with level1, level2, ... Without `--compile` programs are planned only; with `--judge` they are judged, too: a `.cu` file
 * that takes the task's own arguments by itself, a program in Python as the submission that it is part of, where that
 * launches it.
 *
 * A program counts where nvcc compiles its device code: the text with host functions blanked, as the room compiles it. The host part needs PyTorch's headers
 * and is never compiled. Where a program is not planned, `--compile` asks nvcc about its device code alone. `--json` prints one object: `rows` and `totals`.
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
  type CandidateErrorKind,
  compileKernels,
  factsOf,
  type HostFunction,
  hostFunctions,
  interpretHost,
  prepareCandidate,
} from '../src/kernel/index.ts';
import { loadTask, loadVerified, type Task, TaskError } from '../src/task/index.ts';
import { gpuTarget } from '../src/vgpu/index.ts';
import { type CorpusProgram, readCorpus } from './coverage-corpus.ts';
import { fitSignature } from './coverage-signature.ts';
import { LAUNCHES_NOTHING, lineOf, type Row, tableOf, totalsOf } from './coverage-table.ts';

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
/** Of one run on the virtual GPU. */
const JUDGE_MILLISECONDS = 300_000;
const builds = join(cacheDir, 'builds');
const loaded = new Map<string, Promise<Task | string>>();
type Progress = Omit<Row, 'milliseconds'>;
const submissions = new Map<string, Promise<Progress>>();

/** The file of a program's task. */
function taskOf({ task, taskSource }: CorpusProgram): string | undefined {
  if (taskSource === undefined) return task;
  const folder = join(cacheDir, 'tasks');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${createHash('sha256').update(taskSource).digest('hex').slice(0, 16)}.py`);
  writeFileSync(file, taskSource);
  return file;
}

/** The task, loaded once, or why there is none. */
function taskFor(program: CorpusProgram): Promise<Task | string> {
  const { direction } = program;
  const file = taskOf(program);
  if (!file) return Promise.resolve('no task of its name or number was found');
  const key = `${file} ${direction}`;
  let known = loaded.get(key);
  if (!known) {
    known = loadTask(file, { cacheDir: join(cacheDir, 'traces'), backward: direction === 'backward' }).catch(
      (error: unknown) => {
        if (error instanceof TaskError) return error.message;
        throw error;
      },
    );
    loaded.set(key, known);
  }
  return known;
}

/** The functions to interpret: those that Python asked for, or the one that the file's own conventions name; undefined: there is no host function. */
function functionsOf(program: CorpusProgram): HostFunction[] | undefined {
  const all = hostFunctions(program.source);
  const wanted = all.filter((f) => program.entries.includes(f.name));
  if (wanted.length > 0) return wanted;
  if (all.length === 0 && !/PYBIND11_MODULE|TORCH_LIBRARY/.test(program.source)) return undefined;
  const exported = all.filter((f) => f.exported);
  const named = (exported.length > 0 ? exported : all).filter((f) => f.name.includes(program.direction));
  return named.length > 0 ? named.slice(0, 1) : exported;
}

/**
 * The program alone, with the task's own arguments or others fitted to its parameters; where those do not fit, within the submission that it is part of.
 * What is judged is the submission: what its Python does before and after a call belongs to the answer.
 */
async function measure(program: CorpusProgram): Promise<Progress> {
  const row = await measureAlone(program);
  const { submission } = program;
  if (submission === undefined || row.arguments === undefined) return row;
  const judges = options.judge && row.stage === 'compiled';
  const misfits =
    row.stage === 'not planned' &&
    (row.arguments !== 'own' || row.kind === 'invalid' || row.kind === 'fails') &&
    (options.compile || options.judge);
  if (!judges && !misfits) return row;
  const whole = await measureSubmission(program, submission);
  if (whole.stage === 'judged') return judges ? { ...whole, arguments: row.arguments } : whole;
  if (judges) {
    // Its Python falls back to PyTorch, or builds nothing: the program itself is still there to be judged.
    if (whole.why === LAUNCHES_NOTHING && row.arguments === 'own') {
      const alone = await verdictOf(program, program.source);
      // Another shape: the function does a part of the task, and arguments of the task's own fit it by chance.
      if (alone.check !== 'output-shape') return { ...row, ...alone };
    }
    return { ...row, why: `Not judged within its Python: ${whole.why}` };
  }
  if (whole.stage === 'compiled') return whole;
  return row.kind === 'invalid' || row.kind === 'fails' || row.arguments === 'guessed'
    ? { ...whole, compiles: row.compiles }
    : row;
}

async function measureAlone(program: CorpusProgram): Promise<Progress> {
  const { name, source } = program;
  let row: Progress = { name, stage: 'not planned', why: '' };
  try {
    const functions = functionsOf(program);
    // Kernels alone: Python's load_inline cannot build them either, and whoever published them fell back to PyTorch without a word.
    if (functions === undefined) return { ...row, stage: 'no host function' };
    const task = await taskFor(program);
    if (typeof task === 'string') return { ...row, stage: 'no task', why: task };
    const { signature } = task;
    const calls = functions.map((f) => ({ entry: f.name, ...fitSignature(f, signature) }));
    // A file that exports under another name than the function's, or nothing this tool finds: the room's own conventions decide.
    const asked = calls.length > 0 ? calls : [{ entry: undefined, signature, how: 'own' as const }];
    // Of several functions each does a part of the task's work, and none is given the task's own arguments.
    const weakest = (['guessed', 'fitted'] as const).find((how) => asked.some((call) => call.how === how));
    row = { ...row, arguments: weakest ?? (asked.length > 1 ? 'fitted' : 'own') };
    for (const call of asked) {
      // The kernel is not compiled here: occupancy queries get a usual answer.
      interpretHost(source, call.signature, { facts, limits, entry: call.entry, occupancy: () => 2 });
    }
    row.stage = 'planned';
    if (!options.compile && !options.judge) return row;
    row.stage = 'not compiled';
    for (const { entry, signature: given } of asked) {
      await prepareCandidate(source, given, { arch: target.arch, cacheDir: builds, facts, limits, entry });
    }
    row.stage = 'compiled';
    const judges = options.judge && row.arguments === 'own' && program.submission === undefined;
    return judges ? { ...row, ...(await verdictOf(program, source)) } : row;
  } catch (error) {
    if (!(error instanceof CandidateError || error instanceof BuildError)) throw error;
    if (/there is no host function|is declared but has no body/.test(error.message))
      return { ...row, stage: 'no host function' };
    const stopped = { ...row, kind: kindOf(error), why: error.message };
    if (row.stage === 'not compiled') return { ...stopped, compiles: stopped.kind !== 'compile' };
    return options.compile || options.judge ? { ...stopped, compiles: await deviceCodeCompiles(source) } : stopped;
  }
}

/** The whole Python file as a candidate: its own code says what its functions are called with. Asked once where a file has several programs. */
function measureSubmission(program: CorpusProgram, submission: string): Promise<Progress> {
  const known = submissions.get(submission) ?? measureWhole(program, submission);
  submissions.set(submission, known);
  return known.then((progress) => ({ ...progress, name: program.name }));
}

async function measureWhole(program: CorpusProgram, submission: string): Promise<Progress> {
  const row: Progress = { name: program.name, arguments: 'python', stage: 'not planned', why: '' };
  try {
    const task = await taskFor(program);
    if (typeof task === 'string') return { ...row, stage: 'no task', why: task };
    const prepare = { arch: target.arch, cacheDir: builds, facts, limits, task, tracesDir: join(cacheDir, 'traces') };
    const { plan } = await prepareCandidate(submission, task.signature, prepare);
    if (!plan.steps.some((step) => step.kind === 'launch')) return { ...row, kind: 'invalid', why: LAUNCHES_NOTHING };
    if (!options.judge) return { ...row, stage: 'compiled' };
    return { ...row, ...(await verdictOf(program, submission)) };
  } catch (error) {
    if (!(error instanceof CandidateError || error instanceof BuildError || error instanceof TaskError)) throw error;
    return { ...row, kind: kindOf(error), why: error.message };
  }
}

function kindOf(error: Error): CandidateErrorKind {
  return error instanceof CandidateError ? error.kind : error instanceof TaskError ? 'unsupported' : 'limit';
}

/** Does nvcc take the program's device code, whatever its host code says? */
async function deviceCodeCompiles(source: string): Promise<boolean> {
  try {
    await compileKernels(source, { arch: target.arch, cacheDir: builds });
    return true;
  } catch (error) {
    if (error instanceof CandidateError || error instanceof BuildError) return false;
    throw error;
  }
}

/** The verdict at the scale that a candidate is verified at. */
async function verdictOf(
  program: CorpusProgram,
  source: string,
): Promise<Pick<Row, 'stage' | 'outcome' | 'check' | 'why'>> {
  const { direction } = program;
  const load = { cacheDir: join(cacheDir, 'traces'), backward: direction === 'backward' };
  const { verified: task } = await loadVerified(taskOf(program)!, load);
  const device = createVirtualDevice({ gpu: options.gpu });
  try {
    // A shared machine may be slow: time is no verdict here.
    const limits = { ...limitsFor(task), milliseconds: JUDGE_MILLISECONDS };
    const given = { task, candidateSource: source, device, oracle: createOracle(task), gpu: options.gpu, limits };
    const verdict = await judge({ ...given, cacheDir: builds });
    return { stage: 'judged', outcome: verdict.outcome, check: verdict.check, why: verdict.reason };
  } finally {
    await device.close();
  }
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
    // Progress goes where it cannot end up inside the object.
    (options.json ? process.stderr : process.stdout).write(lineOf(row));
  }
  const totals = totalsOf(rows);
  process.stdout.write(options.json ? `${JSON.stringify({ rows, totals })}\n` : tableOf(totals));
  return 0;
}

process.exitCode = await main();
