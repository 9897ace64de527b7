/** `--reference torch`: a task is believed only if real PyTorch says the same of it. */
import { wallWorks } from '../../isolation/index.ts';
import { tensorBytes } from '../operators/tensor.ts';
import { TaskError } from './task-error.ts';
import { type Case, disagreements, pythonWithTorch } from './torch-oracle.ts';

/** PyTorch computes in the task's dtypes, we in float64: the difference is PyTorch's rounding, relative to the largest value. */
const TOLERANCE = { float32: 1e-4, float16: 1e-2, bfloat16: 5e-2 } as const;
/** Values travel as text; what needs more is compared at smaller shapes. */
const MOST_BYTES = 64 << 20;

/**
 * Runs a task in real PyTorch, behind a wall, on values drawn as its file draws them. Throws TaskError where the two disagree, and where
 * there is no PyTorch or no wall.
 */
export async function agreeWithTorch(name: string, task: Case): Promise<void> {
  const found = pythonWithTorch();
  if ('missing' in found)
    throw new TaskError('invalid', `There is no PyTorch to compare ${name} with: ${found.missing}.`);
  if (!(await wallWorks()))
    throw new TaskError(
      'invalid',
      'Real PyTorch runs the task file as a program of this machine, which is done behind a wall only: install bubblewrap.',
    );
  const { inputs, parameters } = task.graph;
  const bytes = [...inputs, ...parameters].reduce((sum, { spec }) => sum + tensorBytes(spec), 0);
  if (bytes > MOST_BYTES)
    throw new TaskError(
      'invalid',
      `${name} has ${Math.ceil(bytes / 2 ** 20)} MB of arguments; PyTorch is compared with up to ${MOST_BYTES >> 20} MB: give a --scale.`,
    );
  let why: string | undefined;
  try {
    [why] = await disagreements(found, [task], TOLERANCE[(task.dtype ?? 'float32') as keyof typeof TOLERANCE]);
  } catch (error) {
    throw new TaskError('invalid', `${name}: ${(error as Error).message}`);
  }
  if (why) throw new TaskError('invalid', `${name}: real PyTorch disagrees with our reference: ${why}.`);
}
