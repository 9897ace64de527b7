/**
 * `node --import tsx scripts/coverage-python.ts FOLDER [every] [filter]`: how many of CUDA-L1's submissions in Python are taken as they are, and what stops each other one.
 *
 * FOLDER is CUDA-L1's repository (its optimized_cuda_code/*.json hold one record a line). Every distinct program that loads an extension is prepared against its own
 * reference, at that file's full shapes: run in the sandbox, its host functions interpreted, its kernels compiled. Nothing is judged here.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuildError, CandidateError, prepareCandidate } from '../src/kernel/index.ts';
import { loadTask } from '../src/task/index.ts';

interface Submission {
  name: string;
  task: string;
  source: string;
}

/** The distinct programs with an extension, by level and task. */
export function submissionsIn(folder: string): Submission[] {
  const found = new Map<string, Submission>();
  const codes = join(folder, 'optimized_cuda_code');
  for (const file of readdirSync(codes).filter((name) => name.endsWith('.json'))) {
    for (const line of readFileSync(join(codes, file), 'utf8').split('\n')) {
      if (line.trim() === '') continue;
      const record = JSON.parse(line) as { level_id: number; task_id: number; ref_code: string; custom_code?: string };
      const source = record.custom_code;
      if (!source?.includes('cpp_extension')) continue;
      const hash = createHash('sha256').update(source).digest('hex');
      const name = `level ${record.level_id} task ${record.task_id} ${hash.slice(0, 8)}`;
      found.set(hash, found.get(hash) ?? { name, task: record.ref_code, source });
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What became of one: `taken`, with what its plan holds, or what stopped it. */
async function outcome({ name, task: text, source }: Submission, cacheDir: string): Promise<[string, string]> {
  let stage = 'task';
  try {
    const task = await loadTask({ name: name.replaceAll(' ', '-'), source: text }, { cacheDir });
    stage = 'submission';
    const limits = { workspaceBytes: 2 ** 37 };
    const { plan, remarks = [] } = await prepareCandidate(source, task.signature, {
      arch: 'sm_90',
      cacheDir,
      task,
      limits,
    });
    const count = (kind: string) => plan.steps.filter((step) => step.kind === kind).length;
    const failed = remarks.find(({ text: remark }) => remark.startsWith('Its extension failed'));
    const how = count('launch') > 0 ? 'taken' : 'taken: launches nothing';
    const said = `${count('launch')} launches, ${count('operator')} operators of PyTorch's${failed ? `; line ${failed.line}: ${failed.text}` : ''}`;
    return [how, said];
  } catch (error) {
    const kind = error instanceof CandidateError ? error.kind : error instanceof BuildError ? 'build' : 'error';
    const line = error instanceof CandidateError && error.line > 0 ? `line ${error.line}: ` : '';
    return [
      `${stage}: ${kind}`,
      line +
        String((error as Error).message)
          .replace(/^line \d+: /, '')
          .split('\n')[0]!
          .slice(0, 230),
    ];
  }
}

const [folder, every = '1', filter = ''] = process.argv.slice(2);
if (!folder) {
  process.stderr.write(
    'Name the folder of CUDA-L1: node --import tsx scripts/coverage-python.ts FOLDER [every] [filter]\n',
  );
  process.exit(2);
}
const cacheDir = process.env.ASSAY_COVERAGE_CACHE ?? mkdtempSync(join(tmpdir(), 'assay-coverage-'));
const counts = new Map<string, number>();
const all = submissionsIn(folder).filter(({ name }, i) => i % Number(every) === 0 && name.includes(filter));
for (const each of all) {
  const [how, said] = await outcome(each, cacheDir);
  counts.set(how, (counts.get(how) ?? 0) + 1);
  process.stdout.write(`${each.name}  ${how}: ${said}\n`);
}
process.stdout.write(`\n${all.length} programs\n`);
for (const [how, count] of [...counts].sort((a, b) => b[1] - a[1]))
  process.stdout.write(`${String(count).padStart(5)}  ${how}\n`);
if (!process.env.ASSAY_COVERAGE_CACHE) rmSync(cacheDir, { recursive: true, force: true });
