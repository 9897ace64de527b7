/** Why a task file could not become a task, in a sentence, with the line of the file where there is one. */

/**
 * syntax: not Python. unsupported: Python that PyTorch runs and the tracer does not. timeout, memory: a limit of the sandbox was met.
 * invalid: the file is wrong (PyTorch would refuse it too), or is not a task.
 */
export type TaskErrorKind = 'syntax' | 'unsupported' | 'timeout' | 'memory' | 'invalid';

export class TaskError extends Error {
  readonly kind: TaskErrorKind;
  /** Line of the task file, from 1; undefined where no line is to blame. */
  readonly line: number | undefined;

  constructor(kind: TaskErrorKind, message: string, line?: number) {
    super(message);
    this.name = 'TaskError';
    this.kind = kind;
    this.line = line && line > 0 ? line : undefined;
  }
}
