/** Loading a task: file to graph to the signature that candidates are written against. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { findScale } from './scale.ts';
import type { SandboxLimits } from './trace/sandbox.ts';
import { TaskError } from './trace/task-error.ts';
import { FileTracer } from './trace/trace.ts';
import type { Graph, InitScalar, PrecisionPolicy, Signature, Task, TensorSpec } from './types.ts';

export interface LoadOptions {
  /** Where traces and the interpreter's snapshot are kept; made when absent. */
  cacheDir: string;
  /** Shrink the file's sizes until the task's elements and multiply-adds together are at most this. Absent: the file's own sizes. */
  scale?: number;
  /** Arithmetic a candidate may use inside; fp32 when absent. */
  precision?: PrecisionPolicy;
  limits?: SandboxLimits;
}

const MAX_SOURCE_BYTES = 1 << 20;

function readSource(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new TaskError('invalid', `The task file ${path} cannot be read: ${(error as Error).message}.`);
  }
  if (bytes.length > MAX_SOURCE_BYTES)
    throw new TaskError(
      'invalid',
      `The task file ${path} has ${bytes.length} bytes; a task is source text of at most 1 MiB.`,
    );
  return bytes.toString('utf8');
}

/** The specs of a graph's outputs. */
export function outputSpecs(graph: Graph): TensorSpec[] {
  const wanted = new Map<number, TensorSpec>();
  for (const v of [...graph.inputs, ...graph.parameters, ...graph.constants]) wanted.set(v.id, v.spec);
  for (const node of graph.nodes) for (const v of node.outputs) wanted.set(v.id, v.spec);
  return graph.outputs.map((id) => wanted.get(id)!);
}

/** What a candidate is called with: inputs, then parameters and buffers in the model's order; scalars by name. */
export function signatureOf(graph: Graph, scalars: readonly InitScalar[]): Signature {
  return {
    tensors: [
      ...graph.inputs.map(({ name, spec }) => ({ name, role: 'input' as const, spec })),
      ...graph.parameters.map(({ name, kind, spec }) => ({ name, role: kind, spec })),
    ],
    scalars,
    outputs: outputSpecs(graph),
  };
}

/**
 * Load a task from a file, or from text with a name. The file is run in a sandbox (trace/), never on the host.
 * Throws TaskError, a sentence with the line of the file.
 */
export async function loadTask(from: string | { name: string; source: string }, options: LoadOptions): Promise<Task> {
  const { name, source } =
    typeof from === 'string' ? { name: basename(from).replace(/\.py$/, ''), source: readSource(from) } : from;
  const tracer = new FileTracer(`${name}.py`, source, options.cacheDir, options.limits);
  try {
    const whole = await tracer.trace();
    const { traced, scaled } =
      options.scale === undefined ? { traced: whole, scaled: [] } : await findScale(tracer, whole, options.scale);
    const hash = createHash('sha256').update(source).update('\0').update(JSON.stringify(scaled)).digest('hex');
    return {
      name,
      source,
      hash,
      graph: traced.graph,
      signature: signatureOf(traced.graph, traced.scalars),
      precision: options.precision ?? 'fp32',
      scaled,
    };
  } finally {
    await tracer.close();
  }
}
