/**
 * Constants of a task file that change nothing: a number of groups that is passed in the place of another argument, a size nobody reads. Each is
 * replaced by other values and the file traced again; where the graph stays the same to the letter, the constant is idle. Nothing is guessed
 * from names.
 */
import { TaskError } from './trace/task-error.ts';
import type { FileTracer, SizeConstant, Traced } from './trace/trace.ts';

/** Files with more constants than this are not asked: every one costs a trace. */
const MOST_CONSTANTS = 24;

/** The constants whose change leaves the traced graph as it is. */
export async function idleConstants(tracer: FileTracer, whole: Traced): Promise<SizeConstant[]> {
  if (whole.constants.length > MOST_CONSTANTS) return [];
  const graph = JSON.stringify(whole.graph);
  const idle: SizeConstant[] = [];
  for (const constant of whole.constants) {
    // A file may take one value for another by chance (a kernel of 3 at stride 2); three changes that all change nothing are no chance.
    let same = true;
    for (const value of [constant.value + 1, 2 * constant.value + 1, Math.max(1, constant.value >> 1)]) {
      if (value === constant.value) continue;
      same = await leaves(tracer, graph, constant.name, value);
      if (!same) break;
    }
    if (same) idle.push(constant);
  }
  return idle;
}

async function leaves(tracer: FileTracer, graph: string, name: string, value: number): Promise<boolean> {
  try {
    return JSON.stringify((await tracer.trace({ [name]: value })).graph) === graph;
  } catch (error) {
    // A file that refuses the value reads it.
    if (error instanceof TaskError && (error.kind === 'invalid' || error.kind === 'unsupported')) return false;
    throw error;
  }
}
