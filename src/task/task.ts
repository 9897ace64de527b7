/** Loading a task: file to graph to the signature that candidates are written against. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { backwardGraph } from './backward.ts';
import { findTask, type Settings, settingsText } from './configurations.ts';
import { idleConstants } from './idle.ts';
import { operatorOf } from './operators/table.ts';
import { outputSpecs } from './output-specs.ts';
import { traceRows } from './row-task.ts';
import { findScale, workOf } from './scale.ts';
import { agreeWithTorch } from './trace/agree-with-torch.ts';
import type { SandboxLimits } from './trace/sandbox.ts';
import { TaskError } from './trace/task-error.ts';
import { FileTracer, type SizeConstant, type Traced } from './trace/trace.ts';
import type { DType, Graph, InitScalar, ModelMode, PrecisionPolicy, Signature, Task } from './types.ts';
import { LARGER_SCALE, VERIFIED_SCALE } from './verified-scale.ts';

export interface LoadOptions {
  /** Where traces and the interpreter's snapshot are kept; made when absent. */
  cacheDir: string;
  /** Shrink the file's sizes until the task's elements and multiply-adds together are at most this. Absent: the file's own sizes. */
  scale?: number;
  /** Arithmetic a candidate may use; fp32 when absent. With fp16 and bf16 inputs, parameters and results have that type too. */
  precision?: PrecisionPolicy;
  /** Also run the task in real PyTorch, behind a wall; a disagreement is an error. */
  reference?: 'own' | 'torch';
  /** Which configuration of a task that has several, from 0; the first when absent. */
  configuration?: number;
  /** Call `model.eval()` first, as PyTorch's users do before inference. Absent: the model is as its file leaves it. */
  mode?: ModelMode;
  /** Load the task's gradients instead: see {@link backwardGraph}. */
  backward?: boolean;
  limits?: SandboxLimits;
}

const MAX_SOURCE_BYTES = 1 << 20;

/** What a policy makes of the task's floating tensors, as PyTorch's `half()` does; the others leave them as they are. */
const LOWERED: Partial<Record<PrecisionPolicy, DType>> = { fp16: 'float16', bf16: 'bfloat16' };

function loweredBy({ precision = 'fp32' }: LoadOptions): DType | undefined {
  return LOWERED[precision];
}

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

/**
 * What a candidate is called with: inputs, then parameters and buffers in the model's order; scalars by name, in the functional form
 * in the order of `fn`'s arguments.
 */
export function signatureOf(graph: Graph, scalars: readonly InitScalar[], functional = false): Signature {
  return {
    tensors: [
      ...graph.inputs.map(({ name, spec }) => ({ name, role: 'input' as const, spec })),
      ...graph.parameters.map(({ name, kind, spec }) => ({ name, role: kind, spec })),
    ],
    scalars,
    ...(functional && { scalarsBy: 'position' as const }),
    outputs: outputSpecs(graph),
  };
}

/** The signature of a task's backward: the outputs' gradients, then what the forward takes; it returns the gradients. */
function backwardSignature(graph: Graph, of: readonly string[], forward: Signature): Signature {
  return { ...signatureOf(graph, forward.scalars), scalarsBy: forward.scalarsBy, entry: 'backward', gradientsOf: of };
}

/** What a task is made of, before it is traced. */
interface TaskText {
  name: string;
  source: string;
  settings?: Settings;
}

function readTask(path: string, wanted: number | undefined): TaskText {
  const { file, name, configurations } = findTask(path);
  const index = wanted ?? 0;
  const settings = configurations[index];
  if (settings === undefined && wanted !== undefined && !(wanted === 0 && configurations.length === 0)) {
    const there = configurations.length === 0 ? 'has none' : `has ${configurations.length}, from 0`;
    throw new TaskError('invalid', `There is no configuration ${wanted}: the task ${name} ${there}.`);
  }
  return { name: index === 0 ? name : `${name}-configuration-${index}`, source: readSource(file), settings };
}

/** The configurations of a task, in words: `batch_size = 8, dim = 64`. Empty for a file that sets its own sizes. Throws TaskError. */
export function taskConfigurations(path: string): string[] {
  return findTask(path).configurations.map(settingsText);
}

/**
 * Load a task from a file, a folder in robust-kbench's form, or text with a name. The file is run in a sandbox (trace/), never on the host.
 * Throws TaskError, a sentence with the line of the file.
 */
export async function loadTask(from: string | TaskText, options: LoadOptions): Promise<Task> {
  return withTracer(from, options, async (tracer, text) => {
    const shapes = await shapesAt(tracer, options);
    await agreed(text, options, shapes);
    return taskAt(text, options, shapes);
  });
}

/** A task at its file's own shapes, beside the same at smaller ones. */
export interface FullTask {
  task: Task;
  /** The same program for a few rows: see row-task.ts. Or why there is none. */
  rows: Task | string;
}

/** Load a task as {@link loadTask} does; where that scaled it, also at the file's own shapes. Throws TaskError. */
export async function loadWithFull(
  from: string | TaskText,
  options: LoadOptions,
): Promise<{ task: Task; full?: FullTask }> {
  return withTracer(from, options, async (tracer, text) => {
    const shapes = await shapesAt(tracer, options);
    await agreed(text, options, shapes);
    const task = taskAt(text, options, shapes);
    if (task.scaled.length === 0) return { task };
    const whole = await tracer.trace();
    const rows = await traceRows(tracer, whole, (graph) => (options.backward ? backwardGraph(graph).graph : graph));
    const at = (traced: Traced) => taskAt(text, options, { traced, scaled: [] });
    return { task, full: { task: at(whole), rows: typeof rows === 'string' ? rows : at(rows.traced) } };
  });
}

