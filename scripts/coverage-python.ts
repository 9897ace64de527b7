/**
 * `node --import tsx scripts/coverage-python.ts DIR`: how many published submissions in Python are taken as they are, and what stops each other one.
 *
 *     DIR [--tasks DIR] [--filter REGEXP] [--every N] [--judge] [--gpu h100] [--cache FOLDER]
 *
 * DIR is CUDA-L1's repository (its optimized_cuda_code/*.json hold one record a line, each with its own reference), or any folder of `.py` files, whose tasks are found
 * in `--tasks`, a KernelBench folder, by the level and number in their paths. Every distinct program that loads an extension is prepared at its task's full shapes: run in
 * the sandbox, its host functions interpreted, its kernels compiled. With `--judge` those that launch something are judged, too, at verified scale.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { createVirtualDevice } from '../src/device/index.ts';
import { createOracle, judge, limitsFor } from '../src/judge/index.ts';
import { BuildError, CandidateError, factsOf, type PreparedCandidate, prepareCandidate } from '../src/kernel/index.ts';
import { loadTask, loadVerified } from '../src/task/index.ts';
import { gpuTarget } from '../src/vgpu/index.ts';

interface Submission {
  name: string;
  task: string;
  source: string;
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tasks: { type: 'string' },
    filter: { type: 'string', default: '' },
    every: { type: 'string', default: '1' },
    judge: { type: 'boolean', default: false },
    gpu: { type: 'string', default: 'h100' },
    cache: { type: 'string', default: '.assay' },
  },
});
const cacheDir = join(options.cache, 'coverage-python');

/** The distinct programs with an extension, by level and task. */
function submissionsIn(folder: string): Submission[] {
  const codes = join(folder, 'optimized_cuda_code');
  const found = existsSync(codes) ? recordsOf(codes) : filesOf(folder);
  const distinct = new Map<string, Submission>();
  for (const each of found) if (!distinct.has(each.source)) distinct.set(each.source, each);
  return [...distinct.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

const loads = (source: string | null | undefined): source is string => source?.includes('cpp_extension') === true;
const short = (source: string) => createHash('sha256').update(source).digest('hex').slice(0, 8);

function recordsOf(codes: string): Submission[] {
  return readdirSync(codes)
    .filter((name) => name.endsWith('.json'))
    .flatMap((file) => readFileSync(join(codes, file), 'utf8').split('\n'))
    .filter((line) => line.trim() !== '')
    .flatMap((line) => {
      const record = JSON.parse(line) as {
        level_id: number;
        task_id: number;
        ref_code: string;
        custom_code?: string | null;
      };
      const source = record.custom_code;
      if (!loads(source)) return [];
      const name = `level ${record.level_id} task ${record.task_id} ${short(source)}`;
      return [{ name, task: record.ref_code, source }];
    });
}

function filesOf(folder: string): Submission[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.py'))
    .flatMap((name) => {
      const source = readFileSync(join(folder, name), 'utf8');
      const task = taskNumbered(relative('.', name));
      return loads(source) && source.includes('ModelNew') && task !== undefined ? [{ name, task, source }] : [];
    });
}

/** The text of the task of the same level and number, where there is one. */
function taskNumbered(name: string): string | undefined {
  const level = /level_?(\d+)/.exec(name)?.[1];
  const number = /(?:problem_|task_|\/)(\d+)_/.exec(name)?.[1];
  const folder = options.tasks && level && join(options.tasks, `level${level}`);
  if (!folder || !number || !existsSync(folder)) return undefined;
  const file = readdirSync(folder).find((each) => each.startsWith(`${number}_`) && each.endsWith('.py'));
  return file && readFileSync(join(folder, file), 'utf8');
}

/** What became of one: how far it came, and with what or why not. */
async function outcome({ name, task: source, source: candidate }: Submission): Promise<[string, string]> {
  const text = { name: `${name.replace(/\W+/g, '-')}.py`, source };
  const target = gpuTarget(options.gpu);
  let stage = 'task';
  try {
    const task = await loadTask(text, { cacheDir });
    stage = 'submission';
    // Published tasks can be as large as a GPU's memory: the question here is what a program says, not what it needs.
    const prepared = await prepareCandidate(candidate, task.signature, {
      arch: target.arch,
      facts: factsOf(target),
      cacheDir,
      task,
      limits: { workspaceBytes: 2 ** 37 },
    });
    const [how, said] = taken(prepared);
    if (!options.judge || how !== 'taken') return [how, said];
    stage = 'judge';
    return await verdictOf(text, candidate, said);
  } catch (error) {
    const kind = error instanceof CandidateError ? error.kind : error instanceof BuildError ? 'build' : 'error';
    const line = error instanceof CandidateError && error.line > 0 ? `line ${error.line}: ` : '';
    return [`${stage}: ${kind}`, line + firstLine((error as Error).message.replace(/^line \d+: /, ''))];
  }
}

const firstLine = (text: string) => text.split('\n')[0]!.slice(0, 400);

function taken({ plan, remarks = [] }: PreparedCandidate): [string, string] {
  const count = (kind: string) => plan.steps.filter((step) => step.kind === kind).length;
  const failed = remarks.find(({ text: remark }) => remark.startsWith('Its extension failed'));
  const why = failed ? `; line ${failed.line}: ${failed.text}` : '';
  const said = `${count('launch')} launches, ${count('operator')} operators of PyTorch's${why}`;
  if (count('launch') > 0) return ['taken', said];
  return [failed ? 'launches nothing, as its extension fails' : 'launches nothing', said];
}

async function verdictOf(
  text: { name: string; source: string },
  candidateSource: string,
  said: string,
): Promise<[string, string]> {
  const { verified: task } = await loadVerified(text, { cacheDir });
  const device = createVirtualDevice({ gpu: options.gpu });
  try {
    const given = { task, candidateSource, device, oracle: createOracle(task), gpu: options.gpu };
    const verdict = await judge({ ...given, limits: limitsFor(task), cacheDir });
    return [
      `judged: ${verdict.outcome}${verdict.check ? ` by ${verdict.check}` : ''}`,
      `${said}; ${firstLine(verdict.reason)}`,
    ];
  } finally {
    await device.close();
  }
}

async function main(folder: string | undefined): Promise<number> {
  if (!folder) {
    process.stderr.write('Name the folder of submissions: node --import tsx scripts/coverage-python.ts DIR\n');
    return 2;
  }
  mkdirSync(cacheDir, { recursive: true });
  const counts = new Map<string, number>();
  const pattern = new RegExp(options.filter);
  const all = submissionsIn(folder).filter(({ name }, i) => i % Number(options.every) === 0 && pattern.test(name));
  for (const each of all) {
    const [how, said] = await outcome(each);
    counts.set(how, (counts.get(how) ?? 0) + 1);
    process.stdout.write(`${each.name}  ${how}: ${said}\n`);
  }
  process.stdout.write(`\n${all.length} programs\n`);
  for (const [how, count] of [...counts].sort((a, b) => b[1] - a[1]))
    process.stdout.write(`${String(count).padStart(5)}  ${how}\n`);
  return 0;
}

process.exitCode = await main(positionals[0]);
