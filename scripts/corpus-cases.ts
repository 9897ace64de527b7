/**
 * The cases of the corpus: files of corpus/cheats and corpus/honest, in CUDA C++ (.cu) or Python (.py), and their tasks (examples/, corpus/tasks/). A file's first
 * lines say what it is:
 *
 *     // task: softmax                      a file of corpus/tasks or examples, without .py
 *     // expect: rejected by values         cheats: the outcome; the check, or words that the message of an `unjudgeable` must contain
 *     // expect: disclosed cannot see       right, and the verdict says what is wrong with it, in these words
 *     // expect: harmless                   right: the trick changes nothing that is judged or timed
 *     // scale: 100000                      judged with `--scale`, and at the file's own shapes besides
 *     // precision: fp16                    judged with `--precision`
 *     // direction: backward                judged with `--backward`
 *
 * In Python the lines begin with `#`.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Verdict } from '../src/judge/index.ts';
import { type FullTask, loadWithFull, type PrecisionPolicy, type Task } from '../src/task/index.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Which task a case is for, and how it is loaded. Cases with equal ones can share an oracle. */
export interface CaseTask {
  name: string;
  scale?: number;
  precision?: PrecisionPolicy;
  backward?: true;
}

/** One file of the corpus, with what its header demands. */
export interface CorpusCase {
  kind: 'cheats' | 'honest';
  name: string;
  task: CaseTask;
  /** `correct`, perhaps with words that the reason must contain; or `rejected`, perhaps by a given check; or `unjudgeable` with words that the message must contain. */
  expect: { outcome: Verdict['outcome']; word?: string };
  /** The row of the catalogue of cheats. */
  row?: string;
  source: string;
}

/** Every case, or those whose name contains `filter`. */
export function corpusCases(filter = ''): CorpusCase[] {
  return (['cheats', 'honest'] as const).flatMap((kind) =>
    readdirSync(join(root, 'corpus', kind))
      .filter((file) => /\.(cu|py)$/.test(file) && file.includes(filter))
      .map((file) => readCase(kind, file)),
  );
}

function readCase(kind: CorpusCase['kind'], file: string): CorpusCase {
  const source = readFileSync(join(root, 'corpus', kind, file), 'utf8');
  const said = (word: string, value: string) => new RegExp(`^(?:\\/\\/|#) ${word}: ${value}$`, 'm').exec(source);
  const name = said('task', '(\\w+)')?.[1];
  if (!name) throw new Error(`corpus/${kind}/${file} does not say which task it is for`);
  const scale = said('scale', '(\\d+)')?.[1];
  const precision = said('precision', '(fp32|tf32|fp16|bf16)')?.[1] as PrecisionPolicy | undefined;
  const task: CaseTask = {
    name,
    ...(scale && { scale: Number(scale) }),
    ...(precision && { precision }),
    ...(said('direction', 'backward') && { backward: true }),
  };
  const common = { kind, name: file.replace(/\.cu$/, ''), task, source };
  if (kind === 'honest') return { ...common, expect: { outcome: 'correct' } };
  const expected = said('expect', '(rejected|unjudgeable|disclosed|harmless)(?: by)?(?: (.+))?');
  if (!expected) throw new Error(`corpus/${kind}/${file} does not say what is expected of it`);
  const [, how, word] = expected;
  const outcome = how === 'disclosed' || how === 'harmless' ? 'correct' : (how as Verdict['outcome']);
  return { ...common, row: file.replace(/-.*/, ''), expect: { outcome, word } };
}

/** The file that a case's task stands in. */
export function caseTaskFile({ name }: CaseTask): string {
  const own = join(root, 'corpus', 'tasks', `${name}.py`);
  return existsSync(own) ? own : join(root, 'examples', `${name}.py`);
}

/** Loads a case's task; where it is scaled, at its file's own shapes besides. */
export function loadCaseTask(task: CaseTask, tracesDir: string): Promise<{ task: Task; full?: FullTask }> {
  const { name: _, ...how } = task;
  return loadWithFull(caseTaskFile(task), { cacheDir: tracesDir, ...how });
}

/** Equal for cases that are judged on one and the same task. */
export const taskKey = (task: CaseTask): string => JSON.stringify(task);