/** A task as asked for, and the shapes at which it can be put to the question. */
export interface VerifiedTask {
  task: Task;
  /** At shapes at which all its mutants can be tried in seconds: the task itself where it is small enough. */
  verified: Task;
  /** For tasks without products or convolutions: at shapes at which one evaluation is still cheap. */
  larger?: Task;
  /** Constants of the file that change nothing when they are changed. */
  idle: readonly SizeConstant[];
}

/** Load a task, and the same at smaller shapes (see verified-scale.ts; the least there are where none are small enough). Throws TaskError. */
export async function loadVerified(from: string | TaskText, options: LoadOptions): Promise<VerifiedTask> {
  return withTracer(from, options, async (tracer, text) => {
    const whole = await tracer.trace();
    const wanted = await shapesAt(tracer, options);
    const task = taskAt(text, options, wanted);
    const work = workOf(task.graph);
    const at = async (scale: number) =>
      work <= scale ? wanted : findScale(tracer, whole, scale, workIn(options), true);
    const contracts = task.graph.nodes.some(({ op }) => operatorOf(op).kind === 'contraction');
    const verified = await at(VERIFIED_SCALE);
    await agreed(text, options, verified);
    return {
      task,
      verified: taskAt(text, options, verified),
      ...(!contracts && work > VERIFIED_SCALE && { larger: taskAt(text, options, await at(LARGER_SCALE)) }),
      idle: await idleConstants(tracer, whole),
    };
  });
}

async function withTracer<T>(
  from: string | TaskText,
  options: LoadOptions,
  work: (tracer: FileTracer, text: TaskText) => Promise<T>,
): Promise<T> {
  const text = typeof from === 'string' ? readTask(from, options.configuration) : from;
  const { limits, cacheDir, mode } = options;
  const surroundings = { limits, settings: text.settings, dtype: loweredBy(options), mode };
  const tracer = new FileTracer(`${text.name}.py`, text.source, cacheDir, surroundings);
  try {
    return await work(tracer, text);
  } finally {
    await tracer.close();
  }
}

type Shapes = { traced: Traced; scaled: Task['scaled'] };

/** What evaluating a traced graph costs, in the direction that was asked for. */
const workIn =
  ({ backward }: LoadOptions) =>
  (graph: Graph): number =>
    workOf(backward ? backwardGraph(graph).graph : graph);

async function shapesAt(tracer: FileTracer, options: LoadOptions): Promise<Shapes> {
  const whole = await tracer.trace();
  if (options.backward && whole.stops) {
    const { what, line } = whole.stops;
    const message = `Line ${line}: ${what} changes what gradients flow, and a backward is derived from the values alone. Judge this task forward, or write it without.`;
    throw new TaskError('unsupported', message, line);
  }
  const { scale } = options;
  return scale === undefined ? { traced: whole, scaled: [] } : findScale(tracer, whole, scale, workIn(options));
}

/** Where real PyTorch was asked for: throws unless it computes the same at these shapes. */
async function agreed({ name, source, settings }: TaskText, options: LoadOptions, shapes: Shapes): Promise<void> {
  if (options.reference !== 'torch') return;
  const overrides = Object.fromEntries(shapes.scaled.map((change) => [change.name, change.to]));
  const backward = options.backward ? backwardGraph(shapes.traced.graph) : undefined;
  const { mode } = options;
  await agreeWithTorch(name, {
    ...shapes.traced,
    source,
    overrides,
    settings,
    backward,
    mode,
    dtype: loweredBy(options),
  });
}

/** What is added to a file's name for a task that is the file's in another mode or direction. */
const addition = ({ mode, backward }: Pick<LoadOptions, 'mode' | 'backward'>) =>
  `${mode ? `-${mode}` : ''}${backward ? '-backward' : ''}`;

const taskName = (name: string, asked: Pick<LoadOptions, 'mode' | 'backward'>) => name + addition(asked);

/** The name that a task was loaded by: its own, without what its mode and direction added. */
export function loadedName(name: string, asked: Pick<LoadOptions, 'mode' | 'backward'>): string {
  const added = addition(asked);
  return added !== '' && name.endsWith(added) ? name.slice(0, -added.length) : name;
}

function taskAt({ name, source, settings }: TaskText, options: LoadOptions, { traced, scaled }: Shapes): Task {
  const { precision = 'fp32', backward = false, mode } = options;
  const hash = createHash('sha256').update(source).update('\0').update(JSON.stringify(scaled));
  if (settings) hash.update('\0').update(JSON.stringify(settings));
  if (precision !== 'fp32') hash.update('\0').update(precision);
  if (mode) hash.update('\0').update(mode);
  if (backward) hash.update('\0').update('backward');
  const signature = signatureOf(traced.graph, traced.scalars, traced.functional);
  const gradients = backward ? backwardGraph(traced.graph) : undefined;
  return {
    name: taskName(name, options),
    source,
    hash: hash.digest('hex'),
    graph: gradients?.graph ?? traced.graph,
    signature: gradients ? backwardSignature(gradients.graph, gradients.of, signature) : signature,
    precision,
    ...(mode && { mode }),
    scaled,
    ...(scaled.length > 0 && { scale: options.scale }),
    ...(settings && { configuration: settings }),
  };
}
